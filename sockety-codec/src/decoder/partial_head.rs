use super::body::Body;
use crate::head::identity::Identity;
use crate::head::layout::{FilePart, Flags, Kind, Prefix, Text};
use crate::packet::Opening;
use crate::uint;
use crate::{ChannelId, FileIndex, Limits, Measure, Refusal, RefusalReason, Violation};

/// How much of a refused header is dropped before the connection ends, as a multiple of the limit.
/// HTTP/2 servers use this factor for endless headers.
const ABUSE: u32 = 4;

/// A header that is being received.
///
/// ```text
/// Prefix ──────────────────────────> Files ─> complete
///    └── action too long ──> Sizes ────┘
/// ```
#[derive(Debug)]
pub(super) struct PartialHead {
    pub(super) kind: Kind,
    pub(super) opening: Opening,
    pub(super) number: u64,
    pub(super) stage: Stage,
    /// The number of bytes of the header up to the last complete part.
    pub(super) bytes: u64,
    /// The number of packets of the header so far.
    pub(super) pieces: u32,
    /// Units of time since it started.
    age: u32,
    /// The size of its metadata, until that is held.
    described: usize,
    /// Bytes of its metadata that are held until it is announced: from the end of its first packet on,
    /// as there is only one packet at a time.
    metadata: usize,
    /// The start of the incomplete part.
    buffer: Vec<u8>,
}

/// The part of the header that comes next.
#[derive(Debug)]
pub(super) enum Stage {
    /// Everything before the file headers.
    Prefix,
    /// The sizes after an action that was too long, of which `dropping` bytes remain to be dropped.
    Sizes { known: Known, dropping: u16 },
    /// The next file header. If the name before it was too long, `dropping` bytes of it remain to
    /// be dropped.
    Files {
        body: Body,
        identity: Identity,
        dropping: u16,
    },
}

/// What is known about a message whose action is dropped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) flags: Flags,
    pub(super) identity: Identity,
}

/// A part of the header.
pub(super) enum Part<'i> {
    /// It is complete in the input.
    Direct(&'i [u8]),
    /// It was split, and is complete now.
    Held(Vec<u8>),
    /// It is incomplete.
    Incomplete,
}

impl PartialHead {
    pub(super) fn new(
        kind: Kind,
        opening: Opening,
        number: u64,
        age: u32,
        described: usize,
    ) -> Self {
        Self {
            kind,
            opening,
            number,
            stage: Stage::Prefix,
            bytes: 0,
            pieces: 1,
            age,
            described,
            metadata: 0,
            buffer: Vec::new(),
        }
    }

    /// Adds a unit of time to the age, and returns it.
    pub(super) fn grow_older(&mut self) -> u32 {
        self.age = self.age.saturating_add(1);
        self.age
    }

    /// Drops what has arrived of a text that is too long. Returns `false` while more of it remains.
    pub(super) fn drop_text(&mut self, bytes: &mut &[u8]) -> bool {
        let (Stage::Sizes { dropping, .. } | Stage::Files { dropping, .. }) = &mut self.stage
        else {
            return true;
        };
        let (dropped, rest) = bytes.split_at(usize::from(*dropping).min(bytes.len()));
        *bytes = rest;
        *dropping = dropping.saturating_sub(u16::try_from(dropped.len()).unwrap_or(u16::MAX));
        *dropping == 0
    }

    /// Takes the next part from the front of `bytes`, or all of them if it is incomplete.
    ///
    /// Each call examines only the few bytes that say how long the part is, so that the cost of a
    /// header does not depend on how it is split.
    pub(super) fn take_part<'i>(&mut self, bytes: &mut &'i [u8], limits: &Limits) -> Part<'i> {
        if self.buffer.is_empty() {
            let required = self.required(bytes, limits);
            if let Some((part, rest)) = bytes.split_at_checked(required) {
                *bytes = rest;
                return Part::Direct(part);
            }
        }
        loop {
            let missing = self
                .required(&self.buffer, limits)
                .saturating_sub(self.buffer.len());
            if missing == 0 {
                return Part::Held(core::mem::take(&mut self.buffer));
            }
            if bytes.is_empty() {
                return Part::Incomplete;
            }
            let (more, rest) = bytes.split_at(missing.min(bytes.len()));
            self.buffer.extend_from_slice(more);
            #[cfg(test)]
            crate::work::add(more.len());
            *bytes = rest;
        }
    }

    /// The number of bytes held of the incomplete part, and of the metadata before the header.
    pub(super) fn held(&self) -> usize {
        self.buffer.len().saturating_add(self.metadata)
    }

    /// Other packets come before it is announced.
    // r[impl limits.held]
    pub(super) fn hold_metadata(&mut self) {
        let described = core::mem::take(&mut self.described);
        self.metadata = self.metadata.saturating_add(described);
    }

    /// It is announced now, and its metadata is no longer held for it. Returns the size of that.
    pub(super) fn take_metadata(&mut self) -> usize {
        self.described = 0;
        core::mem::take(&mut self.metadata)
    }

    /// The body, as soon as the head is announced: content may arrive before the last file header.
    // r[impl head.announce]
    pub(super) fn body_mut(&mut self) -> Option<&mut Body> {
        match &mut self.stage {
            Stage::Files { body, .. } => Some(body),
            Stage::Prefix | Stage::Sizes { .. } => None,
        }
    }

    /// Counts another packet of the header. Returns the refusal to report if there are too many.
    // r[impl limits.refuse]
    // r[impl limits.abuse]
    pub(super) fn on_piece(
        &mut self,
        channel: ChannelId,
        limits: &Limits,
    ) -> Result<Option<Refusal>, Violation> {
        self.pieces = self.pieces.saturating_add(1);
        let limit = limits.header_pieces();
        if self.pieces <= limit {
            return Ok(None);
        }
        match &mut self.stage {
            Stage::Files { body, identity, .. } if !body.is_refused() => {
                body.refuse();
                Ok(Some(identity.refusal(RefusalReason::TooLarge {
                    what: Measure::HeaderPieces,
                    size: self.pieces.into(),
                    limit: limit.into(),
                })))
            }
            Stage::Files { .. } | Stage::Sizes { .. }
                if self.pieces <= limit.saturating_mul(ABUSE) =>
            {
                Ok(None)
            }
            Stage::Prefix | Stage::Files { .. } | Stage::Sizes { .. } => Err(self.abuse(channel)),
        }
    }

    /// Counts `length` more bytes of the header.
    pub(super) fn on_bytes(&mut self, length: usize) {
        self.bytes = self.bytes.saturating_add(uint::wide(length));
    }

    /// The action is too long: it is dropped, and the sizes follow.
    pub(super) fn drop_action(&mut self, known: Known, length: u16) {
        self.on_bytes(length.into());
        let dropping = length;
        self.stage = Stage::Sizes { known, dropping };
    }

    /// Everything before the file headers has arrived.
    pub(super) fn await_files(&mut self, body: Body, identity: Identity) {
        self.stage = Stage::Files {
            body,
            identity,
            dropping: 0,
        };
    }

    /// Adds a file header. If its name is too long, `name_taken` bytes of that are taken already.
    /// Returns the index of the file.
    pub(super) fn on_file_header(&mut self, file: &FilePart<'_>, name_taken: usize) -> FileIndex {
        let Stage::Files { body, dropping, .. } = &mut self.stage else {
            return FileIndex::ZERO;
        };
        if let Text::TooLong { length } = file.name {
            let taken = u16::try_from(name_taken).unwrap_or(u16::MAX);
            *dropping = length.saturating_sub(taken);
        }
        let more = usize::from(*dropping);
        let index = body
            .files_mut()
            .map(|files| files.on_header(file.size))
            .unwrap_or_default();
        self.on_bytes(more);
        index
    }

    pub(super) fn refuse(&mut self) {
        if let Some(body) = self.body_mut() {
            body.refuse();
        }
    }

    /// Whether the header continued far beyond the limit of bytes.
    pub(super) fn is_abuse(&self, limits: &Limits) -> bool {
        let most = limits.header_bytes().saturating_mul(uint::index(ABUSE));
        self.bytes > uint::wide(most)
    }

    pub(super) fn abuse(&self, channel: ChannelId) -> Violation {
        Violation::HeaderAbuse {
            channel,
            bytes: self.bytes,
            pieces: self.pieces,
        }
    }

    /// Whether all of the header has arrived.
    pub(super) fn is_whole(&self) -> bool {
        match &self.stage {
            Stage::Files { body, dropping, .. } => *dropping == 0 && body.has_all_headers(),
            Stage::Prefix | Stage::Sizes { .. } => false,
        }
    }

    /// Returns the body if the header is complete.
    pub(super) fn into_body(self: Box<Self>) -> Result<Body, Box<Self>> {
        if !self.is_whole() {
            return Err(self);
        }
        match self.stage {
            Stage::Files { body, .. } => Ok(body),
            Stage::Prefix | Stage::Sizes { .. } => Err(self),
        }
    }

    /// Whether the message has been refused.
    pub(super) fn is_refused(&self) -> bool {
        match &self.stage {
            Stage::Prefix => false,
            Stage::Sizes { .. } => true,
            Stage::Files { body, .. } => body.is_refused(),
        }
    }

    /// The message that the header belongs to, as soon as it is known.
    pub(super) fn identity(&self) -> Option<Identity> {
        match &self.stage {
            Stage::Prefix => None,
            Stage::Sizes { known, .. } => Some(known.identity),
            Stage::Files { identity, .. } => Some(*identity),
        }
    }

    /// The length of the longest file name that is decoded: 0 if nobody is going to see it.
    pub(super) fn max_name(&self, limits: &Limits) -> usize {
        if self.is_refused() {
            0
        } else {
            limits.file_name_bytes()
        }
    }

    fn required(&self, bytes: &[u8], limits: &Limits) -> usize {
        #[cfg(test)]
        crate::work::add(1);
        match &self.stage {
            Stage::Prefix => Prefix::required(self.kind, bytes, limits.action_bytes()),
            Stage::Sizes { known, .. } => known.flags.sizes_length(),
            Stage::Files { .. } => FilePart::required(bytes, self.max_name(limits)),
        }
    }
}
