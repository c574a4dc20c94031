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

/// Instructions by function, most first.
type Functions = Vec<(String, f64)>;

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
    print_parts(&own);
    print_functions(&own, by_function(&file, "yes")?);
    Ok(())
}

fn print_parts(own: &Functions) {
    let all = sum(own);
    let parts = own.iter().map(|(function, count)| (part(function), *count));
    println!("| Part | Instructions | Share |\n| --- | --- | --- |");
    println!("| all | {all:.0} | 100.0 % |");
    for (part, count) in added(parts) {
        let share = count / all * 100.0;
        if share >= 0.5 {
            println!("| {part} | {count:.0} | {share:.1} % |");
        }
    }
    println!();
}

fn print_functions(own: &Functions, with_callees: Functions) {
    let (all, with_callees) = (sum(own), HashMap::<_, _>::from_iter(with_callees));
    println!("| Function | Instructions of its own | Share | With what it calls |");
    println!("| --- | --- | --- | --- |");
    for (function, count) in own.iter().take(SHOWN) {
        let (share, inclusive) = (count / all * 100.0, with_callees.get(function));
        let inclusive = inclusive.unwrap_or(count);
        println!("| `{function}` | {count:.0} | {share:.1} % | {inclusive:.0} |");
    }
}

fn sum(functions: &Functions) -> f64 {
    functions.iter().map(|(_, count)| count).sum()
}

/// What has the same name, as one.
fn added(counts: impl Iterator<Item = (String, f64)>) -> Functions {
    let mut by_name: HashMap<String, f64> = HashMap::new();
    for (name, count) in counts {
        *by_name.entry(name).or_default() += count;
    }
    let mut by_name: Vec<_> = by_name.into_iter().collect();
    by_name.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    by_name
}

/// For one call.
fn by_function(profile: &Path, inclusive: &str) -> Result<Functions> {
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
        Some((function.to_owned(), number(count)? / TIMES as f64))
    };
    Ok(added(text_of(annotated)?.lines().filter_map(line)))
}

/// Whose a function is: a module of Sockety, a crate, or the C library's.
fn part(function: &str) -> String {
    const COPYING: &[&str] = &["mem", "__mem", "bcmp"];
    const ALLOCATING: &[&str] = &["alloc", "free", "unlink_chunk"];
    let of_c = !function.contains("::");
    if of_c && COPYING.iter().any(|begin| function.starts_with(begin)) {
        return "copying and comparing memory".into();
    }
    if of_c && ALLOCATING.iter().any(|name| function.contains(name)) {
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
