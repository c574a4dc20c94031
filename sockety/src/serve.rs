//! The serving side: services and handlers, middleware around them, authorization, and guards of
//! single actions.

pub(crate) mod answer;
pub(crate) mod authorization;
pub(crate) mod authorize;
pub(crate) mod context;
pub(crate) mod first_message;
mod guards;
pub(crate) mod handler;
pub(crate) mod incoming;
pub(crate) mod incoming_message;
pub(crate) mod message;
pub(crate) mod middleware;
pub(crate) mod router;
mod run;
pub(crate) mod service;
pub(crate) mod transfer;

pub use self::{
    authorization::Authorization,
    authorize::Authorize,
    context::Context,
    first_message::FirstMessage,
    guards::{
        access_check::AccessCheck, concurrency_limit::ConcurrencyLimit, rate_limit::RateLimit,
    },
    handler::{BoxError, IntoReply, MessageHandler},
    incoming::Incoming,
    message::Message,
    middleware::{ServeMiddleware, ServeNext},
    router::{DuplicateAction, IntoRouter, Router},
    service::Service,
    transfer::{Transfer, Transferred},
};
pub use crate::engine::{
    answered::Answered,
    transfer::{ContentBytes, TransferEnd},
};
