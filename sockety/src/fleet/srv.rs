//! Servers in SRV records.

use std::{fmt, sync::Arc};

use super::{
    discover::{Changes, Discover, Losses},
    error::{TargetError, TargetProblem},
    resolve::{self, hickory::Services},
};

/// Finds the servers in the SRV records of a name: `srv://_bank._tcp.example.com` as a text.
///
/// A record has the name of a server, its port, a priority and a weight:
///
/// - Servers of the lowest priority are used, in proportion to their weights. Where all of them have the weight 0, they count the same.
/// - Servers of the next priority are a reserve, for the time in which none of those before is ready. So is a server of weight 0
///   among others with weights. Servers of further priorities are not used.
/// - With TLS, the certificate of a server must be for its name in the record, or for that of `TlsClient::server_name`. An attacker who
///   can forge answers of DNS can put other servers into the records: set a name where that is possible.
///
/// The name of a server is looked up when it is connected to, by the operating system. It is one server of the fleet, even if it has several
/// addresses.
///
/// When it is asked, what failures and removals mean, and what the dot at the end of a name saves is as with [`Dns`](super::Dns). Of more
/// than 1,000 servers, 1,000 are used, the lowest priorities first.
///
/// ```no_run
/// # use sockety::{fleet::Srv, service};
/// # #[service]
/// # trait Bank { async fn balance(&self, account: u64) -> u64; }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let fleet = BankClient::fleet("srv://_bank._tcp.example.com").await?;
/// // The same:
/// let fleet = BankClient::fleet(Srv::new("_bank._tcp.example.com")?).await?;
/// # Ok(())
/// # }
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "dns")))]
pub struct Srv {
    name: Arc<str>,
    losses: Option<Losses>,
}

impl Srv {
    /// The servers in the SRV records of this name, such as `_bank._tcp.example.com`. Nothing is looked up yet.
    ///
    /// # Errors
    /// [`TargetError`] if it is no name of DNS. It has no port: that is in the records.
    pub fn new(name: &str) -> Result<Self, TargetError> {
        Self::parse(name).map_err(|problem| TargetError::new(name, problem))
    }

    pub(super) fn parse(name: &str) -> Result<Self, TargetProblem> {
        resolve::check_name(name)?;
        Ok(Self {
            name: name.into(),
            losses: None,
        })
    }
}

impl Discover for Srv {
    fn changes(self) -> Changes {
        let target = self.to_string();
        resolve::changes(target.into(), Services::of(&self.name), self.losses)
    }

    fn name(&self) -> Option<Arc<str>> {
        Some(self.to_string().into())
    }

    fn watch_losses(&mut self, losses: Losses) {
        self.losses = Some(losses);
    }
}

/// As a text that names a fleet.
impl fmt::Display for Srv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "srv://{}", self.name)
    }
}

impl fmt::Debug for Srv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Srv").field(&self.to_string()).finish()
    }
}
