use std::{
    collections::HashMap,
    env,
    path::Path,
    process::{Command, Output},
};

use crate::{
    Result,
    tool::{TUNABLES, number},
};

/// What is looked at, and so often that what is done once does not show.
const WORKLOAD: &str = "call, 64 in flight";
const TIMES: u64 = 40_960;

/// Functions that are printed.
const SHOWN: usize = 40;

/// Prints which instructions of a call are whose, in Markdown.
pub(crate) fn print() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("profile");
    let run = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(env::current_exe()?)
        .args(["run", WORKLOAD, "memory", &TIMES.to_string()])
        .env("GLIBC_TUNABLES", TUNABLES)
        .output();
    text_of(run?)?;
    let own = by_function(&file, "no")?;
    let with_callees: HashMap<_, _> = by_function(&file, "yes")?.into_iter().collect();
    let all: f64 = own.iter().map(|(_, count)| count).sum();

    let mut parts: HashMap<String, f64> = HashMap::new();
    for (function, count) in &own {
        *parts.entry(part(function)).or_default() += count;
    }
    let mut parts: Vec<_> = parts.into_iter().collect();
    parts.sort_by(|a, b| b.1.total_cmp(&a.1));
    println!("| Part | Instructions for a call | Share |\n| --- | --- | --- |");
    println!("| all | {:.0} | 100.0 % |", all / TIMES as f64);
    for (part, count) in parts {
        let share = count / all * 100.0;
        if share >= 0.5 {
            println!("| {part} | {:.0} | {share:.1} % |", count / TIMES as f64);
        }
    }
    println!("\n| Function | Instructions of its own | Share | With what it calls |");
    println!("| --- | --- | --- | --- |");
    for (function, count) in own.iter().take(SHOWN) {
        println!(
            "| `{function}` | {:.0} | {:.1} % | {:.0} |",
            count / TIMES as f64,
            count / all * 100.0,
            with_callees.get(function).unwrap_or(count) / TIMES as f64,
        );
    }
    Ok(())
}

/// Instructions by function, most first.
fn by_function(profile: &Path, inclusive: &str) -> Result<Vec<(String, f64)>> {
    let annotated = Command::new("callgrind_annotate")
        .args(["--threshold=100", "--show-percs=no", "--auto=no"])
        .arg(format!("--inclusive={inclusive}"))
        .arg(profile)
        .output()?;
    // `1,234  file:function [object]`
    let line = |line: &str| {
        let (count, function) = line.trim().split_once("  ")?;
        let (_file, function) = function.split_once(':')?;
        let function = function.split_once(" [").map_or(function, |(name, _)| name);
        Some((function.to_owned(), number(count)?))
    };
    Ok(text_of(annotated)?.lines().filter_map(line).collect())
}

/// Whose a function is: a module of Sockety, a crate, or the C library's.
fn part(function: &str) -> String {
    const ALLOCATING: &[&str] = &[
        "malloc",
        "free",
        "unlink_chunk",
        "_int_",
        "calloc",
        "realloc",
    ];
    if ["mem", "__mem"]
        .iter()
        .any(|begin| function.starts_with(begin))
    {
        return "copying and comparing memory".into();
    }
    if !function.contains("::") && ALLOCATING.iter().any(|name| function.contains(name)) {
        return "allocator".into();
    }
    let function = function.split("drop_in_place<").last().unwrap_or(function);
    let path = function.trim_start_matches(['<', '&']);
    let path: Vec<_> = path
        .split(['<', ' ', '>'])
        .next()
        .unwrap_or(path)
        .split("::")
        .collect();
    match path[..] {
        ["sockety", "connection", module, ..] => format!("`sockety::connection::{module}`"),
        ["sockety" | "sockety_codec", module, ..] => format!("`{}::{module}`", path[0]),
        ["sockety_costs", ..] => "the service and its callers, with what was generated".into(),
        ["core" | "alloc" | "std", ..] => "standard library".into(),
        [name, _, ..] => format!("`{name}`"),
        _ => "rest".into(),
    }
}

fn text_of(output: Output) -> Result<String> {
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?),
        false => Err(String::from_utf8_lossy(&output.stderr).into()),
    }
}
