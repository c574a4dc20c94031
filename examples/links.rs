//! Checks that the links in the documents of the repository lead somewhere.

use std::{
    fs,
    path::{Path, PathBuf},
};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use walkdir::WalkDir;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All but what is built or installed.
fn documents() -> Vec<PathBuf> {
    let is_ours = |name: &str| !name.starts_with('.') && name != "target" && name != "node_modules";
    let entries = WalkDir::new(root()).min_depth(1).sort_by_file_name();
    entries
        .into_iter()
        .filter_entry(|entry| entry.file_name().to_str().is_some_and(is_ours))
        .map(|entry| entry.expect("the folder can be read").into_path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect()
}

/// What a document links to, and what can be linked to in it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Links {
    targets: Vec<String>,
    /// Anchors as GitHub and mdBook derive them from headings.
    anchors: Vec<String>,
}

impl Links {
    fn of(path: &Path) -> Self {
        Self::parse(&fs::read_to_string(path).expect("a document is text"))
    }

    fn parse(document: &str) -> Self {
        let mut links = Self::default();
        let mut heading = None;
        for event in Parser::new_ext(document, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    links.targets.push(dest_url.into_string());
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => links.add(&heading.take().unwrap_or_default()),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        *heading += &text;
                    }
                }
                _ => {}
            }
        }
        links
    }

    fn add(&mut self, heading: &str) {
        let heading = heading.to_lowercase();
        let kept = heading.chars().filter_map(|letter| match letter {
            ' ' => Some('-'),
            letter if letter.is_alphanumeric() || "-_".contains(letter) => Some(letter),
            _ => None,
        });
        let first: String = kept.collect();
        let mut anchor = first.clone();
        for number in 1.. {
            if !self.anchors.contains(&anchor) {
                break;
            }
            anchor = format!("{first}-{number}");
        }
        self.anchors.push(anchor);
    }
}

#[test]
fn links_and_anchors_are_found() {
    let links = Links::parse(
        "# One `two`: three\n\n[a](b.md#c) ![d](e.png) `[no](no)` [f][g]\n\n\
         ```\n# no\n[no](no)\n```\n\n| a |\n| --- |\n| [h](i) |\n\n## One two three\n\n[g]: j",
    );
    assert_eq!(links.targets, ["b.md#c", "e.png", "j", "i"]);
    assert_eq!(links.anchors, ["one-two-three", "one-two-three-1"]);
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = vec![];
    let mut checked = 0;
    for document in documents() {
        let folder = document.parent().expect("a document is in a folder");
        for link in Links::of(&document).targets {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            checked += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match path {
                "" => document.clone(),
                path => folder.join(path),
            };
            let is_there = target.exists()
                && (anchor.is_empty() || Links::of(&target).anchors.iter().any(|it| it == anchor));
            if !is_there {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(checked > 150, "only {checked} links found");
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
