//! What a run leaves: the measurements, and all that their figures depend on.

use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::{
    contender::{About, Kind},
    machine::{Machine, version_of},
    measurement::{Measurement, Settings},
    workload::Workload,
};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Results {
    /// The commit, and whether there were changes to it.
    pub revision: String,
    pub machine: Machine,
    pub settings: Settings,
    /// In the order of the table.
    pub contenders: Vec<Described>,
    pub measurements: Vec<Measurement>,
}

/// A contender, as it was built.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Described {
    pub name: String,
    pub kind: Kind,
    pub versions: String,
    pub runtime: String,
    pub settings: String,
    pub workloads: Vec<Workload>,
    pub tls: bool,
}

impl Results {
    pub fn new(settings: Settings, contenders: &[&About], measurements: Vec<Measurement>) -> Self {
        let contenders = contenders.iter();
        Self {
            revision: revision().unwrap_or_else(|| "unknown".into()),
            machine: Machine::this(),
            contenders: contenders
                .map(|about| Described::new(about, &settings))
                .collect(),
            settings,
            measurements,
        }
    }
}

impl Described {
    fn new(about: &About, settings: &Settings) -> Self {
        let versions = about.crates.iter();
        let versions = versions.map(|name| format!("{name} {}", version_of(name)));
        Self {
            name: about.name.into(),
            kind: about.kind,
            versions: versions.collect::<Vec<_>>().join(", "),
            runtime: settings.runtime.unwrap_or(about.runtime).name().into(),
            settings: about.settings.into(),
            workloads: about.workloads.into(),
            tls: about.tls,
        }
    }
}

fn revision() -> Option<String> {
    let arguments = ["describe", "--always", "--dirty", "--exclude=*"];
    let output = Command::new("git").args(arguments).output().ok()?;
    let revision = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!revision.is_empty()).then_some(revision)
}
