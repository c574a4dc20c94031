use uuid::Uuid;

use super::outbound::Due;
use crate::head::layout::{FilePart, Flags, Kind, Prefix, Sizes};
use crate::packet::Opening;
use crate::uint::{self, U48_MAX};
use crate::{FileHeader, FileIndex, FilesSummary, Head, UsageError};

/// A message or response header that has been checked, so that writing it cannot fail.
pub(super) struct Outline<'a> {
    parent: Option<Uuid>,
    id: Uuid,
    action: &'a str,
    flags: Flags,
    sizes: Sizes,
    opening: Opening,
}

/// The fields that heads of messages and of responses share.
struct Fields<'a> {
    /// The message answered; only a response has one.
    parent: Option<Uuid>,
    id: Uuid,
    /// Empty in a response.
    action: &'a str,
    expects_response: bool,
    has_stream: bool,
    payload_size: u64,
    files: FilesSummary,
}

impl<'a> Outline<'a> {
    /// The header of a message or response with these files.
    pub(super) fn new(head: &Head<'a>, files: &[FileHeader<'_>]) -> Result<Self, UsageError> {
        let fields = Fields::of(head)?;
        let sizes = sizes(fields.payload_size, fields.files, files)?;
        let (has_stream, files) = (fields.has_stream, files.iter().map(FilePart::length));
        let files = files.fold(0, usize::saturating_add);
        Self::of(fields, sizes, has_stream, files)
    }

    /// The header of a message or response that has this payload and no other content, whatever its
    /// head says.
    #[inline(always)]
    pub(super) fn whole(head: &Head<'a>, payload: u32) -> Result<Self, UsageError> {
        let sizes = Sizes {
            payload: payload.into(),
            files: FilesSummary::NONE,
        };
        Self::of(Fields::of(head)?, sizes, false, 0)
    }

    #[inline(always)]
    fn of(
        fields: Fields<'a>,
        sizes: Sizes,
        has_stream: bool,
        files_length: usize,
    ) -> Result<Self, UsageError> {
        let (parent, id, action) = (fields.parent, fields.id, fields.action);
        let kind = match parent {
            None => Kind::Message,
            Some(_) => Kind::Response,
        };
        let flags = Flags::of(action.len(), sizes.payload, sizes.files);
        let length = Prefix::length(flags, kind, action).saturating_add(files_length);
        // r[impl head.whole]
        let size = u32::try_from(length).map_err(|_| UsageError::HeaderTooLarge)?;
        let opening = Opening {
            size,
            has_stream,
            expects_response: fields.expects_response,
        };
        Ok(Self {
            parent,
            id,
            action,
            flags,
            sizes,
            opening,
        })
    }

    /// The size of the header.
    pub(super) fn size(&self) -> u32 {
        self.opening.size
    }

    /// An upper bound for the bytes of the packet.
    #[inline]
    pub(super) fn length(&self) -> usize {
        uint::index(self.opening.size).saturating_add(5)
    }

    /// The announced content, with these files.
    pub(super) fn due(&self, files: &[FileHeader<'_>]) -> Due {
        Due::new(self.sizes.payload, self.opening.has_stream, files)
    }

    /// Appends the packet with everything before the file headers.
    // r[impl head.whole]
    // r[impl head.smallest]
    #[inline(always)]
    pub(super) fn encode(&self, dst: &mut Vec<u8>) {
        self.opening.encode(dst, self.parent.is_some());
        let ids = (self.parent, self.id);
        Prefix::encode(dst, self.flags, ids, self.action, self.sizes);
    }

    /// Appends the packet with the whole header, including those of these files.
    // r[impl head.whole]
    pub(super) fn encode_with(&self, dst: &mut Vec<u8>, files: &[FileHeader<'_>]) {
        self.encode(dst);
        for file in files {
            FilePart::encode(dst, file);
        }
    }
}

impl<'a> Fields<'a> {
    #[inline(always)]
    fn of(head: &Head<'a>) -> Result<Self, UsageError> {
        match head {
            Head::Message(head) => {
                // r[impl head.action]
                let length = head.action.len();
                if length > usize::from(u16::MAX) {
                    return Err(UsageError::ActionTooLong { length });
                }
                Ok(Self {
                    parent: None,
                    id: head.id,
                    action: head.action,
                    expects_response: head.expects_response,
                    has_stream: head.has_stream,
                    payload_size: head.payload_size,
                    files: head.files,
                })
            }
            Head::Response(head) => Ok(Self {
                parent: Some(head.parent),
                id: head.id,
                action: "",
                expects_response: head.expects_response,
                has_stream: head.has_stream,
                payload_size: head.payload_size,
                files: head.files,
            }),
        }
    }
}

// r[impl head.files.sum]
#[inline]
fn sizes(
    payload: u64,
    announced: FilesSummary,
    files: &[FileHeader<'_>],
) -> Result<Sizes, UsageError> {
    // r[impl head.payload]
    if payload > U48_MAX {
        return Err(UsageError::PayloadTooLarge {
            size: payload,
            max: U48_MAX,
        });
    }
    if FilesSummary::of(files) != Some(announced) {
        return Err(UsageError::FilesMismatch);
    }
    if let Some((index, _)) = (0..).zip(files).find(|(_, file)| !is_valid(file)) {
        let index = FileIndex::from_low_bits(index);
        return Err(UsageError::BadFileHeader { index });
    }
    Ok(Sizes {
        payload,
        files: announced,
    })
}

// r[impl head.file]
fn is_valid(file: &FileHeader<'_>) -> bool {
    file.size <= U48_MAX && file.name.len() <= usize::from(u16::MAX)
}
