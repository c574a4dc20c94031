//! TLS for connections, by [rustls]; needs the feature `tls`.
//!
//! ```
//! use sockety::{FastReply, Server, serve::MessageHandler, tls::{Identity, Roots, TlsClient, TlsServer}};
//!
//! # fn certificate() -> (String, String) {
//! #     let made = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
//! #     (made.cert.pem(), made.signing_key.serialize_pem())
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (certificate, key) = certificate();
//! let identity = Identity::from_pem(&certificate, &key)?; // or from_pem_files("server.pem", "server.key")
//! let server = Server::bind("localhost:0").await?.tls(TlsServer::new(identity));
//! let port = server.local_addr()?.port();
//! let handler = MessageHandler::new().action("ping", |_| async { FastReply::ACCEPT });
//! tokio::spawn(server.serve(handler));
//!
//! let tls = TlsClient::new(&Roots::from_pem(&certificate)?); // or system_roots()?
//! let connection = sockety::connect(("localhost", port)).tls(tls).await?;
//! # Ok(())
//! # }
//! ```
//!
//! - TLS 1.3 and 1.2. The features `tls` (aws-lc-rs) and `tls-ring` choose the cryptography; a process-wide default is
//!   neither used nor set.
//! - A server's certificate must match the host that the client connects to. With mutual TLS ([`TlsServer::require_clients`],
//!   [`TlsClient::identity`]), each side knows the other by
//!   [`Connection::peer_identity`](crate::connection::Connection::peer_identity).
//! - Both sides offer `sockety/1` by ALPN. A peer that offers only other protocols is refused. A peer without ALPN is
//!   accepted, unless ALPN is required.
//! - Sessions are resumed. Early data (0-RTT) is never sent or accepted: it could be executed twice.
//! - If a link ends inside a message, the message is never taken for complete, whether TLS was closed in order or not.
//! - Certificates can be renewed while a server runs: [`ServerHandle::set_tls`](crate::server::handle::ServerHandle::set_tls).
//!
//! Without TLS, anyone on the way can read and change what is sent.

mod client;
mod closable;
mod form;
pub(crate) mod handshake;
mod identity;
mod peer_identity;
mod pem;
mod provider;
mod roots;
mod server;

pub use self::{
    client::TlsClient, identity::Identity, peer_identity::PeerIdentity, roots::Roots,
    server::TlsServer,
};
pub use crate::error::tls::{TlsError, TlsProblem};
/// The version of rustls that configurations of one's own are made with.
pub use tokio_rustls::rustls;

/// What both sides name in ALPN.
const PROTOCOL: &[u8] = b"sockety/1";
