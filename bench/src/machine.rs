use std::{fmt, fs, process::Command};

use rustix::system::uname;
use serde::{Deserialize, Serialize};

/// What the figures were measured on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub memory: String,
    pub kernel: String,
    pub rustc: String,
}

impl Machine {
    pub fn this() -> Self {
        let unknown = || "unknown".to_owned();
        let kernel = uname();
        Self {
            cpu: field("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory: field("/proc/meminfo", "MemTotal").unwrap_or_else(unknown),
            kernel: format!(
                "{} {}",
                kernel.sysname().to_string_lossy(),
                kernel.release().to_string_lossy()
            ),
            rustc: rustc().unwrap_or_else(unknown),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cpu,
            cores,
            memory,
            kernel,
            rustc,
        } = self;
        write!(f, "{cpu}, {cores} cores, {memory}, {kernel}, {rustc}")
    }
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn rustc() -> Option<String> {
    let output = Command::new("rustc").arg("--version").output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// The version of a crate that was built in.
pub fn version_of(name: &str) -> &'static str {
    // The lock file belongs to this build.
    let lock = include_str!("../Cargo.lock");
    lock.split("[[package]]")
        .find_map(|package| {
            let rest = package.trim_start().strip_prefix("name = \"")?;
            let rest = rest.strip_prefix(name)?.strip_prefix("\"\nversion = \"")?;
            rest.split('"').next()
        })
        .unwrap_or("unknown")
}
