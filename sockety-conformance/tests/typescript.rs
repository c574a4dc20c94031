//! The package in `typescript`: its own tests, and the whole suite against it in both roles.
//!
//! `cargo test -p sockety-conformance --test typescript -- --ignored`, after `npm ci --ignore-scripts`,
//! `npm run build` and `npm run build:tests` in that folder.

use std::{path::PathBuf, process::Command, thread};

mod support;

use support::{Certificate, Server, assert_passed, suite};

/// Limits for unknown peers, and clocks fast enough for a test.
const ENDPOINT: [&str; 4] = ["--defaults", "--clocks", "5", "--extension"];

/// Recommendations count as rules. A busy machine may be slow to answer.
const SUITE: [&str; 5] = ["--strict", "--clocks", "5", "--timeout", "20"];

/// The cases about TLS.
const PLAIN_SKIPS: [&str; 2] = ["15/5", "15/6"];

const BYTEWISE: [&str; 3] = ["--timeout", "20", "--bytewise"];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../typescript")
}

fn endpoint() -> String {
    let program = folder().join("build/conformance/endpoint.js");
    assert!(
        program.exists(),
        "`npm run build && npm run build:tests` was not run: no {program:?}"
    );
    program.to_str().expect("a path").to_owned()
}

fn server<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Server {
    let mut command = Command::new("node");
    command.arg(endpoint()).arg("server").args(arguments);
    Server::run(&mut command)
}

fn client(arguments: &[&str]) -> String {
    let program = endpoint();
    format!("node '{program}' client {{port}} {}", arguments.join(" "))
}

#[test]
#[ignore = "needs Node.js, and the built package"]
fn its_own_tests_pass() {
    let output = Command::new("npm")
        .args(["run", "test:built"])
        .current_dir(folder())
        .output()
        .expect("npm");
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}");
    let passed = report
        .lines()
        .filter_map(|line| line.trim().strip_prefix("# pass "))
        .filter_map(|count| count.parse::<usize>().ok())
        .sum::<usize>();
    assert!(passed > 60, "only {passed} tests ran: {report}");
}

#[test]
#[ignore = "needs Node.js, and the built package"]
fn server_and_client_pass_plain_and_with_tls() {
    thread::scope(|scope| {
        let runs = [
            a_server_passes,
            a_server_with_tls_passes,
            a_client_passes,
            a_client_with_tls_passes,
        ];
        for run in runs {
            scope.spawn(run);
        }
    });
}

fn a_server_passes() {
    let server = server(ENDPOINT);
    let found = suite([&SUITE[..], &[&server.address(), "--pid", &server.pid()]].concat());
    assert_passed(&found, &PLAIN_SKIPS);
}

fn a_server_with_tls_passes() {
    let files = Certificate::new();
    let (certificate, key) = files.paths();
    let tls = ["--tls", &certificate, &key];
    let server = server(ENDPOINT.into_iter().chain(tls));
    let found = suite([&SUITE[..], &[&server.address(), "--tls", &certificate]].concat());
    assert_passed(&found, &[]);
}

fn a_client_passes() {
    let command = client(&ENDPOINT);
    let found = suite([&SUITE[..], &["--client-command", &command]].concat());
    assert_passed(&found, &PLAIN_SKIPS);
}

fn a_client_with_tls_passes() {
    let files = Certificate::new();
    let (certificate, key) = files.paths();
    let command = client(&[&ENDPOINT[..], &["--tls", &certificate]].concat());
    let tls = [
        "--client-command",
        &command,
        "--tls",
        &certificate,
        "--key",
        &key,
    ];
    assert_passed(&suite([&SUITE[..], &tls].concat()), &[]);
}

#[test]
#[ignore = "needs Node.js, and the built package"]
fn a_server_passes_byte_by_byte() {
    // Segment boundaries must not matter.
    let base = server([]);
    let found = suite([&BYTEWISE[..], &[&base.address()]].concat());
    assert!(found.failed.is_empty(), "{}", found.report);
    assert_eq!(found.exit_code, Some(0), "{}", found.report);
    let extended = server(["--extension"]);
    let section = ["--section", "X", &extended.address()];
    let found = suite([&BYTEWISE[..], &section].concat());
    assert_passed(&found, &["X/95", "X/163"]);
}
