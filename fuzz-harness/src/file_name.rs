//! A name that is called safe stays inside of its directory, here and elsewhere.

use std::cell::OnceCell;
use std::fs;
use std::path::{Component, Path};

use sockety::{File, error::NameProblem};
use tempfile::TempDir;

thread_local! {
    static DIRECTORY: OnceCell<TempDir> = const { OnceCell::new() };
}

/// Names that Windows opens as devices, whatever follows the first dot.
const DEVICES: &str = "con prn aux nul conin$ conout$ \
    com0 com1 com2 com3 com4 com5 com6 com7 com8 com9 com¹ com² com³ \
    lpt0 lpt1 lpt2 lpt3 lpt4 lpt5 lpt6 lpt7 lpt8 lpt9 lpt¹ lpt² lpt³";

pub(crate) fn run(data: &[u8]) {
    let name = String::from_utf8_lossy(data);
    let file = File::from_bytes(name.as_ref(), "");
    let is_reserved = name.to_ascii_lowercase().starts_with(".sockety-partial-");
    match file.safe_name() {
        Ok(safe) => {
            assert_eq!(safe, name);
            assert!(stays_inside(safe) && !is_reserved, "{safe:?}");
            make(safe);
        }
        Err(error) if error.problem() == NameProblem::Reserved => assert!(is_reserved),
        Err(error) => assert!(!stays_inside(&name), "{error}"),
    }
}

/// Judged by taking the path apart, as systems of both kinds do.
fn stays_inside(name: &str) -> bool {
    let unix: Vec<_> = Path::new(name).components().collect();
    let is_one = matches!(unix[..], [Component::Normal(only)] if only == name);
    let windows: Vec<&str> = name.split(['/', '\\', ':']).collect();
    let stem = name.split('.').next().unwrap_or_default();
    let stem = stem.trim_end_matches(' ').to_ascii_lowercase();
    let is_device = DEVICES.split_whitespace().any(|device| device == stem);
    let bare = name.trim_end_matches(['.', ' ']);
    is_one
        && windows == [name]
        && bare == name
        && !is_device
        && name.len() < 256
        && !name.chars().any(char::is_control)
}

/// Makes a file of that name, and looks where it is.
fn make(name: &str) {
    DIRECTORY.with(|directory| {
        let directory = directory.get_or_init(|| tempfile::tempdir().expect("a directory"));
        let path = directory.path().join(name);
        drop(fs::File::create_new(&path).expect("it can be made"));
        let made: Vec<_> = fs::read_dir(directory.path())
            .expect("it is listed")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        assert_eq!(made, [name]);
        fs::remove_file(&path).expect("it is there");
    });
}
