//! How the files and the stream of one message are laid out on the wire.

use bytes::Bytes;
use sockety_codec::{FileHeader, FileIndex};
use std::sync::Arc;

/// How the files and the stream of a message stand on the wire.
pub(crate) struct Layout {
    pub(crate) has_stream: bool,
    pub(crate) files: Vec<(Arc<str>, u64)>,
    pub(crate) parts: Vec<NewPart>,
}

impl Layout {
    pub(crate) fn headers(&self) -> Vec<FileHeader<'_>> {
        self.files
            .iter()
            .map(|(name, size)| FileHeader::new(name, *size))
            .collect()
    }

    /// Once only.
    pub(crate) fn take_parts(&mut self) -> Vec<NewPart> {
        std::mem::take(&mut self.parts)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PartKind {
    Stream,
    File(FileIndex),
}

/// A part of a message at its beginning.
pub(crate) struct NewPart {
    pub(crate) kind: PartKind,
    /// What is in memory already and needs no writer; else somebody writes the part.
    pub(crate) whole: Option<Bytes>,
}
