use std::fmt;

use metrics::{Label, Unit, counter, describe_counter, describe_gauge, gauge};

use crate::server::handle::ServerHandle;

/// Records the connections of a server. Call [`record`](Self::record) before each scrape, or every
/// few seconds. The [module](crate::metrics) lists the metrics.
#[derive(Clone)]
pub struct ServerMetrics {
    server: ServerHandle,
    labels: Vec<Label>,
}

const CONNECTIONS: &str = "sockety.server.connections";
const ACCEPTED: &str = "sockety.server.connections.accepted";
const FAILED: &str = "sockety.server.connections.failed";
const SILENT: &str = "sockety.server.connections.silent";
const REFUSED: &str = "sockety.server.connections.refused";
const RECEIVED: &str = "sockety.server.received";
const SENT: &str = "sockety.server.sent";
const EXECUTING: &str = "sockety.server.requests.executing";
const WAITING: &str = "sockety.server.requests.waiting";
const FILES: &str = "sockety.server.files";
const STREAMS: &str = "sockety.server.streams";
const EVENTS: &str = "sockety.server.peer.events";

impl ServerMetrics {
    /// Creates the metrics of this server.
    pub fn new(server: &ServerHandle) -> Self {
        describe_gauge!(CONNECTIONS, "Connections");
        describe_counter!(ACCEPTED, "Connections accepted, whatever became of them");
        describe_counter!(FAILED, "Connections that ended before they stood");
        describe_counter!(SILENT, "Connections that ended before they brought a byte");
        describe_counter!(
            REFUSED,
            "Connections closed at once: too many of their host"
        );
        describe_counter!(RECEIVED, Unit::Bytes, "Bytes that came");
        describe_counter!(SENT, Unit::Bytes, "Bytes that went");
        describe_gauge!(EXECUTING, "Requests whose handlers have not ended");
        describe_gauge!(WAITING, "Requests of this side that wait for replies");
        describe_gauge!(FILES, "Files under way, in either direction");
        describe_gauge!(STREAMS, "Streams under way, in either direction");
        describe_counter!(EVENTS, "What of peers was tolerated, refused or cut off");
        Self {
            server: server.clone(),
            labels: Vec::new(),
        }
    }

    /// Adds a label to all of its metrics, to tell several servers of a process apart.
    ///
    /// ```
    /// # async fn example() -> std::io::Result<()> {
    /// use sockety::{Server, metrics::ServerMetrics};
    ///
    /// let public = Server::bind("0.0.0.0:9000").await?;
    /// let metrics = ServerMetrics::new(&public.handle()).label("server", "public");
    /// # Ok(())
    /// # }
    /// ```
    pub fn label(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.labels.push(Label::new(name, value.into()));
        self
    }

    /// Records the current values. It locks each connection for a moment.
    pub fn record(&self) {
        let (stats, traffic) = (self.server.stats(), self.server.traffic());
        let set =
            |name: &'static str, value: usize| gauge!(name, self.labels.clone()).set(value as f64);
        set(CONNECTIONS, stats.connections);
        set(EXECUTING, traffic.requests_executing);
        set(WAITING, traffic.requests_waiting);
        set(FILES, traffic.files);
        set(STREAMS, traffic.streams);
        let count =
            |name: &'static str, value: u64| counter!(name, self.labels.clone()).absolute(value);
        count(ACCEPTED, stats.accepted);
        count(SILENT, stats.silent_connections);
        count(REFUSED, stats.refused_connections);
        count(RECEIVED, traffic.received_bytes);
        count(SENT, traffic.sent_bytes);
        for (reason, times) in stats.failures.iter() {
            let mut labels = self.labels.clone();
            labels.push(Label::from_static_parts("reason", reason));
            counter!(FAILED, labels).absolute(times);
        }
        for (event, times) in stats.peers.iter() {
            let mut labels = self.labels.clone();
            labels.push(Label::from_static_parts("event", event));
            counter!(EVENTS, labels).absolute(times);
        }
    }
}

impl fmt::Debug for ServerMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerMetrics")
            .field("labels", &self.labels)
            .finish_non_exhaustive()
    }
}
