/// How deep and how large a received value may be.
///
/// # Examples
///
/// ```
/// use sockety_msgpack::{self as msgpack, Bounds};
///
/// let bounds = Bounds { items: 3, ..Bounds::default() };
/// assert!(msgpack::from_slice_with::<Vec<u8>>(&[0x92, 1, 2], &bounds).is_ok());
/// assert!(msgpack::from_slice_with::<Vec<u8>>(&[0x93, 1, 2, 3], &bounds).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The largest number of arrays and maps inside one another.
    ///
    /// Every level costs stack while serde builds the value: 64 of a recursive struct took under
    /// 128 KiB, and under 512 KiB in a debug build, where a thread of tokio has 2 MiB. 64 is the
    /// bound of Cap'n Proto and Thrift too. Raise it only together with the stack.
    pub depth: usize,
    /// The largest number of values in all: the outermost one, elements, map keys and map values.
    ///
    /// One byte can become a value of any size (4 MiB of nil read as `Vec<[u64; 32]>` are 1 GiB),
    /// so the bytes of a payload do not bound its memory. 100,000 times the size of the largest
    /// element does, and leaves room for any message that a person would wait for. Bytes of a bin
    /// and of a string are not counted, they stay bytes.
    pub items: usize,
}

impl Default for Bounds {
    /// 64 levels, 100,000 values.
    fn default() -> Self {
        Self {
            depth: 64,
            items: 100_000,
        }
    }
}
