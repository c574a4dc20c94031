//! A message of a connection that is not authorized yet.

use std::{fmt, net::SocketAddr};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use sockety_codec::Uuid;

use super::{
    authorization::{Authorization, Verdict},
    incoming_message::IncomingMessage,
};
use crate::{
    connection::Connection,
    engine::attempt::Attempt,
    extensions::Extensions,
    fast_reply::FastReply,
    message::outgoing::OutgoingResponse,
    msgpack::{self, DecodeError},
    payload::or_nil,
};

/// A message of a connection that is not authorized yet, see
/// [`Authorize`](crate::serve::authorize::Authorize): its first, or one after others that were
/// refused.
///
/// It has a payload of at most 64 KiB, no files and no stream. Dropping it refuses it with code 5,
/// Internal Error.
pub struct FirstMessage {
    // The first to be dropped: with the answer, the peer may send its next message.
    attempt: Attempt,
    message: IncomingMessage,
    connection: Connection,
}

impl FirstMessage {
    pub(crate) fn new(message: IncomingMessage, attempt: Attempt) -> Self {
        let connection = message.connection();
        Self {
            attempt,
            message,
            connection,
        }
    }

    /// Its id.
    pub fn id(&self) -> Uuid {
        self.message.reply.id
    }

    /// The name of its action, which need not be one that is served.
    pub fn action(&self) -> &str {
        self.message.action()
    }

    /// Whether its sender waits for a reply.
    pub fn expects_response(&self) -> bool {
        self.message.reply.expects_response
    }

    /// Its payload; empty when there is none.
    pub fn payload(&self) -> &Bytes {
        &self.message.payload
    }

    /// Its payload as a MessagePack value; none at all reads as nil.
    ///
    /// # Errors
    /// [`DecodeError`] when it is no MessagePack, or not of this type.
    pub fn msgpack<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        let bounds = &self.message.reply.lease().shared().options.bounds;
        msgpack::from_slice_with(or_nil(self.payload()), bounds)
    }

    /// The connection that brought it.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The address of the peer, if the connection has one.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.connection().peer_addr()
    }

    /// Values attached to the connection: the place for who the peer is, to be found there by
    /// [`Context::extensions`](crate::serve::context::Context::extensions).
    pub fn extensions(&self) -> &Extensions {
        self.connection().extensions()
    }

    /// Authorizes the connection, and answers with code 0, Accept. The message goes no further.
    pub fn accept(self) -> Authorization {
        self.with(Verdict::Accept(FastReply::ACCEPT.into()))
    }

    /// Authorizes the connection, and answers with a response. The message goes no further.
    pub fn accept_with(self, response: impl Into<OutgoingResponse>) -> Authorization {
        self.with(Verdict::Accept(response.into().into()))
    }

    /// Authorizes the connection, and lets the message go on to the handler of its action.
    pub fn pass_on(self) -> Authorization {
        self.with(Verdict::PassOn)
    }

    /// Refuses it with code 3, Unauthorized. The peer may try again, until eight messages have
    /// failed.
    pub fn refuse(self) -> Authorization {
        self.refuse_with(FastReply::UNAUTHORIZED)
    }

    /// Refuses it with this code, as [`FirstMessage::refuse`].
    pub fn refuse_with(self, code: FastReply) -> Authorization {
        self.with(Verdict::Refuse(code))
    }

    /// Refuses it with this code, and closes the connection.
    pub fn close_with(self, code: FastReply) -> Authorization {
        self.with(Verdict::Close(code))
    }

    fn with(self, verdict: Verdict) -> Authorization {
        Authorization {
            message: self.message,
            attempt: self.attempt,
            verdict,
        }
    }
}

impl fmt::Debug for FirstMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirstMessage")
            .field("action", &self.action())
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
