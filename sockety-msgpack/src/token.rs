use crate::error::DecodeError;

/// A value without the values that it contains: its marker, its length and, unless it is a
/// container, its data.
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind<'a>,
    /// The number of its bytes.
    pub(crate) len: usize,
}

pub(crate) enum Kind<'a> {
    /// Nil, a boolean, a number or a bin.
    Plain,
    Str(&'a [u8]),
    Ext,
    /// An array or a map, and the number of values that follow: its elements, or its keys and
    /// values.
    Container {
        map: bool,
        items: u64,
    },
}

/// Returns the number of bytes of a value with this marker if it is nil, a boolean or a number.
/// Returns 0 for other markers.
#[inline]
pub(crate) fn fixed_len(marker: u8) -> usize {
    usize::from(FIXED_LEN[usize::from(marker)])
}

impl<'a> Token<'a> {
    /// Reads the token at `offset`, which must be at most the length of `bytes`.
    #[inline]
    pub(crate) fn read(bytes: &'a [u8], offset: usize) -> Result<Self, DecodeError> {
        #[cfg(test)]
        crate::work::add(1);
        let rest = &bytes[offset..];
        let truncated = |needed: u64| DecodeError::Truncated {
            offset,
            needed,
            present: rest.len(),
        };
        let Some(&marker) = rest.first() else {
            return Err(truncated(1));
        };
        let size = |width: usize| match rest.get(1..1 + width) {
            Some(size) => Ok(size
                .iter()
                .fold(0, |size, &byte| size << 8 | u64::from(byte))),
            None => Err(truncated(1 + width as u64)),
        };
        // A token whose data begins at `head` and has `size` bytes.
        let with_data = |head: usize, size: u64, kind: fn(&'a [u8]) -> Kind<'a>| {
            let end = usize::try_from(size)
                .ok()
                .and_then(|size| size.checked_add(head));
            let Some(data) = end.and_then(|end| rest.get(head..end)) else {
                return Err(truncated(size.saturating_add(head as u64)));
            };
            Ok(Self {
                kind: kind(data),
                len: head + data.len(),
            })
        };
        let container = |head: usize, map: bool, count: u64| {
            let items = if map { 2 * count } else { count };
            Ok(Self {
                kind: Kind::Container { map, items },
                len: head,
            })
        };

        let plain = |_: &'a [u8]| Kind::Plain;
        let str = |data: &'a [u8]| Kind::Str(data);
        let ext = |_: &'a [u8]| Kind::Ext;
        match marker {
            0x00..=0x7F | 0xC0 | 0xC2 | 0xC3 | 0xCA..=0xD3 | 0xE0..=0xFF => {
                with_data(1, fixed_len(marker) as u64 - 1, plain)
            }
            0x80..=0x8F => container(1, true, u64::from(marker & 0x0F)),
            0x90..=0x9F => container(1, false, u64::from(marker & 0x0F)),
            0xA0..=0xBF => with_data(1, u64::from(marker & 0x1F), str),
            0xC1 => Err(DecodeError::ReservedMarker { offset }),
            0xC4 => with_data(2, size(1)?, plain),
            0xC5 => with_data(3, size(2)?, plain),
            0xC6 => with_data(5, size(4)?, plain),
            0xC7 => with_data(3, size(1)?, ext),
            0xC8 => with_data(4, size(2)?, ext),
            0xC9 => with_data(6, size(4)?, ext),
            0xD4 => with_data(2, 1, ext),
            0xD5 => with_data(2, 2, ext),
            0xD6 => with_data(2, 4, ext),
            0xD7 => with_data(2, 8, ext),
            0xD8 => with_data(2, 16, ext),
            0xD9 => with_data(2, size(1)?, str),
            0xDA => with_data(3, size(2)?, str),
            0xDB => with_data(5, size(4)?, str),
            0xDC => container(3, false, size(2)?),
            0xDD => container(5, false, size(4)?),
            0xDE => container(3, true, size(2)?),
            0xDF => container(5, true, size(4)?),
        }
    }
}

const FIXED_LEN: [u8; 256] = {
    let mut table = [0; 256];
    let mut marker = 0;
    while marker < table.len() {
        table[marker] = match marker {
            0x00..=0x7F | 0xC0 | 0xC2 | 0xC3 | 0xE0..=0xFF => 1,
            0xCC | 0xD0 => 2,
            0xCD | 0xD1 => 3,
            0xCA | 0xCE | 0xD2 => 5,
            0xCB | 0xCF | 0xD3 => 9,
            _ => 0,
        };
        marker += 1;
    }
    table
};
