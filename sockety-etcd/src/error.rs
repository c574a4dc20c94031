//! What goes wrong with etcd.

use std::{sync::Arc, time::Duration};

use sockety::error::AddressError;

/// Why something failed in etcd. Discovery and registrations try again by themselves.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum EtcdError {
    /// etcd refused, or could not be reached.
    #[error("{0}")]
    Client(Arc<etcd_client::Error>),
    /// etcd did not answer in time: it hangs, or the network does.
    #[error("no answer to {request} within {limit:?}")]
    NoAnswer {
        /// What was asked for.
        request: &'static str,
        /// How long the answer was waited for.
        limit: Duration,
    },
    /// etcd ended the watch without a reason.
    #[error("the watch ended")]
    WatchEnded,
    /// etcd canceled the watch, for example because the user may not read these keys.
    #[error("the watch was canceled: {reason:?}")]
    WatchCanceled {
        /// What etcd said.
        reason: String,
    },
    /// etcd canceled the watch because it no longer has the changes that were asked for.
    #[error("the watch was canceled: changes before revision {revision} are compacted")]
    Compacted {
        /// The oldest revision that etcd has.
        revision: i64,
    },
    /// etcd is at an older revision than before: its data was lost or replaced by a backup, or this
    /// member of the cluster lags.
    #[error("etcd is at revision {revision}, but was at {known}")]
    Behind {
        /// Where it is.
        revision: i64,
        /// Where it was.
        known: i64,
    },
    /// The lease of a registration has expired or was revoked. Another one is made.
    #[error("lease {lease:x} is gone")]
    LeaseGone {
        /// The lease.
        lease: i64,
    },
    /// etcd ended the stream that keeps the lease alive.
    #[error("the stream that keeps the lease alive ended")]
    KeepAliveEnded,
    /// The registration was revoked.
    #[error("the registration is revoked")]
    Revoked,
    /// The Tokio runtime that kept the registration has ended.
    #[error("the runtime of the registration has ended")]
    NoRuntime,
}

/// Numbers of gRPC's status codes, as `etcd-client` does not export their type.
const NOT_FOUND: i32 = 5;
const OUT_OF_RANGE: i32 = 11;
const UNAUTHENTICATED: i32 = 16;

impl EtcdError {
    fn is_status(&self, wanted: i32) -> bool {
        self.status().is_some_and(|(code, _)| code == wanted)
    }

    fn status(&self) -> Option<(i32, &str)> {
        match self {
            Self::Client(error) => match &**error {
                etcd_client::Error::GRpcStatus(status) => {
                    Some((status.code() as i32, status.message()))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// A request named a lease that does not exist.
    pub(crate) fn is_not_found(&self) -> bool {
        self.is_status(NOT_FOUND)
    }

    /// The token of the user is no longer valid.
    pub(crate) fn is_unauthenticated(&self) -> bool {
        self.is_status(UNAUTHENTICATED)
    }

    /// The answer was longer than what is decoded. A compacted revision has the same code.
    pub(crate) fn is_too_large(&self) -> bool {
        self.status()
            .is_some_and(|(code, text)| code == OUT_OF_RANGE && !text.contains("compacted"))
    }
}

impl From<etcd_client::Error> for EtcdError {
    fn from(error: etcd_client::Error) -> Self {
        Self::Client(error.into())
    }
}

/// A text that names no place in etcd.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// It has another scheme.
    #[error("{text:?} does not begin with etcd:// or etcds://")]
    Scheme {
        /// The text.
        text: Box<str>,
    },
    /// It contains a user. The text is not repeated, because it may contain a password.
    #[error("a user in the text is not supported: pass it by ConnectOptions::with_user")]
    User,
    /// One of the hosts is none.
    #[error("{text:?} has an invalid host {host:?}: it is not HOST:PORT")]
    Host {
        /// The text.
        text: Box<str>,
        /// The host.
        host: Box<str>,
    },
    /// It names no prefix of keys.
    #[error("{text:?} names no prefix: add one, like etcd://localhost:2379/bank")]
    NoPrefix {
        /// The text.
        text: Box<str>,
    },
    /// `etcds://` needs a feature of the crate.
    #[error("{text:?} needs the cargo feature `tls` or `tls-ring`")]
    NeedsTls {
        /// The text.
        text: Box<str>,
    },
}

/// A registration that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The address is none.
    #[error("the server's address is invalid")]
    Address(#[from] AddressError),
    /// Nobody else could connect to the address.
    #[error("{address:?} is no address to connect to: register one that clients reach")]
    Unreachable {
        /// The address.
        address: Box<str>,
    },
    /// The time to live is too short or too long.
    #[error("TTL {ttl:?} is not between 1 s and 1 day")]
    Ttl {
        /// The time to live.
        ttl: Duration,
    },
    /// The id is empty.
    #[error("the id is empty")]
    EmptyId,
    /// It was called outside of a Tokio runtime, which is needed to keep the lease alive.
    #[error("there is no Tokio runtime here")]
    NoRuntime,
}
