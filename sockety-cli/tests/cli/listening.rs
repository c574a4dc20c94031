use std::fs;

use tempfile::tempdir;

use crate::{Running, failed, sockety, stdout};

#[test]
fn every_message_is_shown_and_answered() {
    let folder = tempdir().unwrap();
    let (inbox, file) = (folder.path().join("inbox"), folder.path().join("a.txt"));
    fs::write(&file, "content").unwrap();
    let inbox_text = inbox.to_str().unwrap();
    // Left by a run that was killed.
    let left = inbox.join(".sockety-partial-7");
    fs::create_dir(&inbox).unwrap();
    fs::write(&left, "left behi").unwrap();
    let listening = Running::start(&[
        "listen",
        "127.0.0.1:0",
        "--reply",
        "7",
        "--count",
        "5",
        "--save",
        inbox_text,
    ]);
    let address = listening.address.clone();
    let mut call = sockety(&format!("call {address} store --data \x1b[2J --file"));
    let (_, said) = failed(call.arg(&file), 1);
    assert!(said.contains("code 7, replied"), "{said}");
    failed(
        &mut sockety(&format!("pass {address} note --json [1,2]")),
        0,
    );
    failed(
        sockety(&format!("call {address} log --stream -")).write_stdin("12345"),
        1,
    );
    // 201 levels, one more than is shown.
    let deep = [&[0x91; 201][..], &[0xC0]].concat();
    failed(
        sockety(&format!("pass {address} deep --raw -")).write_stdin(deep),
        0,
    );
    failed(
        sockety(&format!("pass {address} odd --raw -")).write_stdin(&b"\xc1"[..]),
        0,
    );

    let (code, shown, _) = listening.wait();
    assert_eq!(code, Some(0));
    assert!(shown.contains("\"store\""), "{shown}");
    assert!(
        shown.contains("file \"a.txt\", 7 bytes: saved as"),
        "{shown}"
    );
    assert!(shown.contains("\"note\" one-way"), "{shown}");
    assert!(shown.contains("payload of 3 bytes: [1,2]"), "{shown}");
    assert!(shown.contains("stream of 5 bytes"), "{shown}");
    let expected = "payload of 202 bytes: MessagePack, but too large to show: container at byte 200 \
                    is nested too deep: 201 levels, maximum is 200: {\"$bin\"";
    assert!(shown.contains(expected), "{shown}");
    let expected = "payload of 1 bytes: not MessagePack: reserved marker 0xC1 at byte 0: {\"$bin\"";
    assert!(shown.contains(expected), "{shown}");
    assert!(!shown.contains('\x1b'), "{shown}");
    assert_eq!(fs::read(inbox.join("a.txt")).unwrap(), b"content");
    assert!(!left.exists());
}

#[test]
fn programs_get_json_and_peers_a_response() {
    let listening = Running::start(&[
        "listen",
        "127.0.0.1:0",
        "--output",
        "json",
        "--count",
        "1",
        "--reply-json",
        "{\"ok\":true}",
    ]);
    let mut call = sockety(&format!("call {} check --json [7]", listening.address));
    assert_eq!(stdout(&mut call), "{\"ok\":true}\n");
    let (_, shown, _) = listening.wait();
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(
        (&shown["action"], &shown["payload"][0]),
        (&"check".into(), &7.into())
    );
    assert_eq!(shown["expects_reply"], true);
}

#[test]
fn actions_have_answers_from_files() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("clip.json");
    fs::write(&file, "{\"id\":7}").unwrap();
    let serve = format!("media.find={}", file.display());
    let listening = Running::start(&["listen", "127.0.0.1:0", "--serve", &serve, "--reply", "2"]);
    let mut call = sockety(&format!("call {} media.find", listening.address));
    assert_eq!(stdout(&mut call), "{\"id\":7}\n");
    let (_, said) = failed(
        &mut sockety(&format!("call {} other", listening.address)),
        1,
    );
    assert!(said.contains("code 2 (Not Implemented)"), "{said}");
}

#[test]
fn what_is_saved_has_a_limit_in_total() {
    let folder = tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    for (name, size) in [("a", 6), ("b", 6), ("c", 4), ("d", 0)] {
        fs::write(path(name), vec![0; size]).unwrap();
    }
    let listening = Running::start(&[
        "listen",
        "127.0.0.1:0",
        "--count",
        "4",
        "--save",
        &path("inbox"),
        "--max-saved",
        "10",
        "--max-saved-files",
        "2",
    ]);
    let address = listening.address.clone();
    // Who sent a file that is not saved learns it.
    for (name, code) in [("a", 0), ("b", 1), ("c", 0), ("d", 1)] {
        let mut call = sockety(&format!("call {address} store --file {}", path(name)));
        failed(&mut call, code);
    }
    let (code, shown, said) = listening.wait();
    assert_eq!(code, Some(0));
    for line in [
        "file \"b\", 6 bytes: not saved: 6 of the 10 bytes of --max-saved are taken",
        "file \"d\", 0 bytes: not saved: 2 files are saved, the limit of --max-saved-files",
    ] {
        assert!(shown.contains(line), "{line:?} is not in {shown}");
    }
    assert_eq!(
        said.matches("warning: files that exceed a limit").count(),
        1,
        "{said}"
    );
    let mut saved: Vec<_> = fs::read_dir(path("inbox"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    saved.sort();
    assert_eq!(saved, ["a", "c"]);
}

#[cfg(unix)]
#[test]
fn unix_sockets_work_as_addresses() {
    let folder = tempdir().unwrap();
    let address = format!("unix://{}/s", folder.path().display());
    let listening = Running::start(&["listen", &address, "--count", "1"]);
    let (_, said) = failed(&mut sockety(&format!("call {address} hello")), 0);
    assert!(said.contains("code 0 (Accept)"), "{said}");
    assert!(listening.wait().1.contains(" unix \"hello\""));
}

#[test]
fn an_address_in_use_is_said() {
    let listening = Running::start(&["listen", "127.0.0.1:0"]);
    let (_, said) = failed(&mut sockety(&format!("listen {}", listening.address)), 6);
    assert_eq!(said.matches("cannot listen").count(), 1, "{said}");
    assert_eq!(said.matches(&listening.address).count(), 1, "{said}");
}

#[cfg(unix)]
#[test]
fn it_ends_in_order_when_it_is_told_to() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("s");
    let address = format!("unix://{}", path.display());
    for command in [
        vec!["listen", &address],
        vec!["tap", &address, "127.0.0.1:1"],
    ] {
        let running = Running::start(&command);
        assert!(path.exists());
        let id = running.child.id().to_string();
        let killed = std::process::Command::new("kill").arg(id).status();
        assert!(killed.unwrap().success());
        assert_eq!(running.wait().0, Some(0));
        // The file of the socket is gone.
        assert!(!path.exists());
    }
}
