use std::fs;

use tempfile::tempdir;

use crate::{Running, failed, server, sockety, stdout};

#[test]
fn a_payload_goes_there_and_back_as_json() {
    let address = server::start();
    let json = r#"{"a":[1,-2.5,null],"t":{"$time":"2026-01-31T12:00:00Z"},"b":{"$bin":"AAEC"},"m":{"$map":[[1,"x"]]}}"#;
    let mut call = sockety(&format!("call {address} raw --json"));
    assert_eq!(stdout(call.arg(json)), format!("{json}\n"));
    // The same from a file and from standard input.
    let folder = tempdir().unwrap();
    let path = folder.path().join("payload.json");
    fs::write(&path, json).unwrap();
    let mut call = sockety(&format!("call {address} raw --json"));
    call.arg(format!("@{}", path.display()));
    assert_eq!(stdout(&mut call), format!("{json}\n"));
    let mut call = sockety(&format!("call {address} raw --json @-"));
    assert_eq!(stdout(call.write_stdin(json)), format!("{json}\n"));
}

#[test]
fn a_uuid_is_text() {
    let address = server::start();
    let id = r#""4698a45c-00d0-4cbe-bcb9-ed93b6abcfe9""#;
    let mut call = sockety(&format!("call {address} media.owner --json"));
    assert_eq!(stdout(call.arg(id)), format!("{id}\n"));
}

#[test]
fn raw_bytes_stay_as_they_are() {
    let address = server::start();
    let bytes = b"\x1b[31m\xff\x00 no MessagePack";
    let mut call = sockety(&format!("call {address} raw --raw - --output raw"));
    let assert = call.write_stdin(&bytes[..]).assert().success();
    assert_eq!(assert.get_output().stdout, bytes);
    // As JSON they are bytes too, with a warning.
    let mut call = sockety(&format!("call {address} raw --raw -"));
    let (out, said) = failed(call.write_stdin(&bytes[..]), 0);
    assert_eq!(out, "{\"$bin\":\"G1szMW3/ACBubyBNZXNzYWdlUGFjaw==\"}\n");
    assert!(said.contains("not MessagePack"), "{said}");
}

#[test]
fn codes_are_named_and_are_exit_codes() {
    let address = server::start();
    let check = |arguments: &str, exit, expected: &str| {
        let (out, said) = failed(&mut sockety(&format!("call {address} {arguments}")), exit);
        assert_eq!(out, "");
        assert!(said.contains(expected), "{said}");
    };
    check("ping", 0, "code 0 (Accept), replied");
    check("nothing", 1, "code 2 (Not Implemented), not executed");
    check("code --json 404", 1, "code 404, replied");
    check("code --json 5000", 1, "code 5 (Internal Error), executed");
    let named = format!("code at {address}: code 404, replied");
    check("code --json 404", 1, &named);
    // The worst of several counts.
    let (out, _) = failed(
        &mut sockety(&format!(
            "call {address} code --json 7 --repeat 2 --output json"
        )),
        1,
    );
    assert_eq!(out.lines().count(), 2);
    assert!(
        out.starts_with(r#"{"type":"reply","code":7,"name":null,"outcome":"replied","ms":"#),
        "{out}"
    );
}

#[test]
fn a_refusal_says_why() {
    let (address, folder) = (server::start(), tempdir().unwrap());
    let check = |arguments: &str, json: &str, expected: &str| {
        let mut call = sockety(&format!("call {address} {arguments}"));
        let (out, said) = failed(call.args(["--json", json]), 1);
        assert_eq!(out, "");
        assert!(said.contains(expected), "{said}");
    };
    check(
        "media.find",
        r#"{"title":7,"deep":true}"#,
        "code 4 (Bad Request), replied: payload cannot be read: title: invalid type: \
         integer `7`, expected a string",
    );
    check(
        "media.find",
        r#"{"title":"x"}"#,
        "code 4 (Bad Request), replied: payload cannot be read: missing field `deep`",
    );
    let large = folder.path().join("large");
    fs::write(&large, vec![0; 2000]).unwrap();
    let upload = format!("call {address} media.upload --file {}", large.display());
    let (_, said) = failed(&mut sockety(&upload), 1);
    let expected = "code 3842 (Too Large), not executed: file of 2000 bytes is over the \
                    limit of 1024";
    assert!(said.contains(expected), "{said}");
    let (out, _) = failed(&mut sockety(&format!("{upload} --output json")), 1);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["code"], 3842);
    assert_eq!(
        json["reason"],
        "file of 2000 bytes is over the limit of 1024"
    );
}

#[test]
fn an_error_of_a_service_is_shown_and_is_a_refusal() {
    let address = server::start();
    let mut call = sockety(&format!("call {address} media.find --json"));
    let (out, said) = failed(call.arg(r#"{"title":"x","deep":true}"#), 1);
    assert_eq!(
        out,
        "{\"name\":\"NotFound\",\"message\":\"There is no such clip\",\"details\":{\"NotFound\":{\"title\":\"x\"}}}\n"
    );
    assert!(said.contains("error of the service"), "{said}");
}

#[test]
fn files_are_sent_and_saved() {
    let (address, folder) = (server::start(), tempdir().unwrap());
    let path = |name: &str| folder.path().join(name);
    fs::write(path("a.txt"), "first").unwrap();
    fs::write(path("b.txt"), "").unwrap();
    let mut call = sockety(&format!("call {address} upload --file"));
    call.arg(path("a.txt")).arg("--file").arg(path("b.txt"));
    assert_eq!(
        stdout(&mut call),
        "[[\"a.txt\",\"first\"],[\"b.txt\",\"\"]]\n"
    );

    // Into a directory that does not exist yet. A file with an invalid name is not saved.
    let mut call = sockety(&format!("call {address} download --output json --save"));
    call.arg(path("inbox"))
        .arg("--json")
        .arg(r#"["c.txt", "../d.txt"]"#);
    let (out, _) = failed(&mut call, 6);
    assert_eq!(fs::read_to_string(path("inbox/c.txt")).unwrap(), "c.txt");
    assert!(!path("d.txt").exists());
    assert!(out.contains("has a path separator"), "{out}");

    // Nothing is overwritten, and files that are not saved are reported.
    let mut call = sockety(&format!("call {address} download --save"));
    call.arg(path("inbox")).arg("--json").arg(r#"["c.txt"]"#);
    let (_, said) = failed(&mut call, 6);
    assert!(said.contains("exists already"), "{said}");
    let (_, said) = failed(
        sockety(&format!("call {address} download --json")).arg(r#"["c.txt"]"#),
        0,
    );
    assert!(
        said.contains("dropped; use --save DIR to keep it"),
        "{said}"
    );
    let (_, said) = failed(
        &mut sockety(&format!("call {address} upload --file missing")),
        6,
    );
    assert!(said.contains("cannot open \"missing\""), "{said}");
}

#[test]
fn calls_back_are_shown_and_answered_from_files() {
    let (address, folder) = (server::start(), tempdir().unwrap());
    fs::write(folder.path().join("a.json"), "\"from a file\"").unwrap();
    let call = |options: &str, json: &str| {
        let mut call = sockety(&format!("call {address} {options} --json {json}"));
        call.arg("call back").current_dir(folder.path());
        call
    };
    let serve = "--serve title=a.json --serve told=a.json";
    let (out, said) = failed(&mut call(serve, r#"["title","other"]"#), 0);
    assert_eq!(out, "[\"from a file\",\"2 (Not Implemented)\"]\n");
    for line in [
        " \"title\" ",
        "    payload of 3 bytes: [1,2]",
        "    answered",
        " \"other\" ",
        "    refused with code 2 (Not Implemented), as no --serve names its action",
        " \"told\" one-way ",
        "    taken",
    ] {
        assert!(said.contains(line), "{line:?} is not in {said}");
    }
    let out = stdout(&mut call("--output json", r#"["title"]"#));
    let lines: Vec<serde_json::Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["type"], "message");
    assert_eq!(
        (&lines[0]["action"], &lines[0]["served"]),
        (&"title".into(), &false.into())
    );
    assert!(lines.iter().any(|line| line["type"] == "reply"));

    // Mistakes are said before anything is sent.
    fs::write(folder.path().join("b.json"), "{").unwrap();
    let (_, said) = failed(&mut call("--serve title=b.json", "1"), 2);
    assert!(said.contains("--serve title=b.json: not JSON"), "{said}");
    let (_, said) = failed(&mut call("--serve title=c.json", "1"), 6);
    assert!(
        said.contains("--serve title=c.json: cannot read c.json"),
        "{said}"
    );
    let (_, said) = failed(&mut call("--serve title", "1"), 2);
    assert!(said.contains("write ACTION=FILE"), "{said}");
}

#[test]
fn streams_are_piped_both_ways() {
    let (address, folder) = (server::start(), tempdir().unwrap());
    let mut call = sockety(&format!("call {address} stream --stream -"));
    let bytes = b"line\n\x1b\xff".repeat(100_000);
    let assert = call.write_stdin(bytes.clone()).assert().success();
    // Only the stream: everything else goes to standard error.
    assert_eq!(assert.get_output().stdout, bytes);
    assert!(assert.get_output().stderr.starts_with(b"7\n"));

    // As objects.
    let mut call = sockety(&format!("call {address} stream --stream - --output json"));
    let out = stdout(call.write_stdin("hello"));
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], r#"{"type":"bytes","value":{"$bin":"aGVsbG8="}}"#);
    let reply: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(
        (&reply["payload"], &reply["stream_bytes"]),
        (&7.into(), &5.into())
    );

    let to = folder.path().join("out");
    let mut call = sockety(&format!("call {address} stream --stream - --stream-to"));
    assert_eq!(stdout(call.arg(&to).write_stdin("hello")), "7\n");
    assert_eq!(fs::read(&to).unwrap(), b"hello");
}

#[test]
fn items_of_streams_are_lines_of_json() {
    let address = server::start();
    let items = "1\n{\"x\":[\"é\"]}\nnull\n\"\\u001b\"\n";
    let mut call = sockety(&format!("call {address} stream --items --stream -"));
    assert_eq!(stdout(call.write_stdin(items)), items);
    let objects = format!("call {address} stream --items --stream - --output json");
    let out = stdout(sockety(&objects).write_stdin(items));
    let second = out.lines().nth(1);
    assert_eq!(second, Some(r#"{"type":"item","value":{"x":["é"]}}"#));
    assert_eq!(out.lines().count(), 5);
    let mut call = sockety(&format!("call {address} stream --items --stream -"));
    let (_, said) = failed(call.write_stdin("{"), 6);
    assert!(
        said.contains("reading the stream failed: line 1: not JSON"),
        "{said}"
    );
}

#[test]
fn what_did_not_come_back_has_its_own_exit_code() {
    let address = server::start();
    let (_, said) = failed(&mut sockety("call 127.0.0.1:1 ping"), 3);
    assert!(said.contains("cannot connect"), "{said}");
    let (_, said) = failed(
        &mut sockety(&format!("call {address} never --timeout 50ms")),
        4,
    );
    let expected = format!(
        "sockety: never at {address}: no reply within 50ms (unknown whether it was executed)\n"
    );
    assert_eq!(said, expected);
    // The handler was asked to answer, and closed the connection instead.
    let mut call = sockety(&format!("call {address}"));
    let code = call.arg("hang up").assert().get_output().status.code();
    assert!(matches!(code, Some(1 | 4)), "{code:?}");
}

/// The object for a failure, of which all keys are there in every command.
fn error_of(command: &mut assert_cmd::Command, exit: i32) -> serde_json::Value {
    let (out, said) = failed(command, exit);
    assert!(!said.is_empty(), "the text is there, too");
    let mut error: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    let text = error.as_object_mut().unwrap().remove("text").unwrap();
    assert!(said.contains(text.as_str().unwrap()), "{text}: {said}");
    error
}

#[test]
fn failures_are_objects_too() {
    let (address, authorizing) = (server::start(), server::start_authorizing());
    let unreachable = |action: &str| {
        serde_json::json!({
            "type": "error", "action": action, "code": null, "name": null, "reason": null,
            "outcome": "not sent", "exit": 3,
        })
    };
    for (command, action) in [
        ("call 127.0.0.1:1 x", "x"),
        ("pass 127.0.0.1:1 x", "x"),
        ("ping 127.0.0.1:1", "$sockety.ping"),
        ("bench 127.0.0.1:1 x", "x"),
        ("describe 127.0.0.1:1", "$sockety.describe"),
        ("health 127.0.0.1:1", "$sockety.health"),
    ] {
        let error = error_of(&mut sockety(&format!("{command} --output json")), 3);
        assert_eq!(error, unreachable(action), "{command}");
    }
    let call = format!("call {address} never --timeout 50ms --output json");
    let error = error_of(&mut sockety(&call), 4);
    assert_eq!(error["outcome"], "unknown whether it was executed");
    let refused = format!("call {authorizing} ping --first media.count --output json");
    let mut call = sockety(&refused);
    let error = error_of(call.arg("--first-json").arg("null"), 1);
    assert_eq!(error["action"], "media.count");
    assert_eq!((&error["code"], &error["exit"]), (&4.into(), &1.into()));
    assert_eq!(error["name"], "Bad Request");
    let reason = error["reason"].as_str().unwrap();
    assert!(reason.starts_with("payload cannot be read"), "{reason}");
    for (command, exit) in [
        (format!("listen {address}"), 6),
        (format!("tap {address} localhost:1"), 6),
        ("check missing.json missing.json".to_owned(), 6),
        ("decode missing.bin".to_owned(), 6),
        ("call localhost:1 x --json {".to_owned(), 2),
    ] {
        let error = error_of(&mut sockety(&format!("{command} --output json")), exit);
        assert_eq!(error["outcome"], serde_json::Value::Null, "{command}");
        assert_eq!(error["exit"], exit, "{command}");
    }
    let (out, _) = failed(&mut sockety("call 127.0.0.1:1 x"), 3);
    assert_eq!(out, "");
}

#[test]
fn a_misspelt_action_and_missing_parameters_are_said_before_anything_is_sent() {
    let address = server::start();
    let what = |action: &str| format!("sockety: {action} at {address}: ");
    let missing = "missing parameters \"title\" (String), \"deep\" (bool), see --json; \
                   --no-schema sends it anyway (not sent)\n";
    let nearest = "the peer describes no such action; the nearest is \"media.find\"; \
                   --no-schema sends it anyway (not sent)\n";
    for command in ["call", "pass", "bench"] {
        let run = |arguments: &str| {
            let mut command = sockety(&format!("{command} {address} {arguments}"));
            failed(&mut command, 2).1
        };
        assert_eq!(run("media.find"), what("media.find") + missing);
        assert_eq!(run("media.search"), what("media.search") + missing);
        if command == "pass" {
            assert_eq!(run("media.fnd"), what("media.fnd") + nearest);
            assert_eq!(run("media.fnd --json 1"), what("media.fnd") + nearest);
        }
    }
    // There may be a handler, which is not described: the answer says.
    let (_, said) = failed(&mut sockety(&format!("call {address} media.fnd")), 1);
    let hint = "code 2 (Not Implemented), not executed; the nearest that the peer describes is \
                \"media.find\" (";
    assert!(said.contains(hint), "{said}");
    let (_, said) = failed(
        &mut sockety(&format!("call {address} media.fnd --no-schema")),
        1,
    );
    assert!(said.contains("code 2 (Not Implemented)"), "{said}");
    // Handlers are not described, and nothing is near to this one.
    let (_, said) = failed(&mut sockety(&format!("call {address} nothing")), 1);
    let hint = "not executed; `sockety describe` lists the actions of the peer (";
    assert!(said.contains(hint), "{said}");
    let files = format!(
        "call {address} media.upload --file {}",
        env!("CARGO_MANIFEST_PATH")
    );
    failed(&mut sockety(&files), 1);
}

#[test]
fn the_question_for_a_schema_needs_no_other_connection() {
    let connections = |server: &str, arguments: &str, token: bool| {
        let mut tap = Running::start(&["tap", "127.0.0.1:0", server, "--output", "json"]);
        let mut call = sockety(&format!("call {} {arguments}", tap.address));
        if token {
            call.env("SOCKETY_TOKEN", server::TOKEN)
                .args(["--first", "auth"]);
        }
        failed(&mut call, 0);
        tap.child.kill().unwrap();
        let (_, out, _) = tap.wait();
        out.matches("\"text\":\"from ").count()
    };
    let (described, authorizing) = (server::start(), server::start_authorizing());
    let (described, authorizing) = (described.to_string(), authorizing.to_string());
    let listening = Running::start(&["listen", "127.0.0.1:0"]);
    assert_eq!(connections(&described, "media.count --json 7", false), 1);
    assert_eq!(connections(&authorizing, "media.count --json 7", true), 1);
    assert_eq!(connections(&listening.address, "x --json 7", false), 1);
    // It must not be taken for the message that authorizes.
    let auth = format!("auth --json {:?}", server::TOKEN);
    assert_eq!(connections(&authorizing, &auth, false), 2);
}

#[test]
fn wrong_arguments_are_said_before_anything_is_sent() {
    let check = |arguments: &str, expected: &str| {
        let (_, said) = failed(&mut sockety(arguments), 2);
        assert!(said.contains(expected), "{said}");
    };
    check("call localhost x", "has no port");
    check("call ftp://localhost:1 x", "has a scheme other than");
    check("call localhost:1 x --json {", "not JSON");
    check(
        "call localhost:1 x --json 1 --data 2",
        "cannot be used with",
    );
    check("call localhost:1 x --json @- --stream -", "cannot be both");
    check("call localhost:1 x --timeout soon", "write 250ms");
    check(
        "call localhost:1 x --ca missing.pem",
        "cannot use missing.pem",
    );
    check("call localhost:1 x --cert a.pem", "--key");
    check("listen localhost:0 --reply 5000", "4095");
}

#[test]
fn a_pass_expects_nothing() {
    let address = server::start();
    let mut pass = sockety(&format!("pass {address} raw --json 1 --repeat 3"));
    assert_eq!(failed(&mut pass, 0), (String::new(), String::new()));
    let sent = stdout(&mut sockety(&format!("pass {address} raw --output json")));
    assert!(sent.starts_with(r#"{"type":"sent","ms":"#), "{sent}");
    failed(&mut sockety("pass 127.0.0.1:1 raw"), 3);
}
