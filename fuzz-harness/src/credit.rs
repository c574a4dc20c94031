//! Both sides of the credit of content, each with a peer that does what it likes.

use std::collections::{BTreeMap, BTreeSet};

use arbitrary::{Arbitrary, Unstructured};
use sockety_codec::credit::{
    Blocked, Effect, Fate, LIFELINE, Pressure, Receiving, Round, Sending, Windows,
};
use sockety_codec::{FileIndex, FilesSummary, FlowEntry, Part};

use crate::heap;

#[derive(Debug, Default)]
struct Script {
    windows: [u64; 3],
    steps: Vec<Step>,
}

/// What happens on one side or the other; numbers are small, so that many steps are about the same part.
#[derive(Debug, Arbitrary)]
enum Step {
    Begin {
        has_stream: bool,
        files: u8,
        total: Size,
    },
    /// A message with too many files is refused.
    Refuse {
        files: u32,
    },
    Content(Place, Size),
    End(Place),
    Over(Place),
    Taken(Place, Size),
    Waits(Place),
    RefusePart(Place),
    Stop(Place),
    StopMessage(Place),
    Due {
        is_idle: bool,
        pressure: u8,
        room: u8,
    },
    Open,
    Send(Place, Size),
    Credit {
        place: Place,
        limit: Size,
        lifeline: bool,
    },
    FilesBelow(Place),
    Connection(Size),
    StopPart(Place),
    StopAll(Place),
    Packet,
    Ready,
}

/// A part of one of the last messages.
#[derive(Clone, Copy, Debug, Arbitrary)]
struct Place {
    message: u8,
    part: u8,
}

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Size {
    Small(u8),
    Middle(u16),
    /// Above and below what limits are multiples of.
    Near(u8),
    Any(u64),
}

impl Size {
    fn get(self) -> u64 {
        match self {
            Self::Small(size) => size.into(),
            Self::Middle(size) => size.into(),
            Self::Near(size) => {
                (u64::from(size >> 2) * 2_048 + u64::from(size & 3)).saturating_sub(1)
            }
            // What the wire can carry.
            Self::Any(size) => size & 0xFFFF_FFFF_FFFF,
        }
    }
}

pub(crate) fn run(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let mut script = Script::default();
    for window in &mut script.windows {
        let Ok(size) = Size::arbitrary(&mut input) else {
            return;
        };
        *window = size.get();
    }
    while !input.is_empty() {
        let Ok(step) = Step::arbitrary(&mut input) else {
            break;
        };
        script.steps.push(step);
    }
    let mut messages = 0;
    let mut parts = 0;
    for step in &script.steps {
        match step {
            Step::Begin { files, .. } => {
                messages += 1;
                parts += usize::from(*files) + 1;
            }
            // Its sender has records of its files.
            Step::Refuse { .. } => {
                messages += 1;
                parts += 256;
            }
            _ => {}
        }
    }
    // Tables and lines double when they grow, and what they had is copied: three times their size. A record is in
    // three lines at most. The receiver has a sender as its peer, and what is known here.
    let most = 8 * 1_024 + 1_000 * messages + 3 * (40 + 3 * 16) * parts;
    heap::check(2 * most + 200 * script.steps.len(), || {
        Receiver::new(&script).play(&script.steps);
    });
    heap::check(most, || Sender::new(&script).play(&script.steps));
}

fn windows(script: &Script) -> Windows {
    let [message, message_max, connection] = script.windows;
    Windows {
        message,
        message_max,
        connection,
    }
}

/// The number of a message: seldom one that was not begun.
fn number(place: Place, begun: u64) -> u64 {
    begun.saturating_sub(u64::from(place.message % 8))
}

fn part(place: Place) -> Part {
    match place.part {
        0..=63 => Part::Stream,
        64..=191 => Part::File(index(u32::from(place.part % 4))),
        part => Part::File(index(u32::from(part))),
    }
}

fn index(index: u32) -> FileIndex {
    FileIndex::new(index & FileIndex::MAX.get()).expect("24 bits")
}

/// Our side receives, and its peer sends within its credit or not. Nothing is ever on its way, so that both
/// sides have the same numbers.
struct Receiver {
    windows: Windows,
    receiving: Receiving,
    peer: Sending,
    begun: u64,
    /// What each message may have: whether a stream, and how many files.
    announced: Vec<(bool, u32)>,
    /// Parts of which any content came.
    came: BTreeSet<(u64, Part)>,
    ended: BTreeSet<(u64, Part)>,
    limits: BTreeMap<(u64, Part), u64>,
    limit: u64,
    lifelines: u64,
}

impl Receiver {
    fn new(script: &Script) -> Self {
        let mut windows = windows(script);
        windows.message = windows.message.clamp(1, 1 << 31);
        windows.connection = windows.connection.clamp(1, 1 << 40);
        let receiving = Receiving::new(windows);
        let mut peer = Sending::default();
        peer.open(windows.message, windows.connection);
        Self {
            windows,
            limit: receiving.limit(),
            receiving,
            peer,
            begun: 0,
            announced: Vec::new(),
            came: BTreeSet::new(),
            ended: BTreeSet::new(),
            limits: BTreeMap::new(),
            lifelines: 0,
        }
    }

    fn play(mut self, steps: &[Step]) {
        for step in steps {
            if !self.take(step) {
                // The peer broke a rule, and the connection has ended.
                return;
            }
            assert_eq!(self.receiving.total(), self.peer.total());
            assert!(self.receiving.total() <= self.receiving.limit());
            let most = self.windows.connection + LIFELINE * self.lifelines;
            assert!(self.receiving.unread() <= most);
        }
        for number in 0..self.begun {
            self.receiving.over(number);
        }
        for (number, part) in self.came {
            self.receiving.stop(number, part);
        }
        assert_eq!(self.receiving.unread(), 0);
    }

    fn take(&mut self, step: &Step) -> bool {
        let begun = self.begun;
        let receiving = &mut self.receiving;
        match *step {
            Step::Begin {
                has_stream,
                files,
                total,
            } => {
                let total = total.get().max(u64::from(files));
                self.begin(has_stream, files.into(), total);
            }
            Step::Refuse { files } => {
                self.begin(false, files & FileIndex::MAX.get(), u64::MAX);
                self.receiving.stop_message(begun);
            }
            Step::Content(place, size) => {
                return self.content(number(place, begun), part(place), size);
            }
            Step::End(place) => self.end(number(place, begun), part(place)),
            Step::Over(place) => {
                receiving.over(number(place, begun));
                self.peer.over(number(place, begun));
            }
            Step::Taken(place, size) => {
                receiving.taken(number(place, begun), part(place), size.get());
            }
            Step::Waits(place) => {
                receiving.waits(number(place, begun), part(place));
            }
            Step::RefusePart(place) => {
                receiving.refuse(number(place, begun), part(place));
            }
            Step::Stop(place) => {
                receiving.stop(number(place, begun), part(place));
            }
            Step::StopMessage(place) => {
                receiving.stop_message(number(place, begun));
            }
            Step::Due {
                is_idle,
                pressure,
                room,
            } => {
                let pressure = match pressure % 4 {
                    0 => Pressure::Exhausted,
                    1 => Pressure::High,
                    _ => Pressure::Low,
                };
                self.write(Round { is_idle, pressure }, room.into());
            }
            _ => {}
        }
        true
    }

    fn begin(&mut self, has_stream: bool, files: u32, total: u64) {
        self.peer.begin(self.begun, has_stream, files);
        let mut summary = FilesSummary::default();
        summary.count = files;
        summary.total_size = total;
        self.receiving.begin(self.begun, has_stream, summary);
        self.announced.push((has_stream, files));
        self.begun += 1;
    }

    /// Whether the decoder hands on content or an end of a part.
    fn may_come(&self, number: u64, part: Part) -> bool {
        let place = usize::try_from(number).expect("a small number");
        let is_announced = match (self.announced.get(place), part) {
            (Some((has_stream, _)), Part::Stream) => *has_stream,
            (Some((_, files)), Part::File(index)) => index.get() < *files,
            (None, _) => false,
        };
        is_announced && !self.ended.contains(&(number, part))
    }

    /// Content within the credit is accepted, and no other.
    fn content(&mut self, number: u64, part: Part, size: Size) -> bool {
        if !self.may_come(number, part) {
            return true;
        }
        let may_send = self.peer.may_send(number, part);
        let is_over = may_send == Err(Blocked::Over);
        let credit = may_send.unwrap_or_default();
        let bytes = match size {
            Size::Any(bytes) => bytes & 0xFFFF_FFFF,
            _ if is_over => 0,
            _ => size.get().min(credit),
        };
        self.came.insert((number, part));
        let result = self.receiving.received(number, part, bytes);
        self.peer.sent(number, part, bytes);
        match result {
            Ok(fate) => {
                // What nobody reads counts to the connection alone.
                assert!(bytes <= credit || fate == Fate::Drop, "{credit} allowed");
                assert!(!is_over || fate == Fate::Drop || bytes == 0);
                true
            }
            Err(violation) => {
                assert!(bytes > credit, "{violation}");
                assert!(violation.rule().starts_with("ext.credit."));
                false
            }
        }
    }

    fn end(&mut self, number: u64, part: Part) {
        if self.may_come(number, part) {
            self.ended.insert((number, part));
            self.peer.end(number, part);
            self.receiving.end(number, part);
        }
    }

    fn write(&mut self, round: Round, room: usize) {
        let mut written = 0;
        for entry in self.receiving.due(round).take(room) {
            written += 1;
            match entry {
                FlowEntry::Part {
                    number,
                    part,
                    limit,
                    lifeline,
                } => {
                    let before = self.limits.entry((number, part)).or_default();
                    assert!(limit > *before || lifeline);
                    *before = limit.max(*before);
                    self.lifelines += u64::from(lifeline);
                }
                FlowEntry::Connection { limit } => {
                    assert!(limit > self.limit);
                    self.limit = limit;
                }
                FlowEntry::FilesBelow { .. } | FlowEntry::Stop { .. } => {}
            }
            let effect = self.peer.apply(entry).expect("an honest entry");
            assert_ne!(effect, Effect::Useless, "{entry:?}");
        }
        if written < room {
            assert!(!self.receiving.is_due() || round.pressure == Pressure::Exhausted);
            assert_eq!(self.receiving.due(round).next(), None);
        }
    }
}

struct Sender {
    sending: Sending,
    windows: Windows,
    begun: u64,
}

impl Sender {
    fn new(script: &Script) -> Self {
        Self {
            sending: Sending::default(),
            windows: windows(script),
            begun: 0,
        }
    }

    fn play(mut self, steps: &[Step]) {
        for step in steps {
            if !self.take(step) {
                return;
            }
            assert!(self.sending.total() <= self.sending.limit());
        }
    }

    fn take(&mut self, step: &Step) -> bool {
        let begun = self.begun;
        match *step {
            Step::Begin {
                has_stream, files, ..
            } => {
                self.sending.begin(begun, has_stream, files.into());
                self.begun += 1;
            }
            Step::Refuse { files } => {
                self.sending
                    .begin(begun, false, files & FileIndex::MAX.get());
                self.sending.over(begun);
                self.begun += 1;
            }
            Step::Open => self
                .sending
                .open(self.windows.message, self.windows.connection),
            Step::Send(place, size) => self.send(number(place, begun), part(place), size.get()),
            Step::End(place) => self.sending.end(number(place, begun), part(place)),
            Step::Over(place) => self.sending.over(number(place, begun)),
            Step::Packet => self.sending.packet(),
            Step::Ready => {
                if let Some((number, part)) = self.sending.next_ready() {
                    assert!(self.sending.credit(number, part) > 0);
                    assert_eq!(self.sending.blocked(number, part), None);
                }
            }
            _ => {
                if let Some(entry) = entry(step, begun) {
                    return self.apply(entry);
                }
            }
        }
        true
    }

    fn send(&mut self, number: u64, part: Part, size: u64) {
        match self.sending.may_send(number, part) {
            Ok(credit) => {
                assert_eq!(credit, self.sending.credit(number, part));
                let bytes = credit.min(size);
                self.sending.sent(number, part, bytes);
                assert_eq!(self.sending.credit(number, part), credit - bytes);
            }
            Err(Blocked::Over) => assert_eq!(self.sending.blocked(number, part), None),
            Err(blocked) => assert_eq!(self.sending.blocked(number, part), Some(blocked)),
        }
    }

    fn apply(&mut self, entry: FlowEntry) -> bool {
        let before = self.sending.limit();
        match self.sending.apply(entry) {
            Ok(effect) => {
                let is_connection = matches!(entry, FlowEntry::Connection { .. });
                let grows = is_connection && effect == Effect::Grown;
                assert_eq!(self.sending.limit() > before, grows);
                true
            }
            Err(violation) => {
                assert!(violation.rule().starts_with("ext.credit."));
                false
            }
        }
    }
}

fn entry(step: &Step, begun: u64) -> Option<FlowEntry> {
    Some(match *step {
        Step::Credit {
            place,
            limit,
            lifeline,
        } => FlowEntry::Part {
            number: number(place, begun),
            part: part(place),
            limit: limit.get(),
            lifeline,
        },
        Step::FilesBelow(place) => FlowEntry::FilesBelow {
            number: number(place, begun),
            index: index(place.part.into()),
        },
        Step::Connection(limit) => FlowEntry::Connection { limit: limit.get() },
        Step::StopPart(place) => FlowEntry::Stop {
            number: number(place, begun),
            part: Some(part(place)),
        },
        Step::StopAll(place) => FlowEntry::Stop {
            number: number(place, begun),
            part: None,
        },
        _ => return None,
    })
}
