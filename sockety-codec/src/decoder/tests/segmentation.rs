use super::*;

const DIALOGUE: &str = "23 06 50 0a1b2c3d4e 60 0F 5f4a6b8c7d9e0f1a2b3c4d 01 61 01 02 \
    60 04 0500 00 02 A0 60 02 01 62 E0 01 AA C0 02 0102 70 01 BB 60 03 00 03 01 D0 80 60 01 63 \
    10 FF 51 22 40 P U 04 E4 0400 0A0B0C0D 47 08 U 00 C5 0300 01 030405 D1 01 B0 \
    21 14 00 U 02 FFFE 25 0608 02 U F507";

/// The events of `input`, in pieces of the given sizes and then the rest at once. Content that
/// was cut is joined again.
fn joined(input: &[u8], pieces: &[usize]) -> (Vec<String>, Option<Violation>) {
    let mut decoder = Decoder::new(Limits::default());
    let mut rest = input;
    let mut joined: Vec<(String, Vec<u8>)> = Vec::new();
    for piece in pieces.iter().copied().chain([usize::MAX]) {
        let (mut piece, later) = rest.split_at(piece.min(rest.len()));
        rest = later;
        loop {
            let (key, bytes): (String, Vec<u8>) = match decoder.decode(&mut piece) {
                Ok(None) => break,
                Err(violation) => return (lines(joined), Some(violation)),
                Ok(Some(Event::Data { channel, bytes, .. })) => {
                    (format!("data {channel}"), bytes.into())
                }
                Ok(Some(Event::Stream { channel, bytes })) => {
                    (format!("stream {channel}"), bytes.into())
                }
                Ok(Some(Event::File {
                    channel,
                    index,
                    bytes,
                })) => (format!("file {channel} {index}"), bytes.into()),
                Ok(Some(event)) => (describe(&event), Vec::new()),
            };
            match joined.last_mut() {
                Some((last, content)) if *last == key && !content.is_empty() => {
                    content.extend(bytes);
                }
                _ => joined.push((key, bytes)),
            }
        }
    }
    (lines(joined), None)
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

/// Work is counted in bytes that are looked at or moved: see [`crate::work`].
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
