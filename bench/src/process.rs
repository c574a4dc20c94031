use std::{fs, time::Duration};

use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
    time::{ClockId, clock_gettime},
};
use serde::{Deserialize, Serialize};

use crate::{Result, plan::Placement};

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Time on a core, in user mode and in the kernel, of children that have ended too.
    pub cpu: Duration,
    /// Bytes in memory.
    pub resident: u64,
    /// The most bytes that were in memory.
    pub peak: u64,
}

impl Usage {
    pub fn now() -> Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let own = clock_gettime(ClockId::ProcessCPUTime);
        let own = Duration::new(own.tv_sec as u64, own.tv_nsec as u32);
        Ok(Self {
            cpu: own + of_children()?,
            resident: kib(&status, "VmRSS:")?,
            peak: kib(&status, "VmHWM:")?,
        })
    }
}

fn kib(status: &str, name: &str) -> Result<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number
        .ok_or("/proc/self/status lacks memory")?
        .parse::<u64>()?
        * 1024)
}

fn of_children() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The name, in parentheses, may hold spaces. After it, cutime and cstime are the 14th and the 15th.
    let (_, fields) = stat.rsplit_once(')').ok_or("/proc/self/stat")?;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(13)
        .take(2)
        .map(str::parse::<u64>)
        .sum::<Result<u64, _>>()?;
    let per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_secs_f64(ticks as f64 / per_second as f64))
}

/// Goes where the measurement wants it, with its children to come. To be called before there are threads.
pub fn place(placement: Placement) -> Result<()> {
    if placement == Placement::One {
        let allowed = sched_getaffinity(None)?;
        // The last, as the first is where systems do much else.
        let last = (0..CpuSet::MAX_CPU)
            .rev()
            .find(|&core| allowed.is_set(core));
        let mut cores = CpuSet::new();
        cores.set(last.ok_or("no core")?);
        sched_setaffinity(None, &cores)?;
    }
    Ok(())
}

/// As many open files as the system allows.
pub fn raise_file_limit() -> Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    Ok(setrlimit(Resource::Nofile, limit)?)
}
