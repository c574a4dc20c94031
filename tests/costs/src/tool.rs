use std::{
    collections::BTreeMap,
    env,
    process::{Child, Command, Stdio},
};

use crate::{
    Result,
    workload::{Link, Workload},
};

/// What counts something while a workload runs.
#[derive(Clone, Copy)]
pub(crate) enum Tool {
    /// Instructions, of all threads.
    Callgrind,
    /// Allocations, and their bytes.
    Memcheck,
    /// System calls by name, and all of them.
    Strace,
    /// Nothing but the system: switches, and time on a core.
    None,
}

/// Figures by name.
pub(crate) type Counts = BTreeMap<String, f64>;

pub(crate) const INSTRUCTIONS: &str = "instructions";
pub(crate) const ALLOCATIONS: &str = "allocations";
pub(crate) const ALLOCATED: &str = "bytes allocated";
pub(crate) const SYSTEM_CALLS: &str = "system calls";

/// What the C library may use of a processor. Without the rest, it copies memory everywhere in the same way; `rep movsb` would count
/// as an instruction for each byte.
pub(crate) const TUNABLES: &str = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX,-AVX2_Usable,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM";

impl Tool {
    /// What one of a workload costs: the difference between this many and twice as many. What is done once cancels out.
    pub(crate) fn measure(self, workload: &Workload, link: Link) -> Result<Counts> {
        let start = |times| self.start(workload, link, times);
        let (once, twice) = (start(workload.times)?, start(2 * workload.times)?);
        let (once, twice) = (self.counts(once)?, self.counts(twice)?);
        let each = |(name, count): (String, f64)| {
            let before = once.get(&name).unwrap_or(&0.0);
            (name, (count - before) / workload.times as f64)
        };
        Ok(twice.into_iter().map(each).collect())
    }

    fn start(self, workload: &Workload, link: Link, times: u64) -> Result<Child> {
        let program = env::current_exe()?;
        let mut command = match self.command() {
            [] => Command::new(program),
            [tool, arguments @ ..] => {
                let mut command = Command::new(tool);
                command.args(arguments).arg(program);
                command
            }
        };
        command
            .args(["run", workload.name, link.name(), &times.to_string()])
            .env("GLIBC_TUNABLES", TUNABLES)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{:?} does not start: {error}", self.command()).into())
    }

    fn command(self) -> &'static [&'static str] {
        match self {
            Self::Callgrind => &[
                "valgrind",
                "--tool=callgrind",
                "--callgrind-out-file=/dev/null",
            ],
            Self::Memcheck => &["valgrind", "--tool=memcheck", "--leak-check=no"],
            Self::Strace => &["strace", "--follow-forks", "--summary-only"],
            Self::None => &[],
        }
    }

    fn counts(self, process: Child) -> Result<Counts> {
        let output = process.wait_with_output()?;
        let (stdout, stderr) = (
            String::from_utf8(output.stdout)?,
            String::from_utf8(output.stderr)?,
        );
        if !output.status.success() {
            return Err(format!("{:?} failed:\n{stdout}{stderr}", self.command()).into());
        }
        let counts = match self {
            Self::Callgrind => instructions(&stderr),
            Self::Memcheck => allocations(&stderr),
            Self::Strace => system_calls(&stderr),
            Self::None => usage(&stdout),
        };
        counts.ok_or_else(|| format!("no counts in:\n{stdout}{stderr}").into())
    }
}

/// `==7== Collected : 123`
fn instructions(text: &str) -> Option<Counts> {
    let (_, rest) = text.split_once("Collected :")?;
    let count = number(rest.split_whitespace().next()?)?;
    Some(Counts::from([(INSTRUCTIONS.into(), count)]))
}

/// `==7==   total heap usage: 1,234 allocs, 1,200 frees, 123,456 bytes allocated`
fn allocations(text: &str) -> Option<Counts> {
    let (_, rest) = text.split_once("total heap usage:")?;
    let mut words = rest.split_whitespace();
    let (count, bytes) = (words.next()?, words.nth(3)?);
    Some(Counts::from([
        (ALLOCATIONS.into(), number(count)?),
        (ALLOCATED.into(), number(bytes)?),
    ]))
}

/// Lines of `% time, seconds, usecs/call, calls, errors, syscall`, of which errors may be empty; the last is the sum.
fn system_calls(text: &str) -> Option<Counts> {
    let line = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let (name, count) = (*words.last()?, number(words.get(3)?)?);
        let name = if name == "total" { SYSTEM_CALLS } else { name };
        Some((name.to_owned(), count))
    };
    let counts: Counts = text.lines().filter_map(line).collect();
    counts.contains_key(SYSTEM_CALLS).then_some(counts)
}

/// What a workload says of itself: `name: count`.
fn usage(text: &str) -> Option<Counts> {
    let line = |line: &str| {
        let (name, count) = line.split_once(": ")?;
        Some((name.to_owned(), number(count)?))
    };
    text.lines().map(line).collect()
}

pub(crate) fn number(text: &str) -> Option<f64> {
    text.replace(',', "").parse().ok()
}
