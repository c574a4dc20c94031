use std::{path::PathBuf, time::Duration};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::workload::{Case, Workload};

/// All that one measurement needs to know; handed to its two processes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    pub contender: String,
    pub case: Case,
    pub placement: Placement,
    /// Instead of the one that suits the contender best.
    pub runtime: Option<Runtime>,
    pub warm_up: Duration,
    pub measure: Duration,
    /// Bytes of the stream of W6.
    pub stream_bytes: u64,
    /// Bytes of the file of W9.
    pub file_bytes: u64,
    /// Where the files of W9 and W10 are.
    pub data: PathBuf,
}

/// Which cores the two processes run on.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Placement {
    /// As the system places them.
    Free,
    /// Both on the same core.
    One,
}

/// The runtime of each process, which has one worker, unless the case says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runtime {
    /// `multi_thread`.
    Multi,
    /// `current_thread`.
    Current,
}

impl Plan {
    /// That of the client, if this one suits the contender.
    pub fn client_runtime(&self, best: Runtime) -> std::io::Result<tokio::runtime::Runtime> {
        self.runtime.unwrap_or(best).build(1)
    }

    /// That of the server, if this one suits the contender. In W13 it is of the same kind for any number of workers.
    pub fn server_runtime(&self, best: Runtime) -> std::io::Result<tokio::runtime::Runtime> {
        match self.case.workload {
            Workload::W13 => Runtime::Multi.build(self.case.workers),
            _ => self.runtime.unwrap_or(best).build(1),
        }
    }

    /// The file that W9 and W10 send.
    pub fn source(&self) -> PathBuf {
        self.data.join("source")
    }

    /// Where the server stores what it gets.
    pub fn stored(&self) -> PathBuf {
        self.data.join("stored")
    }
}

impl Runtime {
    pub fn name(self) -> &'static str {
        match self {
            Self::Multi => "multi_thread",
            Self::Current => "current_thread",
        }
    }

    pub fn build(self, workers: usize) -> std::io::Result<tokio::runtime::Runtime> {
        match self {
            Self::Multi => tokio::runtime::Builder::new_multi_thread()
                .worker_threads(workers)
                .enable_all()
                .build(),
            Self::Current => tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build(),
        }
    }
}
