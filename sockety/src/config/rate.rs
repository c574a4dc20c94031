/// How often something may happen: a number of times at once, then a number of times a second.
///
/// ```
/// use sockety::{Options, config::Rate};
///
/// let options = Options::default().max_aborted_messages(Rate::new(1_000, 100));
/// ```
///
/// A burst of 0 counts as 1, because otherwise nothing would ever happen. With 0 per second, nothing happens after the burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How often at once.
    pub burst: u64,
    /// How often a second, in the long run.
    pub per_second: u64,
}

impl Rate {
    /// Allows `burst` at once, then `per_second`.
    pub const fn new(burst: u64, per_second: u64) -> Self {
        let burst = if burst == 0 { 1 } else { burst };
        Self { burst, per_second }
    }

    /// Its fields are public, so it may have been made without [`new`](Self::new).
    pub(crate) const fn counted(self) -> Self {
        Self::new(self.burst, self.per_second)
    }

    /// No limit.
    pub const UNLIMITED: Self = Self::new(u64::MAX, 0);
}
