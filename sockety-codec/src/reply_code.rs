use core::fmt;

/// The code of a fast reply, 0 to 4095.
///
/// The protocol defines the first six (`reply.codes`); all others belong to the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyCode(u16);

// r[impl reply.codes]
impl ReplyCode {
    /// Accepted and done.
    pub const ACCEPT: Self = Self(0);
    /// Rejected.
    pub const REJECT: Self = Self(1);
    /// The action is unknown.
    pub const NOT_IMPLEMENTED: Self = Self(2);
    /// The caller is not authorized.
    pub const UNAUTHORIZED: Self = Self(3);
    /// The message is malformed.
    pub const BAD_REQUEST: Self = Self(4);
    /// The receiver failed to handle the message.
    pub const INTERNAL_ERROR: Self = Self(5);
    /// The largest code.
    pub const MAX: Self = Self(0x0FFF);

    /// Returns the code, or `None` above 4095.
    #[inline]
    pub const fn new(code: u16) -> Option<Self> {
        if code <= Self::MAX.0 {
            Some(Self(code))
        } else {
            None
        }
    }

    // r[impl number.split]
    #[inline]
    pub(crate) fn from_parts(high: u8, low: u8) -> Self {
        Self(u16::from_be_bytes([high & 0x0F, low]))
    }

    /// The code as a number.
    #[inline]
    pub const fn get(self) -> u16 {
        self.0
    }

    // r[impl number.split]
    #[inline]
    pub(crate) const fn to_parts(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for ReplyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
