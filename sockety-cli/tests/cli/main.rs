//! The program as scripts see it: what it prints where, and its exit codes.

mod authorizing;
mod calls;
mod checking;
mod extension;
mod fleet;
mod health;
#[cfg(unix)]
mod interrupting;
mod listening;
mod measuring;
mod metadata;
mod server;
mod tapping;
mod terminal;
mod tls;
mod typing;

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStderr, Stdio},
};

use assert_cmd::Command;

/// The program with these arguments, separated by spaces.
fn sockety(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sockety"));
    command.args(arguments.split_whitespace());
    command.timeout(std::time::Duration::from_secs(60));
    command
}

/// What it printed.
fn stdout(command: &mut Command) -> String {
    String::from_utf8(command.assert().get_output().stdout.clone()).unwrap()
}

/// Checks the exit code, and returns standard output and standard error.
fn failed(command: &mut Command, code: i32) -> (String, String) {
    let assert = command.assert().code(code);
    let output = assert.get_output();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

/// The program while it runs. Dropping this kills it.
struct Running {
    child: Child,
    /// The address that it listens on.
    address: String,
    stderr: BufReader<ChildStderr>,
}

impl Running {
    /// Starts it and waits until it listens.
    fn start(arguments: &[&str]) -> Self {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_sockety"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let rest = line
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("{line}"));
        let address = rest.trim_end().split(',').next().unwrap().to_owned();
        Self {
            child,
            address,
            stderr,
        }
    }

    /// The first lines that it prints.
    fn lines(&mut self, count: usize) -> Vec<String> {
        let stdout = self.child.stdout.as_mut().unwrap();
        BufReader::new(stdout)
            .lines()
            .take(count)
            .map(Result::unwrap)
            .collect()
    }

    /// Waits until it ends by itself; returns its exit code, standard output and standard error.
    fn wait(mut self) -> (Option<i32>, String, String) {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        let mut out = self.child.stdout.take().unwrap();
        out.read_to_string(&mut stdout).unwrap();
        self.stderr.read_to_string(&mut stderr).unwrap();
        (self.child.wait().unwrap().code(), stdout, stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
