//! Errors, one enum for each operation.
//!
//! The text of an error never includes its cause, which
//! [`Error::source`](std::error::Error::source) returns. [`chain()`] displays an error with all its
//! causes, and so does its `Debug`, which `main` prints for an error that it returns. To know which
//! error it is, match on it, or on what its method `problem` returns.

pub(crate) mod call;
pub(crate) mod chain;
pub(crate) mod connect;
pub(crate) mod connection;
pub(crate) mod content;
mod debug;
pub(crate) mod file_name;
pub(crate) mod going_away;
pub(crate) mod limit;
pub(crate) mod mismatch;
pub(crate) mod pass;
mod peer;
#[cfg(feature = "proxy-protocol")]
pub(crate) mod proxy_protocol;
pub(crate) mod read;
pub(crate) mod refusal;
pub(crate) mod remote;
pub(crate) mod request;
pub(crate) mod round_trip;
pub(crate) mod save;
pub(crate) mod send;
pub(crate) mod service;
pub(crate) mod source;
pub(crate) mod stream;
pub(crate) mod stream_end;
#[cfg(feature = "_tls")]
pub(crate) mod tls;

#[cfg(feature = "proxy-protocol")]
pub use self::proxy_protocol::ProxyProtocolError;
pub use self::{
    call::CallError,
    chain::{Chain, chain},
    connect::{ConnectError, ConnectProblem, ServerLimit},
    connection::{ClosedBy, ConnectionError},
    content::ContentError,
    file_name::{FileNameError, NameProblem},
    going_away::{GoingAway, LeaveReason},
    limit::LimitExceeded,
    mismatch::RequestMismatch,
    pass::PassError,
    read::ReadError,
    refusal::Refusal,
    remote::RemoteError,
    request::RequestError,
    round_trip::RoundTripError,
    save::SaveError,
    send::{LimitProblem, SendError},
    service::{NoError, ServiceError},
    source::SourceError,
    stream::StreamError,
    stream_end::StreamEnd,
};
pub use crate::{
    address::error::{AddressError, AddressProblem},
    fast_reply::InvalidCode,
};

#[cfg(test)]
mod tests;
