//! Errors, one enum for each operation.
//!
//! The text of an error never includes its cause, which
//! [`Error::source`](std::error::Error::source) returns. [`chain()`] displays an error with all its
//! causes, and so does its `Debug`, which `main` prints for an error that it returns. To know which
//! error it is, match on it.

pub(crate) mod call;
pub(crate) mod chain;
pub(crate) mod connect;
pub(crate) mod connection;
pub(crate) mod content;
mod debug;
pub(crate) mod file_name;
pub(crate) mod limit;
pub(crate) mod mismatch;
pub(crate) mod pass;
#[cfg(feature = "proxy-protocol")]
pub(crate) mod proxy_protocol;
pub(crate) mod read;
pub(crate) mod refusal;
pub(crate) mod remote;
pub(crate) mod request;
pub(crate) mod save;
pub(crate) mod send;
pub(crate) mod service;
pub(crate) mod source;
pub(crate) mod stream;
#[cfg(feature = "_tls")]
pub(crate) mod tls;

#[cfg(feature = "proxy-protocol")]
pub use self::proxy_protocol::ProxyProtocolError;
pub use self::{
    call::CallError,
    chain::{Chain, chain},
    connect::{ConnectError, ServerLimit},
    connection::{ClosedBy, ConnectionError},
    content::ContentError,
    file_name::{FileNameError, NameProblem},
    limit::LimitExceeded,
    mismatch::RequestMismatch,
    pass::PassError,
    read::ReadError,
    refusal::Refusal,
    remote::RemoteError,
    request::RequestError,
    save::SaveError,
    send::{LimitProblem, SendError},
    service::{NoError, ServiceError},
    source::SourceError,
    stream::StreamError,
};
pub use crate::{
    address::error::{AddressError, AddressProblem},
    fast_reply::InvalidCode,
};

#[cfg(test)]
mod tests;
