//! Checks that the links in the documents of the repository lead somewhere.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn documents() -> Vec<PathBuf> {
    let root = root();
    let mut documents: Vec<PathBuf> =
        ["", "bench", "docs", "docs/src", "examples", "sockety-codec"]
            .iter()
            .flat_map(|folder| fs::read_dir(root.join(folder)).expect("the folder is there"))
            .map(|entry| entry.expect("the folder can be read").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
            .collect();
    documents.sort();
    documents
}

/// Text outside code blocks.
fn prose(document: &str) -> String {
    let mut is_code = false;
    let outside = |line: &&str| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    };
    document
        .lines()
        .filter(outside)
        .collect::<Vec<_>>()
        .join("\n")
}

/// The targets of `[text](target)` that are not web addresses.
fn links(prose: &str) -> impl Iterator<Item = &str> {
    let targets = prose
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
}

/// Anchors as GitHub and mdBook derive them from headings.
fn anchors(document: &str) -> Vec<String> {
    let of_heading = |line: &str| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter_map(|letter| match letter {
            ' ' => Some('-'),
            letter if letter.is_alphanumeric() || "-_".contains(letter) => Some(letter),
            _ => None,
        });
        kept.collect()
    };
    let prose = prose(document);
    prose
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(of_heading)
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = vec![];
    let mut checked = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).expect("a document is text");
        let folder = document.parent().expect("a document is in a folder");
        for link in links(&prose(&text)) {
            checked += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => document.clone(),
                path => folder.join(path),
            };
            let is_there = target.exists()
                && (anchor.is_empty()
                    || fs::read_to_string(&target)
                        .is_ok_and(|text| anchors(&text).iter().any(|known| known == anchor)));
            if !is_there {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(checked > 50, "only {checked} links found");
}

#[test]
fn every_page_of_the_guide_is_listed_and_compiled() {
    let root = root();
    let read = |path: &str| fs::read_to_string(root.join(path)).expect("it is there");
    let (summary, compiled) = (read("docs/src/SUMMARY.md"), read("examples/lib.rs"));
    for document in documents() {
        let Ok(page) = document.strip_prefix(root.join("docs/src")) else {
            continue;
        };
        let page = page.to_str().expect("names are ASCII");
        if page == "SUMMARY.md" {
            continue;
        }
        assert!(
            summary.contains(&format!("]({page})")),
            "{page} is not in the summary"
        );
        let has_code = fs::read_to_string(&document).is_ok_and(|text| text.contains("```rust"));
        let is_compiled = compiled.contains(&format!("\"{page}\""));
        assert!(
            !has_code || is_compiled,
            "the code of {page} is not compiled"
        );
    }
}
