//! A measurement, and the settings that all of them share.

use std::time::Duration;

use serde::Serialize;

use crate::{
    Result,
    outcome::Outcome,
    plan::{Placement, Runtime},
    workload::Case,
};

/// One measurement, and what came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Measurement {
    pub contender: &'static str,
    pub case: Case,
    pub placement: Placement,
    pub repetition: usize,
    /// The error says why there is none.
    pub result: Result<Outcome, String>,
}

/// How all of it was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Settings {
    pub quick: bool,
    pub repetitions: usize,
    pub warm_up: Duration,
    pub measure: Duration,
    pub stream_bytes: u64,
    pub file_bytes: u64,
    pub runtime: Option<Runtime>,
}
