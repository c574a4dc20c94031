//! The dynamic layer: drafts, requests, replies.

pub(crate) mod action;
pub(crate) mod answered;
pub(crate) mod draft;
pub(crate) mod outgoing;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod sent;
pub(crate) mod typed;
