//! The serving side: services, handlers, middleware, authorization.

pub(crate) mod answer;
pub(crate) mod authorization;
pub(crate) mod authorize;
pub(crate) mod context;
pub(crate) mod delivery;
pub(crate) mod first_message;
pub(crate) mod handler;
pub(crate) mod incoming;
pub(crate) mod message;
pub(crate) mod middleware;
pub(crate) mod router;
pub(crate) mod service;
