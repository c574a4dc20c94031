use super::*;

const DIALOGUE: &str = "23 06 50 0a1b2c3d4e 60 0F 5f4a6b8c7d9e0f1a2b3c4d 01 61 01 02 \
    60 04 0500 00 02 A0 60 02 01 62 E0 01 AA C0 02 0102 70 01 BB 60 03 00 03 01 D0 80 60 01 63 \
    10 FF 51 22 40 P U 04 E4 0400 0A0B0C0D 47 08 U 00 C5 0300 01 030405 D1 01 B0 \
    21 14 00 U 02 FFFE 25 0608 02 U F507";

/// The events of `input`, in pieces of the given sizes and then the remainder at once. Content
/// that was split is joined again.
fn joined(input: &[u8], pieces: &[usize]) -> (Vec<String>, Option<Violation>) {
    joined_by(Decoder::new(Limits::default()), input, pieces)
}

fn joined_by(
    mut decoder: Decoder,
    input: &[u8],
    pieces: &[usize],
) -> (Vec<String>, Option<Violation>) {
    let mut rest = input;
    let mut joined: Vec<(String, Vec<u8>)> = Vec::new();
    for piece in pieces.iter().copied().chain([usize::MAX]) {
        let (mut piece, later) = rest.split_at(piece.min(rest.len()));
        rest = later;
        loop {
            let open = foreseen(&decoder, piece);
            let event = match decoder.decode(&mut piece) {
                Ok(None) => break,
                Err(violation) => return (lines(joined), Some(violation)),
                Ok(Some(event)) => event,
            };
            assert!(open.is_none_or(|open| open.is(&event)), "{event:?}");
            for event in event.apart() {
                let (key, bytes) = keyed(event);
                match joined.last_mut() {
                    Some((last, content)) if *last == key && !content.is_empty() => {
                        content.extend(bytes);
                    }
                    _ => joined.push((key, bytes)),
                }
            }
        }
    }
    (lines(joined), None)
}

/// Splits an event into what its content belongs to, and the content.
fn keyed(event: Event<'_>) -> (String, Vec<u8>) {
    match event {
        Event::Data { channel, bytes, .. } => (format!("data {channel}"), bytes.into()),
        Event::Stream { channel, bytes } => (format!("stream {channel}"), bytes.into()),
        Event::File {
            channel,
            index,
            bytes,
        } => (format!("file {channel} {index}"), bytes.into()),
        event => (describe(&event), Vec::new()),
    }
}

fn lines(events: Vec<(String, Vec<u8>)>) -> Vec<String> {
    events
        .into_iter()
        .map(|(key, bytes)| format!("{key} {bytes:02x?}"))
        .collect()
}

fn dialogue() -> Vec<u8> {
    let mut input = vec![0xE2, 0x00, 0x10];
    input.extend(bytes(DIALOGUE));
    input.extend(vec![b'x'; 2037 - 4]);
    input.extend([0xFF; 19]);
    input
}

// r[verify head.cut]
#[test]
fn the_input_may_be_cut_anywhere() {
    let input = dialogue();
    let whole = joined(&input, &[]);
    assert!(whole.0.len() > 20, "{whole:#?}");
    for first in 0..input.len() {
        assert_eq!(joined(&input, &[first]), whole, "cut at {first}");
        assert_eq!(joined(&input, &[first, 1]), whole, "cut around {first}");
    }
    assert_eq!(joined(&input, &vec![1; input.len()]), whole);
    assert_eq!(joined(&input, &vec![2; input.len()]), whole);
}

#[test]
fn whole_messages_stand_for_the_same_events() {
    let input = dialogue();
    let separate = joined(&input, &[]);
    for first in 0..input.len() {
        let decoder = Decoder::new(Limits::default()).whole_messages();
        assert_eq!(
            joined_by(decoder, &input, &[first]),
            separate,
            "cut at {first}"
        );
    }
}

#[test]
fn what_is_whole_and_only_that_is_one_event() {
    let is_whole = |script: &str| {
        let mut decoder = connected(Limits::default()).whole_messages();
        let input = bytes(script);
        let mut input = input.as_slice();
        let event = decoder.decode(&mut input).unwrap().unwrap();
        let is_whole = matches!(
            event,
            Event::WholeMessage { .. } | Event::WholeResponse { .. }
        );
        // Nothing is left on the channel, so the next message can start.
        let mut next: &[u8] = &bytes("20 13 00 U 01 61");
        assert!(!is_whole || decoder.decode(&mut next).unwrap().is_some());
        is_whole
    };
    for whole in [
        "20 13 00 U 01 61",
        "21 14 40 U 01 61 02 E0 02 AABB",
        "50 22 40 P U 01 E0 01 AA",
        // In the wide forms.
        "21 15 80 U 01 61 0200 E4 0200 AABB",
    ] {
        assert!(is_whole(whole), "{whole}");
    }
    for parts in [
        // A stream, a payload in two packets, an incomplete payload, a reserved bit, a file.
        "22 13 00 U 01 61 80",
        "21 14 40 U 01 61 02 E0 01 AA E0 01 BB",
        "21 14 40 U 01 61 02 E0 02 AA",
        "21 14 40 U 01 61 02 E0",
        "21 14 40 U 01 61 02",
        "21 14 40 U 01 61 02 E1 02 AABB",
        "21 14 40 U 01 61 02 A0 E0 02 AABB",
        "20 17 10 U 01 61 01 0000 00 00",
    ] {
        assert!(!is_whole(parts), "{parts}");
    }
}

/// Work is counted in bytes that are examined or moved: see [`crate::work`].
#[test]
fn t_f9_pieces_of_one_byte_cost_a_fixed_amount_each() {
    let work = |names: usize| {
        let mut head = bytes("00");
        head[0] = 0x30;
        head.extend([7; 16]);
        head.extend([200]);
        head.extend([b'a'; 200]);
        head.extend(&u32::try_from(names).unwrap().to_le_bytes()[..3]);
        head.extend([0, 0]);
        for _ in 0..names {
            head.extend([0x02, 0x00, 0xC8, 0x00]);
            head.extend([b'n'; 200]);
        }
        let mut input = vec![0xE3, 0x2D];
        input.extend(u32::try_from(head.len()).unwrap().to_le_bytes());
        input.extend(head);
        crate::work::reset();
        let mut decoder = Decoder::new(Limits::WIRE);
        let mut count = 0;
        for byte in &input {
            let mut piece = core::slice::from_ref(byte);
            while decoder.decode(&mut piece).unwrap().is_some() {
                count += 1;
            }
        }
        assert_eq!(count, 2 + names);
        (input.len() as u64, crate::work::done())
    };
    let (small, small_work) = work(10);
    let (large, large_work) = work(1000);
    assert!(small_work <= 8 * small);
    assert!(large_work <= 8 * large);
    assert!(large_work * small <= small_work * large * 11 / 10);
}
