use core::fmt;

/// The number of a channel, 0 to 4095.
///
/// The channels of the two directions are independent of each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(u16);

impl ChannelId {
    /// The channel that is current at the start of a connection.
    pub const ZERO: Self = Self(0);
    /// The last channel, 4095.
    pub const MAX: Self = Self(0x0FFF);

    /// Returns the channel id, or `None` above 4095.
    #[inline]
    pub const fn new(id: u16) -> Option<Self> {
        if id <= Self::MAX.0 {
            Some(Self(id))
        } else {
            None
        }
    }

    // r[impl number.split]
    #[inline]
    pub(crate) fn from_parts(high: u8, low: u8) -> Self {
        Self(u16::from_be_bytes([high & 0x0F, low]))
    }

    /// The id as a number.
    #[inline]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The id as an index into a table of channels.
    #[inline]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    // r[impl number.split]
    #[inline]
    pub(crate) const fn to_parts(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
