//! The dynamic layer: drafts, requests, replies.

pub(crate) mod draft;
pub(crate) mod outgoing;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod respond;
pub(crate) mod response;
pub(crate) mod sent;
pub(crate) mod typed;
