//! The files and the stream of a received message, as its handler takes them.

use std::{collections::VecDeque, fmt};

use super::{byte_stream::ByteStream, file::File};
use crate::engine::{
    lease::Lease,
    receive::{
        intake::PartReader,
        parts::{Parts, ReceivedParts},
    },
};

/// A pointer wide, as most messages carry nothing and are moved often.
#[derive(Default)]
pub(crate) struct Carried(Option<Box<Content>>);

struct Content {
    files: VecDeque<File>,
    stream: Option<ByteStream>,
}

impl Content {
    fn new(parts: Parts, lease: &Lease) -> Self {
        let hold = |mut reader: PartReader| {
            reader.hold(lease.clone());
            reader
        };
        let files = parts.files.into_iter();
        Self {
            files: files
                .map(|file| File::received(file.name, file.size, hold(file.reader)))
                .collect(),
            stream: parts.stream.map(hold).map(ByteStream::received),
        }
    }
}

impl Carried {
    /// What the user gets. Each part keeps its connection open until it is read or dropped.
    #[inline]
    pub(crate) fn new(parts: ReceivedParts, lease: &Lease) -> Self {
        let parts = parts.into_inner();
        Self(parts.map(|parts| Box::new(Content::new(parts, lease))))
    }

    /// The files that were not taken.
    pub(crate) fn files(&self) -> &[File] {
        // Nothing is added once something was taken, so they lie in one piece.
        self.0
            .as_ref()
            .map_or(&[], |content| content.files.as_slices().0)
    }

    pub(crate) fn has_stream(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|content| content.stream.is_some())
    }

    pub(crate) fn take_file(&mut self) -> Option<File> {
        self.0.as_mut()?.files.pop_front()
    }

    pub(crate) fn take_files(&mut self) -> Vec<File> {
        let content = self.0.as_mut();
        content.map_or_else(Vec::new, |content| {
            std::mem::take(&mut content.files).into()
        })
    }

    pub(crate) fn take_stream(&mut self) -> Option<ByteStream> {
        self.0.as_mut()?.stream.take()
    }
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carried")
            .field("files", &self.files())
            .field("stream", &self.has_stream())
            .finish_non_exhaustive()
    }
}
