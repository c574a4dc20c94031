//! What the two sides agree on.

use std::fmt;

use serde::{Deserialize, Serialize};
use sockety::{ByteStream, ServiceError, Streaming};

#[sockety::service(prefix = "bench.")]
pub trait Bench {
    /// The lines of a file from its first, and for as long as `listening` is open those that are appended.
    ///
    /// That someone dropped what it receives, its sender never hears: the protocol has no word for it. So who
    /// asks for a stream without an end gives one along that ends when it has enough, or when it is gone.
    async fn tail(
        &self,
        path: String,
        listening: Streaming<()>,
    ) -> Result<Streaming<Line, TailError>, TailError>;

    /// After each number the statistics of all until then.
    async fn statistics(&self, numbers: Streaming<f64>) -> Streaming<Statistics>;

    /// What a program makes of some bytes. When it fails, its output breaks off.
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

/// All that a peer can have run. Commands that it may write itself would make it the owner of this account; the
/// type has no room for them, nor for arguments.
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
