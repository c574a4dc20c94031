//! The page "Troubleshooting" of the guide quotes texts that exist.

use std::{fs, path::Path};

use walkdir::WalkDir;

#[test]
fn quoted_texts_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = fs::read_to_string(root.join("docs/src/troubleshooting.md")).expect("the page");
    let mut sources = String::new();
    let folders = [
        "sockety/src",
        "sockety-codec/src",
        "sockety-macros/src",
        "sockety-msgpack/src",
    ];
    for folder in folders {
        for file in WalkDir::new(root.join(folder)) {
            let file = file.expect("a file");
            if file.path().extension().is_some_and(|it| it == "rs") {
                sources += &fs::read_to_string(file.path()).expect("a source");
            }
        }
    }
    // As a text may be broken into lines.
    let sources = sources.replace("\\\n", " ");
    let sources: Vec<_> = sources.split_whitespace().collect();
    let sources = sources.join(" ");

    let mut quoted = 0;
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        let first = row.split(" | ").next().expect("a cell");
        // A text that has backticks itself is between two of them.
        let texts = match first.split_once("``") {
            Some((_, rest)) => vec![rest.split("``").next().expect("a text").trim()],
            None => first.split('`').skip(1).step_by(2).collect(),
        };
        for text in texts {
            // These are the compiler's, the operating system's, or made of several texts.
            if [
                "lifetime parameters",
                "the trait … is not dyn",
                "could not find",
                "future cannot",
                "borrowed data",
                "cannot find attribute",
                "Connection refused",
                "connection closed by",
                "failed to lookup",
            ]
            .iter()
            .any(|start| text.starts_with(start))
            {
                continue;
            }
            for part in text.split(['…', ':', '(', ')']) {
                let part = part
                    .trim()
                    .trim_end_matches(|it: char| it.is_ascii_digit() || it == 's');
                let part = part.trim_end();
                if part.len() < 6 {
                    continue;
                }
                assert!(
                    sources.contains(part),
                    "no error says {part:?}, of {text:?}"
                );
                quoted += 1;
            }
        }
    }
    assert!(quoted > 100, "{quoted}");
}

#[test]
fn every_text_of_an_error_is_quoted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = fs::read_to_string(root.join("docs/src/troubleshooting.md")).expect("the page");
    let mut checked = 0;
    for file in WalkDir::new(root.join("sockety/src/error")) {
        let file = file.expect("a file");
        if !file.file_type().is_file() || file.file_name() == "tests.rs" {
            continue;
        }
        let source = fs::read_to_string(file.path()).expect("a source");
        let source = source.replace("\\\n", " ");
        for attribute in source.split("#[error(").skip(1) {
            let attribute = attribute.trim_start();
            let Some(text) = attribute
                .strip_prefix('"')
                .and_then(|it| it.split('"').next())
            else {
                continue; // `transparent`
            };
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            // What is between two values; the beginning of it, as the page may end there.
            let mut parts = text
                .split('{')
                .enumerate()
                .map(|(index, part)| match index {
                    0 => part,
                    _ => part.split_once('}').map_or("", |(_, after)| after),
                })
                .map(|part| part.trim().split(':').next().unwrap_or_default())
                .filter(|part| part.len() > 7)
                .map(|part| part.chars().take(24).collect::<String>())
                .peekable();
            if parts.peek().is_none() {
                continue;
            }
            checked += 1;
            assert!(
                parts.any(|part| page.contains(&part)),
                "not quoted: {text:?}"
            );
        }
    }
    assert!(checked > 80, "{checked}");
}
