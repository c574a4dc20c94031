//! The whole suite against the endpoint of this repository: no case fails, and only known ones are
//! skipped.

use std::thread;

mod support;

use support::{Certificate, Client, Server, assert_passed, endpoint, suite, suite_with};

/// Limits for unknown peers, and clocks fast enough for a test.
const ENDPOINT: [&str; 4] = ["--defaults", "--clocks", "5", "--extension"];

/// Recommendations count as rules. A busy machine may be slow to answer.
const SUITE: [&str; 5] = ["--strict", "--clocks", "5", "--timeout", "20"];

/// The cases about TLS.
const PLAIN_SKIPS: [&str; 2] = ["15/5", "15/6"];

/// All run at the same time, as they wait for the same timeouts.
#[test]
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
    let server = Server::start(ENDPOINT);
    let found = suite([&SUITE[..], &[&server.address(), "--pid", &server.pid()]].concat());
    assert_passed(&found, &PLAIN_SKIPS);
}

fn a_server_with_tls_passes() {
    let files = Certificate::new();
    let (certificate, key) = files.paths();
    let server = Server::start([&ENDPOINT[..], &["--tls", &certificate, &key]].concat());
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
fn a_server_with_the_limits_of_the_wire_passes_byte_by_byte() {
    let server = Server::start::<&str>([]);
    // Segment boundaries must not matter.
    let found = suite(["--timeout", "20", "--bytewise", &server.address()]);
    // Without --clocks, slow cases are skipped. 3/9 needs a channel that the endpoint lacks, and from
    // X/5 on, except in X/88, the extension, which it does not offer.
    let skips = [
        "2/15", "3/9", "4/5", "8/11", "15/5", "15/6", "16/1", "16/2", "16/3", "16/4", "16/5",
        "16/6",
    ];
    let extension = (5..=163).filter(|number| *number != 88);
    let extension = extension.map(|number| format!("X/{number}"));
    let skips: Vec<_> = skips
        .map(str::to_owned)
        .into_iter()
        .chain(extension)
        .collect();
    let skips: Vec<_> = skips.iter().map(String::as_str).collect();
    assert_passed(&found, &skips);
    // With it, what needs a channel beyond the highest, or more requests than its places, is skipped.
    let server = Server::start(["--extension"]);
    let arguments = ["--timeout", "20", "--bytewise", "--section", "X"];
    let found = suite([&arguments[..], &[&server.address()]].concat());
    assert_passed(&found, &["X/95", "X/163"]);
}

#[test]
fn a_client_that_somebody_else_starts_passes() {
    let arguments = [
        "--timeout",
        "20",
        "--section",
        "5",
        "--section",
        "13",
        "--client",
        "0",
    ];
    assert_passed(&suite_with(arguments, Client::start), &[]);
}

#[test]
fn exit_codes_tell_what_happened() {
    let server = Server::start(ENDPOINT);
    let nowhere = ["--case", "1/1", "127.0.0.1:1"];
    let runs: [(&[&str], i32); 5] = [
        (&["--case", "1/1", &server.address()], 0),
        (&["--case", "99/1", &server.address()], 2),
        (&["--case", "nonsense", &server.address()], 2),
        (&nowhere, 2),
        (&[], 2),
    ];
    for (arguments, expected) in runs {
        let found = suite(arguments);
        assert_eq!(
            found.exit_code,
            Some(expected),
            "{arguments:?}: {}",
            found.report
        );
    }
}

#[test]
fn the_report_in_xml_has_every_case() {
    let server = Server::start(ENDPOINT);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("report.xml");
    let xml = file.to_str().expect("a path");
    let found = suite([
        "--section",
        "1",
        "--case",
        "2/15",
        "--junit",
        xml,
        &server.address(),
    ]);
    assert_passed(&found, &["2/15"]);
    let xml = std::fs::read_to_string(&file).expect("the report");
    assert_eq!(xml.matches("<testcase ").count(), 9, "{xml}");
    assert_eq!(xml.matches("<skipped").count(), 1, "{xml}");
}

fn client(arguments: &[&str]) -> String {
    let program = endpoint();
    let program = program.to_str().expect("a path");
    format!(
        "'{program}' client {{port}} --serve {}",
        arguments.join(" ")
    )
}
