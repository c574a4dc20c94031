use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// What one measurement found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Outcome {
    /// Operations in a second: calls, messages, or MiB where content is large; in W7 and W15 bytes for a connection.
    pub value: f64,
    /// User and system time of both processes for an operation, in nanoseconds.
    pub cpu: Option<f64>,
    pub latency: Option<Latency>,
    /// The server's part of `cpu`.
    pub server_cpu: Option<f64>,
    /// With several connections: the calls of the one that made the fewest, against the mean.
    pub least_share: Option<f64>,
    /// In W10, that of the same calls with nothing beside them.
    pub alone: Option<Latency>,
    /// Most bytes in memory.
    pub client_peak: u64,
    pub server_peak: u64,
}

/// Nanoseconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Latency {
    pub p50: u64,
    pub p99: u64,
    pub p999: u64,
    pub max: u64,
}

impl From<&Histogram<u64>> for Latency {
    fn from(histogram: &Histogram<u64>) -> Self {
        Self {
            p50: histogram.value_at_quantile(0.5),
            p99: histogram.value_at_quantile(0.99),
            p999: histogram.value_at_quantile(0.999),
            max: histogram.max(),
        }
    }
}
