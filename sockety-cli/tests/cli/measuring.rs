#[cfg(unix)]
use std::{
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{failed, server, sockety, stdout};

fn json(command: &str) -> Value {
    serde_json::from_str(&stdout(&mut sockety(command))).unwrap()
}

#[test]
fn a_peer_lists_what_it_serves() {
    let address = server::start();
    let text = stdout(&mut sockety(&format!("describe {address}")));
    for line in [
        "/// A service that describes itself.",
        "service Media",
        "    media.find(title: String, deep: bool) -> u64",
        "        also media.search",
        "        idempotent, timeout 2s",
        "        error 404 NotFound: There is no such clip",
        "    media.upload(clips: Vec<File> (all files that follow)) -> u64",
        "        up to 8 files, files up to 1024 bytes, all files up to 4096 bytes",
        "        not cancelled, stream up to 1048576 bytes",
        "    media.track(event: String)",
        "        one-way",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line:?} is not in {text}"
        );
    }
    let services = json(&format!("describe {address} --output json"));
    assert_eq!(services[0]["actions"][1]["name"], "media.upload");
}

#[test]
fn a_peer_that_describes_nothing_refuses() {
    let listening = crate::Running::start(&["listen", "127.0.0.1:0", "--reply", "2"]);
    let (_, said) = failed(&mut sockety(&format!("describe {}", listening.address)), 1);
    assert!(said.contains("does not describe its services"), "{said}");
}

#[test]
fn round_trips_are_counted() {
    let address = server::start();
    let text = stdout(&mut sockety(&format!("ping {address} -c 3 -i 1ms")));
    assert!(text.contains("code 2 (Not Implemented)"), "{text}");
    assert!(text.contains("3 sent, 3 answered, 0 unanswered"), "{text}");
    assert!(text.contains("p99"), "{text}");
    let summary = json(&format!(
        "ping {address} -c 2 -i 1ms --action ping --quiet --output json"
    ));
    assert_eq!(
        (&summary["sent"], &summary["answered"]),
        (&2.into(), &2.into())
    );
    let lines = stdout(&mut sockety(&format!(
        "ping {address} -c 2 -i 1ms --output json"
    )));
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (lines.len(), &lines[1]["number"], &lines[1]["code"]),
        (3, &2.into(), &2.into())
    );
    assert_eq!(lines[2]["type"], "summary");
    // An action that never answers.
    let ping = format!("ping {address} -c 2 -i 1ms --action never --timeout 20ms --output json");
    let (summary, _) = failed(&mut sockety(&ping), 4);
    assert!(summary.contains("\"answered\":0"), "{summary}");
    failed(&mut sockety("ping 127.0.0.1:1 -c 1"), 3);
}

#[test]
fn load_is_measured() {
    let address = server::start();
    let brief = "--warmup 0s -d 200ms";
    let figures = json(&format!(
        "bench {address} ping --warmup 0s -d 1s -c 4 --connections 2 --output json"
    ));
    assert!(figures["calls"].as_u64().unwrap() > 0);
    assert_eq!(figures["outcomes"]["code 0 (Accept)"], figures["calls"]);
    assert_eq!(figures["type"], "summary");
    // With a rate, every call that was due counts.
    let figures = json(&format!(
        "bench {address} raw --json 1 {brief} --rate 100 --output json"
    ));
    assert_eq!(figures["outcomes"]["response"], 20);
    assert_eq!(figures["not_made"], 0);
    let (text, _) = failed(&mut sockety(&format!("bench {address} nothing {brief}")), 1);
    assert!(text.contains("code 2 (Not Implemented)"), "{text}");
    assert!(text.contains('█'), "{text}");
    let never = format!("bench {address} never {brief} --rate 10 --timeout 50ms --output json");
    let (figures, _) = failed(&mut sockety(&never), 4);
    assert!(figures.contains("no reply in time"), "{figures}");
}

#[test]
fn a_load_that_is_refused_shows_the_first_reason() {
    let address = server::start();
    let bench = format!("bench {address} media.find --json {{}} --warmup 0s -d 100ms -c 2");
    let reason = "payload cannot be read: missing field `title`";
    let (text, _) = failed(&mut sockety(&bench), 1);
    let expected = format!("  code 4 (Bad Request), first: {reason}\n");
    assert!(text.contains(&expected), "{text}");
    let (out, _) = failed(&mut sockety(&format!("{bench} --output json")), 1);
    let figures: Value = serde_json::from_str(&out).unwrap();
    let expected = serde_json::json!({ "code 4 (Bad Request)": reason });
    assert_eq!(figures["reasons"], expected);
}

#[test]
fn a_rate_that_is_not_reached_is_not_claimed() {
    let address = server::start();
    // Five calls are due, and the first takes all of the time.
    let late = format!(
        "bench {address} never --warmup 0s -d 50ms --rate 100 -c 1 --timeout 50ms --output json"
    );
    let (figures, _) = failed(&mut sockety(&late), 4);
    let figures: Value = serde_json::from_str(&figures).unwrap();
    assert_eq!(
        (&figures["calls"], &figures["not_made"]),
        (&1.into(), &4.into())
    );
    let per_second = figures["per_second"].as_f64().unwrap();
    assert!(per_second <= 20.0, "{per_second}");
}

#[test]
fn a_load_far_above_what_the_peer_can_take_ends_with_its_time() {
    let address = server::start();
    // To make all of these calls would take hours.
    let rate = 1_000_000_000_u64;
    let (shown, said) = failed(
        &mut sockety(&format!(
            "bench {address} ping --warmup 0s -d 200ms --rate {rate} --output json"
        )),
        0,
    );
    let figures: Value = serde_json::from_str(&shown).unwrap();
    let count = |key: &str| figures[key].as_u64().unwrap();
    assert!(count("calls") > 0, "{shown}");
    assert_eq!(count("calls") + count("not_made"), rate / 5);
    let expected = format!(
        "{} of the 200000000 calls that were due were not made: {rate} calls per second are too many",
        count("not_made")
    );
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn no_time_at_all_is_refused() {
    for arguments in [
        "bench localhost:1 ping -d 0s",
        "bench localhost:1 ping --timeout 0s",
        "call localhost:1 ping --timeout 0s",
        "call localhost:1 ping --connect-timeout 0s",
        "pass localhost:1 ping --timeout 0s",
        "ping localhost:1 --timeout 0s",
        "describe localhost:1 --timeout 0s",
        "check x --against localhost:1 --timeout 0s",
        "tap localhost:0 localhost:1 --connect-timeout 0s",
    ] {
        let (_, said) = failed(&mut sockety(arguments), 2);
        assert!(
            said.contains("must be longer than 0s"),
            "{arguments}: {said}"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_load_that_is_interrupted_shows_what_was_measured() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sockety"))
        .args([
            "bench",
            &server::start().to_string(),
            "ping",
            "--warmup",
            "0s",
            "-d",
            "1h",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    stderr.read_line(&mut said).unwrap();
    assert!(said.starts_with("connections: 1"), "{said}");
    let id = child.id().to_string();
    let told = Command::new("kill").args(["-INT", &id]).status();
    assert!(told.unwrap().success());
    stderr.read_to_string(&mut said).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(6), "{said}");
    assert!(said.contains("interrupted before the end"), "{said}");
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains(" per second"), "{shown}");
}
