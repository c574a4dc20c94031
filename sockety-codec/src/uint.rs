//! Widths of the numbers on the wire.

/// The four widths, in bytes, that a two-bit code selects from for one field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Widths([u8; 4]);

/// The content size of a packet.
// r[impl packet.size]
pub(crate) const PACKET_SIZE: Widths = Widths([1, 2, 3, 4]);
/// The file index in a packet.
// r[impl packet.file.index]
pub(crate) const FILE_INDEX: Widths = Widths([0, 1, 2, 3]);
/// The payload size in a header.
// r[impl head.payload]
pub(crate) const PAYLOAD_SIZE: Widths = Widths([0, 1, 2, 6]);
/// The number of files in a header.
// r[impl head.files.count]
pub(crate) const FILES_COUNT: Widths = Widths([0, 1, 2, 3]);
/// The size of all files together in a header.
// r[impl head.files.total]
pub(crate) const FILES_TOTAL: Widths = Widths([2, 3, 4, 6]);
/// The size of one file in its header.
// r[impl head.file]
pub(crate) const FILE_SIZE: Widths = Widths([1, 2, 3, 6]);
/// The index of a file in a Flow packet.
pub(crate) const FLOW_INDEX: Widths = Widths([1, 3, 3, 3]);
/// A limit in a Flow packet.
pub(crate) const FLOW_LIMIT: Widths = Widths([2, 3, 4, 6]);
/// Milliseconds in a Metadata packet.
pub(crate) const METADATA_MILLIS: Widths = Widths([1, 2, 3, 4]);
/// The length of a text: an action or the name of a file. Only the first two codes exist.
pub(crate) const TEXT_LENGTH: Widths = Widths([1, 2, 2, 2]);

/// The largest number of six bytes.
pub(crate) const U48_MAX: u64 = 0xFFFF_FFFF_FFFF;
/// The largest number of three bytes.
pub(crate) const U24_MAX: u32 = 0xFF_FFFF;

impl Widths {
    /// The width selected by the low two bits of `code`.
    #[inline]
    pub(crate) const fn width(self, code: u8) -> u8 {
        let [a, b, c, d] = self.0;
        match code & 0b11 {
            0 => a,
            1 => b,
            2 => c,
            _ => d,
        }
    }

    /// Code and width of the smallest form of `value`, or of the widest if none holds it: callers
    /// have checked the range of the field.
    // r[impl packet.size.smallest]
    #[inline]
    pub(crate) const fn smallest(self, value: u64) -> (u8, u8) {
        let [a, b, c, d] = self.0;
        match () {
            () if fits(value, a) => (0, a),
            () if fits(value, b) => (1, b),
            () if fits(value, c) => (2, c),
            () => (3, d),
        }
    }
}

#[inline]
const fn fits(value: u64, width: u8) -> bool {
    let max = match width {
        0 => 0,
        1 => 0xFF,
        2 => 0xFFFF,
        3 => 0xFF_FFFF,
        4 => 0xFFFF_FFFF,
        _ => U48_MAX,
    };
    value <= max
}

/// Appends the low `width` bytes of `value`.
// r[impl number.order]
#[inline]
pub(crate) fn put(dst: &mut Vec<u8>, value: u64, width: u8) {
    match width {
        0 => {}
        // The most frequent width.
        1 => dst.push(value.to_le_bytes()[0]),
        _ => put_wide(dst, value, width),
    }
}

fn put_wide(dst: &mut Vec<u8>, value: u64, width: u8) {
    let [a, b, c, d, e, f, ..] = value.to_le_bytes();
    match width {
        2 => dst.extend_from_slice(&[a, b]),
        3 => dst.extend_from_slice(&[a, b, c]),
        4 => dst.extend_from_slice(&[a, b, c, d]),
        _ => dst.extend_from_slice(&[a, b, c, d, e, f]),
    }
}

/// A length in memory as a number on the wire. Lossless, as no supported `usize` is wider than
/// `u64`.
#[inline]
pub(crate) fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// A length from the wire in memory. Where `usize` is narrower, it saturates; results serve only as
/// upper bounds for the bytes available.
#[inline]
pub(crate) fn index(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}
