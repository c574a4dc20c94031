//! What a received message carries beside its payload.

use std::sync::Arc;

use crate::{ByteStream, File, connection::intake::Intake};

#[derive(Default)]
pub(crate) struct Carried {
    pub(crate) files: Vec<File>,
    pub(crate) stream: Option<ByteStream>,
    /// Where they come from; none when there are none.
    pub(crate) intake: Option<Arc<Intake>>,
}

impl std::fmt::Debug for Carried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Carried")
            .field("files", &self.files)
            .field("stream", &self.stream.is_some())
            .finish_non_exhaustive()
    }
}
