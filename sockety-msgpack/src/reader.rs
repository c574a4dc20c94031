//! A position in the bytes of values, and what reading them may still cost.
//!
//! One pass checks and reads: every length is compared with the bytes that are there before it is
//! used, and every value is counted. What a value costs in memory is charged before it is read, so
//! that bytes from a peer cannot become much more memory than they take themselves:
//!
//! - Each byte of the input pays for [`MEMORY_PER_BYTE`] bytes of memory, and there are
//!   [`MEMORY_AT_LEAST`] more for any input.
//! - Each value takes a byte at least. A small one costs no more than that byte pays for, however
//!   much the collection that holds it reserves; only large ones are measured, by the size of
//!   their type, which the compiler knows.

use serde::de::{Deserialize, DeserializeOwned};

use crate::{
    bounds::Bounds,
    deserialize::{Buffered, CONVERSIONS},
    error::{DecodeError, Error},
    extension::UNDEFINED,
    scan::{Scan, check_utf8},
    token::{Kind, Token, fixed_len},
};

/// Reads values one after another.
#[derive(Debug)]
pub struct Reader<'de> {
    /// The bytes that were not read yet.
    pub(crate) rest: &'de [u8],
    /// All bytes.
    bytes: &'de [u8],
    /// The number of arrays and maps around the next value.
    pub(crate) depth: usize,
    /// The values that were declared.
    items: usize,
    bounds: Bounds,
    /// What values may still cost.
    memory: usize,
    /// The elements that collections may still reserve memory for before they are read.
    reservable: usize,
    /// What serde buffered that could be read in another way.
    pub(crate) seen: Buffered,
    /// What of it is converted before serde buffers it.
    pub(crate) converted: Buffered,
}

/// The memory that a byte of the input pays for.
const MEMORY_PER_BYTE: usize = 64;

/// The memory that any input may take, for small ones whose elements are large: 4 MiB, which is
/// the largest input by default.
const MEMORY_AT_LEAST: usize = 4 * 1024 * 1024;

/// The outermost collections may reserve memory for all their elements before they are read. Serde
/// reserves at most 1 MiB for a collection.
const OUTER_LEVELS: usize = 2;

/// Elements that the open collections inside these may have reserved memory for and not read yet.
/// Of most types that is less than 1 MiB.
const RESERVABLE: usize = 1024;

/// What reading returns to when it is tried again.
#[derive(Clone, Copy)]
struct Checkpoint<'de> {
    rest: &'de [u8],
    depth: usize,
    items: usize,
    memory: usize,
    reservable: usize,
}

impl<'de> Reader<'de> {
    #[inline]
    pub(crate) fn new(bytes: &'de [u8], bounds: &Bounds) -> Self {
        Self {
            rest: bytes,
            bytes,
            depth: 0,
            items: 1,
            bounds: *bounds,
            memory: (bytes.len().saturating_mul(MEMORY_PER_BYTE)).saturating_add(MEMORY_AT_LEAST),
            reservable: RESERVABLE,
            seen: Buffered::NOTHING,
            converted: Buffered::NOTHING,
        }
    }

    /// The offset of the next byte.
    #[inline]
    pub(crate) fn offset(&self) -> usize {
        self.bytes.len() - self.rest.len()
    }

    /// The offset at which `left` bytes were left.
    #[inline]
    pub(crate) fn offset_of(&self, left: usize) -> usize {
        self.bytes.len() - left
    }

    /// The bytes from where `left` bytes were left.
    #[inline]
    pub(crate) fn bytes_from(&self, left: usize) -> &'de [u8] {
        self.bytes.get(self.offset_of(left)..).unwrap_or_default()
    }

    /// Whether the next value is `undefined`.
    #[inline]
    pub(crate) fn at_undefined(&self) -> bool {
        self.rest.starts_with(&UNDEFINED)
    }

    /// The next marker, which stays the next byte.
    #[inline]
    pub(crate) fn marker(&self) -> Result<u8, Error> {
        match self.rest.first() {
            Some(&marker) => Ok(marker),
            None => Err(self.truncated(0, 1)),
        }
    }

    /// Takes the marker that was looked at.
    #[inline]
    pub(crate) fn take_marker(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    /// Takes a marker, and the bytes of the number after it.
    #[inline(always)]
    pub(crate) fn number<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        if let Some((_, rest)) = self.rest.split_first() {
            if let Some((&number, rest)) = rest.split_first_chunk() {
                self.rest = rest;
                return Ok(number);
            }
        }
        Err(self.truncated(0, 1 + N as u64))
    }

    /// Bytes of data after a head of `head` bytes, which was taken.
    #[inline]
    pub(crate) fn data(&mut self, head: usize, len: usize) -> Result<&'de [u8], Error> {
        match self.rest.split_at_checked(len) {
            Some((data, rest)) => {
                self.rest = rest;
                Ok(data)
            }
            None => Err(self.truncated(head, len as u64)),
        }
    }

    /// Takes a string of at most 255 bytes that is whole. It may be no UTF-8.
    #[inline(always)]
    pub(crate) fn short_text(&mut self) -> Option<&'de [u8]> {
        let (&marker, rest) = self.rest.split_first()?;
        let (len, rest) = match marker {
            0xA0..=0xBF => (marker & 0x1F, rest),
            0xD9 => {
                let (&len, rest) = rest.split_first()?;
                (len, rest)
            }
            _ => return None,
        };
        let (text, rest) = rest.split_at_checked(usize::from(len))?;
        self.rest = rest;
        Some(text)
    }

    /// Takes a string of at most 31 bytes that is whole and ASCII. Any other one stays.
    #[inline]
    pub(crate) fn short_ascii(&mut self) -> Option<&'de [u8]> {
        let (&marker, rest) = self.rest.split_first()?;
        let (0xA0..=0xBF) = marker else {
            return None;
        };
        let (text, rest) = rest.split_at_checked(usize::from(marker & 0x1F))?;
        if !is_short_ascii(text) {
            return None;
        }
        self.rest = rest;
        Some(text)
    }

    /// The text of a string with this marker. `None` if it is another marker, which stays.
    #[inline]
    pub(crate) fn text(&mut self, marker: u8) -> Result<Option<&'de str>, Error> {
        let start = self.rest.len();
        let (head, len) = match marker {
            0xA0..=0xBF => {
                self.take_marker();
                (1, usize::from(marker & 0x1F))
            }
            0xD9..=0xDB => self.length(marker - 0xD9)?,
            _ => return Ok(None),
        };
        let text = self.data(head, len)?;
        match std::str::from_utf8(text) {
            Ok(text) => Ok(Some(text)),
            Err(error) => Err(self.not_utf8(start, error.valid_up_to())),
        }
    }

    /// The error of a string that was taken.
    #[cold]
    #[inline(never)]
    pub(crate) fn not_utf8_before_here(&self, text: &[u8]) -> Error {
        let head = if text.len() < 0x20 { 1 } else { 2 };
        let valid = std::str::from_utf8(text).map_or_else(|error| error.valid_up_to(), str::len);
        self.not_utf8(self.rest.len() + text.len() + head, valid)
    }

    #[cold]
    #[inline(never)]
    fn not_utf8(&self, start: usize, valid_up_to: usize) -> Error {
        Error::from(DecodeError::InvalidUtf8 {
            offset: self.offset_of(start),
            valid_up_to,
        })
    }

    /// The data of a bin with this marker. `None` if it is another marker, which stays.
    #[inline]
    pub(crate) fn bin(&mut self, marker: u8) -> Result<Option<&'de [u8]>, Error> {
        let (0xC4..=0xC6) = marker else {
            return Ok(None);
        };
        let (head, len) = self.length(marker - 0xC4)?;
        self.data(head, len).map(Some)
    }

    /// The type and the data of an extension with this marker. `None` if it is another marker,
    /// which stays.
    pub(crate) fn extension(&mut self, marker: u8) -> Result<Option<(i8, &'de [u8])>, Error> {
        let (head, len) = match marker {
            0xC7..=0xC9 => self.length(marker - 0xC7)?,
            0xD4..=0xD8 => {
                self.take_marker();
                (1, 1 << (marker - 0xD4))
            }
            _ => return Ok(None),
        };
        match self.rest.split_first() {
            Some((&tag, rest)) if rest.len() >= len => {
                self.rest = rest;
                let data = self.data(head + 1, len)?;
                Ok(Some((tag as i8, data)))
            }
            _ => Err(self.truncated(head, len as u64 + 1)),
        }
    }

    /// Takes a marker and the length after it, of 1, 2 or 4 bytes by its `form`. Returns how many
    /// bytes both have, and the length.
    #[inline]
    fn length(&mut self, form: u8) -> Result<(usize, usize), Error> {
        Ok(match form {
            0 => (2, usize::from(u8::from_be_bytes(self.number()?))),
            1 => (3, usize::from(u16::from_be_bytes(self.number()?))),
            _ => (5, u32::from_be_bytes(self.number()?) as usize),
        })
    }

    /// Enters an array with this marker, and returns how many elements it has. `None` if it is
    /// another marker, which stays.
    #[inline(always)]
    pub(crate) fn enter_array(&mut self, marker: u8) -> Result<Option<usize>, Error> {
        if let 0x90..=0x9F = marker {
            let count = usize::from(marker & 0x0F);
            self.take_marker();
            self.enter(1, count)?;
            return Ok(Some(count));
        }
        self.enter_long_array(marker)
    }

    #[inline(never)]
    fn enter_long_array(&mut self, marker: u8) -> Result<Option<usize>, Error> {
        let (0xDC | 0xDD) = marker else {
            return Ok(None);
        };
        let (head, count) = self.length(marker - 0xDC + 1)?;
        self.enter(head, count)?;
        Ok(Some(count))
    }

    /// Enters a map with this marker, and returns how many entries it has. `None` if it is another
    /// marker, which stays.
    #[inline(always)]
    pub(crate) fn enter_map(&mut self, marker: u8) -> Result<Option<usize>, Error> {
        if let 0x80..=0x8F = marker {
            let count = usize::from(marker & 0x0F);
            self.take_marker();
            self.enter(1, 2 * count)?;
            return Ok(Some(count));
        }
        self.enter_long_map(marker)
    }

    #[inline(never)]
    fn enter_long_map(&mut self, marker: u8) -> Result<Option<usize>, Error> {
        let (0xDE | 0xDF) = marker else {
            return Ok(None);
        };
        let (head, count) = self.length(marker - 0xDE + 1)?;
        self.enter(head, count.saturating_mul(2))?;
        Ok(Some(count))
    }

    /// Enters an array or map of this many values, whose head of `head` bytes was taken.
    #[inline]
    fn enter(&mut self, head: usize, values: usize) -> Result<(), Error> {
        let items = self.items.saturating_add(values);
        let fits = values <= self.rest.len()
            && items <= self.bounds.items()
            && self.depth < self.bounds.depth();
        match self.memory.checked_sub(values.saturating_mul(COVERED_COST)) {
            Some(memory) if fits => {
                self.memory = memory;
                self.items = items;
                self.depth += 1;
                Ok(())
            }
            _ => Err(self.refuse_container(head, values)),
        }
    }

    /// Leaves the array or map that was entered last.
    #[inline]
    pub(crate) fn leave(&mut self) {
        self.depth -= 1;
    }

    #[cold]
    #[inline(never)]
    fn refuse_container(&self, head: usize, values: usize) -> Error {
        let offset = self.offset() - head;
        let items = self.items as u64 + values as u64;
        Error::from(if values > self.rest.len() {
            return self.truncated(head, values as u64);
        } else if items > self.bounds.items() as u64 {
            DecodeError::TooManyItems {
                offset,
                items,
                limit: self.bounds.items(),
            }
        } else if self.depth >= self.bounds.depth() {
            DecodeError::TooDeep {
                offset,
                depth: self.depth + 1,
                limit: self.bounds.depth(),
            }
        } else {
            return self.too_much_memory();
        })
    }

    /// Charges for a value of this type in a collection, before it is read. A collection reserves
    /// up to two and a half times what its elements take.
    #[inline]
    pub(crate) fn charge_element<T>(&mut self) -> Result<(), Error> {
        if size_of::<T>() <= COVERED {
            return Ok(());
        }
        self.charge((size_of::<T>() / 2).saturating_mul(5) - COVERED_COST)
    }

    /// Charges for a value of this type in a collection that is made of a byte, which is no value
    /// in the input. Small ones are covered by the byte itself.
    #[inline]
    pub(crate) fn charge_byte<T>(&mut self) -> Result<(), Error> {
        if size_of::<T>() <= COVERED {
            return Ok(());
        }
        self.charge((size_of::<T>() / 2).saturating_mul(5))
    }

    /// Charges for what a collection reserves with its first element, which has this type.
    #[inline]
    pub(crate) fn charge_first<T>(&mut self, reserves: usize) -> Result<(), Error> {
        self.charge(
            reserves
                .saturating_mul(size_of::<T>())
                .saturating_sub(COVERED_COST),
        )
    }

    /// Charges for a value of this type that may be allocated for itself, such as in a `Box`.
    #[inline]
    pub(crate) fn charge_value<T>(&mut self) -> Result<(), Error> {
        if size_of::<T>() <= COVERED_COST {
            return Ok(());
        }
        self.charge(size_of::<T>() - COVERED_COST)
    }

    /// Charges for this number of values that are no values in the input.
    pub(crate) fn charge_values(&mut self, values: usize) -> Result<(), Error> {
        self.charge(values.saturating_mul(COVERED_COST))
    }

    #[inline]
    fn charge(&mut self, memory: usize) -> Result<(), Error> {
        match self.memory.checked_sub(memory) {
            Some(left) => {
                self.memory = left;
                Ok(())
            }
            None => Err(self.too_much_memory()),
        }
    }

    #[cold]
    #[inline(never)]
    fn too_much_memory(&self) -> Error {
        Error::from(DecodeError::TooMuchMemory {
            offset: self.offset(),
            limit: (self.bytes.len().saturating_mul(MEMORY_PER_BYTE))
                .saturating_add(MEMORY_AT_LEAST),
        })
    }

    /// How many of `count` elements a collection, which was entered last, may reserve memory for
    /// before they are read. [`Reader::give_back`] is called when all of them were.
    #[inline]
    pub(crate) fn reserve(&mut self, count: usize) -> usize {
        if self.depth <= OUTER_LEVELS {
            return count;
        }
        let reserved = count.min(self.reservable);
        self.reservable -= reserved;
        reserved
    }

    /// Gives back what [`Reader::reserve`] returned, before the collection is left.
    #[inline]
    pub(crate) fn give_back(&mut self, reserved: usize) {
        if self.depth > OUTER_LEVELS {
            self.reservable += reserved;
        }
    }

    /// Skips the next value, and checks its structure.
    #[inline]
    pub(crate) fn skip(&mut self) -> Result<(), Error> {
        let marker = self.marker()?;
        let len = match marker {
            0xA0..=0xBF => 0,
            _ => fixed_len(marker),
        };
        match self.rest.get(len..) {
            Some(rest) if len != 0 => {
                self.rest = rest;
                Ok(())
            }
            _ => self.skip_any(),
        }
    }

    fn skip_any(&mut self) -> Result<(), Error> {
        let token = Token::read(self.rest, 0).map_err(|error| self.moved(error))?;
        match token.kind {
            Kind::Container { .. } => {
                let left = self.bounds.max_depth(self.bounds.depth() - self.depth);
                let left = left.max_items(self.bounds.items() - self.items + 1);
                let mut scan = Scan::<FEW_LEVELS>::new(0);
                scan.resume(self.rest, &left)
                    .map_err(|error| self.moved(error))?;
                self.items += scan.items() as usize - 1;
                self.rest = self.rest.get(scan.position()..).unwrap_or_default();
                return Ok(());
            }
            Kind::Str(text) => check_utf8(text, 0).map_err(|error| self.moved(error))?,
            Kind::Plain | Kind::Ext => {}
        }
        self.rest = self.rest.get(token.len..).unwrap_or_default();
        Ok(())
    }

    /// An error of a value that is the next one here, with its place in the whole.
    #[cold]
    #[inline(never)]
    fn moved(&self, mut error: DecodeError) -> Error {
        let start = self.offset();
        match &mut error {
            DecodeError::TooDeep {
                offset,
                depth,
                limit,
            } => {
                *offset += start;
                *depth += self.depth;
                *limit = self.bounds.depth();
            }
            DecodeError::TooManyItems {
                offset,
                items,
                limit,
            } => {
                *offset += start;
                *items += self.items as u64 - 1;
                *limit = self.bounds.items();
            }
            DecodeError::Truncated { offset, .. }
            | DecodeError::ReservedMarker { offset }
            | DecodeError::InvalidUtf8 { offset, .. } => *offset += start,
            DecodeError::TrailingBytes { .. }
            | DecodeError::TooMuchMemory { .. }
            | DecodeError::ServiceError
            | DecodeError::Invalid(_) => {}
        }
        Error::from(error)
    }

    /// The input ends within a value, of which `taken` bytes were taken and `needed` more are
    /// needed.
    #[cold]
    #[inline(never)]
    fn truncated(&self, taken: usize, needed: u64) -> Error {
        Error::from(DecodeError::Truncated {
            offset: self.offset() - taken,
            needed: taken as u64 + needed,
            present: self.rest.len() + taken,
        })
    }

    /// Fails if anything was not read.
    #[inline]
    pub(crate) fn end(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(self.trailing())
    }

    #[cold]
    fn trailing(&self) -> DecodeError {
        DecodeError::TrailingBytes {
            offset: self.offset(),
            count: self.rest.len(),
        }
    }

    #[inline]
    fn checkpoint(&self) -> Checkpoint<'de> {
        Checkpoint {
            rest: self.rest,
            depth: self.depth,
            items: self.items,
            memory: self.memory,
            reservable: self.reservable,
        }
    }

    fn return_to(&mut self, checkpoint: &Checkpoint<'de>) {
        self.rest = checkpoint.rest;
        self.depth = checkpoint.depth;
        self.items = checkpoint.items;
        self.memory = checkpoint.memory;
        self.reservable = checkpoint.reservable;
    }
}

/// Reads the next value, of a type that borrows nothing.
#[inline]
pub fn read<T: DeserializeOwned>(reader: &mut Reader<'_>) -> Result<T, Error> {
    read_value(reader)
}

/// Reads the next value.
///
/// Values of flattened, tagged and untagged types are buffered by serde, before anything says what
/// they become. They are first buffered as they are. If that does not fit the type, and something
/// among them could be read in another way, the value is read again with that converted.
#[inline]
pub(crate) fn read_value<'de, T: Deserialize<'de>>(reader: &mut Reader<'de>) -> Result<T, Error> {
    let start = reader.checkpoint();
    match T::deserialize(&mut *reader) {
        Ok(value) => Ok(value),
        Err(error) => read_again(reader, &start, error),
    }
}

#[cold]
#[inline(never)]
fn read_again<'de, T: Deserialize<'de>>(
    reader: &mut Reader<'de>,
    start: &Checkpoint<'de>,
    error: Error,
) -> Result<T, Error> {
    let mut value = Err(error.at(reader.offset_of(start.rest.len())));
    let mut tried = Buffered::NOTHING;
    for conversion in CONVERSIONS {
        let conversion = conversion.among(reader.seen);
        if conversion == Buffered::NOTHING || conversion == tried {
            continue;
        }
        tried = conversion;
        reader.return_to(start);
        reader.converted = conversion;
        if let Ok(converted) = T::deserialize(&mut *reader) {
            value = Ok(converted);
            break;
        }
    }
    reader.converted = Buffered::NOTHING;
    reader.seen = Buffered::NOTHING;
    value
}

/// Whether a text is ASCII, without a loop for a short one.
#[inline]
fn is_short_ascii(text: &[u8]) -> bool {
    match (text.first_chunk(), text.last_chunk()) {
        (Some(&first), Some(&last)) if text.len() <= 16 => {
            (u64::from_ne_bytes(first) | u64::from_ne_bytes(last)) & 0x8080_8080_8080_8080 == 0
        }
        (Some(_), Some(_)) => text.is_ascii(),
        _ => match (text.first_chunk(), text.last_chunk()) {
            (Some(&first), Some(&last)) => {
                (u32::from_ne_bytes(first) | u32::from_ne_bytes(last)) & 0x8080_8080 == 0
            }
            _ => text.is_ascii(),
        },
    }
}

/// A value of this size costs no more than a byte pays for, in any collection.
const COVERED: usize = 32;

/// What each value is charged for when the array or map that has it is entered.
const COVERED_COST: usize = MEMORY_PER_BYTE;

/// Levels that are skipped without an allocation.
const FEW_LEVELS: usize = 32;
