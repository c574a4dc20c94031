//! What the system reports about this process.

use std::fs;

use crate::Result;

pub(crate) const VOLUNTARY: &str = "voluntary switches";
pub(crate) const INVOLUNTARY: &str = "involuntary switches";
pub(crate) const TIME: &str = "nanoseconds on a core";

/// Prints it, for the process that started this one.
pub(crate) fn print() -> Result<()> {
    let (mut voluntary, mut involuntary, mut time) = (0, 0, 0);
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        let status = fs::read_to_string(task.join("status"))?;
        voluntary += field(&status, "\nvoluntary_ctxt_switches:")?;
        involuntary += field(&status, "\nnonvoluntary_ctxt_switches:")?;
        // Time on a core, time of waiting for one, turns.
        time += field(&fs::read_to_string(task.join("schedstat"))?, "")?;
    }
    println!("{VOLUNTARY}: {voluntary}\n{INVOLUNTARY}: {involuntary}\n{TIME}: {time}");
    Ok(())
}

fn field(text: &str, name: &str) -> Result<u64> {
    let rest = text.split_once(name).map(|(_, rest)| rest);
    let word = rest.and_then(|rest| rest.split_whitespace().next());
    Ok(word.ok_or("/proc lacks a figure")?.parse()?)
}
