//! What finds the servers of a fleet.

use std::{collections::BTreeMap, fmt, pin::Pin, sync::Arc};

use futures_core::Stream;
use tokio::sync::watch;

use super::error::DiscoverError;
use crate::address::{Address, IntoAddress, error::AddressError};

/// Finds the servers of a fleet, and reports changes: a list, DNS, etcd, or a type of yours.
///
/// The stream yields a [`Change`] whenever something has changed, first the servers that there are. An error
/// says that the source cannot be read at the moment, or that one entry of it was skipped: the fleet reports it, keeps
/// the servers that it knows and polls on, so an implementation retries by itself, after a pause. When the stream ends,
/// the servers stay as they are.
///
/// The stream is polled by the fleet's background task, within a Tokio runtime, and dropped with the fleet. A panic of it ends the
/// fleet.
///
/// ```
/// use futures_util::stream;
/// use sockety::fleet::{Change, Changes, Discover, Endpoint};
/// use tokio::sync::mpsc;
///
/// /// Whatever is sent to it.
/// struct Sent(mpsc::Receiver<Vec<Endpoint>>);
///
/// impl Discover for Sent {
///     fn changes(self) -> Changes {
///         Box::pin(stream::unfold(self.0, |mut sent| async move {
///             let all = sent.recv().await?;
///             Some((Ok(Change::Snapshot(all)), sent))
///         }))
///     }
/// }
/// ```
pub trait Discover: Send + 'static {
    /// Returns the stream of changes. Nothing is looked up before it is polled.
    fn changes(self) -> Changes;

    /// The name of the fleet in logs, metrics and errors, unless the builder sets one: `fleet` by default. Metrics of two fleets with one
    /// name are mixed up.
    fn name(&self) -> Option<Arc<str>> {
        None
    }

    /// Takes the signal by which the fleet says that it has lost a connection, before [`changes`](Self::changes) is called:
    /// a reason to look again at once, for a source that is asked from time to time. Ignored by default.
    fn watch_losses(&mut self, losses: Losses) {
        drop(losses);
    }
}

/// Says when a fleet has lost a connection; see [`Discover::watch_losses`].
#[derive(Debug, Clone)]
pub struct Losses(watch::Receiver<()>);

impl Losses {
    pub(super) fn of(lost: &watch::Sender<()>) -> Self {
        Self(lost.subscribe())
    }

    /// Waits until a connection has ended, or its server has said that it ends it, since this returned last. Several of
    /// them count as one. Pending for ever once the fleet has ended.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending().await
        }
    }

    /// Forgets the losses until now.
    pub(super) fn forget(&mut self) {
        self.0.mark_unchanged();
    }
}

/// Changes of the servers of a fleet, see [`Discover`].
pub type Changes = Pin<Box<dyn Stream<Item = Result<Change, DiscoverError>> + Send>>;

/// A change of the servers of a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// These are all servers. Connections to those that stay are kept, if their address and TLS name are the same.
    Snapshot(Vec<Endpoint>),
    /// A server was added, or replaces the one with its key.
    Insert(Endpoint),
    /// The server with this key is gone: calls on it are finished, and no new ones are sent to it.
    Remove(Arc<str>),
}

/// A server of a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    key: Arc<str>,
    address: Address,
    weight: u32,
    zone: Option<Arc<str>>,
    tls_name: Option<Arc<str>>,
    metadata: BTreeMap<String, String>,
}

impl Endpoint {
    /// A server at this address, which is also its key, with the weight 1.
    ///
    /// # Errors
    /// [`AddressError`] if it is no address.
    pub fn new(address: impl IntoAddress) -> Result<Self, AddressError> {
        address.into_address().map(Self::at)
    }

    pub(super) fn at(address: Address) -> Self {
        Self {
            key: address.to_string().into(),
            address,
            weight: 1,
            zone: None,
            tls_name: None,
            metadata: BTreeMap::new(),
        }
    }

    /// Sets what identifies it among the servers of the fleet. Two servers may have one address.
    pub fn with_key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.key = key.into();
        self
    }

    /// Sets how many calls it gets in proportion to others, 1 by default. With 0 it gets calls only while no other
    /// server is ready.
    pub fn with_weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// Sets the zone that it is in; see `FleetBuilder::zone`.
    pub fn with_zone(mut self, zone: impl Into<Arc<str>>) -> Self {
        self.zone = Some(zone.into());
        self
    }

    /// Sets the name that its certificate must have, instead of the host of its address. That of the client's TLS configuration has
    /// precedence, because discovery must not decide which servers a client trusts.
    pub fn with_tls_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.tls_name = Some(name.into());
        self
    }

    /// Sets an entry of its metadata, which the fleet shows and does not use.
    pub fn with_metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }

    /// What identifies it among the servers of the fleet.
    pub fn key(&self) -> &Arc<str> {
        &self.key
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// How many calls it gets in proportion to others.
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// Whether it gets calls only while no other server is ready.
    pub(super) fn is_reserve(&self) -> bool {
        self.weight == 0
    }

    /// The zone that it is in, if that is known.
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// The name that its certificate must have, if it is not the host of its address.
    pub fn tls_name(&self) -> Option<&str> {
        self.tls_name.as_deref()
    }

    /// What else its source says about it.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}
