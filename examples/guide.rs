//! Compiles the code of the guide the way its readers do: each page by itself, with exactly the
//! dependencies and features that `Getting started` and the page tell them to add.
//!
//! The documentation tests of `lib.rs` run the same code, but with all features that any example
//! needs, so that they miss a feature that a page forgets.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Where the guide says that the packages are: each is in the folder of its name.
const REPOSITORY: &str = r#"git = "https://github.com/sockety/sockety-rust""#;

#[test]
fn each_page_builds_with_the_dependencies_that_it_names() {
    let guide = root().join("docs/src");
    let first = dependencies(&page(&guide.join("getting-started.md")));
    assert!(first.contains_key("sockety"), "{first:?}");
    // Below the target directory, so that the next run finds what this one has built.
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guide");
    let mut members = Vec::new();
    for entry in fs::read_dir(&guide).expect("the guide") {
        let path = entry.expect("a page").path();
        if path.extension().is_none_or(|it| it != "md") {
            continue;
        }
        let text = page(&path);
        let blocks = blocks(&text, "rust");
        if blocks.is_empty() {
            continue;
        }
        let name = path.file_stem().expect("a name").to_str().expect("ASCII");
        let mut all = first.clone();
        all.extend(dependencies(&text));
        write_package(&place.join(name), name, &all, &blocks);
        members.push(name.to_owned());
    }
    assert!(members.len() > 8, "{members:?}");
    let workspace = format!("[workspace]\nresolver = \"3\"\nmembers = {members:?}\n");
    write(&place.join("Cargo.toml"), &workspace);
    let lock = fs::read_to_string(root().join("Cargo.lock")).expect("the versions");
    write(&place.join("Cargo.lock"), &lock);

    let mut failures = String::new();
    for member in &members {
        // One by one: together, each would get the features of all.
        // Offline, because the workspace builds the same packages, and so has fetched them.
        let built = Command::new(env!("CARGO"))
            .args(["check", "--offline", "--quiet", "--bins", "--package"])
            .arg(member)
            .current_dir(&place)
            .env("CARGO_TARGET_DIR", place.join("target"))
            .env("RUSTFLAGS", "--cap-lints=allow")
            .output()
            .expect("cargo");
        if !built.status.success() {
            let said = String::from_utf8_lossy(&built.stderr);
            writeln!(failures, "{member}:\n{said}").expect("a string");
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn page(path: &Path) -> String {
    fs::read_to_string(path).expect("a page")
}

/// The code blocks of a language that are to be compiled.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let block = lines.by_ref().take_while(|line| *line != "```");
        let block = block.map(|line| format!("{line}\n")).collect();
        let mut words = info.split(',');
        if words.next() == Some(language) && !words.any(|it| it == "ignore") {
            found.push(block);
        }
    }
    found
}

/// The lines below `[dependencies]` or `[dev-dependencies]`, by the name of the package.
fn dependencies(text: &str) -> BTreeMap<String, String> {
    let blocks = blocks(text, "toml");
    let heads = ["[dependencies]", "[dev-dependencies]"];
    let tables = blocks
        .iter()
        .filter(|block| heads.iter().any(|head| block.starts_with(head)));
    let root = root();
    let root = root.to_str().expect("a path of text");
    tables
        .flat_map(|block| block.lines())
        .filter(|line| !line.is_empty() && !line.starts_with('#') && !heads.contains(line))
        .map(|line| {
            let (name, value) = line.split_once(" = ").expect("a dependency");
            let local = format!("path = \"{root}/{name}\"");
            (name.to_owned(), value.replace(REPOSITORY, &local))
        })
        .collect()
}

fn write_package(
    folder: &Path,
    name: &str,
    dependencies: &BTreeMap<String, String>,
    blocks: &[String],
) {
    let mut manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n"
    );
    for (name, value) in dependencies {
        writeln!(manifest, "{name} = {value}").expect("a string");
    }
    write(&folder.join("Cargo.toml"), &manifest);
    let programs = folder.join("src/bin");
    // Those of blocks that a page no longer has.
    let _ = fs::remove_dir_all(&programs);
    for (number, block) in blocks.iter().enumerate() {
        let program = program(block);
        write(&programs.join(format!("block_{number}.rs")), &program);
    }
}

/// Like a documentation test: lines after `# ` are not shown, and what has no `main` is its body.
fn program(block: &str) -> String {
    let lines = block.lines().map(|line| match line.trim_start() {
        "#" => "",
        line if line.starts_with("# ") => &line[2..],
        _ => line,
    });
    let code = lines.collect::<Vec<_>>().join("\n");
    if code.contains("fn main()") {
        return code;
    }
    match code.contains("\nOk::<(), ") {
        true => format!("fn main() {{ let _ = (|| {{ {code} }})(); }}"),
        false => format!("fn main() {{ {code} }}"),
    }
}

fn write(path: &Path, text: &str) {
    let folder = path.parent().expect("a folder");
    fs::create_dir_all(folder).expect("a folder");
    // Written only if it differs: what did not change is not built again.
    if fs::read_to_string(path).is_ok_and(|found| found == text) {
        return;
    }
    fs::write(path, text).expect("written");
}
