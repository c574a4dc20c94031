use uuid::Uuid;

use crate::head::layout::{FilePart, Flags, Kind, Prefix, Sizes};
use crate::packet::Opening;
use crate::uint::{self, U48_MAX};
use crate::{FileHeader, FileIndex, FilesSummary, MessageHead, ResponseHead, UsageError};

/// A message or response header that was checked, and can be written without fail.
pub(super) struct Outline<'a> {
    parent: Option<Uuid>,
    id: Uuid,
    action: &'a str,
    flags: Flags,
    sizes: Sizes,
    opening: Opening,
}

impl<'a> Outline<'a> {
    #[inline]
    pub(super) fn message(
        head: &MessageHead<'a>,
        files: &[FileHeader<'_>],
    ) -> Result<Self, UsageError> {
        // r[impl head.action]
        let length = head.action.len();
        if length > usize::from(u16::MAX) {
            return Err(UsageError::ActionTooLong { length });
        }
        let opening = Opening {
            size: 0,
            has_stream: head.has_stream,
            expects_response: head.expects_response,
        };
        let sizes = sizes(head.payload_size, head.files, files)?;
        Self::new((None, head.id), head.action, opening, sizes, files)
    }

    #[inline]
    pub(super) fn response(
        head: &ResponseHead,
        files: &[FileHeader<'_>],
    ) -> Result<Self, UsageError> {
        let opening = Opening {
            size: 0,
            has_stream: head.has_stream,
            expects_response: head.expects_response,
        };
        let sizes = sizes(head.payload_size, head.files, files)?;
        Self::new((Some(head.parent), head.id), "", opening, sizes, files)
    }

    #[inline]
    fn new(
        (parent, id): (Option<Uuid>, Uuid),
        action: &'a str,
        opening: Opening,
        sizes: Sizes,
        files: &[FileHeader<'_>],
    ) -> Result<Self, UsageError> {
        let kind = match parent {
            None => Kind::Message,
            Some(_) => Kind::Response,
        };
        let flags = Flags::of(action.len(), sizes.payload, sizes.files);
        let length = files
            .iter()
            .map(FilePart::length)
            .fold(Prefix::length(flags, kind, action), usize::saturating_add);
        // r[impl head.whole]
        let size = u32::try_from(length).map_err(|_| UsageError::HeaderTooLarge)?;
        Ok(Self {
            parent,
            id,
            action,
            flags,
            sizes,
            opening: Opening { size, ..opening },
        })
    }

    /// Bytes of the packet.
    #[inline]
    pub(super) fn length(&self) -> usize {
        uint::index(self.opening.size).saturating_add(5)
    }

    /// Appends the packet with the whole header.
    // r[impl head.whole]
    // r[impl head.smallest]
    #[inline]
    pub(super) fn encode(&self, dst: &mut Vec<u8>, files: &[FileHeader<'_>]) {
        self.opening.encode(dst, self.parent.is_some());
        let ids = (self.parent, self.id);
        Prefix::encode(dst, self.flags, ids, self.action, self.sizes);
        for file in files {
            FilePart::encode(dst, file);
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
