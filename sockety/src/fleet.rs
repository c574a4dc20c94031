//! One client for many servers, which discovery finds, and which can be replaced while calls go on.
//!
//! [`Fleet`] keeps connections to the servers of a service. Its [`client`](Fleet::client) is the generated client. Each of its calls
//! goes to the better of two servers that are picked at random.
//!
//! ```
//! # use sockety::{Server, service};
//! #[service]
//! trait Bank {
//!     async fn balance(&self, account: u64) -> u64;
//! }
//!
//! # struct Store;
//! # impl Bank for Store { async fn balance(&self, account: u64) -> u64 { account } }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut addresses = Vec::new();
//! # for _ in 0..2 {
//! #     let server = Server::bind("127.0.0.1:0").await?;
//! #     addresses.push(server.local_addr()?.to_string());
//! #     tokio::spawn(server.serve(BankServer::new(Store)));
//! # }
//! # let addresses = addresses.join(",");
//! let fleet = BankClient::fleet(addresses).await?; // such as "bank-1:9000,bank-2:9000"
//! let bank = fleet.client();
//! assert_eq!(bank.balance(7).await?, 7);
//! for server in fleet.endpoints() {
//!     println!("{} is {}", server.endpoint, server.state);
//! }
//! # Ok(())
//! # }
//! ```

mod balance;
mod budget;
mod builder;
mod discover;
mod dns;
mod eject;
mod error;
mod handle;
mod health;
mod inner;
mod member;
mod pause;
mod ready;
mod resolve;
mod retry;
#[cfg(feature = "dns")]
mod srv;
mod stats;
mod status;
mod subset;
mod target;
mod task;
mod weight;

#[cfg(feature = "dns")]
pub use self::srv::Srv;
pub use self::{
    builder::FleetBuilder,
    discover::{Change, Changes, Discover, Endpoint, Losses},
    dns::Dns,
    eject::Eject,
    error::{DiscoverError, FleetError, TargetError, TargetProblem},
    handle::Fleet,
    health::Health,
    retry::Retry,
    stats::{FleetRetries, FleetStats},
    status::{EndpointState, EndpointStatus},
    target::IntoDiscover,
};

#[cfg(feature = "metrics")]
pub(crate) use self::handle::Watched;
