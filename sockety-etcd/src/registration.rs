//! Registering a server in etcd.

mod keeper;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use sockety::{Address, error::AddressError, fleet::Endpoint};
use tokio::{runtime::Handle, sync::watch};

use self::keeper::Keeper;
use crate::{
    entry,
    error::{EtcdError, RegisterError},
    etcd::Etcd,
};

const DEFAULT_TTL: Duration = Duration::from_secs(15);
const MIN_TTL: Duration = Duration::from_secs(1);
const MAX_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// A registration that is not made yet; from [`Etcd::registration`].
#[derive(Debug, Clone)]
#[must_use = "`register` makes the registration"]
pub struct RegistrationBuilder {
    etcd: Etcd,
    endpoint: Result<Endpoint, AddressError>,
    id: Option<String>,
    ttl: Duration,
}

impl RegistrationBuilder {
    pub(crate) fn new(etcd: Etcd, address: Result<Address, AddressError>) -> Self {
        Self {
            etcd,
            endpoint: address.and_then(Endpoint::new),
            id: None,
            ttl: DEFAULT_TTL,
        }
    }

    /// Sets what follows the prefix and the slash in the key, by default the address. A server that restarts replaces the
    /// entry with its key, even if that of the former process has not expired.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets after how long without a sign of life etcd removes the entry: 15 s by default, between 1 s and a day, in whole
    /// seconds, rounded up. etcd may choose more: with its default settings 2 s is the least.
    ///
    /// The lease is renewed three times in that time. After a restart of etcd the time begins again, so
    /// that the entry of a dead server stays for up to this time after it.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Sets how many calls the server gets in proportion to others, 1 by default.
    pub fn weight(self, weight: u32) -> Self {
        self.with(|it| it.with_weight(weight))
    }

    /// Sets the zone that the server is in.
    pub fn zone(self, zone: impl Into<Arc<str>>) -> Self {
        self.with(|it| it.with_zone(zone))
    }

    /// Sets the name that the server's certificate has, instead of the host of its address.
    pub fn tls_name(self, name: impl Into<Arc<str>>) -> Self {
        self.with(|it| it.with_tls_name(name))
    }

    /// Adds an entry of metadata for others to read. `weight`, `zone` and `tlsName` are set by the methods of these names.
    pub fn metadata(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.with(|it| it.with_metadata(name, value))
    }

    fn with(mut self, set: impl FnOnce(Endpoint) -> Endpoint) -> Self {
        self.endpoint = self.endpoint.map(set);
        self
    }

    /// Registers the server, and keeps it registered, in a task on the current Tokio runtime.
    ///
    /// This does not wait for etcd, which may be away: [`Registration::registered`] does,
    /// and [`Registration::state`] says how it goes.
    ///
    /// # Errors
    /// [`RegisterError`] if something that was set is invalid, or there is no runtime.
    pub fn register(self) -> Result<Registration, RegisterError> {
        let endpoint = self.endpoint?;
        let address = endpoint.address().to_string();
        if is_unreachable(&address) {
            let address = address.into();
            return Err(RegisterError::Unreachable { address });
        }
        if !(MIN_TTL..=MAX_TTL).contains(&self.ttl) {
            return Err(RegisterError::Ttl { ttl: self.ttl });
        }
        let id = self.id.unwrap_or(address);
        if id.is_empty() {
            return Err(RegisterError::EmptyId);
        }
        let runtime = Handle::try_current().map_err(|_| RegisterError::NoRuntime)?;

        let key = format!("{}/{id}", self.etcd.prefix());
        let (state, states) = watch::channel(State::Registering);
        let (stop, stopped) = watch::channel(false);
        let keeper = Keeper::new(self.etcd, &key, entry::write(&endpoint), self.ttl, state);
        runtime.spawn(keeper.run(stopped));
        Ok(Registration {
            key: key.into(),
            states,
            stop,
        })
    }
}

/// Whether only this machine, or nobody, can connect to the address that a server binds.
fn is_unreachable(address: &str) -> bool {
    let address = address.strip_prefix("tls://").unwrap_or(address);
    let is_unspecified = |host: &str| {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host.parse::<std::net::IpAddr>()
            .is_ok_and(|it| it.is_unspecified())
    };
    let host_and_port = address.rsplit_once(':');
    host_and_port.is_some_and(|(host, port)| is_unspecified(host) || port == "0")
}

/// A server that is registered in etcd, or tries to be.
///
/// Clones are handles of the same registration. When the last one is dropped, the entry is removed in the
/// background, as far as the Tokio runtime goes on for that long; otherwise etcd removes it when its lease expires. To be sure,
/// [`revoke`](Self::revoke) it.
///
/// What goes wrong is retried, after pauses of random length, up to a third of the TTL and to 5 s, until the registration is revoked or
/// dropped. A lease that has expired is replaced, and the entry written again. An entry that somebody else
/// removes or replaces is not written again as long as its lease lives: a server that was started in the place of this one wins.
#[derive(Clone)]
pub struct Registration {
    key: Arc<str>,
    states: watch::Receiver<State>,
    /// The task takes the entry out when this holds true, or is dropped.
    stop: watch::Sender<bool>,
}

/// How a [`Registration`] is doing.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum State {
    /// The first attempt is under way.
    Registering,
    /// The entry is in etcd, and its lease is kept alive.
    Registered {
        /// Since when.
        since: Instant,
        /// The time to live that etcd has chosen.
        ttl: Duration,
    },
    /// etcd does not answer, or refuses. The entry is there as long as its lease lives, if it was.
    Retrying {
        /// Since when.
        since: Instant,
        /// Why the last attempt failed.
        error: EtcdError,
    },
    /// It was revoked: the entry is gone.
    Revoked,
    /// It was revoked, but etcd did not confirm that: the entry is gone at the latest when its lease expires.
    Expiring {
        /// Why.
        error: EtcdError,
    },
}

impl Registration {
    /// The key of the entry.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// How it is doing now.
    pub fn state(&self) -> State {
        self.states.borrow().clone()
    }

    /// Waits until the server is registered. Returns at once if it is.
    ///
    /// # Errors
    /// Why it is not going to be: the registration was revoked, or its runtime has ended.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn registered(&self) -> Result<(), EtcdError> {
        let mut states = self.states.clone();
        let is_decided =
            |state: &State| !matches!(state, State::Registering | State::Retrying { .. });
        let state = states.wait_for(is_decided).await.map(|it| it.clone());
        match state {
            Ok(State::Registered { .. }) => Ok(()),
            Ok(State::Expiring { error }) => Err(error),
            Ok(_) => Err(EtcdError::Revoked),
            Err(_) => Err(EtcdError::NoRuntime),
        }
    }

    /// Removes the entry and ends the registration, for all its handles: the first thing in a drain. Takes 4 s at most, if
    /// etcd is away.
    ///
    /// # Errors
    /// Why etcd did not confirm it. The entry is there until its lease expires.
    ///
    /// # Cancel safety
    /// Dropping the future does not stop the removal, once it was polled.
    ///
    /// ```no_run
    /// # use sockety_etcd::Etcd;
    /// # fn example(server: sockety::Server, etcd: Etcd) -> Result<(), sockety_etcd::RegisterError> {
    /// let registration = etcd.registration("10.0.0.7:9000").register()?;
    /// server.handle().on_drain(|| registration.revoke());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn revoke(self) -> Result<(), EtcdError> {
        let mut states = self.states.clone();
        self.stop.send_replace(true);
        let is_ended = |state: &State| matches!(state, State::Revoked | State::Expiring { .. });
        match states.wait_for(is_ended).await.as_deref() {
            Ok(State::Expiring { error }) => Err(error.clone()),
            Ok(_) => Ok(()),
            Err(_) => Err(EtcdError::NoRuntime),
        }
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("key", &self.key)
            .field("state", &*self.states.borrow())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn etcd() -> Etcd {
        Etcd::connect("etcd://localhost:2379/bank").unwrap()
    }

    #[tokio::test]
    async fn what_cannot_be_registered_is_refused() {
        let error = |builder: RegistrationBuilder| builder.register().unwrap_err();
        for address in [
            "0.0.0.0:9000",
            "[::]:9000",
            "tls://0.0.0.0:1",
            "localhost:0",
        ] {
            let error = error(etcd().registration(address));
            assert!(
                matches!(error, RegisterError::Unreachable { .. }),
                "{address}"
            );
        }
        let address = error(etcd().registration("localhost").weight(2));
        assert!(matches!(address, RegisterError::Address(_)));
        let builder = etcd().registration("a:1");
        assert_eq!(error(builder.clone().id("")), RegisterError::EmptyId);
        for ttl in [Duration::ZERO, Duration::MAX] {
            let error = error(builder.clone().ttl(ttl));
            assert_eq!(error, RegisterError::Ttl { ttl });
        }
    }

    #[test]
    fn there_is_no_registration_without_a_runtime() {
        let result = etcd().registration("a:1").register();
        assert_eq!(result.unwrap_err(), RegisterError::NoRuntime);
    }

    #[test]
    fn a_registration_whose_runtime_has_ended_says_so() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let registration = runtime.block_on(async { etcd().registration("a:1").register() });
        let registration = registration.unwrap();
        drop(runtime);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let result = runtime.block_on(registration.registered());
        assert!(matches!(result, Err(EtcdError::NoRuntime)));
        let result = runtime.block_on(registration.revoke());
        assert!(matches!(result, Err(EtcdError::NoRuntime)));
    }
}
