use uuid::Uuid;

/// A cursor over available bytes. Methods return `None` if too few are left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    #[inline]
    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        #[cfg(test)]
        crate::work::add(length.min(self.0.len()));
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    // r[impl head.id.opaque]
    #[inline]
    pub(crate) fn uuid(&mut self) -> Option<Uuid> {
        self.array().map(Uuid::from_bytes)
    }

    /// A number of at most four bytes.
    // r[impl number.order]
    #[inline]
    pub(crate) fn u32(&mut self, width: u8) -> Option<u32> {
        Some(match width {
            0 => 0,
            1 => u32::from(self.byte()?),
            2 => u32::from(u16::from_le_bytes(self.array()?)),
            3 => {
                let [a, b, c] = self.array()?;
                u32::from_le_bytes([a, b, c, 0])
            }
            _ => u32::from_le_bytes(self.array()?),
        })
    }

    /// A number of at most four or exactly six bytes.
    // r[impl number.order]
    #[inline]
    pub(crate) fn u64(&mut self, width: u8) -> Option<u64> {
        if width < 6 {
            return self.u32(width).map(u64::from);
        }
        let [a, b, c, d, e, f] = self.array()?;
        Some(u64::from_le_bytes([a, b, c, d, e, f, 0, 0]))
    }

    /// The unread bytes.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }
}
