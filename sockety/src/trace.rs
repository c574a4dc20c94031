//! Spans around calls, on both ends, for [tracing](https://docs.rs/tracing) and, through it, for
//! OpenTelemetry.
//!
//! [`ServeSpans`] is middleware around what a router serves, [`CallSpans`] around the calls of a
//! handle. Events from the handler of a message, or from the caller's task while it waits, are
//! recorded inside the span. Unused, this costs nothing; without an interested subscriber, one
//! check per call.
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
//! [semantic conventions](https://opentelemetry.io/docs/specs/semconv/rpc/) of OpenTelemetry,
//! version 1.45.0:
//!
//! | Attribute | |
//! | --- | --- |
//! | `otel.kind` | `server` or `client` |
//! | `otel.name` | the method, or `sockety` without one |
//! | `rpc.system.name` | `sockety` |
//! | `rpc.method` | the action, if it is one of a typed service, of a [`MessageHandler`](crate::serve::handler::MessageHandler), or was named with `actions`; else `_OTHER` |
//! | `rpc.method_original` | the action as it was received, if `rpc.method` is `_OTHER`; escaped, and shortened to 128 bytes |
//! | `rpc.status_code` | the code of the reply: `0` for a response with a value, `error` for one with an error of the service |
//! | `error.type` | if it failed: the status, or one of the words below |
//! | `otel.status_code` | `error` if it failed |
//! | `otel.status_description` | the text of the caller's error, with its causes |
//! | `server.address`, `server.port` | the address that the caller connected to, as it was passed |
//! | `network.peer.address`, `network.peer.port` | the other end, if the connection uses TCP |
//! | `sockety.message.id` | the id of the message, which is the same on both ends and so relates their spans |
//! | `trace_id`, `span_id`, `parent_id` | the place of the span in its trace, as hexadecimal digits: see [below](#traces) |
//! | `sockety.outcome` | what is known about the execution |
//! | `sockety.reply.duration` | on a server, if the reply has files or a stream: the seconds until its handler had ended; the span itself ends when they have been sent |
//!
//! `sockety.outcome` is an [`Outcome`](crate::outcome::Outcome), as the caller knows it or will:
//! `replied`, `executed`, `not_executed`, `not_sent` or `unknown`; `one_way` if no reply is
//! expected, `kept` if a handler will reply later.
//!
//! For a caller, every reply other than status `0` is an error. For a server, only those are that are
//! its own fault: code 2, Not Implemented, code 5, Internal Error, and the codes of this
//! framework from 3,840 on. Without a reply, `error.type` is `unfinished` on a server, if a handler
//! panicked or was dropped. It is `content_failed` if a file or the stream of the reply could not be
//! sent to its end, because its source failed; not if the caller did not want the rest. For a caller it is the error: `timed_out`, `disconnected`, `given_up`,
//! `response_lost`, `source`, `overrun`, or, if nothing was sent, `rejected_by_middleware`,
//! `encode`, `payload_too_large`, `usage`, `busy`, `channels_exhausted`, `content_taken`, `full`,
//! `not_expected`, `cut_off`, `peer_going_away`.
//!
//! # Traces
//!
//! Spans of one trace have the same `trace_id`, on all sides. `CallSpans` sends the ids of its span with the call as W3C trace context,
//! if the connection [uses the extension](crate::Connection::is_extended), and `ServeSpans` makes its span a child of that. Calls
//! that a handler makes belong to the trace of its message, and so do those of tasks that it spawns in
//! [`Context::scope`](crate::Context::scope). A call or a message without a trace begins one, which is marked as sampled; otherwise the mark is passed
//! on as it came. Without the extension, each side has separate traces.
//!
//! The ids are those of these spans, and not of OpenTelemetry. With a tracer that has its own ids, leave them out with
//! [`CallSpans::without_trace`] and [`ServeSpans::without_trace`], and let middleware carry the tracer's
//! ([`OutgoingCall::set_trace`](crate::client::OutgoingCall::set_trace), [`Incoming::set_trace`](crate::serve::Incoming::set_trace)): the guide has
//! an example.
//!
//! # What spans do not cover
//!
//! The caller's span ends with the reply, whose files and stream may still be arriving. Messages that the connection itself refuses, such as those with unknown actions,
//! have no span on the server: see [`Stats`](crate::stats::Stats).

use tracing::Span;

use crate::observe::observed::Ended;

mod call_spans;
mod serve_spans;
mod span_context;

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
