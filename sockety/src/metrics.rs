//! Metrics for the facade [metrics](https://docs.rs/metrics), whose recorders export them, for
//! example to Prometheus.
//!
//! [`ServeMetrics`] is middleware around what a router serves, [`CallMetrics`] around the calls of
//! a handle. [`ServerMetrics`] records the connections of a server whenever its `record` is called,
//! and `FleetMetrics`, with the feature `fleet`, the servers of a fleet.
//! Install the recorder before creating any of them, or their metrics have no descriptions. Unused,
//! they cost nothing.
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
//! // Before each scrape, or every few seconds:
//! connections.record();
//! # Ok(())
//! # }
//! ```
//!
//! # Calls
//!
//! | Metric | | |
//! | --- | --- | --- |
//! | `rpc.server.call.duration` | histogram, seconds | served messages, from the middleware until the handler has ended, and the files and the stream of its reply have been sent |
//! | `sockety.server.reply.duration` | histogram, seconds | the same until the handler has ended, of messages whose replies have files or a stream |
//! | `rpc.client.call.duration` | histogram, seconds | calls, until their replies |
//! | `sockety.server.request.payload`, `sockety.server.response.payload` | counters, bytes | payloads of served messages, and of the replies to them |
//! | `sockety.client.request.payload`, `sockety.client.response.payload` | counters, bytes | payloads of calls, and of their replies |
//! | `sockety.server.request.files`, `sockety.server.request.stream`, `sockety.server.response.files`, `sockety.server.response.stream` | counters, bytes | files and streams of served messages, as far as they came while somebody read them, and of the replies to them, as far as they were sent |
//! | `sockety.client.request.files`, `sockety.client.request.stream`, `sockety.client.response.files`, `sockety.client.response.stream` | counters, bytes | the same of calls, and of their replies |
//!
//! The count of a histogram is the number of calls. Durations have the labels of the [semantic
//! conventions](https://opentelemetry.io/docs/specs/semconv/rpc/rpc-metrics/) of OpenTelemetry,
//! version 1.45.0, and one more, `sockety.outcome`: `rpc.system.name`, `rpc.method`,
//! `rpc.status_code`, `error.type`, and for calls `server.address` and `server.port`. They mean the
//! same as on [spans](crate::trace#attributes). `sockety.server.reply.duration` and counters of bytes only
//! have the label `rpc.method`. Bytes are counted when a message, or its reply, has ended.
//!
//! A peer cannot create labels without limit: actions that this side does not name are all
//! `_OTHER`, and there are 4,096 codes.
//!
//! # Connections of a server
//!
//! | Metric | | |
//! | --- | --- | --- |
//! | `sockety.server.connections` | gauge | current connections |
//! | `sockety.server.connections.accepted` | counter | accepted connections, including those that failed |
//! | `sockety.server.connections.failed` | counter | connections that failed before they were established, with the label `reason`: those of `server::FailedHandshakes` |
//! | `sockety.server.connections.silent` | counter | connections that ended before they brought a byte, such as health checks |
//! | `sockety.server.connections.refused` | counter | connections closed at once because their host had too many |
//! | `sockety.server.received`, `sockety.server.sent` | counters, bytes | bytes received and sent: [`Traffic`](crate::stats::traffic::Traffic) |
//! | `sockety.server.requests.executing` | gauge | requests whose handlers have not ended |
//! | `sockety.server.requests.waiting` | gauge | requests of this side that wait for replies |
//! | `sockety.server.files`, `sockety.server.streams` | gauges | files and streams being transferred, in either direction |
//! | `sockety.server.peer.events` | counters | behaviour of peers that was tolerated, refused or cut off |
//!
//! The label `event` of `sockety.server.peer.events` is the name of a field of
//! [`Stats`](crate::stats::Stats). Refusals are `refused_messages`, `not_implemented`,
//! `overloaded`, `going_away` and `unauthorized`.
//!
//! # Servers of a fleet
//!
//! All have the label `fleet`, its name. There is no label for single servers, because they come and go without limit:
//! `Fleet::endpoints` lists them.
//!
//! | Metric | | |
//! | --- | --- | --- |
//! | `sockety.fleet.endpoints` | gauge | known servers, with the label `state`: `ready`, `connecting`, `waiting`, `ejected`, `not_serving`, `draining`, `unused` |
//! | `sockety.fleet.connections` | gauge | open connections to them |
//! | `sockety.fleet.connections.made`, `sockety.fleet.connections.failed` | counters | attempts to connect that succeeded, and that failed |
//! | `sockety.fleet.requests.waiting` | gauge | requests that wait for replies |
//! | `sockety.fleet.attempts` | counter | attempts of calls that have ended, counted once a second: each time that a message was sent to a server |
//! | `sockety.fleet.retries` | counter | messages sent again, with the label `sockety.outcome` of the attempt before: `not_sent`, `not_executed`, `unknown` |
//! | `sockety.fleet.retries.over_budget` | counter | failed attempts that were not repeated because the budget was used up |
//! | `sockety.fleet.retries.left` | gauge | messages that the budget allows to be sent again now |
//! | `sockety.fleet.ejections` | counter | ejections of servers |
//! | `sockety.fleet.panic` | gauge | 1 while ejection is ignored because more than half of the servers fail, otherwise 0 |
//! | `sockety.fleet.discover.errors` | counter | errors that discovery reported |

use std::time::Duration;

use metrics::{Label, SharedString};

use crate::{
    action::Action,
    engine::transfer::ContentBytes,
    observe::observed::{Ended, OTHER, SYSTEM},
};

mod call_metrics;
#[cfg(feature = "fleet")]
mod fleet_metrics;
mod serve_metrics;
mod server_metrics;

pub use self::call_metrics::CallMetrics;
#[cfg(feature = "fleet")]
pub use self::fleet_metrics::FleetMetrics;
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

/// Counts what there is: most messages have neither files nor a stream.
fn count_content(files: &'static str, stream: &'static str, method: &Label, bytes: ContentBytes) {
    for (name, bytes) in [(files, bytes.files), (stream, bytes.stream)] {
        if bytes > 0 {
            metrics::counter!(name, vec![method.clone()]).increment(bytes);
        }
    }
}
