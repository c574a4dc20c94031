//! Files on the local disk, and their names on the other side.

use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

/// A file to send.
pub struct Source {
    pub path: PathBuf,
    pub name: String,
    pub size: u64,
}

/// Finds the regular files under the paths; also returns a line for each that is not regular or
/// cannot be accessed. Blocks.
pub fn find(paths: &[PathBuf]) -> (Vec<Source>, Vec<String>) {
    let (mut sources, mut problems) = (Vec::new(), Vec::new());
    for path in paths {
        // Links inside a folder are not followed, because they can lead anywhere, even in circles.
        for entry in WalkDir::new(path).sort_by_file_name() {
            match entry.and_then(|entry| source(path, &entry)) {
                Ok(Some(source)) => sources.push(source),
                Ok(None) => {}
                Err(error) => problems.push(error.to_string()),
            }
        }
    }
    (sources, problems)
}

/// Returns `None` for folders, and for links, pipes and devices inside them. If the user names
/// those, they are followed or fail.
fn source(root: &Path, entry: &DirEntry) -> Result<Option<Source>, walkdir::Error> {
    if !entry.file_type().is_file() && (entry.depth() > 0 || entry.path().is_dir()) {
        return Ok(None);
    }
    Ok(Some(Source {
        path: entry.path().to_owned(),
        name: flat_name(root, entry.path()),
        size: entry.metadata()?.len(),
    }))
}

/// One path component, because a name in the protocol is not a path: `src/file/save.rs` becomes
/// `src+file+save.rs`. It begins with the name of the requested folder.
fn flat_name(root: &Path, path: &Path) -> String {
    let above = match root.file_name() {
        Some(_) => root.parent(),
        None => Some(root), // `.`, `..` and `/` have no name of their own.
    };
    let below = above.and_then(|above| path.strip_prefix(above).ok());
    let below = below.unwrap_or(path).to_string_lossy();
    below.replace([MAIN_SEPARATOR, '/', '\\', ':'], "+")
}
