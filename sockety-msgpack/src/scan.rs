//! Scans a value token by token: checks it, finds its end, and resumes where bytes were missing.

use crate::{
    bounds::Bounds,
    error::DecodeError,
    token::{Kind, Token, fixed_len},
};

/// Scans the one value that begins at `start`, and returns where it ends.
#[inline]
pub(crate) fn scan(bytes: &[u8], start: usize, bounds: &Bounds) -> Result<usize, DecodeError> {
    let token = Token::read(bytes, start)?;
    match token.kind {
        Kind::Container { .. } => return scan_levels(bytes, start, bounds),
        Kind::Plain | Kind::Ext => {}
        Kind::Str(text) => check_utf8(text, start)?,
    }
    Ok(start + token.len)
}

/// Like [`scan`], for a value that contains others.
fn scan_levels(bytes: &[u8], start: usize, bounds: &Bounds) -> Result<usize, DecodeError> {
    // With the default bounds, no check allocates.
    let mut scan = Scan::<MANY_LEVELS>::new(start);
    scan.resume(bytes, bounds)?;
    Ok(scan.position)
}

/// The state of a scan of one value: how far it got, and what is still to come.
///
/// An incomplete token leaves the state as it was, so the scan resumes with that token when more
/// bytes have arrived: each token is processed once, however the bytes are cut. Up to `INLINE`
/// levels of containers need no allocation.
#[derive(Debug)]
pub(crate) struct Scan<const INLINE: usize> {
    /// Where the next token begins. After the last one, the end of the value.
    position: usize,
    /// Values still to come in the current container.
    left: usize,
    /// Values still to come in each container around the current one.
    around: Levels<INLINE>,
    /// The sum of `around`.
    left_around: usize,
    /// Values counted: the outermost one, and those that containers declared.
    items: u64,
}

impl<const INLINE: usize> Scan<INLINE> {
    /// A scan of the value that begins at `start`.
    #[inline]
    pub(crate) fn new(start: usize) -> Self {
        Self {
            position: start,
            left: 1,
            around: Levels::new(),
            left_around: 0,
            items: 1,
        }
    }

    /// Starts over with the value that begins at `start`. The memory for deep levels is kept.
    #[inline]
    pub(crate) fn restart(&mut self, start: usize) {
        self.position = start;
        self.left = 1;
        self.around.len = 0;
        self.around.more.clear();
        self.left_around = 0;
        self.items = 1;
    }

    /// Where the next token begins. After the last one, the end of the value.
    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// The values that were counted.
    #[inline]
    pub(crate) fn items(&self) -> u64 {
        self.items
    }

    /// Scans on to the end of the value. After `Truncated`, it can be called again with more
    /// bytes, which begin with those of the last call.
    pub(crate) fn resume(&mut self, bytes: &[u8], bounds: &Bounds) -> Result<(), DecodeError> {
        loop {
            self.skip_ordinary(bytes);
            while self.left == 0 {
                let Some(left) = self.around.pop() else {
                    return Ok(());
                };
                self.left = left;
                self.left_around -= left;
            }
            let token = Token::read(bytes, self.position)?;
            match token.kind {
                Kind::Plain | Kind::Ext => {}
                Kind::Str(text) => check_utf8(text, self.position)?,
                Kind::Container { items, .. } => {
                    self.enter(token.len, items, bytes, bounds)?;
                    continue;
                }
            }
            self.position += token.len;
            self.left -= 1;
        }
    }

    /// Skips numbers and short texts. Most values are one of these, as are nearly all keys.
    #[inline]
    fn skip_ordinary(&mut self, bytes: &[u8]) {
        let (mut position, mut left) = (self.position, self.left);
        while left > 0 {
            let Some(len) = ordinary_len(&bytes[position..]) else {
                break;
            };
            position += len;
            left -= 1;
        }
        (self.position, self.left) = (position, left);
    }

    /// Enters the container at the position, whose token has `token_len` bytes and declares
    /// `count` values.
    #[inline]
    fn enter(
        &mut self,
        token_len: usize,
        count: u64,
        bytes: &[u8],
        bounds: &Bounds,
    ) -> Result<(), DecodeError> {
        let offset = self.position;
        let present = bytes.len() - offset;
        let left = self.left - 1;
        // Every value takes a byte at least, and these bytes are in memory: from here on all
        // numbers are bounded by their length.
        let promised = count + (left + self.left_around) as u64;
        if promised > (present - token_len) as u64 {
            return Err(DecodeError::Truncated {
                offset,
                needed: token_len as u64 + promised,
                present,
            });
        }
        let items = self.items + count;
        if items > bounds.items() as u64 {
            return Err(DecodeError::TooManyItems {
                offset,
                items,
                limit: bounds.items(),
            });
        }
        if self.around.len >= bounds.depth() {
            return Err(DecodeError::TooDeep {
                offset,
                depth: self.around.len + 1,
                limit: bounds.depth(),
            });
        }
        self.around.push(left);
        self.left_around += left;
        self.left = count as usize;
        self.items = items;
        self.position = offset + token_len;
        Ok(())
    }
}

/// A stack with a number for each level of containers, outermost first. It allocates only for
/// levels beyond `INLINE`.
#[derive(Debug)]
struct Levels<const INLINE: usize> {
    len: usize,
    few: [usize; INLINE],
    more: Vec<usize>,
}

impl<const INLINE: usize> Levels<INLINE> {
    #[inline]
    fn new() -> Self {
        Self {
            len: 0,
            few: [0; INLINE],
            more: Vec::new(),
        }
    }

    #[inline]
    fn push(&mut self, number: usize) {
        match self.few.get_mut(self.len) {
            Some(place) => *place = number,
            None => self.more.push(number),
        }
        self.len += 1;
    }

    #[inline]
    fn pop(&mut self) -> Option<usize> {
        self.len = self.len.checked_sub(1)?;
        match self.few.get(self.len) {
            Some(&number) => Some(number),
            None => self.more.pop(),
        }
    }
}

/// The number of bytes of the value at the start of `bytes`, if it is a number or a short ASCII
/// text and is whole.
#[inline]
fn ordinary_len(bytes: &[u8]) -> Option<usize> {
    #[cfg(test)]
    crate::work::add(1);
    let &marker = bytes.first()?;
    if let SHORT_TEXT..=LONGEST_SHORT_TEXT = marker {
        let length = 1 + usize::from(marker - SHORT_TEXT);
        return bytes.get(1..length)?.is_ascii().then_some(length);
    }
    let length = fixed_len(marker);
    (length != 0 && length <= bytes.len()).then_some(length)
}

/// Levels that a check has room for: those of the default bounds.
const MANY_LEVELS: usize = Bounds::new().depth();

const SHORT_TEXT: u8 = 0xA0;
const LONGEST_SHORT_TEXT: u8 = 0xBF;

#[inline]
pub(crate) fn check_utf8(text: &[u8], offset: usize) -> Result<(), DecodeError> {
    #[cfg(test)]
    crate::work::add(text.len());
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
