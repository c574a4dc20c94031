//! `Debug` of errors, which displays them with their causes: that is what a `main` prints that
//! returns an error, and `unwrap`.

use std::fmt;

use super::{
    call::CallError,
    chain::chain,
    connect::{ConnectError, ConnectProblem},
    connection::ConnectionError,
    content::ContentError,
    file_name::FileNameError,
    going_away::GoingAway,
    limit::LimitExceeded,
    mismatch::RequestMismatch,
    pass::PassError,
    read::ReadError,
    remote::RemoteError,
    request::RequestError,
    round_trip::RoundTripError,
    save::SaveError,
    send::SendError,
    service::ServiceError,
    source::SourceError,
    stream::StreamError,
    stream_end::StreamEnd,
};
use crate::{address::error::AddressError, fast_reply::InvalidCode};

macro_rules! debug {
    ($($(#[$attribute:meta])? $error:ty,)*) => {$(
        $(#[$attribute])?
        impl fmt::Debug for $error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&chain(self), f)
            }
        }
    )*};
}

debug! {
    AddressError,
    ConnectError,
    ConnectProblem,
    ConnectionError,
    ContentError,
    FileNameError,
    GoingAway,
    InvalidCode,
    LimitExceeded,
    PassError,
    ReadError,
    RemoteError,
    RequestError,
    RequestMismatch,
    RoundTripError,
    SaveError,
    SendError,
    SourceError,
    StreamEnd,
    #[cfg(feature = "_tls")]
    super::tls::TlsError,
}

impl<E: ServiceError> fmt::Debug for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&chain(self), f)
    }
}

impl<E: ServiceError> fmt::Debug for StreamError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&chain(self), f)
    }
}
