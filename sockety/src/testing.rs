//! Tools for tests of code that uses Sockety; needs the feature `test`.
//!
//! Everything runs in memory, on one thread if the test wants that, and uses the clock of tokio: in
//! a test with `#[tokio::test(start_paused = true)]`, delays and timeouts pass at once and in order.
//!
//! - [`Pair`] makes a client and a server that know each other by an address and a certificate of
//!   your choice, over a link with [`Faults`].
//! - [`link()`] makes such a link for [`Connection::over`](crate::Connection::over), and [`Link`]
//!   pauses and cuts it.
//! - [`spill_in_place`] writes temporary files without other threads, for simulations whose seeds decide everything.
//! - [`Recorder`] is middleware that records what was called, waits for calls, and refuses some.
//!
//! Without faults, use [`pair`](crate::pair()) or the `local` of generated clients, which need no feature. A
//! mock of a service is an implementation of its trait.
//!
//! ```
//! use sockety::{Outcome, service, testing::{Faults, Pair, Recorder}, serve::IntoRouter};
//!
//! #[service]
//! trait Media {
//!     async fn rename(&self, id: u64, title: String);
//! }
//!
//! struct Mock;
//!
//! impl Media for Mock {
//!     async fn rename(&self, _id: u64, _title: String) {}
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let recorder = Recorder::new();
//! let router = MediaServer::new(Mock).into_router().layer(recorder.clone());
//! // The connection breaks after the connection header, before any reply.
//! let pair = Pair::new(router).faults(Faults::new(), Faults::new().cut_after(3)).connect().await?;
//!
//! let media = MediaClient::new(pair.client);
//! let error = media.rename(7, "Seven".into()).await.unwrap_err();
//! assert_eq!(error.outcome(), Outcome::Unknown);
//! # Ok(())
//! # }
//! ```

mod direction;
mod faults;
mod link;
mod pair;
mod recorder;

pub use self::{
    direction::Direction,
    faults::Faults,
    link::{Link, LinkEnd, link},
    pair::{Pair, Paired},
    recorder::{RecordedCall, Recorder},
};
pub use crate::engine::receive::spill::spill_in_place;
