/// The maximum depth and size of a received value.
///
/// Each `max_` method changes a limit. The method of the same name without `max_` returns it.
///
/// # Examples
///
/// ```
/// use sockety_msgpack::{Bounds, from_slice_with};
///
/// let bounds = Bounds::new().max_items(3);
/// assert!(from_slice_with::<Vec<u8>>(&[0x92, 1, 2], &bounds).is_ok());
/// assert!(from_slice_with::<Vec<u8>>(&[0x93, 1, 2, 3], &bounds).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    depth: usize,
    items: usize,
}

impl Bounds {
    /// The defaults: 64 levels, 100,000 values.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            depth: DEFAULT_DEPTH,
            items: 100_000,
        }
    }

    /// Limits the number of nested arrays and maps. The default is 64.
    ///
    /// Each level uses stack while serde builds the value: 64 levels of a recursive struct took
    /// less than 128 KiB, and less than 512 KiB in a debug build. A thread of tokio has 2 MiB.
    /// Cap'n Proto and Thrift have the same limit of 64. Raise it only together with the stack.
    #[must_use]
    pub const fn max_depth(self, depth: usize) -> Self {
        Self { depth, ..self }
    }

    /// Limits the number of values: the outermost one, elements, map keys and map values.
    /// The default is 100,000.
    ///
    /// One byte can become a value of any size: 4 MiB of nil read as `Vec<[u64; 32]>` take 1 GiB.
    /// The size of a payload therefore does not limit the memory of its value. This limit does,
    /// to 100,000 times the size of the largest element. The bytes of a bin or a string are not
    /// counted, as each stays one byte.
    #[must_use]
    pub const fn max_items(self, items: usize) -> Self {
        Self { items, ..self }
    }

    /// The maximum number of nested arrays and maps.
    #[inline]
    #[must_use]
    pub const fn depth(&self) -> usize {
        self.depth
    }

    /// The maximum number of values.
    #[inline]
    #[must_use]
    pub const fn items(&self) -> usize {
        self.items
    }
}

impl Default for Bounds {
    /// Same as [`Bounds::new`].
    fn default() -> Self {
        Self::new()
    }
}

pub(crate) const DEFAULT_DEPTH: usize = 64;
