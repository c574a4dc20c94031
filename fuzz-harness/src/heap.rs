use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// What a test harness allocates outside of a run, it does not allocate each time.
const TRIES: usize = 3;

/// Bytes that `run` holds at most, beyond what was held before. Right only while no other thread allocates.
pub fn held_by<T>(run: impl FnOnce() -> T) -> usize {
    HEAP.reset_peak_usage();
    let before = HEAP.current_usage();
    let result = run();
    let held = HEAP.peak_usage().saturating_sub(before);
    drop(result);
    held
}

/// Fails when `run` holds more than `limit` bytes at once, beyond what was held before. It runs again if so, as another thread may
/// have allocated meanwhile.
#[track_caller]
pub(crate) fn check<T>(limit: usize, run: impl Fn() -> T) -> T {
    let mut least = usize::MAX;
    for _ in 0..TRIES {
        HEAP.reset_peak_usage();
        let before = HEAP.current_usage();
        let result = run();
        least = least.min(HEAP.peak_usage().saturating_sub(before));
        if least <= limit {
            return result;
        }
    }
    panic!("{least} bytes held, above {limit}");
}
