//! Every rule of the protocol is implemented somewhere and verified by some test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What the sources say about one rule.
#[derive(Debug, Default, PartialEq)]
struct Cited {
    implemented: bool,
    verified: bool,
}

#[test]
fn every_rule_of_the_protocol_is_implemented_and_verified() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let protocol = fs::read_to_string(root.join("sockety-codec/PROTOCOL.md")).unwrap();
    let rules = rules(&protocol);
    let mut cited = BTreeMap::new();
    for folder in [
        "sockety-codec",
        "sockety",
        "sockety-macros",
        "tests",
        "examples",
    ] {
        for file in sources(&root.join(folder)) {
            cite(&fs::read_to_string(file).unwrap(), &mut cited);
        }
    }
    let problems = problems(&rules, &cited);
    let cited_rules = || cited.iter().filter(|(id, _)| rules.contains_key(*id));
    let count =
        |wanted: fn(&Cited) -> bool| cited_rules().filter(|(_, cited)| wanted(cited)).count();
    println!(
        "{} rules, {} of them not to be implemented; {} implemented, {} verified",
        rules.len(),
        rules.values().filter(|is_wanted| !**is_wanted).count(),
        count(|cited| cited.implemented),
        count(|cited| cited.verified),
    );
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn problems_are_found() {
    let text = "r[a.b]\nText.\n\nr[c]\nMore.\n\nNot implemented: reason.\n\nr[d]\nText.\n";
    let rules = rules(text);
    assert_eq!(rules.len(), 3);
    let mut cited = BTreeMap::new();
    let (implements, verifies) = ("// r[impl", "// r[verify");
    cite(
        &format!("    {implements} a.b]\n{verifies} x]\n"),
        &mut cited,
    );
    assert_eq!(
        problems(&rules, &cited),
        [
            "a.b: verified nowhere",
            "d: implemented nowhere",
            "d: verified nowhere",
            "x: cited, but not a rule",
        ]
    );
}

/// Ids of the rules, and whether they are to be implemented.
fn rules(protocol: &str) -> BTreeMap<String, bool> {
    let mut rules = BTreeMap::new();
    let mut current = None;
    for line in protocol.lines() {
        if let Some(id) = line
            .strip_prefix("r[")
            .and_then(|line| line.strip_suffix(']'))
        {
            let before = rules.insert(id.to_owned(), true);
            assert_eq!(before, None, "{id} is there twice");
            current = Some(id.to_owned());
        } else if line.starts_with("Not implemented: ")
            && let Some(id) = &current
        {
            rules.insert(id.clone(), false);
        } else if line.starts_with('#') {
            current = None;
        }
    }
    rules
}

/// Enters what a source file says in comments that consist of a citation.
fn cite(source: &str, cited: &mut BTreeMap<String, Cited>) {
    for line in source.lines() {
        let comment = line.trim_start().trim_start_matches('/');
        let Some(citation) = comment.strip_prefix(" r[") else {
            continue;
        };
        match citation
            .trim_end()
            .strip_suffix(']')
            .and_then(|citation| citation.split_once(' '))
        {
            Some(("impl", id)) => cited.entry(id.to_owned()).or_default().implemented = true,
            Some(("verify", id)) => cited.entry(id.to_owned()).or_default().verified = true,
            Some(_) | None => panic!("not a citation: {line}"),
        }
    }
}

/// What is wrong, one line each.
fn problems(rules: &BTreeMap<String, bool>, cited: &BTreeMap<String, Cited>) -> Vec<String> {
    let mut problems = Vec::new();
    let ids: BTreeSet<&String> = rules.keys().chain(cited.keys()).collect();
    for id in ids {
        let found = cited.get(id);
        match rules.get(id) {
            None => problems.push(format!("{id}: cited, but not a rule")),
            Some(false) => {}
            Some(true) => {
                if !found.is_some_and(|cited| cited.implemented) {
                    problems.push(format!("{id}: implemented nowhere"));
                }
                if !found.is_some_and(|cited| cited.verified) {
                    problems.push(format!("{id}: verified nowhere"));
                }
            }
        }
    }
    problems
}

/// All Rust files below a folder.
pub(crate) fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}
