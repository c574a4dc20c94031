//! Names by the operating system, which does not say how long its answers hold.

use std::{sync::Arc, time::Duration};

use tokio::net::lookup_host;

use super::{Answer, Failure, Resolve, known::Found};
use crate::fleet::discover::Endpoint;

/// How long an answer is taken to hold.
const TTL: Duration = Duration::from_secs(10);

/// The addresses of a host.
pub(in crate::fleet) struct Addresses {
    host: Box<str>,
    port: u16,
}

impl Addresses {
    pub(in crate::fleet) fn of(host: &str, port: u16) -> Self {
        let host = host.into();
        Self { host, port }
    }
}

impl Resolve for Addresses {
    async fn resolve(&mut self) -> Result<Answer, Failure> {
        let addresses = lookup_host((&*self.host, self.port)).await?;
        let name: Arc<str> = self.host.trim_end_matches('.').into();
        let servers = addresses.map(|address| Found {
            priority: 0,
            endpoint: Endpoint::at(address.into()).with_tls_name(Arc::clone(&name)),
        });
        Ok(Answer {
            servers: servers.collect(),
            skipped: None,
            ttl: TTL,
        })
    }
}
