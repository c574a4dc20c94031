//! The client of the interop example, against its server.

use std::time::Duration;

use crate::support::{Running, run, run_within};

/// Each of its checks has a deadline of 10 s.
const DEADLINE: Duration = Duration::from_secs(300);

#[test]
fn all_checks_pass() {
    check(&[], &[]);
}

#[test]
fn all_checks_pass_over_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let [certificate, key] = ["server.pem", "server.key"].map(|name| {
        let path = folder.path().join(name);
        path.to_str().expect("a path of UTF-8").to_owned()
    });
    run("interop", &["certificate", &certificate, &key]);
    check(&["--tls", &certificate, &key], &["--tls", &certificate]);
}

fn check(server: &[&str], client: &[&str]) {
    let mut server = Running::start("interop", &[&["server"], server].concat());
    let line = server.next_line();
    let port = line.strip_prefix("PORT ").expect("a port");
    let checked = run_within(DEADLINE, "interop", &[&["client", port], client].concat());
    let report = String::from_utf8_lossy(&checked.get_output().stdout);
    let last = report.lines().last();
    assert_eq!(last, Some("121 passed, 0 failed"), "{report}");
}
