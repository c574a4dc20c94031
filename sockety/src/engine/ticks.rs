//! Durations as the clocks of a connection count them: in ticks of a second.

use std::time::Duration;

/// Rounds up to whole seconds.
pub(crate) fn seconds(duration: Duration) -> u32 {
    let part = u64::from(duration.subsec_nanos() > 0);
    let whole = duration.as_secs().saturating_add(part);
    u32::try_from(whole).unwrap_or(u32::MAX)
}

/// Rounds up to whole seconds, and to one at least.
pub(crate) fn at_least_one(duration: Duration) -> Duration {
    of_seconds(seconds(duration).max(1))
}

pub(crate) fn of_seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_second_is_a_whole_one_and_the_longest_time_is_long() {
        assert_eq!(seconds(Duration::ZERO), 0);
        assert_eq!(seconds(Duration::from_millis(1)), 1);
        assert_eq!(seconds(Duration::from_secs(2)), 2);
        assert_eq!(seconds(Duration::MAX), u32::MAX);
        // A float has too few digits for this one.
        assert_eq!(seconds(Duration::new(4_000_000_000, 1)), 4_000_000_001);
    }
}
