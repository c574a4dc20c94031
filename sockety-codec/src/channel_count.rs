use core::fmt;

use crate::ChannelId;

/// The number of channels that one side receives on, 1 to 4096.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelCount(u16);

impl ChannelCount {
    /// A single channel.
    pub const ONE: Self = Self(1);
    /// What a side receives on unless it says otherwise: 256 channels.
    pub(crate) const DEFAULT: Self = Self(256);
    /// What a connection header says that offers the extension.
    pub(crate) const OFFER: Self = Self(238);
    /// The fewest that a side with the extension receives on.
    pub(crate) const LEAST_EXTENDED: Self = Self(16);
    /// All 4096 channels.
    pub const MAX: Self = Self(4096);

    /// Returns the count, or `None` for 0 and above 4096.
    // r[impl header.count.range]
    #[inline]
    pub const fn new(count: u16) -> Option<Self> {
        if count >= Self::ONE.0 && count <= Self::MAX.0 {
            Some(Self(count))
        } else {
            None
        }
    }

    /// The count as a number.
    #[inline]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Whether `channel` is one of the counted channels, which are 0 to count - 1.
    // r[impl header.count]
    #[inline]
    pub const fn contains(self, channel: ChannelId) -> bool {
        channel.get() < self.0
    }
}

impl fmt::Display for ChannelCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
