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
    check_into_all(&honest, |error| {
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
fn t_p4_many_values_are_refused_before_anything_is_allocated() {
    let _turn = turn();
    let many_nils = [&[0xDD, 0x00, 0x40, 0x00, 0x00][..], &vec![0xC0; 4 << 20]].concat();
    check_into_all(&many_nils, |error| {
        matches!(error, DecodeError::TooManyItems { .. })
    });
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
