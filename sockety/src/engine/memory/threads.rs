//! Returns what a thread keeps for all of its connections, once none of them has used it for a
//! while. The ticks of connections on the thread check for that.
//!
//! An allocator is no substitute. If all of this is left to the allocator of glibc, a call with 1
//! MiB takes 28 % more instructions, and with many of them in flight, each MiB takes 130 to 240
//! page faults and more than twice the CPU time. mimalloc avoids the page faults, but takes more
//! CPU time for streams and twice to six times the memory. The figures are in
//! `docs/performance.md`, under "Kept memory against an allocator".

use std::{cell::Cell, time::Duration};

use tokio::time::Instant;

use super::{handlers, payloads, recycled};

/// The minimum time between two checks: there may be many quiet connections, and each asks at any
/// time.
const PAUSE: Duration = Duration::from_secs(10);

thread_local! {
    static LOOKED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Returns memory to the allocator that was not used since the last check, if that was long enough
/// ago.
pub(crate) fn give_back_unused() {
    let now = Instant::now();
    if LOOKED.get().is_none_or(|looked| now >= looked + PAUSE) {
        LOOKED.set(Some(now));
        handlers::give_back_unused();
        payloads::give_back_unused();
        recycled::give_back_unused();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn use_memory() {
        drop(payloads::share(vec![7; 64 * 1024]));
    }

    fn is_kept() -> bool {
        let memory = payloads::take(64 * 1024);
        let is_kept = memory.capacity() > 0;
        drop(payloads::share(memory));
        is_kept
    }

    #[tokio::test(start_paused = true)]
    async fn memory_that_is_used_is_not_given_back_however_often_it_is_asked_for() {
        let _user = payloads::User::new();
        use_memory();
        for _ in 0..100 {
            give_back_unused();
            give_back_unused();
            tokio::time::advance(PAUSE / 3).await;
            assert!(is_kept());
        }
        give_back_unused();
        tokio::time::advance(PAUSE).await;
        give_back_unused();
        tokio::time::advance(PAUSE).await;
        give_back_unused();
        assert!(!is_kept());
    }
}
