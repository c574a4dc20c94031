//! Finds the servers of a [fleet](sockety::fleet) in etcd, and registers them there. It needs `protoc` to build, for
//! `etcd-client`: on Debian that is in the package `protobuf-compiler`.
//!
//! A client whose servers are in etcd:
//!
//! ```no_run
//! # #[sockety::service]
//! # trait Bank { async fn balance(&self, account: u64) -> u64; }
//! use sockety_etcd::Etcd;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let etcd = Etcd::connect("etcd://etcd-1:2379,etcd-2:2379/bank")?;
//! let fleet = BankClient::fleet(etcd).name("bank").await?;
//! let balance = fleet.client().balance(7).await?;
//! # Ok(())
//! # }
//! ```
//!
//! A server that is in etcd until it [drains](sockety::server::ServerHandle::drain):
//!
//! ```no_run
//! # use sockety::{Router, Server};
//! use sockety_etcd::Etcd;
//!
//! # async fn example(router: Router) -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::bind("0.0.0.0:9000").await?;
//! let etcd = Etcd::connect("etcd://etcd-1:2379,etcd-2:2379/bank")?;
//! let registration = etcd.registration("10.0.0.7:9000").weight(2).zone("b").register()?;
//! server.handle().on_drain(|| registration.revoke());
//! server.serve(router).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Both go on while etcd is away: fleets keep the servers that they know, registrations come back.
//!
//! | Feature | |
//! | --- | --- |
//! | `tls`, `tls-ring` | TLS to etcd: `etcds://`, with its cryptography by aws-lc-rs or ring |
//! | `tls-native-roots` | trusts the certificates that the system trusts; else [`ConnectOptions::with_tls`](etcd_client::ConnectOptions) names them |
//!
//! The crate needs Rust 1.88.

mod discover;
mod entry;
mod error;
mod etcd;
mod pause;
mod registration;

#[cfg(test)]
#[path = "../tests/support/mod.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "shared with the tests in `tests`"
)]
mod support;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The client of etcd, in the version that [`Etcd::new`] takes.
pub use etcd_client;

pub use self::{
    error::{EtcdError, RegisterError, TargetError},
    etcd::{Etcd, options},
    registration::{Registration, RegistrationBuilder, State},
};
