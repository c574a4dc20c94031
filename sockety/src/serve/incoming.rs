use std::{fmt, net::SocketAddr, sync::OnceLock};

use bytes::Bytes;
use sockety_codec::Uuid;

use super::answer::{Responder, log_unsent};
use crate::{
    connection::Connection,
    content::{file::File, received::Carried},
    engine::{owed::Owed, record::Record, serve::Route},
    extensions::Extensions,
    fast_reply::FastReply,
    message::{outgoing::OutgoingResponse, respond::send_response},
};

/// A message on its way to its handler. Dropping it while the peer waits answers with code 5, Internal Error.
pub struct Incoming {
    pub(crate) route: Route,
    payload: Bytes,
    carried: Carried,
    owed: Owed,
    /// Made when somebody asks for it: most middleware does not.
    connection: OnceLock<Connection>,
}

impl Incoming {
    pub(crate) fn new(route: Route, payload: Bytes, carried: Carried, owed: Owed) -> Self {
        Self {
            route,
            payload,
            carried,
            owed,
            connection: OnceLock::new(),
        }
    }

    pub(crate) fn into_parts(self) -> (Route, Bytes, Carried, Owed, OnceLock<Connection>) {
        (
            self.route,
            self.payload,
            self.carried,
            self.owed,
            self.connection,
        )
    }

    /// Its id.
    pub fn id(&self) -> Uuid {
        self.owed.id
    }

    /// The name of its action.
    pub fn action(&self) -> &str {
        &self.route.action
    }

    /// Whether its sender waits for a reply.
    pub fn expects_response(&self) -> bool {
        self.owed.expects_response
    }

    /// The connection that brought it.
    pub fn connection(&self) -> &Connection {
        self.connection
            .get_or_init(|| self.owed.lease.clone().into())
    }

    /// The address of the peer, if the connection has one.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.connection().peer_addr()
    }

    /// Values attached to the connection.
    pub fn extensions(&self) -> &Extensions {
        self.connection().extensions()
    }

    /// Values attached to this message: its handler finds them in
    /// [`Context::request_extensions`](crate::serve::context::Context::request_extensions) or
    /// [`Message::request_extensions`](crate::serve::message::Message::request_extensions).
    pub fn request_extensions(&self) -> &Extensions {
        self.owed.record.extensions()
    }

    /// Its payload; empty when there is none.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// Its files, in order, with their names and sizes. Their content may still be arriving.
    pub fn files(&self) -> &[File] {
        self.carried.files()
    }

    /// Whether it has a stream.
    pub fn has_stream(&self) -> bool {
        self.carried.has_stream()
    }

    /// Answers it with this code, if its sender waits for a reply. It goes no further.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the message is answered with code 5, Internal Error.
    pub async fn refuse(self, code: FastReply) {
        if self.owed.is_awaited() {
            log_unsent(&self.owed, self.owed.fast_reply(code).await);
        }
    }

    pub(crate) async fn respond(self, response: &OutgoingResponse) {
        if self.owed.is_awaited() {
            let sent = send_response(&self.owed, response.content(), false).await;
            let sent = sent.map(|(_, mut sending)| sending.pump.detach());
            Responder(self.owed).after_response(sent).await;
        }
    }

    /// Keeps a record of what becomes of it.
    pub(crate) fn begin_record(&self) -> Record {
        self.owed.record.begin()
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("action", &self.action())
            .field("id", &self.id())
            .field("payload", &self.payload.len())
            .field("carried", &self.carried)
            .finish_non_exhaustive()
    }
}
