//! The dynamic layer, with the vocabulary of the TypeScript library: drafts, requests and replies.
//!
//! A message that was received is a [`Message`](crate::serve::message::Message).

pub(crate) mod draft;
pub(crate) mod outgoing;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod respond;
pub(crate) mod response;
pub(crate) mod sent;
pub(crate) mod typed;

#[doc(hidden)]
pub use self::typed::{Content, Received};
pub use self::{
    draft::{Data, Draft, Fixed, Msgpack, NoPayload, ResponseDraft},
    outgoing::{Outgoing, OutgoingResponse},
    reply::{OutgoingReply, Reply},
    request::{Request, Responses},
    response::Response,
    sent::Sent,
};
pub use crate::{fast_reply::FastReply, payload::Payload};
