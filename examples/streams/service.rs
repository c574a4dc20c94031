//! What the two sides agree on.

use std::fmt;

use serde::{Deserialize, Serialize};
use sockety::{ByteStream, ServiceError, Streaming};

#[sockety::service(prefix = "bench.")]
pub trait Bench {
    /// Returns the lines of a file from the first one on, and those that are appended as long as
    /// `listening` is open.
    ///
    /// Without the extension of the protocol, a sender is not told if the receiver drops a stream. So
    /// that the tail can be ended over any connection, the caller passes a stream along, and ends it
    /// when it has enough. It also ends when the caller is gone.
    async fn tail(
        &self,
        path: String,
        listening: Streaming<()>,
    ) -> Result<Streaming<Line, TailError>, TailError>;

    /// After each number, returns the statistics of all numbers so far.
    async fn statistics(&self, numbers: Streaming<f64>) -> Streaming<Statistics>;

    /// Returns the output of a program for some bytes. If the program fails, the stream ends with
    /// an error.
    async fn pipe(&self, program: Program, input: ByteStream) -> Result<ByteStream, PipeError>;
}

#[derive(Serialize, Deserialize)]
pub struct Line {
    /// From 1.
    pub number: u64,
    pub text: String,
}

/// Refuses the call, or ends its stream.
#[derive(Debug, Serialize, Deserialize, ServiceError, thiserror::Error)]
pub enum TailError {
    #[code(16)]
    #[error("there is no such file in the folder that is served")]
    NotFound,
    #[code(17)]
    #[error("the file vanished after line {lines}")]
    Vanished { lines: u64 },
    #[code(18)]
    #[error("the file was cut short after line {lines}")]
    Truncated { lines: u64 },
    #[code(19)]
    #[error("the file cannot be read: {reason}")]
    Unreadable { reason: String },
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub struct Statistics {
    pub count: u64,
    pub mean: f64,
    pub deviation: f64,
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            count,
            mean,
            deviation,
        } = self;
        write!(
            f,
            "{count} numbers, mean {mean:.2}, deviation {deviation:.2}"
        )
    }
}

/// The programs that a peer can run. If peers could write commands themselves, they could do
/// anything as this user; the type has no room for commands or arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Program {
    /// `sort`
    Sort,
    /// `wc`
    Wc,
    /// `tr a-z A-Z`
    Tr,
}

#[derive(Debug, Serialize, Deserialize, ServiceError, thiserror::Error)]
pub enum PipeError {
    #[code(16)]
    #[error("the program cannot be started: {reason}")]
    NotStarted { reason: String },
}
