//! Schemas: saved from a server, and compared.

use std::fs;

use sockety::Options;
use sockety_schema::of;

use crate::{
    failed, server,
    server::{MediaClient, start_router},
    sockety, stdout,
};

/// A server that has schemas.
fn described() -> std::net::SocketAddr {
    start_router(None, Options::default(), |router| {
        router.describe_with(&of::<MediaClient>().expect("described"))
    })
}

#[test]
fn typescript_is_written_for_a_server() {
    let address = described();
    let expected = sockety_typescript::typescript(&of::<MediaClient>().unwrap()).unwrap();
    assert!(expected.contains("find(title: string, deep: boolean, options?: sockety.Options)"));
    assert_eq!(
        stdout(&mut sockety(&format!("typescript {address}"))),
        expected
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("media.ts");
    let command = format!("typescript {address} --out {}", file.to_str().unwrap());
    assert_eq!(stdout(&mut sockety(&command)), "");
    assert_eq!(fs::read_to_string(&file).unwrap(), expected);

    let (_, said) = failed(&mut sockety(&format!("{command}/nowhere")), 6);
    assert!(said.contains("cannot write"), "{said}");
    // Without a schema there are no types.
    let address = server::start();
    let (_, said) = failed(&mut sockety(&format!("typescript {address}")), 1);
    assert!(said.contains("has no schema"), "{said}");
}

#[test]
fn the_types_of_a_server_are_shown_saved_and_compared() {
    let address = described();
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old.json");
    let old = old.to_str().unwrap();
    let text = stdout(&mut sockety(&format!("describe {address} --save {old}")));
    let shown = "\n    enum MediaError, as \"Name\" or {\"Name\": content}\n        /// There is no such clip.\n        NotFound\n            title: String\n";
    assert!(text.contains(shown), "{text}, not {shown}");
    let saved = fs::read_to_string(old).unwrap();
    let expected = of::<MediaClient>().unwrap().to_json();
    assert_eq!(saved, expected);

    let same = stdout(sockety(&format!("check {old} --against {address}")).env("NO_COLOR", "1"));
    assert_eq!(same, "nothing that travels has changed\n");

    let new = folder.path().join("new.json");
    let changed = saved
        .replace("\"media.count\"", "\"media.size\"")
        .replace("\"timeout_ms\": 2000", "\"timeout_ms\": 1000");
    fs::write(&new, changed).unwrap();
    let new = new.to_str().unwrap();
    for both in [
        format!("{old} {new}"),
        // What is served is what is in use.
        format!("{new} --against {address}"),
    ] {
        let (said, _) = failed(&mut sockety(&format!("check {both}")), 1);
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(
            lines,
            [
                "breaking: media.count: is not served any more [action.gone]",
                "servers first: media.size: is new [action.new]",
                "warning: media.find: callers wait 1000 ms, before 2000 ms [timeout]",
                "breaking",
            ]
        );
    }
    let allowed = format!("check {old} {new} --allow action.gone:media.count");
    let said = stdout(&mut sockety(&allowed));
    assert!(
        said.starts_with("breaking, allowed: media.count: "),
        "{said}"
    );
    assert!(
        said.ends_with("renew every server before any client uses the change\n"),
        "{said}"
    );

    let list = folder.path().join("allowed");
    fs::write(
        &list,
        "# Nobody counts.\naction.gone:media.count\n\ntimeout # faster\n",
    )
    .unwrap();
    let list = list.to_str().unwrap();
    let said = stdout(&mut sockety(&format!(
        "check {old} {new} --allow-from {list} --output json"
    )));
    let first: serde_json::Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    let last: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    let expected = serde_json::json!({
        "type": "verdict", "verdict": "servers_first", "breaking": false, "changes": 3,
        "unused_allowances": [],
        "text": "compatible: renew every server before any client uses the change",
    });
    assert_eq!(last, expected);
    assert_eq!(first["rule"], "action.gone");
    assert_eq!(
        (&first["verdict"], &first["allowed"]),
        (&"breaking".into(), &true.into())
    );
}

#[test]
fn an_allowance_that_allows_nothing_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (old, list) = (folder.path().join("old.json"), folder.path().join("list"));
    fs::write(&old, of::<MediaClient>().unwrap().to_json()).unwrap();
    fs::write(&list, "action.gone:media.count # last year\n").unwrap();
    let (old, list) = (old.to_str().unwrap(), list.to_str().unwrap());
    let check = format!("check {old} {old} --allow timeout --allow-from {list}");
    let (out, said) = failed(&mut sockety(&check), 0);
    assert_eq!(out, "nothing that travels has changed\n");
    assert_eq!(
        said,
        "warning: allowance timeout matches no change\n\
         warning: allowance action.gone:media.count matches no change\n"
    );
    let (out, _) = failed(&mut sockety(&format!("{check} --output json")), 0);
    let verdict: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(verdict["verdict"], "compatible");
    let unused = serde_json::json!(["timeout", "action.gone:media.count"]);
    assert_eq!(verdict["unused_allowances"], unused);
}

#[test]
fn what_is_no_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.json");
    let path = file.to_str().unwrap();
    let (_, said) = failed(&mut sockety(&format!("check {path} {path}")), 6);
    assert!(said.contains("cannot read "), "{said}");
    fs::write(&file, "{\"format\": 2}").unwrap();
    let (_, said) = failed(&mut sockety(&format!("check {path} {path}")), 6);
    assert!(said.contains("unknown format 2 of a schema"), "{said}");
    fs::write(&file, "{\"format\": 1, \"services\": {}}").unwrap();
    failed(&mut sockety(&format!("check {path}")), 2);
    let (_, said) = failed(&mut sockety(&format!("check {path} {path} --allow x")), 2);
    assert!(said.contains("unknown rule \"x\""), "{said}");

    let address = server::start();
    let (_, said) = failed(
        &mut sockety(&format!("describe {address} --save {path}")),
        1,
    );
    assert!(said.contains("service Media has no schema"), "{said}");
    let (_, said) = failed(
        &mut sockety(&format!("check {path} --against {address}")),
        1,
    );
    assert!(said.contains("service Media has no schema"), "{said}");
}

/// A server may send anything as a schema.
#[test]
fn a_schema_that_a_server_makes_up_is_refused() {
    let deep = format!("{}\"u8\"{}", "{\"option\":".repeat(200), "}".repeat(200));
    let types = format!(
        "{{\"format\":1,\"services\":{{\"Media\":{{\"actions\":{{}},\"types\":{{\"A\":{{\"shape\":{{\"newtype\":{deep}}}}}}}}}}}}}"
    );
    for text in [
        "",
        "[]",
        "{\"format\":1,\"services\":{\"\\u001b[2J\":{}}}",
        &types,
    ] {
        let text = text.to_owned();
        let address = start_router(None, Options::default(), move |router| {
            router.describe_with([("Media".to_owned(), text)])
        });
        let (_, said) = failed(&mut sockety(&format!("describe {address}")), 1);
        assert!(
            said.contains("schema of service Media: invalid schema"),
            "{said}"
        );
        assert!(!said.contains('\u{1b}'), "{said:?}");
    }
}
