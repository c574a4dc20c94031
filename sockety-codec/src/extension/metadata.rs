//! What travels directly before a message: deadline, trace, attempt, and entries of users.
//!
//! A packet has the entries of one message. Names of entries may be remembered, per direction, so
//! that they are sent once; values never are, as a length must not tell what a value has in common
//! with another. [`Writer`] and [`Reader`] hold the names of a direction: the two sides of it agree
//! as long as every packet passes through both.
//!
//! # Examples
//!
//! ```
//! use sockety_codec::extension::metadata::{Metadata, Reader, Writer};
//!
//! let mut writer = Writer::default();
//! let mut content = Vec::new();
//! let mut metadata = Metadata::default();
//! metadata.deadline = Some(Some(30_000));
//! metadata.entries.push(("tenant", b"acme", false).into());
//! writer.encode(&metadata, 8_192, &mut content)?;
//!
//! let mut reader = Reader::default();
//! assert_eq!(reader.decode(&content)?, metadata);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::malformed;
use crate::{
    UsageError, Violation,
    reader::Reader as Cursor,
    uint::{self, METADATA_MILLIS},
};

/// The most entries of one packet.
pub const MAX_ENTRIES: usize = 64;
/// The longest name, in bytes.
pub const MAX_NAME: usize = 64;
/// The longest value, in bytes.
pub const MAX_VALUE: usize = 65_535;

/// What was said about a message before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata<'a> {
    /// Milliseconds until the sender no longer waits for an answer; `Some(None)` says that there is no
    /// such time, even if the sender's [settings](super::Settings::deadline_millis) have one. At
    /// most 2^32 - 2.
    pub deadline: Option<Option<u32>>,
    /// The trace that the message belongs to.
    pub trace: Option<Trace>,
    /// How often the message was sent before: 0 for the first attempt.
    pub attempt: u8,
    /// Milliseconds before the message that is answered is sent again; `Some(None)` if it should
    /// not be. Only before an answer. At most 2^32 - 2.
    pub retry_after: Option<Option<u32>>,
    /// Entries of users. A name occurs once.
    pub entries: Vec<Entry<'a>>,
}

/// The W3C trace context, version 00.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Trace {
    /// The id of the trace; not 0.
    pub trace_id: [u8; 16],
    /// The id of the span that sends the message; not 0.
    pub parent_id: [u8; 8],
    /// The flags; bit 0 says that the trace is sampled.
    pub flags: u8,
}

/// An entry of a user.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The name: 1 to 64 bytes of `a` to `z`, `0` to `9`, `.`, `_` and `-`, not beginning with
    /// `sockety-`.
    pub name: &'a str,
    /// The value: any bytes, at most 65,535.
    pub value: &'a [u8],
    /// Whether the value must not be shown, such as in logs.
    pub is_secret: bool,
}

impl<'a, const N: usize> From<(&'a str, &'a [u8; N], bool)> for Entry<'a> {
    fn from((name, value, is_secret): (&'a str, &'a [u8; N], bool)) -> Self {
        Self {
            name,
            value,
            is_secret,
        }
    }
}

// r[impl ext.meta.secret]
impl std::fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Entry");
        shown.field("name", &self.name);
        match self.is_secret {
            true => shown.field("secret_bytes", &self.value.len()),
            false => shown.field("value", &self.value),
        };
        shown.finish()
    }
}

/// Whether a name is legal.
// r[impl ext.meta.user]
pub const fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    if bytes.is_empty() || bytes.len() > MAX_NAME {
        return false;
    }
    let mut rest = bytes;
    while let [byte, tail @ ..] = rest {
        if !matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-') {
            return false;
        }
        rest = tail;
    }
    !matches!(bytes, [b's', b'o', b'c', b'k', b'e', b't', b'y', b'-', ..])
}

const DEADLINE: u8 = 0b0000_0000;
const TRACE: u8 = 0b0000_0100;
const ATTEMPT: u8 = 0b0000_0101;
const RETRY_AFTER: u8 = 0b0000_1000;
const WIDTH: u8 = 0b0000_0011;
/// An entry of a later version, which is skipped.
const UNKNOWN: u8 = 0b0010_0000;
const USER: u8 = 0b0100_0000;
const SECRET: u8 = 0b0010_0000;
const LONG_VALUE: u8 = 0b0001_0000;
const WITH_NAME: u8 = 0b0000_1000;
const REMEMBERED: u8 = 0b0000_0100;

/// The largest relative time; the next number says that there is none.
const MAX_MILLIS: u32 = u32::MAX - 1;

/// The names that a direction has remembered, each in the slot in which both sides count it.
#[derive(Debug, Default)]
struct Names(Vec<Box<str>>);

/// Slots with names that need not be sent.
const WELL_KNOWN: [&str; 3] = ["tracestate", "baggage", "authorization"];
/// The first slot of a name that was remembered; those between are kept.
const FIRST_REMEMBERED: u8 = 16;
/// The most names that a direction remembers; none is ever replaced.
const MAX_REMEMBERED: usize = 64;

impl Names {
    fn get(&self, slot: u8) -> Option<&str> {
        match slot.checked_sub(FIRST_REMEMBERED) {
            Some(place) => self.0.get(usize::from(place)).map(|name| &**name),
            None => WELL_KNOWN.get(usize::from(slot)).copied(),
        }
    }

    fn slot_of(&self, name: &str) -> Option<u8> {
        let well_known = (0_u8..).zip(WELL_KNOWN);
        let remembered = (FIRST_REMEMBERED..).zip(self.0.iter().map(|name| &**name));
        let mut all = well_known.chain(remembered);
        all.find(|(_, known)| *known == name).map(|(slot, _)| slot)
    }

    fn has_room(&self) -> bool {
        self.0.len() < MAX_REMEMBERED
    }
}

/// An entry as it is on the wire.
enum Raw<'a> {
    Deadline(Option<u32>),
    Trace(Trace),
    Attempt(u8),
    RetryAfter(Option<u32>),
    Unknown,
    User(User<'a>),
}

struct User<'a> {
    name: Name<'a>,
    is_remembered: bool,
    value: &'a [u8],
    is_secret: bool,
}

enum Name<'a> {
    Slot(u8),
    Literal(&'a str),
}

impl<'a> Raw<'a> {
    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Violation> {
        let first = cursor.byte().ok_or(malformed("Metadata"))?;
        // r[impl ext.meta.entry]
        let is_legal = match first >> 5 {
            0b000 => {
                matches!(first & !WIDTH, DEADLINE | RETRY_AFTER) || matches!(first, TRACE | ATTEMPT)
            }
            0b001 => true,
            0b010 | 0b011 => {
                first & 0b11 == 0 && (first & REMEMBERED == 0 || first & WITH_NAME != 0)
            }
            _ => false,
        };
        if !is_legal {
            return Err(Violation::MetadataEntry { byte: first });
        }
        Self::fields(first, cursor).ok_or(malformed("Metadata"))?
    }

    /// `None` if the content ends before the last field.
    fn fields(first: u8, cursor: &mut Cursor<'a>) -> Option<Result<Self, Violation>> {
        Some(Ok(match first {
            TRACE => Self::Trace(Trace {
                trace_id: cursor.array()?,
                parent_id: cursor.array()?,
                flags: cursor.byte()?,
            }),
            ATTEMPT => Self::Attempt(cursor.byte()?),
            _ if first & USER != 0 => {
                let name = match first & WITH_NAME {
                    0 => Name::Slot(cursor.byte()?),
                    _ => {
                        let length = cursor.byte()?;
                        let name = std::str::from_utf8(cursor.take(length.into())?);
                        match name {
                            Ok(name) if is_name(name) => Name::Literal(name),
                            _ => return Some(Err(Violation::MetadataName)),
                        }
                    }
                };
                let length = match first & LONG_VALUE {
                    0 => u16::from(cursor.byte()?),
                    _ => u16::from_le_bytes(cursor.array()?),
                };
                Self::User(User {
                    name,
                    is_remembered: first & REMEMBERED != 0,
                    value: cursor.take(length.into())?,
                    is_secret: first & SECRET != 0,
                })
            }
            _ if first & UNKNOWN != 0 => {
                let length = cursor.byte()?;
                cursor.take(length.into())?;
                Self::Unknown
            }
            _ => {
                let millis = cursor.u32(METADATA_MILLIS.width(first))?;
                let millis = Some(millis).filter(|millis| *millis <= MAX_MILLIS);
                match first & !WIDTH {
                    DEADLINE => Self::Deadline(millis),
                    _ => Self::RetryAfter(millis),
                }
            }
        }))
    }
}

/// Reads the Metadata packets of one direction.
#[derive(Debug, Default)]
pub struct Reader {
    names: Names,
}

impl Reader {
    /// Whether it remembers names. Without any, it is like a new one.
    pub fn has_names(&self) -> bool {
        !self.names.0.is_empty()
    }

    /// Reads the content of a packet, and remembers the names that it says to.
    ///
    /// # Errors
    ///
    /// The content breaks a rule, so the connection must end.
    // r[impl ext.meta.names]
    pub fn decode<'a>(&'a mut self, content: &'a [u8]) -> Result<Metadata<'a>, Violation> {
        // First the names, because what is returned borrows them. A slot that is filled only later in
        // the same packet is no way around the order: its name would be there twice.
        let mut cursor = Cursor::new(content);
        while !cursor.rest().is_empty() {
            if let Raw::User(User {
                name: Name::Literal(name),
                is_remembered: true,
                ..
            }) = Raw::decode(&mut cursor)?
            {
                if !self.names.has_room() {
                    return Err(Violation::MetadataNames);
                }
                self.names.0.push(name.into());
            }
        }
        self.read(content)
    }

    fn read<'a>(&'a self, content: &'a [u8]) -> Result<Metadata<'a>, Violation> {
        let mut found = Metadata::default();
        let mut attempt = None;
        let mut count = 0_usize;
        let mut cursor = Cursor::new(content);
        while let Some(&first) = cursor.rest().first() {
            // r[impl ext.meta.bound]
            count = count.saturating_add(1);
            if count > MAX_ENTRIES {
                return Err(Violation::MetadataEntries);
            }
            let is_again = match Raw::decode(&mut cursor)? {
                Raw::Deadline(millis) => found.deadline.replace(millis).is_some(),
                Raw::Trace(trace) => found.trace.replace(trace).is_some(),
                Raw::Attempt(number) => attempt.replace(number).is_some(),
                Raw::RetryAfter(millis) => found.retry_after.replace(millis).is_some(),
                Raw::Unknown => false,
                Raw::User(user) => {
                    let name = match user.name {
                        Name::Literal(name) => name,
                        Name::Slot(slot) => self
                            .names
                            .get(slot)
                            .ok_or(Violation::MetadataSlot { slot })?,
                    };
                    let is_again = found.entries.iter().any(|entry| entry.name == name);
                    found.entries.push(Entry {
                        name,
                        value: user.value,
                        is_secret: user.is_secret,
                    });
                    is_again
                }
            };
            // r[impl ext.meta.user]
            if is_again {
                return Err(Violation::MetadataRepeated { byte: first });
            }
        }
        found.attempt = attempt.unwrap_or(0);
        // r[impl ext.meta.trace]
        found.trace = found.trace.filter(Trace::is_valid);
        Ok(found)
    }
}

impl Trace {
    /// Whether neither id is 0.
    // r[impl ext.meta.trace]
    pub fn is_valid(&self) -> bool {
        self.trace_id != [0; 16] && self.parent_id != [0; 8]
    }
}

/// Writes the Metadata packets of one direction.
#[derive(Debug, Default)]
pub struct Writer {
    names: Names,
}

impl Writer {
    /// Appends the content of a packet of at most `limit` bytes, which is a
    /// [setting](super::Settings::metadata_bytes) of the reader. Names are sent once while there is
    /// room to remember them.
    ///
    /// # Errors
    ///
    /// There are too many entries or bytes, a name is not legal or occurs twice, or a value is too
    /// long. Nothing was written or remembered then.
    pub fn encode(
        &mut self,
        metadata: &Metadata<'_>,
        limit: usize,
        dst: &mut Vec<u8>,
    ) -> Result<(), UsageError> {
        let (start, remembered) = (dst.len(), self.names.0.len());
        let written = put(metadata, Some(&mut self.names), dst)
            .and_then(|()| check_size(dst.len().saturating_sub(start), limit));
        if written.is_err() {
            dst.truncate(start);
            self.names.0.truncate(remembered);
        }
        written
    }

    /// How many names are remembered, to be passed to [`forget_from`](Self::forget_from).
    pub fn remembered(&self) -> usize {
        self.names.0.len()
    }

    /// Forgets the names from a place on: those of a packet that was not sent.
    pub fn forget_from(&mut self, remembered: usize) {
        self.names.0.truncate(remembered);
    }

    /// Like [`encode`](Self::encode), for any connection: with all names.
    ///
    /// # Errors
    ///
    /// As for [`encode`](Self::encode).
    pub fn encode_whole(
        metadata: &Metadata<'_>,
        limit: usize,
        dst: &mut Vec<u8>,
    ) -> Result<(), UsageError> {
        let start = dst.len();
        let written = put(metadata, None, dst)
            .and_then(|()| check_size(dst.len().saturating_sub(start), limit));
        if written.is_err() {
            dst.truncate(start);
        }
        written
    }
}

// r[impl ext.meta.bound]
fn check_size(size: usize, limit: usize) -> Result<(), UsageError> {
    match size <= limit {
        true => Ok(()),
        false => Err(UsageError::MetadataTooLarge { size, limit }),
    }
}

fn put(
    metadata: &Metadata<'_>,
    mut names: Option<&mut Names>,
    dst: &mut Vec<u8>,
) -> Result<(), UsageError> {
    let trace = metadata.trace.filter(Trace::is_valid);
    let built_in = [
        metadata.deadline.is_some(),
        trace.is_some(),
        metadata.attempt != 0,
        metadata.retry_after.is_some(),
    ];
    let built_in = built_in.into_iter().filter(|is_there| *is_there).count();
    let count = metadata.entries.len().saturating_add(built_in);
    if count > MAX_ENTRIES {
        return Err(UsageError::MetadataEntries { count });
    }
    if let Some(millis) = metadata.deadline {
        put_millis(dst, DEADLINE, millis);
    }
    if let Some(trace) = trace {
        dst.push(TRACE);
        dst.extend_from_slice(&trace.trace_id);
        dst.extend_from_slice(&trace.parent_id);
        dst.push(trace.flags);
    }
    if metadata.attempt != 0 {
        dst.extend_from_slice(&[ATTEMPT, metadata.attempt]);
    }
    if let Some(millis) = metadata.retry_after {
        put_millis(dst, RETRY_AFTER, millis);
    }
    for (position, entry) in metadata.entries.iter().enumerate() {
        let earlier = metadata.entries.iter().take(position);
        if !is_name(entry.name) || earlier.into_iter().any(|it| it.name == entry.name) {
            return Err(UsageError::MetadataName);
        }
        put_user(dst, entry, names.as_deref_mut())?;
    }
    Ok(())
}

fn put_millis(dst: &mut Vec<u8>, kind: u8, millis: Option<u32>) {
    let millis = millis.map_or(u32::MAX, |millis| millis.min(MAX_MILLIS));
    let (code, width) = METADATA_MILLIS.smallest(millis.into());
    dst.push(kind | code);
    uint::put(dst, millis.into(), width);
}

fn put_user(
    dst: &mut Vec<u8>,
    entry: &Entry<'_>,
    names: Option<&mut Names>,
) -> Result<(), UsageError> {
    let Ok(length) = u16::try_from(entry.value.len()) else {
        let (size, limit) = (entry.value.len(), MAX_VALUE);
        return Err(UsageError::MetadataTooLarge { size, limit });
    };
    let secret = if entry.is_secret { SECRET } else { 0 };
    let (long, width) = match length > u8::MAX.into() {
        true => (LONG_VALUE, 2),
        false => (0, 1),
    };
    let flags = USER | secret | long;
    let well_known = Names::default().slot_of(entry.name);
    let slot = match &names {
        Some(names) => names.slot_of(entry.name),
        None => well_known,
    };
    match slot {
        Some(slot) => dst.extend_from_slice(&[flags, slot]),
        None => {
            let mut flags = flags | WITH_NAME;
            if let Some(names) = names.filter(|names| names.has_room()) {
                names.0.push(entry.name.into());
                flags |= REMEMBERED;
            }
            dst.push(flags);
            uint::put(dst, uint::wide(entry.name.len()), 1);
            dst.extend_from_slice(entry.name.as_bytes());
        }
    }
    uint::put(dst, length.into(), width);
    dst.extend_from_slice(entry.value);
    Ok(())
}

#[cfg(test)]
mod tests;
