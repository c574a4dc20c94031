//! Runs the suite as a program, and the endpoint that it checks.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part")]

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use tempfile::TempDir;

const SUITE: &str = env!("CARGO_BIN_EXE_sockety-conformance");

/// The result of a run of the suite.
pub struct Found {
    /// 0, 1 or 2.
    pub exit_code: Option<i32>,
    pub failed: Vec<String>,
    pub skipped: Vec<String>,
    pub report: String,
}

/// Runs the suite to its end.
pub fn suite<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Found {
    suite_with(arguments, |_| ())
}

/// Runs the suite to its end. Calls `start` with its port as soon as it listens.
pub fn suite_with<A: AsRef<OsStr>, T>(
    arguments: impl IntoIterator<Item = A>,
    start: impl FnOnce(&str) -> T,
) -> Found {
    let mut child = Command::new(SUITE)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the suite");
    let mut output = BufReader::new(child.stdout.take().expect("its output"));
    let mut report = String::new();
    output.read_line(&mut report).expect("text");
    let started = report.trim().strip_prefix("PORT ").map(start);
    output.read_to_string(&mut report).expect("text");
    drop(started);
    let status = child.wait().expect("an end");
    let with_sign = |sign: &str| {
        let lines = report
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix(sign));
        lines
            .filter_map(|line| line.split_whitespace().next())
            .map(str::to_owned)
            .collect()
    };
    Found {
        exit_code: status.code(),
        failed: with_sign("FAIL "),
        skipped: with_sign("skip "),
        report,
    }
}

/// No case failed, and only these were skipped.
#[track_caller]
pub fn assert_passed(found: &Found, skipped: &[&str]) {
    assert!(found.failed.is_empty(), "{}", found.report);
    assert_eq!(found.exit_code, Some(0), "{}", found.report);
    assert_eq!(found.skipped, skipped, "{}", found.report);
}

/// The program of the `interop` example, as this package builds it.
pub fn endpoint() -> PathBuf {
    let path = Path::new(SUITE)
        .with_file_name("examples")
        .join("conformance-endpoint");
    assert!(
        path.exists(),
        "`cargo build -p sockety-conformance --examples` was not run: no {path:?}"
    );
    path
}

/// A server of the `interop` actions; killed when dropped.
pub struct Server {
    child: Child,
    // Kept open while it runs, as it may print something.
    _output: BufReader<ChildStdout>,
    pub port: u16,
}

impl Server {
    pub fn start<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Self {
        let mut command = Command::new(endpoint());
        command.arg("server").args(arguments);
        Self::run(&mut command)
    }

    /// Another program, which prints its port in the same way.
    pub fn run(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            // It logs what the suite does to it.
            .stderr(Stdio::null())
            .spawn()
            .expect("the endpoint");
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        output.read_line(&mut line).expect("a line");
        let port = line
            .trim()
            .strip_prefix("PORT ")
            .and_then(|port| port.parse().ok());
        Self {
            child,
            _output: output,
            port: port.expect("a port"),
        }
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn pid(&self) -> String {
        self.child.id().to_string()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// A client that serves; killed when dropped.
pub struct Client(Child);

impl Client {
    pub fn start(port: &str) -> Self {
        let client = Command::new(endpoint())
            .args(["client", port, "--serve", "--defaults"])
            .stderr(Stdio::null())
            .spawn();
        Self(client.expect("the endpoint"))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// A self-signed certificate for 127.0.0.1.
pub struct Certificate {
    folder: TempDir,
}

impl Certificate {
    pub fn new() -> Self {
        let made =
            rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("server.pem"), made.cert.pem()).expect("a file");
        std::fs::write(
            folder.path().join("server.key"),
            made.signing_key.serialize_pem(),
        )
        .expect("a file");
        Self { folder }
    }

    pub fn paths(&self) -> (String, String) {
        let text = |path: PathBuf| path.to_str().expect("text").to_owned();
        (
            text(self.folder.path().join("server.pem")),
            text(self.folder.path().join("server.key")),
        )
    }
}
