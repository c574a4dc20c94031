//! MessagePack values in every form, written by hand: an encoder would choose the smallest form of
//! each.

use sockety::{Connection, message::Draft};

use super::{Checks, Outcome, equal_bytes, response};

/// Encoded values.
type Values = Vec<Vec<u8>>;

/// A description, and a function that creates them.
type Theme = (&'static str, fn() -> Values);

pub(super) fn add(checks: &mut Checks) {
    let themes: [Theme; 10] = [
        ("nil and booleans", || {
            vec![vec![0xC0], vec![0xC2], vec![0xC3]]
        }),
        ("integers, u64::MAX and i64::MIN among them", integers),
        ("integers in longer forms than they need", long_forms),
        ("floats", floats),
        ("text", text),
        ("binary", binary),
        ("arrays", arrays),
        ("maps", maps),
        ("extension types", extensions),
        ("64 arrays and maps inside one another", nested),
    ];
    for (what, values) in themes {
        checks.add(format!("echo of {what}"), move |connection| async move {
            echo_all(&connection, values()).await
        });
    }
    checks.add("echo of a million values", |connection| async move {
        // The array is the first of them.
        let array = sized(0xDD, 4, 999_999, vec![0x07; 999_999]);
        echo(&connection, array).await
    });
}

async fn echo_all(connection: &Connection, values: Values) -> Outcome {
    for value in values {
        let start = format!("{:02X?}", &value[..value.len().min(20)]);
        let echoed = echo(connection, value).await;
        echoed.map_err(|error| format!("value {start}: {error}"))?;
    }
    Ok(())
}

async fn echo(connection: &Connection, value: Vec<u8>) -> Outcome {
    let message = Draft::new("echo").data().create(value.clone());
    let response = response(connection, message).await?;
    equal_bytes(response.payload(), &value)
}

/// A marker and what follows it.
fn marked(marker: u8, rest: &[u8]) -> Vec<u8> {
    [&[marker], rest].concat()
}

/// A marker, a size of this many bytes, and the rest.
fn sized(marker: u8, width: usize, size: u32, rest: Vec<u8>) -> Vec<u8> {
    [&[marker], &size.to_be_bytes()[4 - width..], &rest].concat()
}

/// All forms of a value whose elements are bytes; `prefix` comes between its size and them.
fn lengths(markers: [u8; 3], prefix: &[u8]) -> Values {
    let [short, middle, long] = markers;
    let sizes = [
        (short, 1, 0),
        (short, 1, 32),
        (short, 1, 255),
        (middle, 2, 256),
        (middle, 2, 65_535),
        (long, 4, 65_536),
    ];
    let value = |(marker, width, size): (u8, usize, u32)| {
        let rest = [prefix, &vec![b'x'; size as usize]].concat();
        sized(marker, width, size, rest)
    };
    sizes.map(value).into()
}

fn integers() -> Values {
    vec![
        vec![0x00],
        vec![0x7F],
        vec![0xFF],
        vec![0xE0],
        marked(0xCC, &[128]),
        marked(0xCC, &[255]),
        marked(0xCD, &256_u16.to_be_bytes()),
        marked(0xCD, &u16::MAX.to_be_bytes()),
        marked(0xCE, &65_536_u32.to_be_bytes()),
        marked(0xCE, &u32::MAX.to_be_bytes()),
        marked(0xCF, &(1_u64 << 32).to_be_bytes()),
        // Above this one, JavaScript numbers are not exact.
        marked(0xCF, &(1_u64 << 53).to_be_bytes()),
        marked(0xCF, &u64::MAX.to_be_bytes()),
        marked(0xD0, &(-33_i8).to_be_bytes()),
        marked(0xD0, &i8::MIN.to_be_bytes()),
        marked(0xD1, &(-129_i16).to_be_bytes()),
        marked(0xD1, &i16::MIN.to_be_bytes()),
        marked(0xD2, &(-32_769_i32).to_be_bytes()),
        marked(0xD2, &i32::MIN.to_be_bytes()),
        marked(0xD3, &(i64::from(i32::MIN) - 1).to_be_bytes()),
        marked(0xD3, &i64::MIN.to_be_bytes()),
    ]
}

fn long_forms() -> Values {
    vec![
        marked(0xCC, &[5]),
        marked(0xCD, &5_u16.to_be_bytes()),
        marked(0xCE, &5_u32.to_be_bytes()),
        marked(0xCF, &5_u64.to_be_bytes()),
        marked(0xD0, &5_i8.to_be_bytes()),
        marked(0xD3, &(-5_i64).to_be_bytes()),
    ]
}

fn floats() -> Values {
    let short = [0.0, 1.5, f32::MAX, f32::NEG_INFINITY];
    let long = [0.1, -0.0, 5.0, f64::MIN_POSITIVE, f64::INFINITY, f64::NAN];
    let short = short.map(|float| marked(0xCA, &float.to_be_bytes()));
    let long = long.map(|float| marked(0xCB, &float.to_be_bytes()));
    [&short[..], &long].concat()
}

fn text() -> Values {
    let mut values = lengths([0xD9, 0xDA, 0xDB], &[]);
    values.push(vec![0xA0]);
    values.push(marked(0xA0 | 31, &[b'x'; 31]));
    let unicode = "naïve 世界 🦀";
    values.push(sized(0xD9, 1, unicode.len() as u32, unicode.into()));
    values
}

fn binary() -> Values {
    lengths([0xC4, 0xC5, 0xC6], &[])
}

fn arrays() -> Values {
    vec![
        vec![0x90],
        marked(0x9F, &[1; 15]),
        sized(0xDC, 2, 0, Vec::new()),
        sized(0xDC, 2, 16, vec![1; 16]),
        sized(0xDC, 2, 65_535, vec![0xC0; 65_535]),
        sized(0xDD, 4, 65_536, vec![0xC3; 65_536]),
        // One of each kind.
        b"\x95\x01\xA1a\xC4\x01b\x81\xC0\xC3\xD4\x05\x06".to_vec(),
    ]
}

fn maps() -> Values {
    vec![
        vec![0x80],
        marked(0x8F, &[1; 30]),
        sized(0xDE, 2, 0, Vec::new()),
        sized(0xDE, 2, 16, b"\xA1k\xA1v".repeat(16)),
        sized(0xDF, 4, 65_536, vec![1; 131_072]),
        // With keys of types other than text, and with a duplicate key.
        b"\x85\x01\xC0\xC3\xC0\x90\xC0\xA1k\x01\xA1k\x02".to_vec(),
    ]
}

fn extensions() -> Values {
    let fixed = [(0xD4, 1), (0xD5, 2), (0xD6, 4), (0xD7, 8), (0xD8, 16)];
    let fixed = fixed.map(|(marker, size)| marked(marker, &[&[42], &vec![7; size][..]].concat()));
    let mut values = lengths([0xC7, 0xC8, 0xC9], &[42]);
    values.extend(fixed);
    values.extend([
        // JavaScript's `undefined`, alone and in an array.
        b"\xD4\0\0".to_vec(),
        b"\x92\xD4\0\0\x01".to_vec(),
        // Timestamps of three sizes: seconds, with nanoseconds, before 1970.
        b"\xD6\xFF\x65\x00\x00\x00".to_vec(),
        b"\xD7\xFF\x00\x00\x00\x04\x65\x00\x00\x00".to_vec(),
        b"\xC7\x0C\xFF\x00\x00\x00\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xF0".to_vec(),
        marked(0xD4, &[0x80, 0]),
        marked(0xD4, &[0x7F, 0]),
    ]);
    values
}

fn nested() -> Values {
    // Nested around a nil: arrays, maps, and both alternating.
    let arrays = [vec![0x91; 64], vec![0xC0]].concat();
    let maps = [b"\x81\xA1k".repeat(64), vec![0xC0]].concat();
    let both = [b"\x91\x81\xA1k".repeat(32), vec![0xC0]].concat();
    vec![arrays, maps, both]
}
