use std::fs;
use std::path::{Path, PathBuf};

use crate::Target;

/// Inputs as lines of hexadecimal digits; what follows a `#` is a remark.
pub fn from_lines(lines: &str) -> Vec<Vec<u8>> {
    lines
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .map(from_hex)
        .filter(|input| !input.is_empty())
        .collect()
}

/// The inputs committed for a target.
pub fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let lines = fs::read_to_string(corpus_path(target)).unwrap_or_default();
    from_lines(&lines)
}

/// Where the inputs of a target are kept.
pub fn corpus_path(target: &Target) -> PathBuf {
    folder().join("corpus").join(format!("{}.txt", target.name))
}

/// What is known to be interesting: the corpus; and for a target that takes the bytes of a connection, those of the
/// conformance file and of short transcripts of another implementation.
pub fn seeds(target: &Target) -> Vec<Vec<u8>> {
    let mut seeds = corpus(target);
    if let Some(prefix) = target.prefix {
        for bytes in conformance().into_iter().chain(transcripts()) {
            seeds.push([prefix, &bytes].concat());
        }
    }
    seeds
}

/// Hand-written dialogues, legal and not.
fn conformance() -> Vec<Vec<u8>> {
    let path = folder().join("corpus/conformance.txt");
    from_lines(&fs::read_to_string(path).expect("it is committed"))
}

/// Those recorded transcripts that are written out in full.
fn transcripts() -> Vec<Vec<u8>> {
    let path = folder().join("../tests/vectors/reference-transcripts.json");
    let recorded = fs::read_to_string(path).expect("it is committed");
    let field = "\"bytes_hex\":";
    recorded
        .match_indices(field)
        .map(|(at, _)| {
            let value = recorded[at + field.len()..].trim_start();
            let digits = value.strip_prefix('"').unwrap_or_default();
            from_hex(digits.split('"').next().unwrap_or_default())
        })
        .filter(|bytes| !bytes.is_empty())
        .collect()
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn from_hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u32> = digits
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .collect();
    digits
        .chunks_exact(2)
        .map(|pair| u8::try_from(pair[0] << 4 | pair[1]).expect("two digits"))
        .collect()
}
