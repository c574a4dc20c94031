//! Takes the inputs of a target out to a directory with a file for each, as `cargo fuzz` wants them, or back.

use std::error::Error;
use std::fs;
use std::path::Path;

use sockety_fuzz_harness::{TARGETS, Target, corpus_path, seeds};

/// Longer inputs are not kept.
const LONGEST: usize = 512;

/// Bytes of a corpus.
const LARGEST: usize = 40 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let usage = "corpus unpack|pack TARGET DIRECTORY";
    let [what, name, directory] = arguments[..] else {
        return Err(usage.into());
    };
    let target = TARGETS.iter().find(|target| target.name == name);
    let target = target.ok_or("there is no such target")?;
    match what {
        "unpack" => unpack(target, Path::new(directory)),
        "pack" => pack(target, Path::new(directory)),
        _ => Err(usage.into()),
    }
}

fn unpack(target: &Target, directory: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(directory)?;
    for (number, input) in seeds(target).iter().enumerate() {
        fs::write(directory.join(format!("seed-{number:04}")), input)?;
    }
    Ok(())
}

/// The shortest inputs, as lines of hexadecimal digits. Those that are seeds without a corpus are left out.
fn pack(target: &Target, directory: &Path) -> Result<(), Box<dyn Error>> {
    let path = corpus_path(target);
    if path.exists() {
        fs::remove_file(&path)?;
    }
    let known = seeds(target);
    let mut inputs = Vec::new();
    for entry in fs::read_dir(directory)? {
        let input = fs::read(entry?.path())?;
        if !input.is_empty() && input.len() <= LONGEST && !known.contains(&input) {
            inputs.push(input);
        }
    }
    inputs.sort_by_key(|input| (input.len(), input.clone()));
    let mut lines = String::new();
    for input in inputs {
        if lines.len() / 2 + input.len() > LARGEST {
            break;
        }
        for byte in input {
            lines.push_str(&format!("{byte:02x}"));
        }
        lines.push('\n');
    }
    fs::write(path, lines)?;
    Ok(())
}
