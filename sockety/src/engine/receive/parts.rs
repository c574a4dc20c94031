//! The files and the stream of a received message, as the engine knows them: names, sizes and
//! readers.

use std::{fmt, sync::Arc};

use super::intake::{Intake, PartReader};

/// As wide as a pointer, because most messages carry nothing and are moved often.
#[derive(Default)]
pub(crate) struct ReceivedParts(Option<Box<Parts>>);

pub(crate) struct Parts {
    pub(crate) files: Vec<ReceivedFile>,
    pub(crate) stream: Option<PartReader>,
    /// Where they come from.
    intake: Arc<Intake>,
}

pub(crate) struct ReceivedFile {
    pub(crate) name: Arc<str>,
    pub(crate) size: u64,
    pub(crate) reader: PartReader,
}

/// What a file takes besides its name and its content, with its part of the intake.
const FILE_BYTES: usize = 300;

impl ReceivedParts {
    pub(crate) fn new(intake: Arc<Intake>, stream: Option<PartReader>) -> Self {
        Self(Some(Box::new(Parts {
            files: Vec::new(),
            stream,
            intake,
        })))
    }

    pub(crate) fn add_file(&mut self, file: ReceivedFile) {
        if let Some(parts) = &mut self.0 {
            parts.files.push(file);
        }
    }

    pub(crate) fn intake(&self) -> Option<&Arc<Intake>> {
        self.0.as_ref().map(|parts| &parts.intake)
    }

    pub(crate) fn files(&self) -> &[ReceivedFile] {
        self.0.as_ref().map_or(&[], |parts| &parts.files)
    }

    /// What has arrived of them and was not read, and what their files take by themselves.
    pub(crate) fn bytes(&self) -> usize {
        let Some(parts) = &self.0 else {
            return 0;
        };
        let names: usize = parts.files.iter().map(|file| file.name.len()).sum();
        parts.intake.unread() + parts.files.len() * FILE_BYTES + names
    }

    pub(crate) fn has_stream(&self) -> bool {
        self.0.as_ref().is_some_and(|parts| parts.stream.is_some())
    }

    pub(crate) fn into_inner(self) -> Option<Parts> {
        self.0.map(|parts| *parts)
    }
}

impl fmt::Debug for ReceivedParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.0.as_ref();
        f.debug_struct("ReceivedParts")
            .field("files", &parts.map_or(0, |parts| parts.files.len()))
            .field("stream", &parts.is_some_and(|parts| parts.stream.is_some()))
            .finish_non_exhaustive()
    }
}
