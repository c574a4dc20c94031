//! What a received message carries beside its payload.

use std::{collections::VecDeque, fmt, sync::Arc};

use super::intake::Intake;
use crate::content::{byte_stream::ByteStream, file::File};

/// A pointer wide, as most messages carry nothing and are moved often.
#[derive(Default)]
pub(crate) struct Carried(Option<Box<Parts>>);

struct Parts {
    files: VecDeque<File>,
    stream: Option<ByteStream>,
    /// Where they come from.
    intake: Arc<Intake>,
}

impl Carried {
    pub(crate) fn new(intake: Arc<Intake>, stream: Option<ByteStream>) -> Self {
        let files = VecDeque::new();
        Self(Some(Box::new(Parts {
            files,
            stream,
            intake,
        })))
    }

    pub(crate) fn add_file(&mut self, file: File) {
        if let Some(parts) = &mut self.0 {
            parts.files.push_back(file);
        }
    }

    pub(crate) fn intake(&self) -> Option<&Arc<Intake>> {
        self.0.as_ref().map(|parts| &parts.intake)
    }

    /// The files that were not taken.
    pub(crate) fn files(&self) -> &[File] {
        // Nothing is added once something was taken, so they lie in one piece.
        self.0
            .as_ref()
            .map_or(&[], |parts| parts.files.as_slices().0)
    }

    pub(crate) fn has_stream(&self) -> bool {
        self.0.as_ref().is_some_and(|parts| parts.stream.is_some())
    }

    pub(crate) fn take_file(&mut self) -> Option<File> {
        self.0.as_mut()?.files.pop_front()
    }

    pub(crate) fn take_files(&mut self) -> Vec<File> {
        let parts = self.0.as_mut();
        parts.map_or_else(Vec::new, |parts| std::mem::take(&mut parts.files).into())
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
