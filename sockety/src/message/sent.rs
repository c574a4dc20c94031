use sockety_codec::Uuid;

use crate::{
    content::{carrying::Sending, stream_writer::StreamWriter},
    error::request::RequestError,
};

/// A message or response on its way out, to which no answer is expected.
///
/// Dropping it changes nothing, except that a stream whose writer was not taken is abandoned, and its
/// message with it.
#[derive(Debug)]
pub struct Sent {
    id: Uuid,
    sending: Sending,
}

impl Sent {
    pub(crate) fn new(id: Uuid, mut sending: Sending) -> Self {
        sending.pump.detach();
        Self { id, sending }
    }

    /// Its id.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The writer of its stream, once.
    pub fn take_writer(&mut self) -> Option<StreamWriter> {
        self.sending.stream.take()
    }

    /// Waits until all of it was handed to the socket. Whether it arrives is not known.
    ///
    /// # Errors
    /// [`RequestError::Disconnected`], or [`RequestError::Source`] when a file or a stream could not be
    /// sent to its end.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub async fn sent(&mut self) -> Result<(), RequestError> {
        self.sending.queued.sent().await
    }
}
