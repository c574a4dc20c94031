use assert_cmd::Command;
use serde_json::{Value, json};

use crate::{Running, failed, server, sockety};

const TOKEN: &str = "t0ken-abcdefgh";

/// The program with a token in its environment.
fn with_token(arguments: &str) -> Command {
    let mut command = sockety(arguments);
    command.env("APP_TOKEN", TOKEN);
    command
}

const ALL: &str = "--metadata tenant=acme --metadata hint= --metadata-secret authorization=APP_TOKEN \
                   --deadline 60s";

// r[verify ext.meta.secret]
#[test]
fn metadata_is_sent_and_shown_without_secrets() {
    let listening = Running::start(&["listen", "127.0.0.1:0", "--count", "3"]);
    let address = listening.address.clone();
    failed(&mut with_token(&format!("call {address} find {ALL}")), 0);
    failed(&mut with_token(&format!("pass {address} note {ALL}")), 0);
    failed(&mut sockety(&format!("call {address} bare")), 0);
    let (_, shown, _) = listening.wait();
    for expected in [
        "\n    tenant: \"acme\"\n    hint: \"\"\n    authorization: secret of 14 B\n",
        "\n    deadline ",
    ] {
        assert_eq!(shown.matches(expected).count(), 2, "{shown}");
    }
    assert!(!shown.contains("t0ken"), "{shown}");
}

#[test]
fn programs_get_metadata_as_json() {
    let options = ["listen", "127.0.0.1:0", "--count", "1", "--output", "json"];
    let listening = Running::start(&options);
    let call = format!("call {} find {ALL}", listening.address);
    failed(&mut with_token(&call), 0);
    let (_, shown, _) = listening.wait();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let entries = json!([
        { "name": "tenant", "value": "acme" },
        { "name": "hint", "value": "" },
        { "name": "authorization", "secret_bytes": 14 },
    ]);
    assert_eq!(shown["entries"], entries);
    let deadline = shown["deadline_ms"].as_u64().unwrap();
    assert!((1..=60_000).contains(&deadline), "{deadline}");
}

#[test]
fn the_peer_stops_at_the_deadline() {
    let address = server::start_extended();
    let (_, said) = failed(
        &mut sockety(&format!("call {address} never --deadline 50ms")),
        1,
    );
    assert!(
        said.contains("code 3843 (Deadline Exceeded), executed"),
        "{said}"
    );
}

#[test]
fn the_peer_says_when_to_retry() {
    let address = server::start_extended();
    let call = format!("call {address} later --metadata tenant=acme");
    let (_, said) = failed(&mut sockety(&call), 1);
    assert!(
        said.contains("code 1 (Reject), replied; retry after 1500 ms ("),
        "{said}"
    );
    let (shown, _) = failed(&mut sockety(&format!("{call} --output json")), 1);
    assert!(shown.contains("\"retry_after_ms\":1500.0"), "{shown}");
}

#[test]
fn a_peer_without_the_extension_takes_no_metadata() {
    let address = server::start_base();
    for command in ["call", "pass"] {
        let call = format!("{command} {address} ping --metadata tenant=acme");
        let (_, said) = failed(&mut sockety(&call), 3);
        let expected =
            "peer takes no metadata, such as \"tenant\": the connection does not use the extension";
        assert!(said.contains(expected), "{said}");
    }
    let call = format!("call {address} ping --deadline 60s");
    let (_, said) = failed(&mut sockety(&call), 0);
    let expected = "--deadline: the peer does not use the extension, so it does not learn it";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn wrong_metadata_is_said_without_its_value() {
    let check = |arguments: &str, expected: &str| {
        let mut call = sockety(&format!("call localhost:1 x {arguments}"));
        let (_, said) = failed(&mut call, 2);
        assert!(said.contains(expected), "{said}");
    };
    check("--metadata tenant", "write NAME=VALUE");
    for name in ["Tenant", "", "sockety-x"] {
        check(
            &format!("--metadata {name}=acme"),
            "a name has 1 to 64 of a-z 0-9",
        );
    }
    check("--metadata a=1 --metadata a=2", "metadata a is there twice");
    check(
        "--metadata-secret a=APP_ABSENT",
        "--metadata-secret: APP_ABSENT is not set",
    );
    check("--deadline 0s", "must be longer than 0s");
}
