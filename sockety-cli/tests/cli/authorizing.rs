use std::{fs, net::SocketAddr};

use assert_cmd::Command;
use sockety::{Options, serve::AccessCheck};
use tempfile::tempdir;

use crate::{failed, server, server::TOKEN, sockety, stdout};

/// The program with a token in its environment.
fn with_token(arguments: &str) -> Command {
    let mut command = sockety(arguments);
    command.env("SOCKETY_TOKEN", TOKEN);
    command
}

/// Each command, without what it needs to be let in.
fn commands(address: SocketAddr) -> [String; 5] {
    [
        format!("call {address} ping"),
        format!("pass {address} raw"),
        format!("describe {address}"),
        format!("ping {address} -c 2 -i 1ms"),
        format!("bench {address} ping --warmup 0s -d 100ms --connections 2"),
    ]
}

#[test]
fn a_token_in_the_environment_opens_every_command() {
    for command in commands(server::start_authorizing()) {
        let (out, said) = failed(&mut with_token(&format!("{command} --first auth")), 0);
        assert!(!out.contains(TOKEN) && !said.contains(TOKEN), "{out}{said}");
    }
}

#[test]
fn the_first_message_may_have_any_payload() {
    let (address, folder) = (server::start_authorizing(), tempdir().unwrap());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let packed = sockety::msgpack::to_vec(TOKEN).unwrap();
    fs::write(path("token.json"), format!("{TOKEN:?}")).unwrap();
    fs::write(path("token.bin"), &packed).unwrap();
    for payload in [
        format!("--first-json @{}", path("token.json")),
        format!("--first-json {TOKEN:?}"),
        format!("--first-raw {}", path("token.bin")),
    ] {
        // An argument is more particular than the environment.
        let mut call = sockety(&format!(
            "call {address} raw --json 7 --first auth {payload}"
        ));
        call.env("SOCKETY_TOKEN", "another");
        assert_eq!(stdout(&mut call), "7\n", "{payload}");
    }
    let mut call = sockety(&format!(
        "call {address} raw --json 7 --first auth --first-raw -"
    ));
    assert_eq!(stdout(call.write_stdin(packed)), "7\n");
    let call = format!("call {address} raw --json 7 --first auth-in-bytes --first-data {TOKEN}");
    assert_eq!(stdout(&mut sockety(&call)), "7\n");
    // A response accepts, too.
    let call = format!("call {address} raw --json 7 --first auth-in-words");
    assert_eq!(stdout(&mut with_token(&call)), "7\n");
}

#[test]
fn a_first_message_that_is_refused_is_said_once() {
    let address = server::start_authorizing();
    let expected =
        format!("sockety: auth at {address}: first message refused with code 3 (Unauthorized)\n");
    for command in commands(address) {
        let mut command = sockety(&format!("{command} --first auth"));
        let (out, said) = failed(command.env("SOCKETY_TOKEN", "another"), 1);
        assert_eq!((out.as_str(), &said), ("", &expected));
    }
}

#[test]
fn a_peer_that_wants_a_first_message_ends_each_command_at_once() {
    let hint = "; the peer may authorize a connection by its first message, see --first";
    for command in commands(server::start_authorizing()) {
        if command.starts_with("pass") {
            continue; // It expects no answer.
        }
        // A token goes to nobody who was not named.
        let (out, said) = failed(&mut with_token(&command), 1);
        assert_eq!(said.matches("code 3 (Unauthorized)").count(), 1, "{said}");
        assert!(said.contains(hint), "{said}");
        assert!(!out.contains("sent,"), "{out}");
    }
}

#[test]
fn a_first_message_without_a_payload_is_said_when_it_is_refused() {
    let address = server::start_authorizing();
    let mut call = sockety(&format!("call {address} ping --first auth"));
    let (_, said) = failed(call.env_remove("SOCKETY_TOKEN"), 1);
    let expected = format!(
        "sockety: auth at {address}: first message refused with code 3 (Unauthorized); it had no \
         payload: set SOCKETY_TOKEN, or use --first-json, --first-data or --first-raw\n"
    );
    assert_eq!(said, expected);
    // One that was named is not missing.
    let empty = format!("call {address} ping --first auth --first-data");
    let (_, said) = failed(sockety(&empty).arg(""), 1);
    assert!(said.ends_with("code 3 (Unauthorized)\n"), "{said}");
}

/// A server that lets nobody in, and says why.
#[test]
fn a_reason_says_more_than_a_hint() {
    let address = server::start_router(None, Options::default(), |router| {
        router.layer(AccessCheck::new(|_| Err::<(), _>("open from 8 to 18")))
    });
    for command in [
        format!("call {address} ping"),
        format!("ping {address} -c 1"),
        format!("bench {address} ping --warmup 0s -d 100ms"),
    ] {
        let (out, said) = failed(&mut sockety(&command), 1);
        assert!(said.contains("code 3 (Unauthorized)"), "{command}: {said}");
        assert!(
            said.contains(": open from 8 to 18"),
            "{command}: {out}{said}"
        );
        assert!(!said.contains("--first"), "{command}: {said}");
    }
}

#[test]
fn a_secret_is_never_printed() {
    let address = server::start_authorizing();
    // The peer quotes it.
    let call = format!("call {address} ping --first media.count");
    let (_, said) = failed(&mut with_token(&call), 1);
    let expected = format!(
        "sockety: media.count at {address}: first message refused with code 4 (Bad Request): \
         not shown, because it quotes the message\n"
    );
    assert_eq!(said, expected);
    let call = format!("call {address} ping --first media.count --first-json null");
    let (_, said) = failed(&mut sockety(&call), 1);
    assert!(
        said.contains("Bad Request): payload cannot be read"),
        "{said}"
    );
    // It is not what was meant.
    for (payload, problem) in [
        ("{secret", "--first-json: not JSON, at line 1 column 2"),
        (r#"{"$bin":"secret?"}"#, "--first-json: invalid $bin value"),
    ] {
        let call = format!("call {address} ping --first auth --first-json {payload}");
        let (_, said) = failed(&mut sockety(&call), 2);
        assert!(said.contains(problem) && !said.contains("secret"), "{said}");
    }
}

#[test]
fn wrong_arguments_for_a_first_message_are_said() {
    let check = |arguments: &str, expected: &str| {
        let mut call = sockety(&format!("call localhost:1 x {arguments}"));
        let (_, said) = failed(call.env("SOCKETY_TOKEN", ""), 2);
        assert!(said.contains(expected), "{said}");
    };
    check("--first auth", "SOCKETY_TOKEN is empty");
    check("--first-json 1", "--first <ACTION>");
    check(
        "--first a --first-json 1 --first-raw 2",
        "cannot be used with",
    );
    check(
        "--first a --first-raw - --json @-",
        "standard input cannot be both first message and payload",
    );
}
