//! What goes wrong while servers are looked for.

use std::{error::Error, sync::Arc};

use crate::error::{AddressProblem, ConnectError};

/// Why there is no fleet.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FleetError {
    /// The target names no fleet.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// No server was ready in time. The source says what is known about them.
    #[error("fleet is not ready")]
    NotReady(#[source] Arc<ConnectError>),
}

/// Why servers of a fleet were not found. The fleet goes on with those that it knows.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoverError {
    /// The source cannot be read at the moment: the name does not resolve, the registry is away.
    #[error("cannot look up the servers of {target}")]
    Unavailable {
        /// What was looked up.
        target: Arc<str>,
        /// Why it failed.
        #[source]
        source: Arc<dyn Error + Send + Sync>,
    },
    /// An entry does not parse, and is left out.
    #[error("entry {entry:?} is skipped")]
    Entry {
        /// Its key.
        entry: Arc<str>,
        /// What is wrong with it.
        #[source]
        source: Arc<dyn Error + Send + Sync>,
    },
}

impl DiscoverError {
    /// The source cannot be read at the moment.
    pub fn unavailable(
        target: impl Into<Arc<str>>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Unavailable {
            target: target.into(),
            source: source.into().into(),
        }
    }

    /// An entry of the source does not parse, and is left out.
    pub fn entry(
        entry: impl Into<Arc<str>>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Entry {
            entry: entry.into(),
            source: source.into().into(),
        }
    }
}

/// A text that names no fleet, or one that cannot be used here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("fleet {text:?} {problem}")]
pub struct TargetError {
    text: Box<str>,
    problem: TargetProblem,
}

impl TargetError {
    pub(crate) fn new(text: &str, problem: TargetProblem) -> Self {
        let text = text.into();
        Self { text, problem }
    }

    /// Returns the text, as it was passed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns what is wrong with it.
    pub fn problem(&self) -> &TargetProblem {
        &self.problem
    }
}

/// What is wrong with the name of a fleet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetProblem {
    /// It names no server.
    #[error("names no server")]
    Empty,
    /// One of its addresses is none.
    #[error("has the address {address:?}, which {problem}")]
    Address {
        /// The address.
        address: Box<str>,
        /// What is wrong with it.
        problem: AddressProblem,
    },
    /// Its host, or the name of its SRV records, is no name of DNS.
    #[error(
        "has an invalid name: labels of 1 to 63 letters, digits, `-` and `_`, joined by dots, at most 253 bytes"
    )]
    Name,
    /// It has an unknown scheme.
    #[error("has a scheme other than dns:// and srv://, and those of addresses")]
    UnknownScheme,
    /// Its scheme needs a feature of the crate.
    #[error("needs the cargo feature `{0}`")]
    NeedsFeature(&'static str),
    /// Its servers are in etcd, which another crate reads.
    #[error("needs the crate `sockety-etcd`: pass `sockety_etcd::Etcd` instead of a text")]
    NeedsEtcd,
}
