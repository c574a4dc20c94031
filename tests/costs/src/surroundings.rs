//! What instruction counts depend on besides the code.

use std::{env, process::Command};

use crate::Result;

/// The name of what compilers build for.
pub(crate) const TARGET: &str = "target";

/// Names and values.
pub(crate) type Surroundings = Vec<(&'static str, String)>;

pub(crate) fn these() -> Result<Surroundings> {
    let rustc = output("rustc", &["--version", "--verbose"])?;
    let of_rustc = |name| {
        let value = rustc.lines().find_map(|line| line.strip_prefix(name));
        value.ok_or("rustc does not say what it is")
    };
    Ok(vec![
        ("rustc", of_rustc("release: ")?.to_owned()),
        (TARGET, of_rustc("host: ")?.to_owned()),
        ("rustflags", env::var("RUSTFLAGS").unwrap_or_default()),
        ("valgrind", output("valgrind", &["--version"])?),
        ("libc", output("getconf", &["GNU_LIBC_VERSION"])?),
    ])
}

fn output(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("{program} does not start: {error}"))?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
