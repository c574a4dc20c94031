use core::fmt;

/// The position of a file in its message, 0 to 16,777,215.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileIndex(u32);

impl FileIndex {
    /// The first file.
    pub const ZERO: Self = Self(0);
    /// The largest index that the wire can carry, 24 bits.
    pub const MAX: Self = Self(0xFF_FFFF);

    /// Returns the index, or `None` above 16,777,215.
    #[inline]
    pub const fn new(index: u32) -> Option<Self> {
        if index <= Self::MAX.0 {
            Some(Self(index))
        } else {
            None
        }
    }

    /// The index in the low three bytes of `bits`.
    #[inline]
    pub(crate) const fn from_low_bits(bits: u32) -> Self {
        Self(bits & Self::MAX.0)
    }

    /// The index as a number.
    #[inline]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for FileIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
