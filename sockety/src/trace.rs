//! Spans around calls, on both ends, for [tracing](https://docs.rs/tracing) and, through it, for OpenTelemetry.
//!
//! [`ServeSpans`] is middleware around what a router serves, [`CallSpans`] around the calls of a handle. What the handler
//! of a message, or the caller's task while it waits, says to tracing is said inside the span. Who adds neither pays nothing;
//! where no subscriber wants the spans, they cost a check.
//!
//! ```
//! use sockety::{
//!     Server, client::ServiceClient, serve::IntoRouter, service, trace::{CallSpans, ServeSpans},
//! };
//!
//! # #[service]
//! # trait Media { async fn title(&self, id: u64) -> String; }
//! # struct Store;
//! # impl Media for Store { async fn title(&self, id: u64) -> String { format!("clip {id}") } }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::bind("127.0.0.1:0").await?;
//! let address = server.local_addr()?;
//! tokio::spawn(server.serve(MediaServer::new(Store).into_router().layer(ServeSpans::new())));
//!
//! let media = MediaClient::connect(address).await?.layer(CallSpans::new());
//! assert_eq!(media.title(7).await?, "clip 7");
//! # Ok(())
//! # }
//! ```
//!
//! # Attributes
//!
//! Spans have the level info, the target `sockety` and the name `rpc`, and attributes after the
//! [semantic conventions](https://opentelemetry.io/docs/specs/semconv/rpc/) of OpenTelemetry, version 1.45.0:
//!
//! | Attribute | |
//! | --- | --- |
//! | `otel.kind` | `server` or `client` |
//! | `otel.name` | the method, else `sockety` |
//! | `rpc.system.name` | `sockety` |
//! | `rpc.method` | the action, if it is one of a typed service, of a [`MessageHandler`](crate::serve::handler::MessageHandler), or was named with `actions`; else `_OTHER` |
//! | `rpc.method_original` | the action as it came, when `rpc.method` does not say it; escaped and cut |
//! | `rpc.status_code` | the code that answered; `0` is a response with a value too, and `error` one with an error of the service |
//! | `error.type` | when it failed: the status, or one of the words below |
//! | `otel.status_code` | `error` when it failed |
//! | `otel.status_description` | the text of the caller's error |
//! | `server.address`, `server.port` | where the caller connected to, as it was given |
//! | `network.peer.address`, `network.peer.port` | the other end, if it is one of TCP |
//! | `sockety.message.id` | the id of the message, the same on both ends: by it their spans are found together |
//! | `sockety.outcome` | what is known about the execution |
//!
//! `sockety.outcome` is an [`Outcome`](crate::outcome::Outcome), as the caller knows it or will: `replied`, `executed`, `not_executed`,
//! `not_sent` or `unknown`; `one_way` when no reply is expected, `kept` when a handler will reply later.
//!
//! To a caller, every answer is an error but status `0`. To a server, only those that it is to blame for: code 2, Not Implemented,
//! code 5, Internal Error, and the codes of this framework from 3,840 on. `error.type` without an answer is `unfinished` on a
//! server, where a handler panicked or was dropped; to a caller it is the error: `timed_out`, `disconnected`, `given_up`,
//! `response_lost`, `source`, `overrun`, or, when nothing was sent, `refused`, `encode`, `payload_too_large`, `usage`, `busy`,
//! `channels_exhausted`, `content_taken`, `full`, `not_expected`, `peer_going_away`.
//!
//! # What spans do not cover
//!
//! The protocol has no place for the context of a trace, so the span of a server is not a child of its caller's. The span of a server
//! ends with its handler, and files and streams that it returned may be sent still. That of a caller ends with the reply,
//! whose files and stream may still come. What the connection refuses by itself, such as unknown actions, has no span on
//! the server: see [`Stats`](crate::stats::Stats).

use tracing::Span;

use crate::observe::observed::Ended;

mod call_spans;
mod serve_spans;

pub use self::call_spans::CallSpans;
pub use self::serve_spans::ServeSpans;

fn record(span: &Span, ended: &Ended) {
    span.record("sockety.outcome", ended.outcome);
    if let Some(status) = &ended.status {
        span.record("rpc.status_code", &**status);
    }
    if let Some(error) = &ended.error {
        span.record("error.type", &**error);
        span.record("otel.status_code", "error");
    }
}
