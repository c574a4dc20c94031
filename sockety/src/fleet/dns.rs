//! Servers at the addresses of a name.

use std::{fmt, sync::Arc};

#[cfg(feature = "dns")]
use super::resolve::hickory::Addresses;
#[cfg(not(feature = "dns"))]
use super::resolve::system::Addresses;
use super::{
    discover::{Changes, Discover, Endpoint, Losses},
    error::{TargetError, TargetProblem},
    resolve,
};
use crate::address::{Address, Host};

/// Finds one server at each address of a name: `dns://bank.internal:9000` as a text.
///
/// | | with the feature `dns` | without it |
/// | --- | --- | --- |
/// | asks | the name servers of the system's configuration, and its file of hosts | the operating system (`getaddrinfo`) |
/// | again | after the TTL of the answer, at least 5 s, at most 30 s | after 10 s |
///
/// It asks whether or not a connection was lost, and when one was, at once, but at most once a second. New addresses are servers
/// of the fleet at once. One that three answers in a row did not name is removed: calls under way on it are finished.
///
/// A failed lookup and an empty answer keep the servers that are known, and are a
/// [`DiscoverError::Unavailable`](super::DiscoverError::Unavailable) each. The next attempt follows after a random pause, of up to
/// 100 ms first and up to 30 s after several failures.
///
/// With TLS, certificates must be for the name. Of more than 1,000 addresses, 1,000 are used, others in each process. A host with an IPv4
/// and an IPv6 address counts as two servers.
///
/// A name that ends with a dot, such as `bank.internal.`, is looked up as it is, without the search list of the system's configuration:
/// in Kubernetes that saves several questions each time. An IP address instead of a name is one server, and nothing is asked.
///
/// ```no_run
/// # use sockety::{fleet::Dns, service};
/// # #[service]
/// # trait Bank { async fn balance(&self, account: u64) -> u64; }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let fleet = BankClient::fleet("dns://bank.internal:9000").await?;
/// // The same:
/// let fleet = BankClient::fleet(Dns::new("bank.internal:9000")?).await?;
/// # Ok(())
/// # }
/// ```
pub struct Dns {
    host: Host,
    losses: Option<Losses>,
}

impl Dns {
    /// The servers at this name and port, such as `bank.internal:9000`. Nothing is looked up yet.
    ///
    /// # Errors
    /// [`TargetError`] if it is no host with a port, or no name of DNS.
    pub fn new(host_and_port: &str) -> Result<Self, TargetError> {
        let parsed = Self::parse(host_and_port);
        parsed.map_err(|problem| TargetError::new(host_and_port, problem))
    }

    pub(super) fn parse(text: &str) -> Result<Self, TargetProblem> {
        let host = Host::parse(text);
        let host = host.map_err(|problem| TargetProblem::Address {
            address: text.into(),
            problem,
        })?;
        if let Host::Name(name, _) = &host {
            resolve::check_name(name)?;
        }
        let losses = None;
        Ok(Self { host, losses })
    }
}

impl Discover for Dns {
    fn changes(self) -> Changes {
        let target = self.to_string();
        match self.host {
            Host::Number(address) => vec![Endpoint::at(Address::from(address))].changes(),
            Host::Name(name, port) => {
                resolve::changes(target.into(), Addresses::of(&name, port), self.losses)
            }
        }
    }

    fn name(&self) -> Option<Arc<str>> {
        Some(self.to_string().into())
    }

    fn watch_losses(&mut self, losses: Losses) {
        self.losses = Some(losses);
    }
}

/// As a text that names a fleet.
impl fmt::Display for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dns://{}", self.host)
    }
}

impl fmt::Debug for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Dns").field(&self.to_string()).finish()
    }
}
