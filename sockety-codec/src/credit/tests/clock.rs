//! One file over a simulated line: how long it takes, and how many packets that costs. All times are
//! simulated; nothing waits.

use std::collections::VecDeque;

use crate::credit::{Effect, Pressure, Receiving, Round, Sending, Windows};
use crate::{FileIndex, FilesSummary, FlowEntry, Part};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const MS: u64 = 1_000_000;

/// 1 Gbit/s.
const NANOSECONDS_PER_BYTE: u64 = 8;

/// What a part sends in one turn.
const QUANTUM: u64 = 16 * KIB;

const FILE: Part = Part::File(FileIndex::ZERO);

/// A reader that is as fast as the line.
const FAST: u64 = 0;

#[derive(Clone, Copy, Debug)]
struct Line {
    /// Nanoseconds there and back.
    round_trip: u64,
    windows: Windows,
    size: u64,
    /// Whether it is a file, of which the size is known, or a stream.
    is_file: bool,
    /// Nanoseconds that the reader takes for each byte.
    reader: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Transfer {
    /// Nanoseconds from the first byte sent to the last byte taken.
    time: u64,
    /// Flow packets.
    packets: u64,
    entries: u64,
    /// The most bytes that were unread at once.
    unread: u64,
}

fn windows(message_max: u64, connection: u64) -> Windows {
    Windows {
        message: 256 * KIB,
        message_max,
        connection,
    }
}

impl Line {
    fn new(round_trip: u64, size: u64) -> Self {
        Self {
            round_trip,
            windows: windows(4 * MIB, 8 * MIB),
            size,
            is_file: true,
            reader: FAST,
        }
    }

    fn transfer(self) -> Transfer {
        let part = if self.is_file { FILE } else { Part::Stream };
        let files = FilesSummary {
            count: self.is_file.into(),
            total_size: if self.is_file { self.size } else { 0 },
        };
        let mut sending = Sending::default();
        sending.open(self.windows.message, self.windows.connection);
        sending.begin(0, !self.is_file, files.count);
        let mut receiving = Receiving::new(self.windows);
        receiving.begin(0, !self.is_file, files);
        let mut there: VecDeque<(u64, u64)> = VecDeque::new();
        let mut back: VecDeque<(u64, Vec<FlowEntry>)> = VecDeque::new();
        let (mut sent, mut received, mut taken) = (0, 0, 0);
        let mut is_blocked = false;
        let (mut line_is_free_at, mut reader_is_free_at) = (0, 0);
        let mut reading = 0;
        let mut is_waiting = false;
        let mut result = Transfer::default();
        let mut now = 0;
        while taken < self.size {
            let reads_at = (reading > 0).then_some(reader_is_free_at);
            let sends = !is_blocked && sent < self.size;
            let sends_at = sends.then_some(line_is_free_at.max(now));
            let arrives_at = there.front().map(|it| it.0);
            let returns_at = back.front().map(|it| it.0);
            let times = [reads_at, arrives_at, returns_at, sends_at];
            now = times
                .into_iter()
                .flatten()
                .min()
                .expect("it goes on")
                .max(now);
            let mut is_round = true;
            if arrives_at.is_some_and(|at| at <= now) {
                let (_, bytes) = there.pop_front().expect("it arrives");
                received += bytes;
                receiving.received(0, part, bytes).expect("it was allowed");
                result.unread = result.unread.max(receiving.unread());
            } else if reads_at.is_some_and(|at| at <= now) {
                taken += reading;
                receiving.taken(0, part, reading);
                reading = 0;
                is_waiting = false;
            } else if returns_at.is_some_and(|at| at <= now) {
                let (_, entries) = back.pop_front().expect("it returns");
                sending.packet();
                for entry in entries {
                    assert_eq!(sending.apply(entry), Ok(Effect::Grown));
                }
                is_blocked &= sending.next_ready().is_none();
                is_round = false;
            } else {
                match sending.may_send(0, part) {
                    Ok(credit) => {
                        let bytes = credit.min(QUANTUM).min(self.size - sent);
                        sent += bytes;
                        sending.sent(0, part, bytes);
                        line_is_free_at = now + bytes * NANOSECONDS_PER_BYTE;
                        there.push_back((line_is_free_at + self.round_trip / 2, bytes));
                    }
                    Err(_) => is_blocked = true,
                }
                is_round = false;
            }
            if reading == 0 && taken < received {
                reading = (received - taken).min(QUANTUM);
                reader_is_free_at = now + reading * self.reader;
            } else if reading == 0 && !is_waiting && taken < self.size {
                is_waiting = true;
                receiving.waits(0, part);
            }
            let is_idle = there.front().is_none_or(|it| it.0 > now);
            // A reader without delay takes before the round ends.
            let ends_round = is_round && !(reading > 0 && reader_is_free_at <= now);
            if ends_round {
                let pressure = Pressure::Low;
                let entries: Vec<_> = receiving.due(Round { is_idle, pressure }).collect();
                if !entries.is_empty() {
                    result.packets += 1;
                    result.entries += entries.len() as u64;
                    back.push_back((now + self.round_trip / 2, entries));
                }
            }
        }
        result.time = now;
        result
    }
}

/// Compares with figures that were computed by another implementation of the same arithmetic.
#[track_caller]
fn assert_takes(line: Line, milliseconds: f64) {
    let transfer = line.transfer();
    let time = transfer.time as f64 / MS as f64;
    let difference = (time - milliseconds).abs() / milliseconds;
    assert!(difference < 0.025, "{time:.1} ms: {line:?}, {transfer:?}");
}

// r[verify ext.credit.growth]
#[test]
fn a_long_line_is_filled_after_a_few_round_trips() {
    for (round_trip, figures) in [
        (MS / 5, [8.5, 134.0, 2_150.0]),
        (5 * MS, [17.0, 143.0, 2_160.0]),
        (50 * MS, [129.0, 395.0, 3_650.0]),
        (100 * MS, [254.0, 770.0, 7_000.0]),
    ] {
        for (size, milliseconds) in [MIB, 16 * MIB, 256 * MIB].into_iter().zip(figures) {
            assert_takes(Line::new(round_trip, size), milliseconds);
        }
    }
    for (size, milliseconds) in [(MIB, 129.0), (16 * MIB, 354.0), (256 * MIB, 2_370.0)] {
        let line = Line {
            windows: windows(16 * MIB, 32 * MIB),
            ..Line::new(50 * MS, size)
        };
        assert_takes(line, milliseconds);
    }
}

#[test]
fn without_growth_a_long_line_stays_empty() {
    let line = Line {
        windows: windows(0, 8 * MIB),
        ..Line::new(50 * MS, 16 * MIB)
    };
    // A window in each round trip.
    assert_takes(line, 3_177.0);
}

// r[verify ext.credit.when]
#[test]
fn credit_is_written_rarely() {
    for round_trip in [MS / 5, 5 * MS, 50 * MS, 100 * MS] {
        let file = Line::new(round_trip, 256 * MIB);
        assert!(file.transfer().packets <= 520, "{:?}", file.transfer());
        // Nobody knows that a stream is about to end.
        let stream = Line {
            is_file: false,
            ..file
        };
        assert!(stream.transfer().packets <= 528, "{:?}", stream.transfer());
        // A file that fits into the window needs none.
        let small = Line::new(round_trip, 256 * KIB).transfer();
        assert_eq!((small.packets, small.entries), (0, 0));
    }
}

// r[verify ext.credit.growth]
#[test]
fn the_window_of_a_slow_reader_does_not_grow() {
    for round_trip in [MS / 5, 5 * MS, 50 * MS] {
        // Half as fast as a window in each round trip, or as the line.
        let reader = (round_trip / (128 * KIB)).max(2 * NANOSECONDS_PER_BYTE);
        let line = Line {
            reader,
            ..Line::new(round_trip, 16 * MIB)
        };
        let transfer = line.transfer();
        assert!(transfer.unread <= 512 * KIB, "{line:?}, {transfer:?}");
    }
}
