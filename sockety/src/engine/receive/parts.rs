//! The files and the stream of a received message, as the engine knows them: names, sizes and
//! readers. Of a response also what was said before it.

use std::{fmt, sync::Arc};

use super::intake::{Intake, PartReader};
use crate::engine::early_end::Described;

/// As wide as a pointer, because most messages carry nothing and are moved often.
#[derive(Default)]
pub(crate) struct ReceivedParts(Option<Box<Parts>>);

pub(crate) struct Parts {
    pub(crate) files: Vec<ReceivedFile>,
    pub(crate) stream: Option<PartReader>,
    /// Where they come from; `None` if there are none.
    intake: Option<Arc<Intake>>,
    described: Option<Arc<Described>>,
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
            intake: Some(intake),
            described: None,
        })))
    }

    /// Of a response that carries nothing else.
    #[cold]
    pub(crate) fn of_described(described: Arc<Described>) -> Self {
        let mut parts = Self::default();
        parts.describe(Some(described));
        parts
    }

    /// Adds what was said before a response.
    pub(crate) fn describe(&mut self, described: Option<Arc<Described>>) {
        let Some(described) = described else {
            return;
        };
        let nothing = || {
            Box::new(Parts {
                files: Vec::new(),
                stream: None,
                intake: None,
                described: None,
            })
        };
        self.0.get_or_insert_with(nothing).described = Some(described);
    }

    pub(crate) fn described(&self) -> Option<&Arc<Described>> {
        self.0.as_ref()?.described.as_ref()
    }

    pub(crate) fn add_file(&mut self, file: ReceivedFile) {
        if let Some(parts) = &mut self.0 {
            parts.files.push(file);
        }
    }

    pub(crate) fn intake(&self) -> Option<&Arc<Intake>> {
        self.0.as_ref()?.intake.as_ref()
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
        let unread = parts.intake.as_ref().map_or(0, |intake| intake.unread());
        unread + parts.files.len() * FILE_BYTES + names
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
