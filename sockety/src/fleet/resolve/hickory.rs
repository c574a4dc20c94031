//! Names by the resolver hickory, which says how long its answers hold, and knows SRV records.
//!
//! It has the configuration of the system: `/etc/resolv.conf` and `/etc/hosts`, or what other systems have instead. It is read for each
//! lookup, so that changes of it are noticed. Nothing is cached here: the server that is asked has a cache.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use hickory_resolver::{
    ResolverBuilder, TokioResolver,
    config::LookupIpStrategy,
    lookup::Lookup,
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::{RData, rdata::SRV},
};

use super::{Answer, Failure, Resolve, known::Found};
use crate::fleet::{discover::Endpoint, error::DiscoverError};

type Builder = ResolverBuilder<TokioRuntimeProvider>;

/// Where the configuration of a resolver comes from.
pub(super) type Configure = Box<dyn Fn() -> Result<Builder, NetError> + Send + Sync>;

fn system() -> Configure {
    Box::new(TokioResolver::builder_tokio)
}

fn resolver(configure: &Configure) -> Result<TokioResolver, NetError> {
    let mut builder = configure()?;
    let options = builder.options_mut();
    options.cache_size = 0;
    // All addresses, as a fleet has a use for each.
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    builder.build()
}

fn ttl(lookup: &Lookup) -> Duration {
    let until = lookup.valid_until();
    until.saturating_duration_since(Instant::now())
}

/// The addresses of a host.
pub(in crate::fleet) struct Addresses {
    configure: Configure,
    host: Box<str>,
    port: u16,
}

impl Addresses {
    pub(in crate::fleet) fn of(host: &str, port: u16) -> Self {
        Self::with(system(), host, port)
    }

    pub(super) fn with(configure: Configure, host: &str, port: u16) -> Self {
        let host = host.into();
        Self {
            configure,
            host,
            port,
        }
    }
}

impl Resolve for Addresses {
    async fn resolve(&mut self) -> Result<Answer, Failure> {
        let resolver = resolver(&self.configure)?;
        let lookup = resolver.lookup_ip(&*self.host).await?;
        let name: Arc<str> = self.host.trim_end_matches('.').into();
        let servers = lookup.iter().map(|ip| Found {
            priority: 0,
            endpoint: Endpoint::at(SocketAddr::new(ip, self.port).into())
                .with_tls_name(Arc::clone(&name)),
        });
        Ok(Answer {
            servers: servers.collect(),
            skipped: None,
            ttl: ttl(lookup.as_lookup()),
        })
    }
}

/// The servers in the SRV records of a name.
pub(in crate::fleet) struct Services {
    configure: Configure,
    name: Box<str>,
}

impl Services {
    pub(in crate::fleet) fn of(name: &str) -> Self {
        Self::with(system(), name)
    }

    pub(super) fn with(configure: Configure, name: &str) -> Self {
        let name = name.into();
        Self { configure, name }
    }
}

impl Resolve for Services {
    async fn resolve(&mut self) -> Result<Answer, Failure> {
        let resolver = resolver(&self.configure)?;
        let lookup = resolver.srv_lookup(&*self.name).await?;
        let mut answer = Answer {
            ttl: ttl(&lookup),
            ..Answer::default()
        };
        for record in lookup.answers() {
            // The target `.` says that there is no such service.
            let RData::SRV(srv) = &record.data else {
                continue;
            };
            if srv.target.is_root() {
                continue;
            }
            match found(srv) {
                Ok(found) => answer.servers.push(found),
                Err(skipped) => answer.skipped = Some(skipped),
            }
        }
        Ok(answer)
    }
}

fn found(srv: &SRV) -> Result<Found, DiscoverError> {
    // Names of DNS have no case.
    let name = srv.target.to_lowercase().to_ascii();
    let name = name.trim_end_matches('.');
    let endpoint = match super::check_name(name) {
        Ok(()) => Endpoint::new((name, srv.port)).map_err(|it| DiscoverError::entry(name, it)),
        Err(problem) => Err(DiscoverError::entry(name, problem)),
    };
    // The name that its certificate must have is that of its address.
    Ok(Found {
        priority: srv.priority,
        endpoint: endpoint?.with_weight(srv.weight.into()),
    })
}
