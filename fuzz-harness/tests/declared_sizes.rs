//! What a peer declares costs nothing before it comes. A separate program: it counts what the whole process allocates.

use sockety_codec::{Decoder, Limits};
use sockety_fuzz_harness::{from_lines, held_by};

/// Large numbers are kept apart from the table of channels, which is as small as most messages.
const LARGE: usize = 160;

// r[verify limits.files]
#[test]
fn declared_sizes_cost_nothing() {
    let id = "0a1b2c3d4e5f4a6b8c7d9e0f1a2b3c4d";
    let cases = [
        // The payload, and a packet of it.
        (
            format!("22 19 C0 {id} 01 61 010000000000"),
            format!("22 19 C0 {id} 01 61 FFFFFFFFFFFF"),
        ),
        (
            format!("22 19 C0 {id} 01 61 FFFFFFFFFFFF EC 01000000"),
            format!("22 19 C0 {id} 01 61 FFFFFFFFFFFF EC FFFFFFFF"),
        ),
        // The number of files, their size together, the size of one, the length of its name.
        (
            format!("20 18 30 {id} 01 61 010000 0000"),
            format!("20 18 30 {id} 01 61 FFFFFF FFFF"),
        ),
        (
            format!("20 1C 1C {id} 01 61 02 010000000000 0C"),
            format!("20 1C 1C {id} 01 61 02 FFFFFFFFFFFF 0C"),
        ),
        (
            format!("20 1F 10 {id} 01 61 02 FFFF 06 01 0000 0100"),
            format!("20 1F 10 {id} 01 61 02 FFFF 06 01 0000 FFFF"),
        ),
        // The length of an action, and packets of a header, a stream and a file.
        (
            format!("2C 17000000 02 {id} 0100"),
            format!("2C FFFFFFFF 02 {id} FFFF"),
        ),
        (
            "22 13 00 0a1b2c3d4e5f4a6b8c7d9e0f1a2b3c4d 01 61 7C 01000000".into(),
            "22 13 00 0a1b2c3d4e5f4a6b8c7d9e0f1a2b3c4d 01 61 7C FFFFFFFF".into(),
        ),
    ];
    for limits in [Limits::WIRE, Limits::default()] {
        for (small, large) in &cases {
            let [small, large] = [small, large].map(|digits| heap_after(limits, digits));
            assert!(large <= small + LARGE, "{large} bytes, not {small}");
        }
    }
}

/// The most that a decoder held, of several runs the least: another thread of the harness may have allocated meanwhile.
fn heap_after(limits: Limits, digits: &str) -> usize {
    let lines = format!("E3 {digits}");
    let inputs = from_lines(&lines);
    let run = || {
        let mut decoder = Decoder::new(limits);
        let mut input = inputs[0].as_slice();
        while let Ok(Some(_)) = decoder.decode(&mut input) {}
        decoder
    };
    (0..20).map(|_| held_by(run)).min().expect("some runs")
}
