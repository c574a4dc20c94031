use crate::extension::UNDEFINED;
use crate::token::{Kind, Token, fixed_len};
use crate::{Bounds, DecodeError};

pub(crate) struct Scan {
    /// Where the value ended.
    pub(crate) end: usize,
    pub(crate) undefined: bool,
}

/// Follows the one value that begins at `start`.
#[inline]
pub(crate) fn scan(bytes: &[u8], start: usize, bounds: &Bounds) -> Result<Scan, DecodeError> {
    let token = Token::read(bytes, start)?;
    let undefined = match token.kind {
        Kind::Container { .. } => return scan_levels(bytes, start, bounds),
        Kind::Plain => false,
        Kind::Ext { tag } => tag == UNDEFINED,
        Kind::Str(text) => {
            check_utf8(text, start)?;
            false
        }
    };
    let end = start + token.len;
    Ok(Scan { end, undefined })
}

/// As [`scan`], of a value that contains others.
fn scan_levels(bytes: &[u8], start: usize, bounds: &Bounds) -> Result<Scan, DecodeError> {
    // Values still to come in each container around the current one, outermost first.
    let mut few = [0; INLINE_DEPTH];
    let mut many = Vec::new();
    let around: &mut [usize] = if bounds.depth <= INLINE_DEPTH {
        &mut few
    } else {
        // A level takes a byte at least.
        many.resize(bounds.depth.min(bytes.len()), 0);
        &mut many
    };
    let mut depth = 0;
    // Values still to come in the current container, and in those around it.
    let mut left = 1;
    let mut left_around = 0;
    let mut items = 1;
    let mut undefined = false;
    let mut end = start;
    loop {
        // Most values are numbers and short texts, as are nearly all keys: a short way for them.
        while left > 0 {
            let Some(length) = ordinary_len(&bytes[end..]) else {
                break;
            };
            end += length;
            left -= 1;
        }
        while left == 0 {
            if depth == 0 {
                return Ok(Scan { end, undefined });
            }
            depth -= 1;
            left = around[depth];
            left_around -= left;
        }
        let offset = end;
        let token = Token::read(bytes, offset)?;
        end += token.len;
        left -= 1;
        match token.kind {
            Kind::Plain => {}
            Kind::Str(text) => check_utf8(text, offset)?,
            Kind::Ext { tag } => undefined |= tag == UNDEFINED,
            Kind::Container { items: count, .. } => {
                // Every value takes a byte at least, and the bytes are in memory: from here on all
                // numbers are bounded by their length.
                let promised = count + (left + left_around) as u64;
                if promised > (bytes.len() - end) as u64 {
                    return Err(DecodeError::Truncated {
                        offset,
                        needed: token.len as u64 + promised,
                        present: bytes.len() - offset,
                    });
                }
                items += count;
                if items > bounds.items as u64 {
                    return Err(DecodeError::TooManyItems {
                        offset,
                        items,
                        limit: bounds.items,
                    });
                }
                if depth >= bounds.depth {
                    return Err(DecodeError::TooDeep {
                        offset,
                        depth: depth + 1,
                        limit: bounds.depth,
                    });
                }
                around[depth] = left;
                depth += 1;
                left_around += left;
                left = count as usize;
            }
        }
    }
}

/// How many bytes the value takes that these begin with, if it is a number or a short text with which nothing is wrong.
#[inline]
fn ordinary_len(bytes: &[u8]) -> Option<usize> {
    let &marker = bytes.first()?;
    if let SHORT_TEXT..=LONGEST_SHORT_TEXT = marker {
        let length = 1 + usize::from(marker - SHORT_TEXT);
        return bytes.get(1..length)?.is_ascii().then_some(length);
    }
    let length = fixed_len(marker);
    (length != 0 && length <= bytes.len()).then_some(length)
}

const SHORT_TEXT: u8 = 0xA0;
const LONGEST_SHORT_TEXT: u8 = 0xBF;

#[inline]
fn check_utf8(text: &[u8], offset: usize) -> Result<(), DecodeError> {
    // Short names are the usual case, and this one is inlined.
    if text.is_ascii() {
        return Ok(());
    }
    match std::str::from_utf8(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(DecodeError::InvalidUtf8 {
            offset,
            valid_up_to: error.valid_up_to(),
        }),
    }
}

/// The default of [`Bounds::depth`], so that the usual check does not allocate.
const INLINE_DEPTH: usize = 64;
