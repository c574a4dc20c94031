//! Every row of THREATS.md has tests, named after it: `t_m18_…` is of row M18.

mod allowances;
mod clocks;
mod content;
mod environment;
mod framing;
mod headers;
mod own_code;
mod replies;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use sockety::{
    Options, Outcome,
    error::{ConnectionError, RequestError, chain},
};
use sockety_codec::Violation;

use crate::protocol::sources;
use crate::support::{
    PIPE, answers_ping, dialogue, dialogue_with, hex, id, ping_handler, tasks, tasks_are_back_to,
};

#[test]
fn every_row_has_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let table = fs::read_to_string(root.join("docs/THREATS.md")).unwrap();
    let rows = rows(&table);
    let mut tests = BTreeMap::new();
    for folder in [
        "sockety-codec",
        "sockety-msgpack",
        "sockety",
        "sockety-macros",
        "tests",
    ] {
        for file in sources(&root.join(folder)) {
            collect(&fs::read_to_string(file).unwrap(), &mut tests);
        }
    }
    for row in &rows {
        let tests = tests.get(row).map(Vec::as_slice).unwrap_or_default();
        println!("{row}: {}", tests.join(", "));
    }
    let problems = problems(&rows, &tests);
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn problems_with_rows_are_found() {
    let rows = rows("| id | attack |\n| --- | --- |\n| F1 | `F0` |\n| F2 | x |\n| F3 | x |\n");
    assert_eq!(rows, ["F1", "F2", "F3"]);
    let mut tests = BTreeMap::new();
    let name = |name: &str| format!("    async fn {name}() {{\n");
    for test in [
        "t_f1_a",
        "t_f1_b_and_t_f3_c",
        "t_f10_d_and_e",
        "take",
        "t_shirt",
    ] {
        collect(&name(test), &mut tests);
    }
    assert_eq!(
        problems(&rows, &tests),
        ["F2 has no test", "F10 has tests, but is no row"]
    );
}

/// Ids of the rows, in their order.
fn rows(table: &str) -> Vec<String> {
    let id = |line: &str| Some(line.strip_prefix("| ")?.split_once(" |")?.0.to_owned());
    let rows: Vec<String> = table
        .lines()
        .filter_map(id)
        .filter(|id| is_id(id))
        .collect();
    let unique: BTreeSet<&String> = rows.iter().collect();
    assert_eq!(unique.len(), rows.len(), "an id is there twice");
    rows
}

/// One capital letter and a number.
fn is_id(text: &str) -> bool {
    let Some((letter, number)) = text.split_at_checked(1) else {
        return false;
    };
    letter.chars().all(|letter| letter.is_ascii_uppercase()) && number.parse::<u8>().is_ok()
}

/// Enters the tests of a source file under the rows that they are named after: one, or `t_h7_and_t_l3_…`.
fn collect(source: &str, tests: &mut BTreeMap<String, Vec<String>>) {
    for (at, mark) in source.match_indices("fn t_") {
        let name = &source[at + mark.len() - "t_".len()..];
        let name = name.split('(').next().unwrap_or_default();
        for part in name.split("_and_") {
            let id = part.strip_prefix("t_").and_then(|id| id.split('_').next());
            let id = id.unwrap_or_default().to_uppercase();
            if is_id(&id) {
                tests.entry(id).or_default().push(name.to_owned());
            }
        }
    }
}

/// What is wrong, one line each.
fn problems(rows: &[String], tests: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let untested = rows.iter().filter(|row| !tests.contains_key(*row));
    let unknown = tests.keys().filter(|id| !rows.contains(id));
    let untested = untested.map(|row| format!("{row} has no test"));
    let unknown = unknown.map(|id| format!("{id} has tests, but is no row"));
    untested.chain(unknown).collect()
}

/// Digits of a script, in which `U` and `V` stand for the ids 1 and 2.
fn script(digits: &str) -> String {
    digits.replace('U', &hex(id(1))).replace('V', &hex(id(2)))
}

/// A peer sends this, and its connection ends for breaking this rule: who waits is told, the peer is told goodbye, and
/// another connection goes on.
async fn ends(digits: &str, expected: Violation) {
    ends_with(Options::default(), digits, expected).await;
}

async fn ends_with(options: Options, digits: &str, expected: Violation) {
    let baseline = tasks();
    let (_other, mut honest) = dialogue(ping_handler()).await;
    let with_other = tasks();
    let (connection, mut peer) = dialogue_with(ping_handler(), options, PIPE).await;
    let ask = sockety::message::Draft::new("ask");
    let mut request = connection.send(&ask).await.expect("sent");
    peer.expect_message("ask").await;
    peer.send(&script(digits)).await;
    let error = request.response().await.expect_err("the end");
    let RequestError::Disconnected { error, outcome, .. } = error else {
        panic!("{digits}: {error:?}");
    };
    let is_expected = matches!(error, ConnectionError::Protocol(found) if found == expected);
    assert!(is_expected, "{digits}: {error:?}");
    assert_eq!(outcome, Outcome::Unknown);
    let text = chain(&connection.closed().await).to_string();
    assert!(text.contains(&expected.to_string()), "{text}");
    peer.expect("B0").await;
    peer.expect_end().await;
    drop((request, connection, peer));
    tasks_are_back_to(with_other).await;
    answers_ping(&mut honest).await;
    drop((_other, honest));
    tasks_are_back_to(baseline).await;
}

/// A peer sends this, and nothing comes of it: the connection answers what follows, and says nothing else.
async fn is_ignored(digits: &str) {
    let (_connection, mut peer) = dialogue(ping_handler()).await;
    peer.send(&script(digits)).await;
    answers_ping(&mut peer).await;
    peer.expect_silence().await;
}

/// A peer sends this as the message of id 1, which is answered with this code; the connection goes on.
async fn is_answered(digits: &str, code: u16) {
    let (_connection, mut peer) = dialogue(ping_handler()).await;
    peer.send(&script(digits)).await;
    peer.expect_code(id(1), code).await;
    answers_ping(&mut peer).await;
    peer.expect_silence().await;
}

/// Limits of a connection that ends at what is otherwise tolerated.
fn strict() -> Options {
    Options::default().limits(sockety::config::Limits::default().strict(true))
}
