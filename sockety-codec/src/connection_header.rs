use crate::reader::Reader;
use crate::{ChannelCount, Violation};

/// The first bytes that each side sends. They say how many channels it receives on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ConnectionHeader {
    /// The number of channels that the sender of this header receives on.
    pub channels: ChannelCount,
    /// Whether it [offers](Self::OFFER) the extension.
    pub offers_extension: bool,
}

impl ConnectionHeader {
    /// The header that offers the [extension](crate::extension): 238 channels in the two-byte form,
    /// which every reader takes and no implementation without the extension writes.
    // r[impl ext.offer]
    pub const OFFER: Self = Self {
        channels: ChannelCount::OFFER,
        offers_extension: true,
    };

    const OFFER_BYTES: [u8; 3] = [0xE2, 0xEE, 0x00];

    /// A header of a side that receives on `channels`, and does not offer the extension.
    pub const fn new(channels: ChannelCount) -> Self {
        Self {
            channels,
            offers_extension: false,
        }
    }

    /// The length of the header that starts with `control`.
    ///
    /// # Errors
    ///
    /// [`Violation::NotSockety`] if no header starts with this byte.
    // r[impl header.form]
    pub(crate) fn length(control: u8) -> Result<usize, Violation> {
        if control >> 4 != 0b1110 {
            return Err(Violation::NotSockety { byte: control });
        }
        Ok(match control & 0b11 {
            0b00 | 0b11 => 1,
            0b01 => 2,
            _ => 3,
        })
    }

    /// Decodes a header; `None` if it is incomplete.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Result<Self, Violation>> {
        let mut reader = Reader::new(bytes);
        let control = reader.byte()?;
        let count = match control & 0b11 {
            0b00 => 1,
            // r[impl header.count.wrapped]
            0b01 => match reader.byte()? {
                0 => 256,
                count => u16::from(count),
            },
            0b10 => u16::from_le_bytes(reader.array()?),
            _ => ChannelCount::MAX.get(),
        };
        // r[impl header.count.range]
        let channels = ChannelCount::new(count).ok_or(Violation::ChannelCount { count });
        Some(channels.map(|channels| Self {
            channels,
            offers_extension: bytes == Self::OFFER_BYTES,
        }))
    }

    /// Whether reserved bits are set in the control byte.
    // r[impl header.reserved]
    pub(crate) const fn has_reserved_bits(control: u8) -> bool {
        control & 0b1100 != 0
    }

    /// Appends the header in its smallest form.
    // r[impl header.smallest]
    // r[impl ext.offer.distinct]
    pub fn encode(&self, dst: &mut Vec<u8>) {
        if self.offers_extension {
            return dst.extend_from_slice(&Self::OFFER_BYTES);
        }
        let [low, high] = self.channels.get().to_le_bytes();
        match (self.channels, high) {
            (ChannelCount::ONE, _) => dst.push(0b1110_0000),
            (ChannelCount::MAX, _) => dst.push(0b1110_0011),
            (_, 0) => dst.extend_from_slice(&[0b1110_0001, low]),
            // r[impl header.count.256]
            _ => dst.extend_from_slice(&[0b1110_0010, low, high]),
        }
    }
}
