//! Typed RPC over the Sockety protocol: many calls at a time over one connection, from either side.
//!
//! Write a trait with [`#[sockety::service]`](macro@service), implement it, serve the implementation, and call it with the
//! generated client:
//!
//! ```
//! use sockety::{Context, Server, ServiceError, service};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! pub struct Clip { id: u64, title: String }
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize, ServiceError)]
//! pub enum MediaError {
//!     /// no such clip
//!     #[code(16)] NotFound,                                   // travels as a fast reply of 18 bytes
//!     /// the title is too long
//!     #[code(17)] TitleTooLong { length: u64, limit: u64 },   // travels as a response with details
//! }
//!
//! #[service]
//! pub trait Media {
//!     async fn get(&self, id: u64) -> Result<Clip, MediaError>;
//!     async fn rename(&self, cx: &Context, id: u64, title: String) -> Result<(), MediaError>;
//!     #[action(one_way)] async fn track(&self, event: String);
//! }
//!
//! struct Store;
//!
//! impl Media for Store {
//!     async fn get(&self, id: u64) -> Result<Clip, MediaError> {
//!         if id == 7 { Ok(Clip { id, title: "Seven".into() }) } else { Err(MediaError::NotFound) }
//!     }
//!     async fn rename(&self, _cx: &Context, _id: u64, title: String) -> Result<(), MediaError> {
//!         let (length, limit) = (title.len() as u64, 10);
//!         if length > limit { Err(MediaError::TitleTooLong { length, limit }) } else { Ok(()) }
//!     }
//!     async fn track(&self, _event: String) {}
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::bind("127.0.0.1:0").await?;
//! let address = server.local_addr()?;
//! tokio::spawn(server.serve(MediaServer::new(Store)));
//!
//! let media = MediaClient::connect(address).await?;
//! media.track("boot".into()).await?;
//! assert_eq!(media.get(7).await?.title, "Seven");
//! assert_eq!(media.get(8).await.unwrap_err().into_service(), Some(MediaError::NotFound));
//! # Ok(())
//! # }
//! ```
//!
//! The typed layer is built on a dynamic one, for messages without a trait. Its names are those of the TypeScript library:
//!
//! ```
//! use sockety::{FastReply, Server, message::{Draft, Reply, ResponseDraft}, serve::MessageHandler};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pong = ResponseDraft::new().with_msgpack("pong")?;
//! let handler = MessageHandler::new().action("ping", move |message| {
//!     let pong = pong.create();
//!     async move { message.respond(pong).await }
//! });
//! let server = Server::bind("127.0.0.1:0").await?;
//! let address = server.local_addr()?;
//! tokio::spawn(server.serve(handler));
//!
//! let connection = sockety::connect(address).await?;
//! let reply = connection.send(&Draft::new("ping")).await?.response().await?;
//! assert_eq!(reply.into_response().unwrap().msgpack::<String>()?, "pong");
//!
//! let reply = connection.send(&Draft::new("unknown")).await?.response().await?;
//! assert_eq!(reply.code(), Some(FastReply::NOT_IMPLEMENTED));
//! # Ok(())
//! # }
//! ```
//!
//! # What to know
//!
//! - Once a [`Connection`] is established, both sides have the same rights: both can serve services
//!   ([`Connect::serve`](crate::client::Connect::serve), [`Server::serve`]), and both can call. A typed method calls its caller back with
//!   [`Context::peer`].
//! - The error of a failed call says whether the call may have run: [`CallError::outcome`].
//! - Calls wait 30 s for their replies by default ([`Options::call_timeout`]). A handler whose caller gives up is dropped where it
//!   waits, if the connection [uses the extension](crate::config::Extension) of the protocol, as those between peers of this version do.
//! - Every peer that connects can make calls, unless [`Router::authorize`] is set.
//! - [`ServeMiddleware`](serve::ServeMiddleware) wraps everything that is served, [`CallMiddleware`](crate::client::CallMiddleware)
//!   the calls of a client. Ready-made middleware makes spans and metrics, see [`trace`] and the module `metrics`.
//! - [`ServerHandle::stats`](crate::server::ServerHandle::stats) and [`ServerHandle::traffic`](crate::server::ServerHandle::traffic)
//!   count what peers do, and what is in progress.
//! - Limits and timeouts are in [`Options`]; the defaults are safe for untrusted peers.
//! - A handler runs on the task that read its message until it first waits, then on its own task. Long computations and blocking
//!   code belong in `tokio::task::spawn_blocking`.
//! - A handler that panics fails only its own request, as long as panics unwind.
//! - An [`Address`] says how a peer is reached: TCP, TLS or a Unix socket.
//! - The protocol itself is in the crate [`sockety_codec`].
//!
//! The [guide](https://github.com/sockety/sockety-rust/blob/main/docs/src/introduction.md) explains all of this, task by task. The
//! [examples](https://github.com/sockety/sockety-rust/blob/main/examples/README.md) are complete programs.
//!
//! # Features
//!
//! | Feature | What it adds; none is on by default |
//! | --- | --- |
//! | `tls` | TLS, the module `tls`, with the cryptography of aws-lc-rs, which needs a C compiler to build |
//! | `tls-aws-lc-rs` | what `tls` enables, named after the cryptography |
//! | `tls-ring` | TLS with the cryptography of ring; no effect if `tls` is enabled too |
//! | `tls-webpki-roots` | `tls::Roots::webpki`: Mozilla's root certificates, built into the program; needs `tls` or `tls-ring`, and enables neither |
//! | `metrics` | the module `metrics`: calls by action and outcome, durations, bytes, connections, refusals, for the facade [metrics](https://docs.rs/metrics) |
//! | `proxy-protocol` | `Server::proxy_protocol`: the address of a client behind a proxy, by version 1 or 2 of the PROXY protocol |
//! | `serde` | [`Options`] are `Deserialize`: from configuration files, with sizes and durations as people write them |
//! | `fleet` | the module `fleet`: one client for many servers, found by a list, DNS or a registry, chosen by load |
//! | `dns` | for `fleet`, a separate DNS resolver, hickory: SRV records, and lookups repeated by their TTLs; without it, names are looked up every 10 s; needs Rust 1.88 |
//! | `test` | the module `testing`: broken and slow links, peers with a faked identity, recorded calls; for `[dev-dependencies]` |
//!
//! No feature changes the bytes on the wire.
//!
//! # Public dependencies
//!
//! The API names types of these crates. A new incompatible version of one of them is a new incompatible version of this
//! crate:
//!
//! | Crate | Where |
//! | --- | --- |
//! | tokio 1 | links (`AsyncRead`, `AsyncWrite`), listeners, the sender of [`Streaming::channel`], `UCred` of Unix sockets; it also has to be the runtime |
//! | bytes 1 | payloads and chunks |
//! | uuid 1 | ids of messages, re-exported as [`Uuid`] |
//! | serde 1 | everything that is a payload |
//! | futures-core 0.3, futures-sink 0.3 | [`Streaming`], [`ByteStream`] and [`StreamWriter`](content::StreamWriter) are streams and sinks |
//! | async-trait 0.1 | hooks and middleware, re-exported as [`async_trait`](macro@async_trait) |
//! | rustls 0.23 | TLS configurations, re-exported as `tls::rustls`; with a feature for TLS only |
//! | ipnet 2 | networks of proxies, re-exported as `server::IpNet`; with the feature `proxy-protocol` only |
//! | metrics 0.24 | the facade that the module `metrics` records to; with the feature `metrics` only |
// On docs.rs, what a feature adds says so.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(docsrs, doc(auto_cfg(hide(feature = "_tls"))))]

// Lets the paths of generated code resolve in this crate's own tests and examples.
extern crate self as sockety;

#[cfg(all(
    feature = "_tls",
    not(any(feature = "tls-aws-lc-rs", feature = "tls-ring"))
))]
compile_error!("the feature `_tls` is internal: enable `tls` or `tls-ring`");

// The rooms, lowest first: each imports only from those above it in this list.
mod sync;

mod action;
mod address;
pub mod config;
mod description;
pub mod error;
mod extensions;
mod fast_reply;
pub mod metadata;
mod outcome;
mod payload;
mod shown;
mod stats;
// Gated by the features that users name, because the compiler tells them of these when the module is missing.
#[cfg(any(feature = "tls", feature = "tls-aws-lc-rs", feature = "tls-ring"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "tls", feature = "tls-ring"))))]
pub mod tls;

mod engine;

pub mod connection;
pub mod content;
pub mod message;
pub mod serve;
mod transport;

pub mod client;
pub mod server;

#[cfg(feature = "fleet")]
pub mod fleet;

#[cfg(feature = "metrics")]
pub mod metrics;
mod observe;
#[cfg(feature = "test")]
pub mod testing;
pub mod trace;

#[cfg(all(test, sockety_models))]
mod models;

pub use self::{
    address::Address,
    client::connect::connect,
    config::Options,
    connection::Connection,
    content::{ByteStream, File, Streaming},
    error::{CallError, ServiceError},
    fast_reply::FastReply,
    outcome::Outcome,
    serve::{Context, Router},
    server::Server,
    transport::establish::pair,
};
pub use async_trait::async_trait;
pub use sockety_codec::Uuid;
#[doc(inline)]
pub use sockety_msgpack as msgpack;

/// Services as plain data, and how a peer is asked for them.
pub mod describe {
    pub use crate::{
        client::describe::describe,
        description::{
            ActionDescription, ActionLimits, ActionTypes, ParameterDescription, PartKind,
            ReturnDescription, ServiceDescription, ServiceTypes, VisitTypes,
            error_variant::ErrorVariant,
        },
    };
}

/// Whether a server wants new calls: how a server says so, and how a peer asks.
///
/// Every connection answers the action `$sockety.health`, see [`check`](health::check()). A server that
/// [drains](crate::server::ServerHandle::drain) is not serving.
pub mod health {
    pub use crate::{
        client::health::{HealthStatus, check, check_service},
        engine::health::Health,
    };
}

#[doc(hidden)]
pub mod __private;

/// Makes a trait a service: typed clients, servers, drafts and requests.
///
/// All methods are `async fn` with `&self`; an implementation uses plain `async fn` too. In addition to the trait `Media`,
/// which stays as written, the macro generates
/// - `MediaClient`, made by `MediaClient::new(connection)` or `MediaClient::connect(address)`, with a method for
///   each action that returns a [`Call`](crate::client::Call) or, when one-way, a [`Pass`](crate::client::Pass); `MediaClient::local(implementation)` calls an
///   implementation in this process, for tests and mocks;
/// - `MediaServer<S>`, made by `MediaServer::new(implementation)`, which is a [`Service`](crate::serve::Service);
/// - `MediaDraft`, with a function for each action that returns a [`CallDraft`](crate::client::CallDraft) or a [`PassDraft`](crate::client::PassDraft), to be sent
///   later, often, or to many;
/// - `MediaRequest`, an enum with a variant for each action, which holds the parameters that travel in the payload:
///   to match messages in a [`MessageHandler`](crate::serve::MessageHandler), and to be sent as an [`Outgoing`](crate::message::Outgoing);
/// - `MediaClient::DESCRIPTION`, the service as plain data ([`ServiceDescription`](crate::describe::ServiceDescription));
/// - implementations of the trait for `&S`, `Box<S>` and `Arc<S>`.
///
/// The trait can be in a crate that several programs share.
///
/// # On the wire
///
/// | Rust | wire |
/// | --- | --- |
/// | method name | the action, exactly |
/// | one parameter | the payload: its MessagePack value |
/// | several | the payload: one map, keyed by their names |
/// | none | no payload |
/// | [`File`], then `Vec<File>` at the end | the files, in the order of the parameters |
/// | one [`Streaming`] or [`ByteStream`] | the stream |
/// | `cx: &Context` | nothing |
/// | `-> ()`, `Ok(())` | fast reply 0 |
/// | `-> T`, `Ok(T)` | a response with its MessagePack value |
/// | `-> (T, File)`, tuples of a payload, files and a stream | a response that carries them |
/// | `Err(E)`, variant without data | a fast reply with its code |
/// | `Err(E)`, variant with data | a response with an error value, which TypeScript peers see as an `Error` |
///
/// The macro sees names, not types: write the special types above by their names, not as an alias. `Vec<u8>`,
/// `Option<Option<T>>` and `Option<()>` are refused, because they would arrive as something else or be slow.
///
/// # Arguments of the service
///
/// `#[service(prefix = "…")]` is put before the names of all actions. `#[service(crate = "path")]` names this crate
/// when it is not `::sockety`.
///
/// ```
/// # use sockety::service;
/// #[service(prefix = "media.")]
/// pub trait Media {
///     async fn count(&self) -> u64;
/// }
///
/// assert_eq!(MediaDraft::count().action(), "media.count");
/// ```
///
/// # Arguments of actions
///
/// All are written in `#[action(…)]` on a method.
///
/// `name = "…"` is the name of the action, in place of the name of the method. `alias = ["…"]` lists further names by which the
/// action is served, such as its earlier ones. The prefix of the service is put before them too.
///
/// ```
/// # use sockety::service;
/// #[service]
/// pub trait Media {
///     #[action(name = "get clip", alias = ["get", "fetch"])]
///     async fn get(&self, id: u64) -> String;
/// }
///
/// let names: Vec<_> = MediaClient::DESCRIPTION.actions[0].names().collect();
/// assert_eq!(names, ["get clip", "get", "fetch"]);
/// ```
///
/// `one_way`: the caller expects no reply, and does not learn what the method did.
///
/// ```
/// # use sockety::service;
/// # #[service]
/// # pub trait Media {
/// #[action(one_way)]
/// async fn track(&self, event: String);
/// # }
/// ```
///
/// `timeout = "2s"`: how long callers wait for the reply, unless they set another timeout ([`Call::timeout`](crate::client::Call::timeout)). The
/// units are ms, s, m and h. Without it, [`Options::call_timeout`] applies.
///
/// ```
/// # use sockety::service;
/// # #[service]
/// # pub trait Media {
/// #[action(timeout = "500ms")]
/// async fn get(&self, id: u64) -> String;
/// # }
/// ```
///
/// `limit(payload = "1 MiB", files = 8, file = "2 GiB", all_files = "8 GiB", stream = "1 GiB")`, or some of these: a message with a
/// larger payload, more files, a larger file or larger files together is answered with code 3,842, Too Large, before its content is
/// read, and the method is not called. A stream that turns out to be larger breaks off: its reader gets
/// [`ReadError::TooLarge`](crate::error::ReadError::TooLarge), and the caller code 4, Bad Request, whatever the method returns. The units
/// are B, KB, MB, GB and TB of 1,000, KiB, MiB, GiB and TiB of 1,024. A limit cannot be higher than that of the connection, [`Options::limits`].
///
/// ```
/// # use sockety::{File, service};
/// # #[service]
/// # pub trait Media {
/// #[action(limit(payload = "4 KiB", files = 1, file = "2 GiB"))]
/// async fn upload(&self, title: String, video: File);
/// # }
/// ```
///
/// `idempotent`: executing it twice has the same effect as executing it once. A client that [reconnects](crate::client::Reconnecting::client)
/// repeats such calls when their connection is lost, and retry policies can ask [`Call::is_idempotent`](crate::client::Call::is_idempotent). A
/// method with a stream cannot be idempotent.
///
/// ```
/// # use sockety::service;
/// # #[service]
/// # pub trait Media {
/// #[action(idempotent)]
/// async fn get(&self, id: u64) -> String;
/// # }
/// # assert!(MediaDraft::get(7).is_idempotent());
/// ```
///
/// `spawn`: each call starts as a separate task. Without it, a call runs on the task that read its message until it first waits,
/// which is cheaper for short calls.
///
/// ```
/// # use sockety::service;
/// # #[service]
/// # pub trait Media {
/// #[action(spawn)]
/// async fn render(&self, id: u64) -> bytes::Bytes;
/// # }
/// ```
///
/// `no_cancel`: once begun, the handler runs to its end and its answer is sent, even if its caller has cancelled or its deadline has
/// passed. Without it, the handler is dropped where it waits, if the connection uses the [extension](crate::config::Extension). A
/// handler whose deadline has passed before it begins does not begin in either case.
///
/// ```
/// # use sockety::service;
/// # #[service]
/// # pub trait Bank {
/// #[action(no_cancel)]
/// async fn transfer(&self, from: u64, to: u64, cents: u64);
/// # }
/// # assert!(BankClient::DESCRIPTION.actions[0].is_no_cancel);
/// ```
///
/// `long_poll`: the reply comes when something happens, so a fleet (feature `fleet`) does not take the time to it for the load of
/// its server. It never does for calls with files or streams.
///
/// ```
/// # use sockety::service;
/// # #[service]
/// # pub trait Queue {
/// #[action(long_poll, timeout = "1m")]
/// async fn next(&self) -> String;
/// # }
/// ```
///
/// # Arguments of `#[param]`
///
/// A method with several values as parameters sends them as a map, by their names. Use these to rename or add a parameter:
///
/// - `alias`: further keys that are read as the parameter, such as its earlier name.
/// - `default`: if a call does not have the parameter, it is the default of its type. Without it, that is an error, except for an
///   `Option`, which is `None`.
///
/// ```
/// # use sockety::service;
/// # #[service]
/// # pub trait Media {
/// async fn find(
///     &self,
///     #[param(alias = ["text"])] title: String,
///     #[param(default)] limit: u32,
/// ) -> Vec<String>;
/// # }
/// # assert!(MediaClient::DESCRIPTION.actions[0].parameters[1].has_default);
/// ```
///
/// # Requests
///
/// `MediaRequest` has a variant for each action. It can be read from any message, and sent like one:
///
/// ```
/// # use sockety::{FastReply, message::Outgoing, serve::{Message, MessageHandler}, service};
/// # #[service]
/// # pub trait Media {
/// #     #[action(one_way)] async fn track(&self, event: String);
/// #     async fn rename(&self, id: u64, title: String);
/// # }
/// let audit = MessageHandler::new().middleware(|message: Message| async move {
///     if let Ok(MediaRequest::Rename { id, .. }) = MediaRequest::try_from(&message) {
///         tracing::info!(id, "renamed");
///     }
/// });
/// let event = Outgoing::from(MediaRequest::Track { event: "boot".into() });
/// // server.handle().broadcast(&event, |_| true) encodes nothing again.
/// ```
pub use sockety_macros::service;

/// Implements [`ServiceError`](trait@error::ServiceError) for an enum that is `Debug`, `Serialize` and
/// `Deserialize`. Each variant has a `#[code(N)]`, 16 to 3,839.
///
/// The derive also implements `Display`, with the first paragraph of the variant's doc comment or
/// its name in words, and `Error`. It leaves both to others
///
/// - if the enum or a variant has `#[error(…)]`, `#[display(…)]` or `#[snafu(…)]`: thiserror,
///   derive_more and snafu implement them;
/// - with `#[service_error(display = false)]`, for implementations by hand or by a derive without
///   attributes.
///
/// ```
/// # use std::{error::Error, fmt};
/// # use serde::{Deserialize, Serialize};
/// # use sockety::ServiceError;
/// #[derive(Debug, Serialize, Deserialize, ServiceError)]
/// #[service_error(display = false)]
/// pub enum BankError {
///     #[code(16)]
///     NoAccount { id: u32 },
/// }
///
/// impl fmt::Display for BankError {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         let Self::NoAccount { id } = self;
///         write!(f, "there is no account {id}")
///     }
/// }
///
/// impl Error for BankError {}
/// ```
pub use sockety_macros::ServiceError;
