//! A measurement, and the settings that all of them share.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    Result,
    outcome::Outcome,
    plan::{Placement, Runtime},
    workload::Case,
};

/// One measurement, and what came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Measurement {
    pub contender: String,
    pub case: Case,
    pub placement: Placement,
    pub repetition: usize,
    /// The error says why there is none.
    pub result: Result<Outcome, String>,
}

/// How all of it was measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Settings {
    pub quick: bool,
    pub repetitions: usize,
    pub warm_up: Duration,
    pub measure: Duration,
    pub stream_bytes: u64,
    pub file_bytes: u64,
    pub runtime: Option<Runtime>,
    /// What readers of the figures need to know.
    pub note: Option<String>,
}

impl Settings {
    /// What follows the description of a run.
    pub fn remarks(&self) -> String {
        let note = self.note.as_ref().map(|note| format!(" {note}"));
        let quick = match self.quick {
            true => " **Quick: no figures to rely on.**",
            false => "",
        };
        note.unwrap_or_default() + quick
    }
}
