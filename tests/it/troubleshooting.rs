//! The page "Troubleshooting" of the guide quotes texts that exist.

use std::{fs, path::Path};

use walkdir::WalkDir;

#[test]
fn quoted_texts_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = fs::read_to_string(root.join("docs/src/troubleshooting.md")).expect("the page");
    let mut sources = String::new();
    for folder in ["sockety/src", "sockety-codec/src", "sockety-macros/src"] {
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
        for text in first.split('`').skip(1).step_by(2) {
            // These are the compiler's.
            if [
                "lifetime parameters",
                "the trait … is not dyn",
                "could not find",
                "future cannot",
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
    assert!(quoted > 30, "{quoted}");
}
