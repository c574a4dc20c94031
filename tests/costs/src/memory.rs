use std::{
    collections::BTreeMap,
    env, fs,
    process::{Command, Stdio},
};

use serde::Deserialize;

use crate::{
    Result,
    workload::{KEPT, Workload},
};

/// What the program's counter of allocations writes: where something was allocated, and what of it was left at the end.
#[derive(Deserialize)]
struct Allocated {
    #[serde(rename = "pps")]
    places: Vec<Place>,
    #[serde(rename = "ftbl")]
    frames: Vec<String>,
}

#[derive(Deserialize)]
struct Place {
    #[serde(rename = "eb")]
    bytes: f64,
    #[serde(rename = "ebk")]
    blocks: f64,
    /// Indexes of frames, innermost first.
    #[serde(rename = "fs")]
    stack: Vec<usize>,
}

/// Less than that for a connection is allocated once for all of them, or is next to nothing.
const SHOWN_BYTES: f64 = 8.0;

/// Prints what both sides of a connection hold allocated, by what allocated it, in Markdown.
pub(crate) fn print() -> Result<()> {
    for workload in KEPT {
        println!("\n{}:\n", workload.name);
        print_kept(workload)?;
    }
    Ok(())
}

fn print_kept(workload: &Workload) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("allocated");
    let run = Command::new("valgrind")
        .args(["--tool=dhat", "--num-callers=24"])
        .arg(format!("--dhat-out-file={}", file.display()))
        .arg(env::current_exe()?)
        .args(["run", workload.name, "tcp", &workload.times.to_string()])
        .stderr(Stdio::null())
        .status()?;
    if !run.success() {
        return Err("valgrind failed".into());
    }
    let allocated: Allocated = serde_json::from_str(&fs::read_to_string(file)?)?;
    let mut parts: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for place in &allocated.places {
        let part = parts.entry(part(place, &allocated.frames)).or_default();
        part.0 += place.bytes / workload.times as f64;
        part.1 += place.blocks / workload.times as f64;
    }
    let mut parts: Vec<_> = parts.into_iter().collect();
    parts.sort_by(|a, b| b.1.0.total_cmp(&a.1.0));
    println!("| Allocated by | Bytes | Blocks |\n| --- | --- | --- |");
    let all: f64 = parts.iter().map(|(_, (bytes, _))| bytes).sum();
    println!("| all | {all:.0} | |");
    for (part, (bytes, blocks)) in parts {
        if bytes >= SHOWN_BYTES {
            println!("| `{part}` | {bytes:.0} | {blocks:.2} |");
        }
    }
    Ok(())
}

/// The innermost function that is not the allocator's or the standard library's.
fn part<'a>(place: &Place, frames: &'a [String]) -> &'a str {
    const BELOW: &[&str] = &["alloc::", "core::", "std::", "hashbrown::", "bytes::"];
    let names = place.stack.iter().map(|&frame| function(&frames[frame]));
    let mut outer = names.filter(|name| {
        let path = name.trim_start_matches('<');
        path.contains("::") && !BELOW.iter().any(|crates| path.starts_with(crates))
    });
    outer.next().unwrap_or("other")
}

/// Of `0x123456: function (where)`.
fn function(frame: &str) -> &str {
    let name = frame.split_once(": ").map_or(frame, |(_, rest)| rest);
    name.split_once(" (").map_or(name, |(name, _)| name)
}
