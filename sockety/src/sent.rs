use sockety_codec::Uuid;

use crate::{
    Connection, RequestError,
    connection::sending::{self, Span},
};

/// A response on its way out. Dropping it changes nothing: the response goes out all the same.
#[derive(Debug)]
pub struct Sent {
    connection: Connection,
    id: Uuid,
    span: Span,
}

impl Sent {
    pub(crate) fn new(connection: Connection, id: Uuid, span: Span) -> Self {
        Self {
            connection,
            id,
            span,
        }
    }

    /// The id of the response.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Waits until it was handed to the socket. That says nothing about its arrival.
    ///
    /// # Errors
    /// [`RequestError::Disconnected`].
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub async fn sent(&mut self) -> Result<(), RequestError> {
        sending::written(&self.connection.shared, self.span).await
    }
}
