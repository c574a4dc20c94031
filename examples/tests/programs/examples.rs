//! The examples that show everything in one process.

use crate::support::{assert_printed, run};

/// Both texts go through the server, it calls back ten times for each, and its errors arrive as they are.
#[test]
fn quickstart() {
    assert_printed(
        run("quickstart", &[]),
        &[
            r"README.md +\.{10} +[0-9]+ lines",
            r"LICENSE-MIT +\.{10} +[0-9]+ lines",
            r#"notes: "2 of 2 texts sent""#,
            r#"search "zyzzyva": nowhere"#,
            r#"search "x": refused, words of 2 to 40 letters"#,
        ],
    );
}

/// A stranger is kept out, and clients get the renewed certificate.
#[test]
fn tls() {
    assert_printed(
        run("tls", &[]),
        &[
            "^mallory: cannot connect to ",
            ": TLS handshake failed",
            "^ada, on a new one: ada.example",
        ],
    );
}

#[test]
fn files() {
    assert_printed(
        run("files", &[]),
        &["The tables of sender and receiver are equal."],
    );
}

/// The example compares what it receives itself.
#[test]
fn streams() {
    run("streams", &[]);
}

/// No stranger gets in, each user sees their own notes, and both sides' middleware refuses what it should.
#[test]
fn auth() {
    assert_printed(
        run("auth", &[]),
        &[
            r"refused with code 3 \(Unauthorized\)$",
            r#"^  server: ada asks "all", Response"#,
            r#"^\["water the plants"\]$"#,
            "^add: rejected by a middleware: a note is no place for a password$",
            r"refused with code 1 \(Reject\)$",
            r"^\[\]$",
        ],
    );
}

/// What was accepted before the signal is finished, what comes after it is not sent, and nobody is left.
#[test]
fn shutdown() {
    assert_printed(
        run("shutdown", &[]),
        &[
            "^server: SIGTERM, finishing$",
            "^guest: no tea, not sent: tea: peer is about to close",
            "^guest: the stew has come$",
            "^server: gone, 1 accepted, 0 left$",
        ],
    );
}

/// What was refused runs when it is tried again, and what may have run is not tried again.
#[test]
fn tower() {
    let printed = run("tower", &[]);
    let text = String::from_utf8_lossy(&printed.get_output().stdout);
    let temperatures = text.lines().filter(|line| *line == "  temperature: 180");
    assert_eq!(temperatures.count(), 5, "{text}");
    assert_printed(
        printed,
        &[
            "^  temperature, not executed: .*refused with code 3840",
            "^  bake, executed: ",
            "^  bake, (unknown|executed).*: .*no reply within",
            "^  it has begun 1 time$",
        ],
    );
}

/// Bytes are those of payloads, files and streams, and a stream ends later than its reply.
#[test]
fn access_log() {
    let peer = r"^127\.0\.0\.1:[0-9]+";
    let times = r"reply=[0-9]+\.[0-9]ms end=[0-9]+\.[0-9]ms$";
    let lines = [
        r#""title" response in=1 out=5"#,
        r#""title" code 404 in=1 out=0"#,
        r#""add" response in=50000 out=3"#,
        r#""read" response in=1 out=5000"#,
        r#""read" response, not taken in=3 out=[0-9]+"#,
        r#""note" nothing in=18 out=0"#,
    ];
    let lines = lines.map(|line| format!("{peer} {line} {times}"));
    let printed = run("access_log", &[]);
    let text = String::from_utf8_lossy(&printed.get_output().stdout);
    assert_eq!(text.lines().count(), lines.len(), "{text}");
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    assert_printed(printed, &lines);
}

/// All hops have one trace and less and less time, and all handlers end with the first caller.
#[test]
fn three_services() {
    let printed = run("three_services", &[]);
    let text = String::from_utf8_lossy(&printed.get_output().stdout).into_owned();
    let words = |service: &str| -> Vec<String> {
        let line = text
            .lines()
            .find(|line| line.contains(&format!("{service}: ")));
        line.unwrap_or_else(|| panic!("{text}"))
            .split(' ')
            .map(Into::into)
            .collect()
    };
    let hops = ["shop", "stock", "warehouse"].map(words);
    let left = hops
        .each_ref()
        .map(|words| words[3].parse::<u64>().expect("milliseconds"));
    assert!(
        left[0] <= 5_000 && left[1] <= left[0] - 100 && left[2] <= left[1] - 100,
        "{left:?}"
    );
    assert_eq!(hops[0].last().map(String::len), Some(32));
    assert!(
        hops.iter().all(|hop| hop.last() == hops[0].last()),
        "{hops:?}"
    );
    for service in ["shop", "stock", "warehouse"] {
        assert_eq!(
            text.matches(&format!("  {service} was ended")).count(),
            2,
            "{text}"
        );
    }
    assert_printed(
        printed,
        &["^  customer: shop.order: (no reply within 1s|refused with code 3843)"],
    );
}

#[test]
fn configured() {
    assert_printed(
        run("configured", &[]),
        &[
            r"^ping: .*Accept",
            "^call_timeout: invalid duration \"5 seconds\": write a number and a unit, ",
        ],
    );
}
