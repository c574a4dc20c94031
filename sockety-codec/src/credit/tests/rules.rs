//! What each rule says, on one side or on both.

use crate::credit::{
    Blocked, Effect, Fate, LIFELINE, Pressure, Receiving, Round, Sending, Windows,
};
use crate::work;
use crate::{FileIndex, FilesSummary, FlowEntry, Part, Violation};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const STREAM: Part = Part::Stream;

/// The windows of the default Settings.
const DEFAULT: Windows = Windows {
    message: 256 * KIB,
    message_max: 4 * MIB,
    connection: 8 * MIB,
};

const IDLE: Round = Round {
    is_idle: true,
    pressure: Pressure::Low,
};

fn index(index: u32) -> FileIndex {
    FileIndex::new(index).unwrap()
}

fn file(file: u32) -> Part {
    Part::File(index(file))
}

fn files(count: u32, total_size: u64) -> FilesSummary {
    FilesSummary { count, total_size }
}

/// Files without a known end.
fn endless(count: u32) -> FilesSummary {
    files(count, u64::MAX)
}

fn credit(number: u64, part: Part, limit: u64) -> FlowEntry {
    FlowEntry::Part {
        number,
        part,
        limit,
        lifeline: false,
    }
}

fn lifeline(number: u64, part: Part, limit: u64) -> FlowEntry {
    FlowEntry::Part {
        number,
        part,
        limit,
        lifeline: true,
    }
}

fn stop(number: u64, part: Part) -> FlowEntry {
    let part = Some(part);
    FlowEntry::Stop { number, part }
}

fn connection(limit: u64) -> FlowEntry {
    FlowEntry::Connection { limit }
}

/// A sender with these windows of its peer, and one message: a stream and files.
fn sender(window: u64, connection: u64, files: u32) -> Sending {
    let mut sending = Sending::default();
    sending.open(window, connection);
    sending.begin(0, true, files);
    sending
}

fn send(sending: &mut Sending, number: u64, part: Part, bytes: u64) {
    assert!(
        bytes <= sending.credit(number, part),
        "{bytes} bytes of {part}"
    );
    sending.sent(number, part, bytes);
}

fn receiver(windows: Windows) -> Receiving {
    Receiving::new(windows)
}

fn due(receiving: &mut Receiving) -> Vec<FlowEntry> {
    receiving.due(IDLE).collect()
}

#[track_caller]
fn receive(receiving: &mut Receiving, number: u64, part: Part, bytes: u64) {
    assert_eq!(receiving.received(number, part, bytes), Ok(Fate::Keep));
}

/// Content that is read at once.
fn pass(receiving: &mut Receiving, number: u64, part: Part, bytes: u64) -> bool {
    receive(receiving, number, part, bytes);
    receiving.taken(number, part, bytes)
}

#[test]
fn x21_messages_without_content_cost_nothing() {
    let mut sending = Sending::default();
    let mut receiving = receiver(DEFAULT);
    for number in 0..1_000 {
        sending.begin(number, false, 0);
        receiving.begin(number, false, files(0, 0));
    }
    assert_eq!(sending.kept(), (0, 0, 0));
    assert_eq!(receiving.kept(), (0, 0, 0));
}

#[test]
fn x21_messages_and_parts_are_small() {
    let (message, part) = Sending::SIZES;
    assert!(message <= 96 && part <= 32, "{message} and {part} bytes");
    let (message, part) = Receiving::SIZES;
    assert!(message <= 160 && part <= 40, "{message} and {part} bytes");
}

// r[verify ext.credit.message]
#[test]
fn x22_one_byte_beyond_the_window_of_a_message_breaks() {
    let mut receiving = receiver(Windows {
        message: 4_096,
        ..DEFAULT
    });
    receiving.begin(5, true, endless(2));
    receive(&mut receiving, 5, STREAM, 1_000);
    receive(&mut receiving, 5, file(1), 3_096);
    let violation = receiving.received(5, file(0), 1).unwrap_err();
    let expected = Violation::MessageCredit {
        number: 5,
        used: 4_097,
        window: 4_096,
    };
    assert_eq!(violation, expected);
    assert_eq!(violation.rule(), "ext.credit.message");
}

// r[verify ext.credit.connection]
#[test]
fn x23_one_byte_beyond_the_limit_of_the_connection_breaks() {
    let mut receiving = receiver(Windows {
        connection: 16_384,
        ..DEFAULT
    });
    receiving.begin(0, true, endless(0));
    receiving.begin(1, true, endless(0));
    receive(&mut receiving, 0, STREAM, 10_000);
    receive(&mut receiving, 1, STREAM, 6_384);
    let violation = receiving.received(1, STREAM, 1).unwrap_err();
    let expected = Violation::ConnectionCredit {
        total: 16_385,
        limit: 16_384,
    };
    assert_eq!(violation, expected);
    assert_eq!(violation.rule(), "ext.credit.connection");
}

#[test]
fn x23_content_that_is_dropped_counts_to_the_connection() {
    let mut receiving = receiver(Windows {
        connection: 16_384,
        ..DEFAULT
    });
    receiving.begin(0, true, endless(0));
    receiving.stop_message(0);
    assert_eq!(receiving.received(0, STREAM, 16_384), Ok(Fate::Drop));
    assert!(receiving.received(0, STREAM, 1).is_err());
    // Of a message that is not known, too.
    let mut receiving = receiver(DEFAULT);
    assert_eq!(receiving.received(9, STREAM, 8 * MIB), Ok(Fate::Drop));
    assert!(receiving.received(9, STREAM, 1).is_err());
}

// r[verify ext.credit.grows]
#[test]
fn x24_limits_only_grow() {
    let mut sending = sender(4_096, 65_536, 2);
    assert_eq!(sending.apply(credit(0, STREAM, 5_000)), Ok(Effect::Grown));
    assert_eq!(sending.credit(0, STREAM), 9_096);
    for lower in [5_000, 4_999, 0] {
        assert_eq!(sending.apply(credit(0, STREAM, lower)), Ok(Effect::Useless));
        assert_eq!(sending.credit(0, STREAM), 9_096);
    }
    assert_eq!(sending.apply(connection(65_536)), Ok(Effect::Useless));
    assert_eq!(sending.apply(connection(1)), Ok(Effect::Useless));
    assert_eq!(sending.limit(), 65_536);
    assert_eq!(sending.apply(connection(65_537)), Ok(Effect::Grown));
}

#[test]
fn x24_the_order_of_limits_does_not_matter_and_late_ones_heal() {
    let entries = [
        credit(0, STREAM, 5_000),
        credit(0, STREAM, 9_000),
        credit(0, file(0), 7_000),
        connection(70_000),
        connection(80_000),
    ];
    let expected = (9_000 + 4_096, 7_000 + 4_096, 80_000);
    for turn in 0..entries.len() {
        let mut entries = entries;
        entries.rotate_left(turn);
        // The lower ones may also be missing.
        for skipped in [
            None,
            Some(credit(0, STREAM, 5_000)),
            Some(connection(70_000)),
        ] {
            let mut sending = sender(4_096, 65_536, 1);
            for entry in entries.into_iter().filter(|it| Some(*it) != skipped) {
                sending.apply(entry).unwrap();
            }
            let stream = sending.credit(0, STREAM);
            assert_eq!(
                (stream, sending.credit(0, file(0)), sending.limit()),
                expected
            );
        }
    }
}

#[test]
fn x24_a_message_that_is_over_is_ignored() {
    let mut sending = sender(4_096, 65_536, 0);
    send(&mut sending, 0, STREAM, 100);
    sending.end(0, STREAM);
    let below = FlowEntry::FilesBelow {
        number: 0,
        index: index(1),
    };
    let stop_message = FlowEntry::Stop {
        number: 0,
        part: None,
    };
    let entries = [credit(0, STREAM, 100), stop(0, STREAM), below, stop_message];
    for entry in entries {
        assert_eq!(sending.apply(entry), Ok(Effect::Over));
    }
}

#[test]
fn x24_credit_for_a_part_that_has_ended_lets_the_others_go_on() {
    let mut sending = sender(4_096, 65_536, 2);
    send(&mut sending, 0, file(0), 4_096);
    sending.end(0, file(0));
    assert_eq!(sending.may_send(0, STREAM), Err(Blocked::Message));
    assert_eq!(sending.apply(credit(0, file(0), 3_000)), Ok(Effect::Grown));
    assert_eq!(sending.next_ready(), Some((0, STREAM)));
    assert_eq!(sending.next_ready(), None);
    assert_eq!(sending.may_send(0, STREAM), Ok(3_000));
    // Its record goes when it has all the credit that it needs.
    assert_eq!(sending.kept().1, 2);
    sending.apply(credit(0, file(0), 4_096)).unwrap();
    assert_eq!(sending.kept().1, 1);
    assert_eq!(sending.apply(credit(0, file(0), 9_000)), Ok(Effect::Over));
}

#[test]
fn x24_a_part_that_was_not_announced_breaks() {
    let mut sending = sender(4_096, 65_536, 2);
    sending.begin(1, false, 1);
    for (number, part) in [(0, file(2)), (0, Part::File(FileIndex::MAX)), (1, STREAM)] {
        for entry in [
            credit(number, part, 9),
            lifeline(number, part, 9),
            stop(number, part),
        ] {
            let violation = sending.apply(entry).unwrap_err();
            assert_eq!(violation, Violation::FlowPart { number, part });
            assert_eq!(violation.rule(), "ext.credit.grows");
        }
    }
    let below = FlowEntry::FilesBelow {
        number: 0,
        index: index(3),
    };
    assert!(matches!(
        sending.apply(below),
        Err(Violation::FlowPart { .. })
    ));
}

// r[verify ext.credit.check]
#[test]
fn x25_limits_count_from_when_they_were_sent() {
    let windows = Windows {
        message: 8_192,
        message_max: 0,
        connection: MIB,
    };
    let mut receiving = receiver(windows);
    receiving.begin(0, true, endless(0));
    assert!(!pass(&mut receiving, 0, STREAM, 4_095));
    assert!(pass(&mut receiving, 0, STREAM, 1));
    assert_eq!(due(&mut receiving), [credit(0, STREAM, 4_096)]);
    receive(&mut receiving, 0, STREAM, 8_192);
    assert!(receiving.received(0, STREAM, 1).is_err());
}

#[test]
fn x25_a_part_that_was_stopped_is_left_out() {
    let windows = Windows {
        message: 4_096,
        ..DEFAULT
    };
    let mut receiving = receiver(windows);
    receiving.begin(0, true, endless(1));
    receive(&mut receiving, 0, file(0), 4_000);
    assert!(receiving.stop(0, file(0)));
    // It counts until the stop was written: its sender may end it before.
    assert_eq!(receiving.used(0), Some((4_000, 4_000)));
    assert_eq!(due(&mut receiving), [stop(0, file(0))]);
    assert_eq!(receiving.used(0), Some((0, 0)));
    receive(&mut receiving, 0, STREAM, 4_096);
    assert_eq!(receiving.received(0, file(0), 50_000), Ok(Fate::Drop));
}

// r[verify ext.credit.exact]
#[test]
fn x26_credit_is_used_to_the_last_byte() {
    let mut sending = sender(4_097, 65_536, 0);
    assert_eq!(sending.may_send(0, STREAM), Ok(4_097));
    send(&mut sending, 0, STREAM, 4_096);
    assert_eq!(sending.may_send(0, STREAM), Ok(1));
    send(&mut sending, 0, STREAM, 1);
    assert_eq!(sending.may_send(0, STREAM), Err(Blocked::Message));
    sending.apply(credit(0, STREAM, 1)).unwrap();
    assert_eq!(sending.next_ready(), Some((0, STREAM)));
    assert_eq!(sending.may_send(0, STREAM), Ok(1));
}

#[test]
fn x27_a_part_with_credit_is_not_held_back() {
    let mut sending = sender(4_096, 65_536, 4);
    send(&mut sending, 0, file(0), 4_096);
    for part in [file(0), file(1), STREAM] {
        assert_eq!(sending.may_send(0, part), Err(Blocked::Message));
    }
    // The reader wants a file that its sender has not thought of yet.
    sending.apply(credit(0, file(3), 4_096)).unwrap();
    assert_eq!(sending.next_ready(), Some((0, file(3))));
    assert_eq!(sending.next_ready(), None);
    assert_eq!(sending.may_send(0, file(3)), Ok(4_096));
    assert_eq!(sending.credit(0, file(0)), 0);
}

// r[verify ext.credit.named]
#[test]
fn x28_parts_that_were_named_go_first() {
    let mut sending = Sending::default();
    sending.open(65_536, 16_384);
    for number in 0..5 {
        sending.begin(number, true, 0);
    }
    send(&mut sending, 4, STREAM, 16_384);
    for number in 0..4 {
        assert_eq!(sending.may_send(number, STREAM), Err(Blocked::Connection));
    }
    sending.packet();
    sending.apply(credit(2, STREAM, 10_000)).unwrap();
    assert_eq!(sending.next_ready(), None);
    sending.apply(connection(17_384)).unwrap();
    assert_eq!(sending.next_ready(), Some((2, STREAM)));
    send(&mut sending, 2, STREAM, 1_000);
    assert_eq!(sending.next_ready(), None);
    assert_eq!(sending.may_send(2, STREAM), Err(Blocked::Connection));
    // The next packet names none: the others come before the one that has had its turn.
    sending.packet();
    let mut turns = Vec::new();
    for limit in 18..23 {
        sending.apply(connection(limit * 1_000)).unwrap();
        let (number, part) = sending.next_ready().unwrap();
        let bytes = sending.may_send(number, part).unwrap();
        send(&mut sending, number, part, bytes);
        assert_eq!(sending.may_send(number, part), Err(Blocked::Connection));
        assert_eq!(sending.next_ready(), None);
        turns.push(number);
    }
    // Number 2 has kept the place that it had in the line.
    assert_eq!(turns, [0, 1, 2, 3, 0]);
}

// r[verify ext.credit.when]
#[test]
fn x29_part_credit_is_due_at_half_of_the_window() {
    let mut receiving = receiver(DEFAULT);
    receiving.begin(0, true, endless(0));
    assert!(!pass(&mut receiving, 0, STREAM, 128 * KIB - 1));
    assert_eq!(due(&mut receiving), []);
    assert!(pass(&mut receiving, 0, STREAM, 1));
    assert_eq!(due(&mut receiving), [credit(0, STREAM, 128 * KIB)]);
    assert_eq!(due(&mut receiving), []);
}

#[test]
fn x29_many_parts_are_released_together() {
    let mut receiving = receiver(DEFAULT);
    receiving.begin(0, true, endless(40));
    receive(&mut receiving, 0, file(0), 1);
    for part in [file(1), file(2), STREAM] {
        assert!(!pass(&mut receiving, 0, part, 40 * KIB));
    }
    // Too few bytes to be worth an entry.
    assert!(!pass(&mut receiving, 0, file(3), 2_047));
    assert!(pass(&mut receiving, 0, file(4), 8 * KIB));
    let expected = [
        credit(0, STREAM, 40 * KIB),
        credit(0, file(1), 40 * KIB),
        credit(0, file(2), 40 * KIB),
        credit(0, file(4), 8 * KIB),
    ];
    assert_eq!(due(&mut receiving), expected);
    assert_eq!(receiving.used(0).unwrap().0, 2_048);
}

#[test]
fn x29_connection_credit_is_due_at_a_quarter_or_an_eighth() {
    let mut receiving = receiver(DEFAULT);
    for number in 0..9 {
        receiving.begin(number, false, files(1, 256 * KIB));
    }
    for number in 0..7 {
        assert!(!pass(&mut receiving, number, file(0), 256 * KIB));
    }
    assert!(!pass(&mut receiving, 7, file(0), 256 * KIB - 1));
    assert!(pass(&mut receiving, 8, file(0), 1));
    assert_eq!(due(&mut receiving), [connection(10 * MIB)]);

    // With another entry, half of that is enough.
    for missing in [0, 1] {
        let mut receiving = receiver(DEFAULT);
        for number in 0..4 {
            receiving.begin(number, false, files(1, 256 * KIB));
        }
        for number in 0..3 {
            pass(&mut receiving, number, file(0), 256 * KIB);
        }
        pass(&mut receiving, 3, file(0), 128 * KIB - missing);
        assert_eq!(due(&mut receiving), []);
        receiving.begin(4, true, endless(0));
        pass(&mut receiving, 4, STREAM, 128 * KIB);
        let mut expected = vec![credit(4, STREAM, 128 * KIB)];
        if missing == 0 {
            expected.push(connection(9 * MIB));
        }
        assert_eq!(due(&mut receiving), expected);
    }
}

// r[verify ext.credit.starved]
#[test]
fn x30_a_reader_that_waits_gets_credit_in_spite_of_the_window() {
    let mut receiving = receiver(DEFAULT);
    receiving.begin(0, true, endless(8));
    receive(&mut receiving, 0, file(0), 200 * KIB);
    pass(&mut receiving, 0, file(1), 10 * KIB);
    pass(&mut receiving, 0, file(2), 1);
    receive(&mut receiving, 0, file(3), 46 * KIB - 1);
    // File 7 has not even begun.
    assert!(receiving.waits(0, file(7)));
    let busy = Round {
        is_idle: false,
        ..IDLE
    };
    let entries: Vec<_> = receiving.due(busy).collect();
    let expected = [credit(0, file(7), LIFELINE), credit(0, file(1), 10 * KIB)];
    assert_eq!(entries, expected);
    // That is all, until it waits again.
    assert_eq!(receiving.due(busy).count(), 0);
}

#[test]
fn x30_a_window_that_is_used_up_by_another_part_is_noticed() {
    let mut receiving = receiver(Windows {
        message_max: 0,
        ..DEFAULT
    });
    receiving.begin(0, true, endless(2));
    assert!(!receiving.waits(0, STREAM));
    receive(&mut receiving, 0, file(0), 256 * KIB - 1);
    assert_eq!(due(&mut receiving), []);
    receive(&mut receiving, 0, file(1), 1);
    assert_eq!(due(&mut receiving), [credit(0, STREAM, LIFELINE)]);
}

/// The window is used up in the same moment in which the sender is known to have had newer limits: what
/// it has used is the same before and after.
#[test]
fn x30_a_window_that_is_used_up_when_limits_become_known_is_noticed() {
    let windows = Windows {
        message: 4_096,
        message_max: 0,
        connection: MIB,
    };
    let mut receiving = receiver(windows);
    receiving.begin(0, false, endless(2));
    pass(&mut receiving, 0, file(0), 4_096);
    assert_eq!(due(&mut receiving), [credit(0, file(0), 4_096)]);
    assert_eq!(receiving.used(0), Some((0, 4_096)));
    assert!(receiving.waits(0, file(0)));
    assert_eq!(due(&mut receiving), []);
    receive(&mut receiving, 0, file(1), 4_096);
    assert_eq!(receiving.used(0), Some((4_096, 4_096)));
    assert_eq!(due(&mut receiving), [credit(0, file(0), 8_192)]);
}

/// Messages that nobody reads use up the connection; one byte of them is left.
fn used_up(receiving: &mut Receiving) {
    for number in 100..132 {
        receiving.begin(number, true, endless(0));
    }
    for number in 100..131 {
        receive(receiving, number, STREAM, 256 * KIB);
    }
    receive(receiving, 131, STREAM, 256 * KIB - 1);
}

// r[verify ext.credit.lifeline]
#[test]
fn x30_x32_readers_go_on_when_unread_messages_use_up_the_connection() {
    let mut receiving = receiver(DEFAULT);
    receiving.begin(0, true, endless(0));
    used_up(&mut receiving);
    assert!(!receiving.waits(0, STREAM));
    receive(&mut receiving, 131, STREAM, 1);
    assert!(receiving.is_due());
    assert_eq!(due(&mut receiving), [lifeline(0, STREAM, LIFELINE)]);
    // It has a lifeline: nothing more until that is used up.
    for _ in 0..4 {
        assert!(!pass(&mut receiving, 0, STREAM, 1_000));
        assert!(!receiving.waits(0, STREAM));
    }
    assert!(!pass(&mut receiving, 0, STREAM, 96));
    assert!(receiving.waits(0, STREAM));
    assert_eq!(due(&mut receiving), [lifeline(0, STREAM, 2 * LIFELINE)]);
    assert_eq!(receiving.total(), 8 * MIB);
    receive(&mut receiving, 0, STREAM, LIFELINE);
    assert!(matches!(
        receiving.received(0, STREAM, 1),
        Err(Violation::ConnectionCredit { .. })
    ));
}

#[test]
fn x30_the_limit_is_raised_rather_than_exempted() {
    let mut receiving = receiver(DEFAULT);
    receiving.begin(0, true, endless(0));
    used_up(&mut receiving);
    receive(&mut receiving, 131, STREAM, 1);
    receiving.taken(131, STREAM, LIFELINE);
    assert!(receiving.waits(0, STREAM));
    assert_eq!(due(&mut receiving), [connection(8 * MIB + LIFELINE)]);
}

/// A reader that takes single bytes while another one waits: each byte would be an entry, and each of them
/// would let the sender send a byte.
#[test]
fn x30_small_rises_cause_no_entries() {
    let mut receiving = receiver(DEFAULT);
    receiving.begin(0, true, endless(0));
    receiving.begin(1, true, endless(0));
    used_up(&mut receiving);
    receive(&mut receiving, 131, STREAM, 1);
    let mut entries = 0;
    receiving.waits(0, STREAM);
    for _ in 0..3 * LIFELINE {
        receiving.taken(131, STREAM, 1);
        for entry in due(&mut receiving) {
            entries += 1;
            if let FlowEntry::Connection { limit } = entry {
                let bytes = limit - receiving.total();
                receive(&mut receiving, 1, STREAM, bytes);
            }
        }
    }
    // The lifeline.
    assert_eq!(entries, 1);
}

// r[verify ext.credit.enough]
#[test]
fn x31_no_credit_for_what_has_ended_or_is_covered() {
    // All of it is covered from the start.
    let mut receiving = receiver(DEFAULT);
    receiving.begin(0, false, files(2, 256 * KIB));
    assert!(!pass(&mut receiving, 0, file(0), 200 * KIB));
    receiving.end(0, file(0));
    assert!(!receiving.waits(0, file(1)));
    pass(&mut receiving, 0, file(1), 56 * KIB);
    assert_eq!(due(&mut receiving), []);
    // Nothing is due for a reader that waits for the end alone.
    assert!(!receiving.waits(0, file(1)));
    receiving.end(0, file(1));
    assert_eq!(due(&mut receiving), []);
    assert_eq!(receiving.kept(), (0, 0, 1));

    // The rest of it is covered.
    let mut receiving = receiver(DEFAULT);
    receiving.begin(0, false, files(1, 400 * KIB));
    for limit in [128 * KIB, 328 * KIB] {
        let taken = receiving.total();
        assert!(pass(&mut receiving, 0, file(0), limit - taken));
        assert_eq!(due(&mut receiving), [credit(0, file(0), limit)]);
    }
    assert!(!pass(&mut receiving, 0, file(0), 72 * KIB));
    assert_eq!(due(&mut receiving), []);

    // A part has ended, but others go on.
    let mut receiving = receiver(DEFAULT);
    receiving.begin(0, true, files(1, 200 * KIB));
    receive(&mut receiving, 0, file(0), 200 * KIB);
    receiving.end(0, file(0));
    receiving.taken(0, file(0), 200 * KIB);
    let below = FlowEntry::FilesBelow {
        number: 0,
        index: index(1),
    };
    assert_eq!(due(&mut receiving), [below]);
}

#[test]
fn x31_ten_thousand_small_files_are_released_in_groups() {
    const FILES: u32 = 10_000;
    let mut sending = Sending::default();
    sending.open(256 * KIB, 8 * MIB);
    sending.begin(0, false, FILES);
    let mut receiving = receiver(DEFAULT);
    receiving.begin(0, false, files(FILES, u64::from(FILES) * KIB));
    let mut entries = 0;
    for each in 0..FILES {
        send(&mut sending, 0, file(each), KIB);
        sending.end(0, file(each));
        receive(&mut receiving, 0, file(each), KIB);
        receiving.end(0, file(each));
        receiving.taken(0, file(each), KIB);
        for entry in receiving.due(IDLE) {
            entries += 1;
            assert!(!matches!(entry, FlowEntry::Part { .. }));
            assert_eq!(sending.apply(entry), Ok(Effect::Grown));
        }
        // The last ones are covered by the window.
        let is_last = each > FILES - 256;
        assert!(is_last || sending.kept().1 <= 128);
        assert!(receiving.kept().1 <= 1);
    }
    assert_eq!(sending.kept(), (0, 0, 0));
    assert_eq!(receiving.kept(), (0, 0, 0));
    // One for 128 files, and those of the connection.
    assert!(entries <= 78 + 10, "{entries}");
}

#[test]
fn x31_a_file_that_has_not_ended_must_not_be_released() {
    let mut sending = sender(4_096, 65_536, 3);
    send(&mut sending, 0, file(0), 100);
    sending.end(0, file(0));
    send(&mut sending, 0, file(1), 100);
    let below = |file: u32| FlowEntry::FilesBelow {
        number: 0,
        index: index(file),
    };
    assert_eq!(sending.apply(below(0)), Ok(Effect::Useless));
    assert_eq!(sending.apply(below(1)), Ok(Effect::Grown));
    assert_eq!(sending.apply(below(1)), Ok(Effect::Useless));
    let violation = sending.apply(below(2)).unwrap_err();
    let expected = Violation::FlowFileOpen {
        number: 0,
        index: index(1),
    };
    assert_eq!(violation, expected);
    assert_eq!(violation.rule(), "ext.credit.enough");
}

#[test]
fn x31_files_that_are_released_let_the_others_go_on() {
    let mut sending = sender(4_096, 65_536, 3);
    for each in 0..2 {
        send(&mut sending, 0, file(each), 2_048);
        sending.end(0, file(each));
    }
    for part in [STREAM, file(2)] {
        assert_eq!(sending.may_send(0, part), Err(Blocked::Message));
    }
    let below = FlowEntry::FilesBelow {
        number: 0,
        index: index(1),
    };
    sending.apply(below).unwrap();
    assert_eq!(sending.next_ready(), Some((0, STREAM)));
    assert_eq!(sending.next_ready(), Some((0, file(2))));
    assert_eq!(sending.next_ready(), None);
    assert_eq!(sending.used(0), Some(2_048));
    assert_eq!(sending.may_send(0, file(2)), Ok(2_048));
}

#[test]
fn x32_a_lifeline_does_not_count_to_the_connection() {
    let mut sending = sender(65_536, 16_384, 1);
    send(&mut sending, 0, file(0), 10_000);
    send(&mut sending, 0, STREAM, 6_384);
    assert_eq!(sending.may_send(0, file(0)), Err(Blocked::Connection));
    assert_eq!(
        sending.apply(lifeline(0, file(0), 14_096)),
        Ok(Effect::Grown)
    );
    assert_eq!(sending.next_ready(), Some((0, file(0))));
    assert_eq!(sending.may_send(0, STREAM), Err(Blocked::Connection));
    send(&mut sending, 0, file(0), 4_000);
    assert_eq!(sending.total(), 16_384);
    sending.apply(connection(17_384)).unwrap();
    // Only what is beyond it counts.
    send(&mut sending, 0, file(0), 1_096);
    assert_eq!(sending.total(), 17_384);
    assert_eq!(sending.may_send(0, file(0)), Err(Blocked::Connection));
}

#[test]
fn x32_a_lifeline_below_the_limit_has_an_effect() {
    let mut sending = sender(65_536, 16_384, 0);
    sending.apply(credit(0, STREAM, 50_000)).unwrap();
    send(&mut sending, 0, STREAM, 16_384);
    let entry = lifeline(0, STREAM, 16_384 + LIFELINE);
    assert_eq!(sending.apply(entry), Ok(Effect::Grown));
    assert_eq!(sending.apply(entry), Ok(Effect::Useless));
    assert_eq!(sending.credit(0, STREAM), LIFELINE);
}

// r[verify ext.credit.growth]
#[test]
fn x33_the_window_doubles_while_the_reader_waits_at_the_edge() {
    let mut receiving = receiver(DEFAULT);
    receiving.begin(0, true, endless(0));
    // What was granted is on its way, and the sender has come to what it had.
    pass(&mut receiving, 0, STREAM, 128 * KIB);
    assert_eq!(due(&mut receiving), [credit(0, STREAM, 128 * KIB)]);
    receive(&mut receiving, 0, STREAM, 128 * KIB - 1);
    receiving.taken(0, STREAM, 128 * KIB - 1);
    receiving.waits(0, STREAM);
    assert_eq!(due(&mut receiving), []);
    pass(&mut receiving, 0, STREAM, 1);
    assert_eq!(due(&mut receiving), [credit(0, STREAM, 256 * KIB)]);
    assert!(receiving.waits(0, STREAM));
    let busy = Round {
        is_idle: false,
        ..IDLE
    };
    assert_eq!(receiving.due(busy).count(), 0);
    assert!(receiving.is_held());
    assert_eq!(due(&mut receiving), [credit(0, STREAM, 512 * KIB)]);
    // Once, until the sender was seen to use it.
    receiving.waits(0, STREAM);
    assert_eq!(due(&mut receiving), []);
}

/// The limit that is granted when all of it was used, and the reader is as fast.
fn next_limit(receiving: &mut Receiving, limit: u64) -> u64 {
    let taken = receiving.total() - receiving.unread();
    pass(receiving, 0, STREAM, limit + 256 * KIB - taken);
    receiving.waits(0, STREAM);
    part_limit(receiving).unwrap()
}

/// The limit of the only part that is due.
fn part_limit(receiving: &mut Receiving) -> Option<u64> {
    let mut limits = due(receiving).into_iter().filter_map(|entry| match entry {
        FlowEntry::Part { limit, .. } => Some(limit),
        _ => None,
    });
    let limit = limits.next();
    assert_eq!(limits.next(), None);
    limit
}

#[test]
fn x33_the_window_grows_to_its_maximum_and_halves() {
    let mut receiving = receiver(DEFAULT);
    receiving.begin(0, true, endless(0));
    let mut limit = 0;
    let mut ahead = Vec::new();
    for _ in 0..6 {
        limit = next_limit(&mut receiving, limit);
        ahead.push((limit - receiving.total()) / KIB);
    }
    assert_eq!(ahead, [256, 768, 1_792, 3_840, 3_840, 3_840]);
    // Its reader falls behind: when credit is due, most of the window is unread.
    receive(&mut receiving, 0, STREAM, 3_840 * KIB);
    let before = receiving.total() - receiving.unread();
    let mut taken = 0;
    let granted = loop {
        receiving.taken(0, STREAM, 16 * KIB);
        taken += 16;
        if let Some(granted) = part_limit(&mut receiving) {
            break (granted - before) / KIB;
        }
    };
    // 3,840, 1,920, 960 and 480 KiB ahead: not before the fourth is less than half of its window unread.
    assert_eq!((taken, granted), (3_488, 3_488 + 480));
}

#[test]
fn x33_the_parts_of_a_message_share_what_it_may_grow_to() {
    let windows = Windows {
        message_max: MIB,
        ..DEFAULT
    };
    let mut receiving = receiver(windows);
    receiving.begin(0, true, endless(4));
    for part in [STREAM, file(0), file(1), file(2)] {
        receive(&mut receiving, 0, part, 64 * KIB);
        receiving.taken(0, part, 64 * KIB);
        receiving.waits(0, part);
    }
    let mut granted = 0;
    for entry in due(&mut receiving) {
        if let FlowEntry::Part { limit, .. } = entry {
            granted += limit;
        }
    }
    // 768 KiB ahead of readers that have taken 256 KiB.
    assert!(granted > 256 * KIB && granted <= MIB, "{granted}");
}

#[test]
fn x33_no_growth_without_memory_or_connection_credit() {
    for (pressure, ahead) in [
        (Pressure::Low, 256 * KIB),
        (Pressure::High, LIFELINE),
        (Pressure::Exhausted, LIFELINE),
    ] {
        let mut receiving = receiver(DEFAULT);
        receiving.begin(0, true, endless(0));
        pass(&mut receiving, 0, STREAM, 256 * KIB);
        receiving.waits(0, STREAM);
        let round = Round {
            is_idle: true,
            pressure,
        };
        let entries: Vec<_> = receiving.due(round).collect();
        // What a reader waits for is granted in any case.
        assert_eq!(entries, [credit(0, STREAM, 256 * KIB + ahead)]);
    }
    let mut receiving = receiver(DEFAULT);
    receiving.begin(0, true, endless(0));
    used_up(&mut receiving);
    assert_eq!(receiving.total(), 8 * MIB - 1);
    pass(&mut receiving, 0, STREAM, 1);
    receiving.waits(0, STREAM);
    assert_eq!(due(&mut receiving), [lifeline(0, STREAM, 1 + LIFELINE)]);
}

// r[verify ext.credit.dropped]
#[test]
fn x34_content_that_is_dropped_counts_as_taken() {
    let windows = Windows {
        connection: 16_384,
        ..DEFAULT
    };
    let ways: [fn(&mut Receiving); 5] = [
        |it| {
            it.over(0);
            it.stop(0, STREAM);
            it.stop(0, file(0));
        },
        |it| {
            it.stop_message(0);
            it.stop(0, STREAM);
            it.stop(0, file(0));
        },
        |it| {
            it.stop(0, STREAM);
            it.stop(0, file(0));
        },
        |it| {
            it.end(0, STREAM);
            it.end(0, file(0));
            it.stop_message(0);
            it.stop(0, STREAM);
            it.stop(0, file(0));
        },
        |it| {
            it.end(0, STREAM);
            it.end(0, file(0));
            it.stop(0, file(0));
            it.stop(0, STREAM);
        },
    ];
    for (way, drop) in ways.into_iter().enumerate() {
        let mut receiving = receiver(windows);
        receiving.begin(0, true, endless(1));
        receive(&mut receiving, 0, STREAM, 10_000);
        receive(&mut receiving, 0, file(0), 6_384);
        drop(&mut receiving);
        assert_eq!(receiving.unread(), 0, "way {way}");
        assert!(receiving.is_due());
        assert!(
            due(&mut receiving).contains(&connection(32_768)),
            "way {way}"
        );
        // Taking it afterwards does not count twice.
        receiving.taken(0, STREAM, 10_000);
        assert_eq!(receiving.limit(), receiving.total() + 16_384);
    }
}

/// Its readers still have what has come, so it takes memory.
#[test]
fn x34_what_is_unread_of_a_message_that_is_over_counts_until_it_is_taken() {
    let ways: [fn(&mut Receiving); 3] = [
        |it| it.over(0),
        |it| {
            it.stop_message(0);
            it.over(0);
        },
        |it| {
            it.refuse(0, STREAM);
            it.refuse(0, file(0));
            due(it);
            it.end(0, STREAM);
            it.end(0, file(0));
        },
    ];
    for (way, over) in ways.into_iter().enumerate() {
        let mut receiving = receiver(Windows {
            connection: 16_384,
            ..DEFAULT
        });
        receiving.begin(0, true, endless(1));
        receive(&mut receiving, 0, STREAM, 10_000);
        receive(&mut receiving, 0, file(0), 6_384);
        over(&mut receiving);
        assert_eq!(receiving.unread(), 16_384, "way {way}");
        assert_eq!(due(&mut receiving), [], "way {way}");
        receiving.taken(0, STREAM, 4_000);
        assert_eq!(receiving.unread(), 12_384, "way {way}");
        receiving.taken(0, STREAM, 6_000);
        receiving.stop(0, file(0));
        assert_eq!(receiving.unread(), 0, "way {way}");
        assert_eq!(due(&mut receiving), [connection(32_768)], "way {way}");
        assert_eq!(receiving.kept().0, 0, "way {way}");
    }
}

#[test]
fn x40_a_part_that_is_refused_is_stopped_and_can_be_read_to_there() {
    let mut receiving = receiver(DEFAULT);
    receiving.begin(0, true, endless(0));
    receive(&mut receiving, 0, STREAM, 10_000);
    assert!(receiving.refuse(0, STREAM));
    assert_eq!(due(&mut receiving), [stop(0, STREAM)]);
    assert_eq!(receiving.received(0, STREAM, 5_000), Ok(Fate::Drop));
    assert_eq!(receiving.unread(), 10_000);
    receiving.taken(0, STREAM, 10_000);
    assert!(!receiving.refuse(0, STREAM));
    assert!(!receiving.stop(0, STREAM));
    assert_eq!(receiving.unread(), 0);
    receiving.end(0, STREAM);
    assert_eq!(receiving.kept().0, 0);
}

#[test]
fn x34_an_aborted_message_still_counts_at_its_sender() {
    let mut sending = sender(65_536, 16_384, 0);
    send(&mut sending, 0, STREAM, 16_384);
    sending.over(0);
    sending.begin(1, true, 0);
    assert_eq!(sending.may_send(1, STREAM), Err(Blocked::Connection));
    sending.apply(connection(20_000)).unwrap();
    assert_eq!(sending.next_ready(), Some((1, STREAM)));
}

#[test]
fn x35_blocked_parts_cost_nothing() {
    let mut sending = Sending::default();
    sending.open(4_096, 16_384);
    for number in 0..1_000 {
        sending.begin(number, true, 0);
    }
    for number in 0..4 {
        send(&mut sending, number, STREAM, 4_096);
    }
    for number in 0..1_000 {
        let blocked = sending.may_send(number, STREAM).unwrap_err();
        let expected = [Blocked::Message, Blocked::Connection][usize::from(number >= 4)];
        assert_eq!(blocked, expected);
        assert_eq!(sending.blocked(number, STREAM), Some(expected));
    }
    assert_eq!(sending.next_ready(), None);
    assert_eq!(sending.kept().2, 996);
    // Each byte of credit lets one of them go, and costs the others nothing.
    for limit in 1..=100 {
        sending.apply(connection(16_384 + limit)).unwrap();
        let (number, part) = sending.next_ready().unwrap();
        assert_eq!(number, 3 + limit);
        assert_eq!(sending.blocked(number, part), None);
        send(&mut sending, number, part, 1);
        assert_eq!(sending.next_ready(), None);
    }
    assert_eq!(sending.kept().2, 896);
}

// r[verify ext.credit.wakes]
#[test]
fn x36_only_what_was_touched_is_looked_at() {
    let mut receiving = receiver(DEFAULT);
    for number in 0..1_000 {
        receiving.begin(number, true, endless(1_000));
        receiving.waits(number, STREAM);
        pass(&mut receiving, number, file(0), 1_000);
    }
    due(&mut receiving);
    work::reset();
    for _ in 0..10 {
        assert!(!pass(&mut receiving, 7, STREAM, 1_000));
        assert!(!receiving.waits(7, STREAM));
        assert!(!receiving.is_due());
        assert_eq!(due(&mut receiving), []);
    }
    assert_eq!(work::done(), 0);
    assert!(pass(&mut receiving, 7, STREAM, 121_072));
    assert!(receiving.is_due());
    assert!(due(&mut receiving).contains(&credit(7, STREAM, 131_072)));
    assert!(work::done() <= 4, "{}", work::done());
}

#[test]
fn x36_a_reader_that_was_told_the_end_waits_no_more() {
    let mut receiving = receiver(DEFAULT);
    receiving.begin(0, true, endless(2));
    receiving.waits(0, file(0));
    receiving.end(0, file(0));
    receive(&mut receiving, 0, STREAM, 256 * KIB);
    assert!(!receiving.is_due());
}

#[test]
fn x36_what_does_not_fit_remains_due() {
    let mut receiving = receiver(DEFAULT);
    receiving.begin(0, true, endless(200));
    for each in 0..200 {
        receive(&mut receiving, 0, file(each), 1_280);
        receiving.end(0, file(each));
    }
    // The first one is not read, so each needs an entry.
    for each in 1..200 {
        receiving.taken(0, file(each), 1_280);
    }
    let mut seen = Vec::new();
    while receiving.is_due() {
        let entries: Vec<_> = receiving.due(IDLE).take(7).collect();
        assert!(!entries.is_empty() || !receiving.is_due());
        seen.extend(entries);
    }
    assert_eq!(seen.len(), 199);
    assert_eq!(receiving.used(0).unwrap().0, 1_280);
}

// r[verify ext.credit.memory]
#[test]
fn x37_without_memory_only_waiting_readers_get_credit() {
    let mut receiving = receiver(DEFAULT);
    receiving.begin(0, true, endless(1));
    receiving.begin(1, true, endless(1));
    pass(&mut receiving, 0, STREAM, 200 * KIB);
    pass(&mut receiving, 1, STREAM, 200 * KIB);
    receive(&mut receiving, 1, file(0), 56 * KIB);
    receiving.waits(1, STREAM);
    let exhausted = Round {
        is_idle: true,
        pressure: Pressure::Exhausted,
    };
    let entries: Vec<_> = receiving.due(exhausted).collect();
    assert_eq!(entries, [credit(1, STREAM, 200 * KIB + LIFELINE)]);
    // The other one is looked at again when there is memory, not before.
    assert!(receiving.is_held() && !receiving.is_due());
    work::reset();
    assert_eq!(receiving.due(exhausted).count(), 0);
    assert_eq!(work::done(), 0);
    // It is held, but starves: that is seen.
    receive(&mut receiving, 0, file(0), 56 * KIB);
    assert!(receiving.waits(0, STREAM));
    let entries: Vec<_> = receiving.due(exhausted).collect();
    assert_eq!(entries, [credit(0, STREAM, 200 * KIB + LIFELINE)]);
}

#[test]
fn x37_nothing_grows_while_one_message_stays_open() {
    let mut sending = Sending::default();
    let mut receiving = receiver(DEFAULT);
    sending.open(4_096, 1 << 30);
    sending.begin(0, true, 0);
    receiving.begin(0, true, endless(0));
    receiving.waits(0, STREAM);
    for number in 1..100_000 {
        sending.begin(number, true, 2);
        receiving.begin(number, true, endless(2));
        send(&mut sending, number, file(1), 4_096);
        sending.may_send(number, file(1)).unwrap_err();
        receive(&mut receiving, number, file(1), 10);
        receiving.waits(number, STREAM);
        receiving.stop(number, file(0));
        if number % 2 == 0 {
            receiving.stop_message(number);
        }
        sending.over(number);
        receiving.over(number);
        receiving.stop(number, file(1));
        if number % 64 == 0 {
            due(&mut receiving);
        }
        let (messages, parts, lines) = receiving.kept();
        assert!(
            messages == 1 && parts == 1 && lines <= 200,
            "{lines} entries"
        );
        let (messages, parts, lines) = sending.kept();
        assert!(
            messages == 1 && parts == 1 && lines <= 16,
            "{lines} entries"
        );
    }
}

#[test]
fn x38_before_the_settings_nothing_may_be_sent() {
    let mut sending = Sending::default();
    sending.begin(0, true, 0);
    sending.begin(1, false, 2);
    assert_eq!(sending.may_send(0, STREAM), Err(Blocked::Connection));
    assert_eq!(sending.may_send(1, file(0)), Err(Blocked::Connection));
    assert_eq!(sending.next_ready(), None);
    sending.open(4_096, 16_384);
    assert_eq!(sending.next_ready(), Some((0, STREAM)));
    assert_eq!(sending.next_ready(), Some((1, file(0))));
    assert_eq!(sending.next_ready(), None);
}

// r[verify ext.stop]
#[test]
fn x40_a_stop_ends_a_part() {
    let mut sending = sender(4_096, 65_536, 1);
    send(&mut sending, 0, STREAM, 4_096);
    assert_eq!(sending.may_send(0, file(0)), Err(Blocked::Message));
    assert_eq!(sending.apply(stop(0, STREAM)), Ok(Effect::Stop));
    // Its bytes do not hold back the others.
    assert_eq!(sending.next_ready(), Some((0, file(0))));
    assert_eq!(sending.may_send(0, STREAM), Err(Blocked::Over));
    sending.end(0, STREAM);
    assert_eq!(sending.may_send(0, file(0)), Ok(4_096));
}

/// Its receiver has stopped it before the end arrived, and sends no credit for it any more. If the sender
/// ignored the stop, the next file would wait for ever.
#[test]
fn x40_a_stop_of_a_part_that_has_ended_frees_its_bytes() {
    let mut receiving = receiver(Windows {
        message: 4_096,
        ..DEFAULT
    });
    receiving.begin(0, true, endless(2));
    receive(&mut receiving, 0, file(0), 2_000);
    receiving.stop(0, file(0));
    assert_eq!(due(&mut receiving), [stop(0, file(0))]);
    assert_eq!(receiving.received(0, file(0), 2_096), Ok(Fate::Drop));
    receiving.end(0, file(0));
    receiving.waits(0, file(1));
    assert_eq!(due(&mut receiving), []);

    let mut sending = sender(4_096, 65_536, 2);
    send(&mut sending, 0, file(0), 4_096);
    sending.end(0, file(0));
    assert_eq!(sending.may_send(0, file(1)), Err(Blocked::Message));
    assert_eq!(sending.apply(stop(0, file(0))), Ok(Effect::Over));
    assert_eq!(sending.next_ready(), Some((0, file(1))));
    assert_eq!(sending.may_send(0, file(1)), Ok(4_096));
    assert_eq!(sending.apply(stop(0, file(0))), Ok(Effect::Over));
}

/// The end came before the stop was written, so that the sender never learns of it.
#[test]
fn x40_a_part_that_ends_before_its_stop_is_released() {
    let windows = Windows {
        message: 4_096,
        message_max: 0,
        connection: MIB,
    };
    let mut receiving = receiver(windows);
    receiving.begin(0, true, endless(1));
    receive(&mut receiving, 0, file(0), 2_048);
    receiving.stop(0, file(0));
    assert_eq!(receiving.received(0, file(0), 2_048), Ok(Fate::Drop));
    receiving.end(0, file(0));
    let below = FlowEntry::FilesBelow {
        number: 0,
        index: index(1),
    };
    receiving.waits(0, STREAM);
    assert_eq!(due(&mut receiving), [credit(0, STREAM, LIFELINE), below]);
}

#[test]
fn x41_a_message_is_stopped_as_a_whole() {
    let mut sending = sender(4_096, 65_536, 1);
    let entry = FlowEntry::Stop {
        number: 0,
        part: None,
    };
    send(&mut sending, 0, STREAM, 4_096);
    assert_eq!(sending.may_send(0, STREAM), Err(Blocked::Message));
    assert_eq!(sending.apply(entry), Ok(Effect::StopMessage));
    assert_eq!(sending.may_send(0, STREAM), Err(Blocked::Over));
    assert_eq!(sending.blocked(0, STREAM), None);
    assert_eq!(sending.apply(entry), Ok(Effect::Useless));
    sending.over(0);
    assert_eq!(sending.apply(entry), Ok(Effect::Over));
}

#[test]
fn x42_a_refused_message_is_stopped_and_costs_no_records() {
    let mut receiving = receiver(DEFAULT);
    receiving.begin(3, false, endless(16_000_000));
    assert!(receiving.stop_message(3));
    let entry = FlowEntry::Stop {
        number: 3,
        part: None,
    };
    assert_eq!(due(&mut receiving), [entry]);
    for each in 0..1_000 {
        let part = file(15_999_999 - each);
        assert_eq!(receiving.received(3, part, 1_000), Ok(Fate::Drop));
        receiving.end(3, part);
    }
    assert_eq!(receiving.kept(), (1, 0, 0));
    assert_eq!((receiving.unread(), receiving.total()), (0, 1_000_000));
}

// r[verify ext.stop.once]
#[test]
fn x43_a_part_is_stopped_once() {
    let mut receiving = receiver(DEFAULT);
    receiving.begin(0, true, endless(1));
    assert!(receiving.stop(0, STREAM));
    assert!(receiving.stop(0, STREAM));
    assert_eq!(due(&mut receiving), [stop(0, STREAM)]);
    assert!(!receiving.stop(0, STREAM));
    assert_eq!(due(&mut receiving), []);
    let mut sending = sender(4_096, 65_536, 0);
    sending.apply(stop(0, STREAM)).unwrap();
    assert_eq!(sending.apply(stop(0, STREAM)), Ok(Effect::Useless));

    // None for a part or a message that has ended.
    receiving.end(0, file(0));
    assert!(!receiving.stop(0, file(0)));
    receiving.begin(1, true, endless(0));
    receiving.stop(1, STREAM);
    receiving.end(1, STREAM);
    receiving.begin(2, true, endless(0));
    receiving.stop_message(2);
    receiving.end(2, STREAM);
    assert_eq!(due(&mut receiving), []);
}
