//! Errors, one enum for each operation.

pub(crate) mod call;
pub(crate) mod connect;
pub(crate) mod connection;
pub(crate) mod content;
pub(crate) mod limit;
pub(crate) mod mismatch;
pub(crate) mod read;
pub(crate) mod remote;
pub(crate) mod request;
pub(crate) mod send;
pub(crate) mod service;
pub(crate) mod source;
#[cfg(feature = "_tls")]
pub(crate) mod tls;
