//! Bytes that declare a lot of memory do not get it. A separate binary whose tests take turns,
//! because the allocator counts for the whole process.

use std::sync::{Mutex, MutexGuard, PoisonError};

use peak_alloc::PeakAlloc;
use serde::de::{DeserializeOwned, IgnoredAny};
use sockety::msgpack::{DecodeError, from_slice};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// For the error and for what the harness allocates meanwhile. The first bomb costs bare rmp-serde
/// 99 MiB.
const MAX_PEAK: usize = 4 * 1024;

static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn t_p1_nesting_is_refused_before_anything_is_allocated() {
    let _turn = turn();
    let honest = [vec![0x91; 1000], vec![0xC0]].concat();
    // Types that are less deep are another reason.
    check_into_all(&honest, |error| {
        matches!(error, DecodeError::TooDeep { .. } | DecodeError::Invalid(_))
    });
    check_into::<serde_json::Value>(&honest, |error| {
        matches!(error, DecodeError::TooDeep { .. })
    });
}

#[test]
fn t_p2_arrays_of_arrays_are_refused_before_anything_is_allocated() {
    let _turn = turn();
    let declared = [0xDD, 0xFF, 0xFF, 0xFF, 0xFF].repeat(120);
    assert_eq!(declared.len(), 600);
    check_into_all(&declared, is_truncated);
}

#[test]
fn t_p3_lengths_that_are_not_there_are_refused_before_anything_is_allocated() {
    let _turn = turn();
    for marker in [0xDD, 0xDF, 0xDB, 0xC6, 0xC9] {
        check_into_all(&[marker, 0xFF, 0xFF, 0xFF, 0xFF], is_truncated);
    }
}

#[test]
fn t_p4_more_values_than_the_limit_are_refused_before_anything_is_allocated() {
    let _turn = turn();
    let many_nils = [&[0xDD, 0x00, 0x40, 0x00, 0x00][..], &vec![0xC0; 4 << 20]].concat();
    check_into_all(&many_nils, |error| {
        matches!(error, DecodeError::TooManyItems { .. })
    });
}

/// 64 times the bytes, 4 MiB for elements, and 3 MiB for what collections reserve.
fn most_held(bytes: &[u8]) -> usize {
    64 * bytes.len() + AT_LEAST
}

const AT_LEAST: usize = 7 << 20;

#[test]
fn t_p4_no_type_holds_more_than_64_times_the_bytes() {
    let _turn = turn();
    let mut worst = Ratios::default();
    for kind in ELEMENTS {
        // Beyond the last one but one, vectors of texts have just grown.
        for size in [10_000, 1_398_200] {
            check_ratios(&array_of(kind, size), &mut worst);
        }
    }
    for size in [10_000, 1_000_000] {
        check_ratios(&map_of(size), &mut worst);
        check_ratios(&bin_of(size), &mut worst);
    }
    check_ratios(&nested(10_000), &mut worst);
    println!(
        "at most {:.1} times the bytes held ({}), {:.1} times while it grew ({})",
        worst.held, worst.holder, worst.peak, worst.grower
    );
    assert!(worst.held <= 64.0);
    assert!(worst.held > 40.0, "the worst was not tried");
}

#[derive(Default)]
struct Ratios {
    held: f64,
    holder: &'static str,
    peak: f64,
    grower: &'static str,
}

/// What elements begin with, repeated.
const ELEMENTS: &[&[u8]] = &[
    b"\xC0",
    b"\x00",
    b"\x90",
    b"\x80",
    b"\xA0",
    b"\xA1a",
    b"\xC2",
    b"\x91\x90",
    b"\x91\xC0",
    b"\xA4Unit",
    b"\x81\xA1a\xC0",
    b"\xCB\x40\x14\0\0\0\0\0\0",
];

fn array_of(element: &[u8], size: usize) -> Vec<u8> {
    let count = size / element.len();
    let mut bytes = vec![0xDD];
    bytes.extend(u32::try_from(count).expect("few").to_be_bytes());
    bytes.extend(element.repeat(count));
    bytes
}

/// A map with keys as short as they can be.
fn map_of(size: u32) -> Vec<u8> {
    let count = size / 4;
    let mut bytes = vec![0xDF];
    bytes.extend(count.to_be_bytes());
    for key in 0..count {
        match u16::try_from(key) {
            Ok(key) => {
                bytes.push(0xCD);
                bytes.extend(key.to_be_bytes());
            }
            Err(_) => {
                bytes.push(0xCE);
                bytes.extend(key.to_be_bytes());
            }
        }
        bytes.push(0xC0);
    }
    bytes
}

/// Bytes that are read as elements too.
fn bin_of(size: u32) -> Vec<u8> {
    let mut bytes = vec![0xC6];
    bytes.extend(size.to_be_bytes());
    bytes.resize(bytes.len() + size as usize, 7);
    bytes
}

/// Arrays that each reserve memory for more elements than they have.
fn nested(size: usize) -> Vec<u8> {
    let mut bytes = b"\xDC\x04\x00".repeat(100);
    bytes.resize(size, 0xC0);
    bytes
}

#[derive(serde::Deserialize)]
#[expect(
    dead_code,
    clippy::large_enum_variant,
    reason = "it is only read into, and takes as much as it can"
)]
enum Large {
    Unit,
    Data([u64; 32]),
}

#[derive(serde::Deserialize, Default)]
#[serde(default)]
struct Record {
    numbers: [u64; 16],
    next: Option<Box<Self>>,
    list: Vec<Self>,
}

#[derive(serde::Deserialize)]
#[serde(from = "Option<u8>")]
struct From(#[expect(dead_code, reason = "it is only read into")] [u64; 32]);

impl std::convert::From<Option<u8>> for From {
    fn from(_: Option<u8>) -> Self {
        Self([7; 32])
    }
}

#[derive(serde::Deserialize)]
#[serde(from = "u8")]
struct FromByte(#[expect(dead_code, reason = "it is only read into")] [u64; 32]);

impl std::convert::From<u8> for FromByte {
    fn from(byte: u8) -> Self {
        Self([byte.into(); 32])
    }
}

/// Serde buffers its value. Its elements are small: those of such types are not charged for.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Buffered {
    List(#[expect(dead_code, reason = "it is only read into")] Vec<Option<u8>>),
    Texts(#[expect(dead_code, reason = "it is only read into")] Vec<String>),
}

fn check_ratios(bytes: &[u8], worst: &mut Ratios) {
    use std::collections::{BTreeMap, BTreeSet, HashMap, LinkedList};
    check_ratio::<Vec<Option<u64>>>(bytes, worst);
    check_ratio::<Vec<String>>(bytes, worst);
    check_ratio::<Vec<Option<String>>>(bytes, worst);
    check_ratio::<Vec<Vec<u8>>>(bytes, worst);
    check_ratio::<Vec<Vec<Option<String>>>>(bytes, worst);
    check_ratio::<Vec<Option<[u64; 4]>>>(bytes, worst);
    check_ratio::<Vec<Option<[u64; 32]>>>(bytes, worst);
    check_ratio::<Vec<Option<Box<[u64; 32]>>>>(bytes, worst);
    check_ratio::<Vec<Box<u8>>>(bytes, worst);
    check_ratio::<LinkedList<Option<u8>>>(bytes, worst);
    check_ratio::<BTreeSet<Option<String>>>(bytes, worst);
    check_ratio::<Vec<Large>>(bytes, worst);
    check_ratio::<Vec<Record>>(bytes, worst);
    check_ratio::<Vec<Box<Record>>>(bytes, worst);
    check_ratio::<Vec<From>>(bytes, worst);
    check_ratio::<Vec<FromByte>>(bytes, worst);
    check_ratio::<serde_json::Value>(bytes, worst);
    check_ratio::<Buffered>(bytes, worst);
    check_ratio::<Vec<HashMap<String, String>>>(bytes, worst);
    check_ratio::<HashMap<u32, Option<String>>>(bytes, worst);
    check_ratio::<HashMap<u32, Option<[u64; 4]>>>(bytes, worst);
    check_ratio::<HashMap<u32, Option<[u64; 32]>>>(bytes, worst);
    check_ratio::<BTreeMap<u32, Option<[u64; 32]>>>(bytes, worst);
    check_ratio::<Nested>(bytes, worst);
}

fn check_ratio<T: DeserializeOwned>(bytes: &[u8], worst: &mut Ratios) {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let read = from_slice::<T>(bytes);
    let held = ALLOCATOR.current_usage().saturating_sub(before);
    let peak = ALLOCATOR.peak_usage().saturating_sub(before);
    drop(read);
    let name = std::any::type_name::<T>();
    let most = most_held(bytes);
    assert!(held <= most, "{name}: {held} for {} bytes", bytes.len());
    // A vector that grows has its old memory until its elements are moved. Serde's buffer is there
    // until the value was made of it.
    let meanwhile = match name.ends_with("Buffered") {
        true => most * 3,
        false => most / 2 * 3,
    };
    assert!(
        peak <= meanwhile,
        "{name}: {peak} for {} bytes",
        bytes.len()
    );
    // What any input may take does not count where there is little of it.
    if bytes.len() >= 900_000 {
        let ratio = |held: usize| held.saturating_sub(AT_LEAST) as f64 / bytes.len() as f64;
        if ratio(held) > worst.held {
            (worst.held, worst.holder) = (ratio(held), name);
        }
        if ratio(peak) > worst.peak {
            (worst.peak, worst.grower) = (ratio(peak), name);
        }
    }
}

/// The widest stack of arrays that serde's derive produces, and the largest elements.
type Nested = Vec<Vec<Vec<Vec<Vec<Vec<[u64; 32]>>>>>>;

fn check_into_all(bytes: &[u8], expected: fn(&DecodeError) -> bool) {
    check_into::<Nested>(bytes, expected);
    check_into::<Vec<Option<[u64; 32]>>>(bytes, expected);
    check_into::<String>(bytes, expected);
    check_into::<Vec<u8>>(bytes, expected);
    check_into::<serde_json::Value>(bytes, expected);
    check_into::<IgnoredAny>(bytes, expected);
}

fn check_into<T: DeserializeOwned>(bytes: &[u8], expected: fn(&DecodeError) -> bool) {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let error = from_slice::<T>(bytes).map(|_| ()).unwrap_err();
    let peak = ALLOCATOR.peak_usage() - before;
    assert!(expected(&error), "{error}");
    assert!(
        peak <= MAX_PEAK,
        "{peak} bytes allocated for {} bytes: {error}",
        bytes.len()
    );
}

fn is_truncated(error: &DecodeError) -> bool {
    matches!(error, DecodeError::Truncated { .. })
}
