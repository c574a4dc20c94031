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
    /// The defaults: 200 levels, 4,194,304 values.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            depth: 200,
            items: 4 * 1024 * 1024,
        }
    }

    /// Higher limits for trusted peers: 300 levels, 268,435,456 values.
    #[must_use]
    pub const fn trusted() -> Self {
        Self {
            depth: 300,
            items: 256 * 1024 * 1024,
        }
    }

    /// Limits the number of nested arrays and maps. The default is 200.
    ///
    /// That holds trees of 64 levels whose nodes are three levels on the wire: an enum, its fields,
    /// and a list of children.
    ///
    /// Each level uses stack while serde builds the value, and when it is dropped: in a debug
    /// build, 128 levels of structs, of tagged enums and of untagged ones took less than 480 KiB
    /// each, and in a release build less than 100 KiB. A thread of tokio has 2 MiB. Raise it only
    /// together with the stack.
    #[must_use]
    pub const fn max_depth(self, depth: usize) -> Self {
        Self { depth, ..self }
    }

    /// Limits the number of values: the outermost one, elements, map keys and map values.
    /// The default is 4,194,304: in 4 MiB there cannot be more. 0 counts as 1. The bytes of a bin or a string are
    /// not counted, as each stays one byte.
    ///
    /// The memory of a value is limited in another way: to 64 times its bytes, and 4 MiB, except
    /// that of large elements inside flattened, tagged and untagged types. See
    /// [`DecodeError::TooMuchMemory`](crate::DecodeError::TooMuchMemory).
    #[must_use]
    pub const fn max_items(self, items: usize) -> Self {
        let items = if items == 0 { 1 } else { items };
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
