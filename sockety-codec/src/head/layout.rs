//! The bytes of headers: the length and the meaning of each part.
//!
//! A header is decoded part by part: first everything before the file headers, then each file
//! header. Texts above a limit are excluded from their part, so that they are not held in memory
//! while they arrive.

use uuid::Uuid;

use super::{FileHeader, FilesSummary};
use crate::packet::joined;
use crate::reader::Reader;
use crate::uint::{self, FILE_SIZE, FILES_COUNT, FILES_TOTAL, PAYLOAD_SIZE, TEXT_LENGTH};

/// Whether a header belongs to a message or to a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Message,
    Response,
}

/// The first byte of a header: `DDEEFFG0`.
// r[impl head.flags]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flags(u8);

/// A text of a header, or only its length if that exceeds the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text<'a> {
    Whole(&'a [u8]),
    TooLong { length: u16 },
}

/// The sizes that follow the action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) payload: u64,
    pub(crate) files: FilesSummary,
}

/// Everything before the file headers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prefix<'a> {
    pub(crate) flags: Flags,
    /// The message that a response answers; `None` in a message.
    pub(crate) parent: Option<Uuid>,
    pub(crate) id: Uuid,
    /// Empty in a response.
    pub(crate) action: Text<'a>,
    /// All zero if the action is too long: the sizes are not part of the prefix then.
    pub(crate) sizes: Sizes,
}

/// One file header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FilePart<'a> {
    pub(crate) flags: FileFlags,
    pub(crate) size: u64,
    pub(crate) name: Text<'a>,
}

/// The first byte of a file header: `0000AAB0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileFlags(u8);

impl Flags {
    /// The flags of the smallest form.
    #[inline]
    pub(crate) fn of(action_length: usize, payload: u64, files: FilesSummary) -> Self {
        let (payload, _) = PAYLOAD_SIZE.smallest(payload);
        let (count, _) = FILES_COUNT.smallest(files.count.into());
        let total = match files.count {
            0 => 0,
            _ => FILES_TOTAL.smallest(files.total_size).0,
        };
        let action = u8::from(action_length > 0xFF);
        Self(payload << 6 | count << 4 | total << 2 | action << 1)
    }

    #[inline]
    pub(crate) const fn byte(self) -> u8 {
        self.0
    }

    // r[impl head.reserved]
    #[inline]
    pub(crate) const fn has_reserved_bits(self, kind: Kind) -> bool {
        let reserved = match kind {
            Kind::Message => 0b01,
            Kind::Response => 0b11,
        };
        self.0 & reserved != 0
    }

    /// The length of all sizes after the action.
    #[inline]
    pub(crate) const fn sizes_length(self) -> usize {
        let files = match self.count_width() {
            0 => 0,
            count => count.saturating_add(self.total_width()),
        };
        widen(self.payload_width().saturating_add(files))
    }

    #[inline]
    pub(crate) const fn payload_width(self) -> u8 {
        PAYLOAD_SIZE.width(self.0 >> 6)
    }

    #[inline]
    pub(crate) const fn count_width(self) -> u8 {
        FILES_COUNT.width(self.0 >> 4)
    }

    #[inline]
    pub(crate) const fn total_width(self) -> u8 {
        FILES_TOTAL.width(self.0 >> 2)
    }

    #[inline]
    pub(crate) const fn action_width(self, kind: Kind) -> u8 {
        match kind {
            Kind::Message => TEXT_LENGTH.width((self.0 >> 1) & 1),
            Kind::Response => 0,
        }
    }
}

impl Sizes {
    /// Decodes the sizes that `flags` announce.
    #[inline]
    pub(crate) fn decode(flags: Flags, reader: &mut Reader<'_>) -> Option<Self> {
        let payload = reader.u64(flags.payload_width())?;
        let files = match flags.count_width() {
            0 => FilesSummary::NONE,
            width => FilesSummary {
                count: reader.u32(width)?,
                total_size: reader.u64(flags.total_width())?,
            },
        };
        Some(Self { payload, files })
    }

    #[inline(always)]
    fn encode(self, flags: Flags, dst: &mut Vec<u8>) {
        uint::put(dst, self.payload, flags.payload_width());
        if flags.count_width() != 0 {
            uint::put(dst, self.files.count.into(), flags.count_width());
            uint::put(dst, self.files.total_size, flags.total_width());
        }
    }
}

impl<'a> Prefix<'a> {
    /// The minimum length of the prefix that starts with `bytes`. If `bytes` has that length, the
    /// prefix is complete.
    #[inline]
    pub(crate) fn required(kind: Kind, bytes: &[u8], max_action: usize) -> usize {
        let Some(&flags) = bytes.first() else {
            return 1;
        };
        let flags = Flags(flags);
        let width = flags.action_width(kind);
        let ids = match kind {
            Kind::Message => 17_usize,
            Kind::Response => 33,
        };
        let fixed = ids.saturating_add(widen(width));
        let action = match bytes.get(ids..fixed) {
            None => return fixed,
            Some([]) => 0,
            Some([low]) => usize::from(*low),
            Some([low, high, ..]) => usize::from(u16::from_le_bytes([*low, *high])),
        };
        if action > max_action {
            return fixed;
        }
        fixed
            .saturating_add(action)
            .saturating_add(flags.sizes_length())
    }

    /// Decodes a prefix; `None` if it is incomplete.
    // r[impl head.parent]
    // r[impl head.id]
    // r[impl head.action]
    #[inline(always)]
    pub(crate) fn decode(kind: Kind, reader: &mut Reader<'a>, max_action: usize) -> Option<Self> {
        let flags = Flags(reader.byte()?);
        let parent = match kind {
            Kind::Message => None,
            Kind::Response => Some(reader.uuid()?),
        };
        let id = reader.uuid()?;
        let action = Text::decode(flags.action_width(kind), reader, max_action)?;
        let sizes = match action {
            Text::Whole(_) => Sizes::decode(flags, reader)?,
            Text::TooLong { .. } => Sizes::NONE,
        };
        Some(Self {
            flags,
            parent,
            id,
            action,
            sizes,
        })
    }

    /// The length of the prefix that [`encode`](Self::encode) appends.
    #[inline(always)]
    pub(crate) fn length(flags: Flags, kind: Kind, action: &str) -> usize {
        let ids = match kind {
            Kind::Message => 17_usize,
            Kind::Response => 33,
        };
        ids.saturating_add(widen(flags.action_width(kind)))
            .saturating_add(action.len())
            .saturating_add(flags.sizes_length())
    }

    /// Appends the prefix of a message or, with a parent, of a response.
    #[inline(always)]
    pub(crate) fn encode(
        dst: &mut Vec<u8>,
        flags: Flags,
        ids: (Option<Uuid>, Uuid),
        action: &str,
        sizes: Sizes,
    ) {
        match ids {
            (Some(parent), id) => {
                dst.extend_from_slice(&joined(flags.byte(), parent));
                dst.extend_from_slice(id.as_bytes());
            }
            (None, id) => {
                dst.extend_from_slice(&joined(flags.byte(), id));
                let width = flags.action_width(Kind::Message);
                uint::put(dst, uint::wide(action.len()), width);
                dst.extend_from_slice(action.as_bytes());
            }
        }
        sizes.encode(flags, dst);
    }
}

impl Sizes {
    pub(crate) const NONE: Self = Self {
        payload: 0,
        files: FilesSummary::NONE,
    };
}

impl<'a> Text<'a> {
    #[inline]
    fn decode(width: u8, reader: &mut Reader<'a>, max: usize) -> Option<Self> {
        let length = reader.u32(width)?;
        match u16::try_from(length) {
            Ok(length) if usize::from(length) > max => Some(Self::TooLong { length }),
            _ => reader.take(uint::index(length)).map(Self::Whole),
        }
    }
}

impl FileFlags {
    pub(crate) const fn byte(self) -> u8 {
        self.0
    }

    // r[impl head.file.reserved]
    pub(crate) const fn has_reserved_bits(self) -> bool {
        self.0 & 0b1111_0001 != 0
    }

    const fn size_width(self) -> u8 {
        FILE_SIZE.width(self.0 >> 2)
    }

    const fn name_width(self) -> u8 {
        TEXT_LENGTH.width((self.0 >> 1) & 1)
    }
}

impl<'a> FilePart<'a> {
    /// The minimum length of the file header that starts with `bytes`.
    pub(crate) fn required(bytes: &[u8], max_name: usize) -> usize {
        let Some(&flags) = bytes.first() else {
            return 1;
        };
        let flags = FileFlags(flags);
        let before_name = widen(flags.size_width()).saturating_add(1);
        let fixed = before_name.saturating_add(widen(flags.name_width()));
        let name = match bytes.get(before_name..fixed) {
            None | Some([]) => return fixed,
            Some([low]) => usize::from(*low),
            Some([low, high, ..]) => usize::from(u16::from_le_bytes([*low, *high])),
        };
        if name > max_name {
            return fixed;
        }
        fixed.saturating_add(name)
    }

    /// Decodes a file header; `None` if it is incomplete.
    // r[impl head.file]
    pub(crate) fn decode(reader: &mut Reader<'a>, max_name: usize) -> Option<Self> {
        let flags = FileFlags(reader.byte()?);
        let size = reader.u64(flags.size_width())?;
        let name = Text::decode(flags.name_width(), reader, max_name)?;
        Some(Self { flags, size, name })
    }

    /// The length of the file header that [`encode`](Self::encode) appends.
    pub(crate) fn length(file: &FileHeader<'_>) -> usize {
        let (_, size) = FILE_SIZE.smallest(file.size);
        let (_, name) = TEXT_LENGTH.smallest(uint::wide(file.name.len()));
        widen(size)
            .saturating_add(widen(name))
            .saturating_add(file.name.len())
            .saturating_add(1)
    }

    /// Appends the header of `file` in the smallest form.
    pub(crate) fn encode(dst: &mut Vec<u8>, file: &FileHeader<'_>) {
        let (size, size_width) = FILE_SIZE.smallest(file.size);
        let (name, name_width) = TEXT_LENGTH.smallest(uint::wide(file.name.len()));
        dst.push(size << 2 | name << 1);
        uint::put(dst, file.size, size_width);
        uint::put(dst, uint::wide(file.name.len()), name_width);
        dst.extend_from_slice(file.name.as_bytes());
    }
}

/// A width as a length; `usize::from` cannot be used in constants.
#[expect(clippy::as_conversions, reason = "u8 always fits usize")]
const fn widen(width: u8) -> usize {
    width as usize
}
