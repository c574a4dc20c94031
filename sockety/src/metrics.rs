//! Metrics for [metrics](https://docs.rs/metrics), whose recorders pass them on, such as to Prometheus.
//!
//! [`ServeMetrics`] is middleware around what a router serves, [`CallMetrics`] around the calls of a handle; [`ServerMetrics`]
//! tells of the connections of a server when it is asked to. Each is made when the recorder is installed, or its
//! metrics have no descriptions. Who adds none of them pays nothing.
//!
//! ```
//! use sockety::{Server, metrics::{ServeMetrics, ServerMetrics}, serve::IntoRouter, service};
//!
//! # #[service]
//! # trait Media { async fn title(&self, id: u64) -> String; }
//! # struct Store;
//! # impl Media for Store { async fn title(&self, id: u64) -> String { format!("clip {id}") } }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::bind("127.0.0.1:0").await?;
//! let connections = ServerMetrics::new(&server.handle());
//! tokio::spawn(server.serve(MediaServer::new(Store).into_router().layer(ServeMetrics::new())));
//!
//! // Whenever somebody looks:
//! connections.record();
//! # Ok(())
//! # }
//! ```
//!
//! # Calls
//!
//! | Metric | | |
//! | --- | --- | --- |
//! | `rpc.server.call.duration` | histogram, seconds | handling of served messages, from when middleware sees them until their handlers have ended |
//! | `rpc.client.call.duration` | histogram, seconds | calls, until their replies |
//! | `sockety.server.request.payload`, `sockety.server.response.payload` | counters, bytes | payloads of served messages, and of what answered them |
//! | `sockety.client.request.payload`, `sockety.client.response.payload` | counters, bytes | payloads of calls, and of their replies |
//!
//! The count of a histogram is the number of calls. Durations have the labels of the
//! [semantic conventions](https://opentelemetry.io/docs/specs/semconv/rpc/rpc-metrics/) of OpenTelemetry, version 1.45.0, and
//! one more: `rpc.system.name`, `rpc.method`, `rpc.status_code`, `error.type`, `sockety.outcome`, and for calls
//! `server.address` and `server.port`. They mean what they mean on [spans](crate::trace#attributes). Payloads have
//! the label `rpc.method` only.
//!
//! A peer can add no label without end: actions that nobody here names are all `_OTHER`, and there are no more than 4,096 codes.
//!
//! # Connections of a server
//!
//! | Metric | | |
//! | --- | --- | --- |
//! | `sockety.server.connections` | gauge | connections at this moment |
//! | `sockety.server.connections.accepted` | counter | connections accepted, whatever became of them |
//! | `sockety.server.connections.failed` | counter | those that ended before they were established |
//! | `sockety.server.connections.refused` | counter | those closed at once, as their host had too many |
//! | `sockety.server.received`, `sockety.server.sent` | counters, bytes | what came and went: [`Traffic`](crate::stats::traffic::Traffic) |
//! | `sockety.server.requests.executing` | gauge | requests whose handlers have not ended |
//! | `sockety.server.requests.waiting` | gauge | requests of this side that wait for replies |
//! | `sockety.server.files`, `sockety.server.streams` | gauges | those under way, in either direction |
//! | `sockety.server.peer.events` | counters | what of the peers was tolerated, refused or cut off |
//!
//! The label `event` of the last is the name of a field of [`Stats`](crate::stats::Stats). Refusals are `refused_messages`,
//! `not_implemented`, `overloaded`, `going_away` and `unauthorized`.

use std::time::Duration;

use metrics::{Label, SharedString};

use crate::{
    action::Action,
    observe::observed::{Ended, OTHER, SYSTEM},
};

mod call_metrics;
mod serve_metrics;
mod server_metrics;

pub use self::call_metrics::CallMetrics;
pub use self::serve_metrics::ServeMetrics;
pub use self::server_metrics::ServerMetrics;

/// `rpc.method`.
fn method(action: Option<Action>) -> Label {
    let name = match action {
        Some(Action::Known(name)) => SharedString::const_str(name),
        Some(Action::Named(name)) => SharedString::from(name),
        None => SharedString::const_str(OTHER),
    };
    Label::new("rpc.method", name)
}

fn record_duration(
    name: &'static str,
    duration: Duration,
    method: Label,
    ended: Ended,
    more: impl IntoIterator<Item = Label>,
) {
    let mut labels = vec![
        Label::from_static_parts("rpc.system.name", SYSTEM),
        method,
        Label::from_static_parts("sockety.outcome", ended.outcome),
    ];
    let status = ended.status.map(|it| Label::new("rpc.status_code", it));
    let error = ended.error.map(|it| Label::new("error.type", it));
    labels.extend(status.into_iter().chain(error).chain(more));
    metrics::histogram!(name, labels).record(duration);
}

fn count_payload(name: &'static str, method: Label, bytes: usize) {
    metrics::counter!(name, vec![method]).increment(bytes as u64);
}
