//! A file under a temporary name, until it is whole.

use std::{
    ffi::{OsStr, OsString},
    fs::TryLockError,
    io::{self, IoSlice, Write},
    iter,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use cap_std::{
    ambient_authority,
    fs::{Dir, OpenOptions},
};
use tokio::{runtime::Handle, task::spawn_blocking};
use uuid::Uuid;

use crate::error::save::SaveError;

/// A file that is being saved, in the directory in which it will stay. Dropping it removes it, off the async
/// threads.
pub(super) struct PartialFile {
    on_disk: Option<Temporary>,
}

/// Dropping it removes it.
struct Temporary {
    target: Target,
    name: String,
    file: std::fs::File,
}

/// Where a file is to be saved: a directory that is open, so that what is renamed or linked outside of it later
/// changes nothing, and a name in it.
struct Target {
    dir: Dir,
    path: PathBuf,
    name: OsString,
}

/// What has to be on the disk itself, rather than in the memory of the operating system, before a file has its
/// name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    Unknown,
    Synced,
}

/// How many names are tried for a temporary file. They are random: a second try is needed only when a sweep
/// finds the file in the moment between its creation and its lock.
const ATTEMPTS: usize = 8;

const PREFIX: &str = ".sockety-partial-";

/// Blocks, as all of its methods do.
impl PartialFile {
    /// Creates the file. What has its final name already is found here, so that nothing is received in vain;
    /// [`publish`](Self::publish) has the last word.
    pub(super) fn create(directory: &Path, name: OsString) -> Result<Self, SaveError> {
        let target = Target::open(directory, name)?;
        match target.dir.symlink_metadata(&target.name) {
            Ok(_) => return Err(SaveError::Exists { path: target.path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(SaveError::io("look for", &target.path, error)),
        }
        let on_disk = Temporary::create(target, iter::repeat_with(new_name).take(ATTEMPTS))?;
        Ok(Self {
            on_disk: Some(on_disk),
        })
    }

    /// Adds to it.
    pub(super) fn write(mut self, chunks: &[Bytes]) -> Result<Self, SaveError> {
        let mut file = self.take();
        match write_all(&mut file.file, chunks) {
            Ok(()) => Ok(file.into()),
            Err(error) => Err(SaveError::io("write", &file.target.path, error)),
        }
    }

    /// Gives it its final name, if that is still free.
    pub(super) fn publish(mut self, durability: Durability) -> Result<(), SaveError> {
        self.take().publish(durability)
    }

    /// Removes it at once.
    pub(super) fn remove(mut self) {
        drop(self.take());
    }

    fn take(&mut self) -> Temporary {
        let on_disk = self.on_disk.take();
        on_disk.expect("it is taken only by methods that consume it")
    }
}

impl From<Temporary> for PartialFile {
    fn from(file: Temporary) -> Self {
        Self {
            on_disk: Some(file),
        }
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        let Some(file) = self.on_disk.take() else {
            return;
        };
        // A runtime that is shutting down drops the work without running it, which removes the file too.
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(file))),
            Err(_) => drop(file),
        }
    }
}

impl Temporary {
    fn create(target: Target, names: impl IntoIterator<Item = String>) -> Result<Self, SaveError> {
        // Exclusive creation follows no link: with one planted under this name it fails.
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        cap_std::fs::OpenOptionsExt::mode(&mut options, 0o600);
        for name in names {
            match target.dir.open_with(&name, &options) {
                Ok(file) => {
                    let file = file.into_std();
                    if is_kept(&target.dir, &name, &file) {
                        return Ok(Self { target, name, file });
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(SaveError::io("create", &target.path, error)),
            }
        }
        let error = io::Error::other("none of the temporary names is free");
        Err(SaveError::io("create", &target.path, error))
    }

    fn publish(self, durability: Durability) -> Result<(), SaveError> {
        let Target { dir, path, name } = &self.target;
        if durability == Durability::Synced {
            let synced = self.file.sync_all();
            synced.map_err(|error| SaveError::io("sync", path, error))?;
        }
        // Who may write in this directory may put something else under the temporary name before, as under the
        // final name afterwards: there is nothing to gain from a check in between.
        match rename_exclusively(dir, &self.name, name) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(SaveError::Exists { path: path.clone() });
            }
            Err(error) => return Err(SaveError::io("name", path, error)),
        }
        if durability == Durability::Synced
            && let Err(error) = sync_directory(dir)
        {
            // Nothing is left of a file that was not saved as asked.
            drop(dir.remove_file(name));
            return Err(SaveError::io("sync the directory of", path, error));
        }
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After it was renamed there is nothing under this name any more. When it cannot be removed, because the
        // disk has failed, it stays for a sweep.
        drop(self.target.dir.remove_file(&self.name));
    }
}

impl Target {
    fn open(directory: &Path, name: OsString) -> Result<Self, SaveError> {
        let dir = Dir::open_ambient_dir(directory, ambient_authority())
            .map_err(|error| SaveError::io("open the directory", directory, error))?;
        let path = directory.join(&name);
        Ok(Self { dir, path, name })
    }
}

/// Removes the files that were being saved into a directory when a process was killed, and gives their number.
///
/// A file that is being saved is named `.sockety-partial-` and something random until it is whole. It is removed
/// when saving fails or is given up; it is left behind only when its process ends abruptly. Files that are
/// being saved right now, by this or another process, are recognised by a lock and stay. So it may be called at
/// any time; a good one is before a server begins.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let uploads = tempfile::tempdir()?;
/// std::fs::write(uploads.path().join(".sockety-partial-7"), "left behi")?;
/// std::fs::write(uploads.path().join("notes.txt"), "whole")?;
/// assert_eq!(sockety::content::sweep_partial_files(uploads.path()).await?, 1);
/// # assert!(uploads.path().join("notes.txt").exists());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Those of the operating system, about the directory. A file that cannot be opened, locked or removed stays.
///
/// # Cancel safety
/// Dropped before it is ready, it goes on.
///
/// # Panics
/// Outside of a Tokio runtime.
pub async fn sweep_partial_files(directory: impl AsRef<Path>) -> io::Result<usize> {
    let directory = directory.as_ref().to_owned();
    spawn_blocking(move || sweep(&directory))
        .await
        .map_err(io::Error::other)?
}

fn sweep(directory: &Path) -> io::Result<usize> {
    let dir = Dir::open_ambient_dir(directory, ambient_authority())?;
    let mut removed = 0;
    for entry in dir.entries()? {
        let name = entry?.file_name();
        let is_partial = name.to_str().is_some_and(|name| name.starts_with(PREFIX));
        if is_partial && remove_abandoned(&dir, &name).is_ok() {
            removed += 1;
        }
    }
    Ok(removed)
}

fn remove_abandoned(dir: &Dir, name: &OsStr) -> io::Result<()> {
    if !dir.symlink_metadata(name)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // Some network file systems lock only what is open for writing.
    let file = dir
        .open_with(name, OpenOptions::new().write(true))?
        .into_std();
    // The lock is held until the name is gone: see `is_kept`.
    file.try_lock()?;
    dir.remove_file(name)
}

/// Locks a new temporary file, so that no sweep takes it for one that was left behind. `false` when one was
/// faster, and removes it or has.
fn is_kept(dir: &Dir, name: &str, file: &std::fs::File) -> bool {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => false,
        // Where nothing can be locked, a sweep removes nothing.
        Ok(()) | Err(TryLockError::Error(_)) => dir.symlink_metadata(name).is_ok(),
    }
}

/// Whether this is the name of a file that is not whole, or one that a file system may take for it.
pub(super) fn is_partial(name: &str) -> bool {
    let start = name.get(..PREFIX.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

pub(super) fn new_name() -> String {
    format!("{PREFIX}{}", Uuid::new_v4().simple())
}

fn write_all(file: &mut std::fs::File, chunks: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<_> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
    let mut rest = &mut slices[..];
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        match file.write_vectored(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut rest, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Gives a file another name in its directory, if that is free: decided by the file system, in one step.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_exclusively(dir: &Dir, from: &str, to: &OsStr) -> io::Result<()> {
    use rustix::{
        fs::{RenameFlags, renameat_with},
        io::Errno,
    };

    match renameat_with(dir, from, dir, to, RenameFlags::NOREPLACE) {
        // This kernel or this file system, such as NFS, does not know how.
        Err(Errno::NOSYS | Errno::INVAL | Errno::NOTSUP) => dir.hard_link(from, dir, to),
        renamed => Ok(renamed?),
    }
}

/// Gives a file another name in its directory, if that is free: a link is never made over a name that is taken,
/// where renaming would replace what is there. The first name goes when the file is dropped.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_exclusively(dir: &Dir, from: &str, to: &OsStr) -> io::Result<()> {
    dir.hard_link(from, dir, to)
}

#[cfg(unix)]
fn sync_directory(dir: &Dir) -> io::Result<()> {
    dir.open(".")?.sync_all()
}

/// Other systems know no such thing.
#[cfg(not(unix))]
fn sync_directory(_dir: &Dir) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn partial(directory: &Path) -> PartialFile {
        PartialFile::create(directory, "a.txt".into()).unwrap()
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn t_x2_a_link_planted_as_temporary_file_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let victim = outside.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, directory.path().join("planted")).unwrap();
        symlink(
            outside.path().join("new"),
            directory.path().join("dangling"),
        )
        .unwrap();

        let target = Target::open(directory.path(), "a.txt".into()).unwrap();
        let tried = ["planted", "dangling", "free"].map(String::from);
        let file = PartialFile::from(Temporary::create(target, tried).unwrap());
        let file = file.write(&[Bytes::from("content")]).unwrap();
        assert_eq!(names(directory.path()), ["dangling", "free", "planted"]);
        file.publish(Durability::Unknown).unwrap();
        assert_eq!(names(directory.path()), ["a.txt", "dangling", "planted"]);
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        assert_eq!(names(outside.path()), ["victim"]);

        let target = Target::open(directory.path(), "b.txt".into()).unwrap();
        let error = Temporary::create(target, ["planted".into()]).err().unwrap();
        assert!(matches!(
            error,
            SaveError::Io {
                operation: "create",
                ..
            }
        ));
    }

    #[test]
    fn t_x3_what_appears_under_the_final_name_meanwhile_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.txt");
        let file = partial(directory.path());
        fs::write(&path, "first").unwrap();
        let error = file.publish(Durability::Unknown).unwrap_err();
        assert!(matches!(error, SaveError::Exists { path: found } if found == path));
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(names(directory.path()), ["a.txt"]);
    }

    #[test]
    fn t_x3_linking_is_as_exclusive_as_renaming() {
        let directory = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(directory.path(), ambient_authority()).unwrap();
        fs::write(directory.path().join("new"), "new").unwrap();
        fs::write(directory.path().join("old"), "old").unwrap();
        symlink("nowhere", directory.path().join("link")).unwrap();
        for taken in ["old", "link"] {
            let error = dir.hard_link("new", &dir, taken).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            let error = rename_exclusively(&dir, "new", taken.as_ref()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        }
        assert_eq!(fs::read(directory.path().join("old")).unwrap(), b"old");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn t_x5_a_full_disk_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = partial(directory.path());
        let full = fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        file.on_disk.as_mut().unwrap().file = full;
        let error = file.write(&[Bytes::from("content")]).err().unwrap();
        let SaveError::Io {
            operation: "write",
            path,
            source,
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!(path, directory.path().join("a.txt"));
        assert_eq!(source.kind(), io::ErrorKind::StorageFull);
        assert!(names(directory.path()).is_empty());
    }

    #[test]
    fn t_x6_a_dropped_file_is_removed_without_a_runtime_too() {
        let directory = tempfile::tempdir().unwrap();
        let file = partial(directory.path());
        assert_eq!(names(directory.path()).len(), 1);
        drop(file);
        assert!(names(directory.path()).is_empty());
    }

    #[test]
    fn t_x6_a_sweep_removes_what_was_left_behind_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let outside = tempfile::NamedTempFile::new().unwrap();
        let in_use = partial(directory.path());
        let left = |name: &str| directory.path().join(name);
        fs::write(left(&new_name()), "left").unwrap();
        fs::write(left(&new_name()), "").unwrap();
        fs::write(left(".sockety"), "").unwrap();
        fs::create_dir(left(".sockety-partial-directory")).unwrap();
        symlink(outside.path(), left(".sockety-partial-link")).unwrap();

        assert_eq!(sweep(directory.path()).unwrap(), 2);
        let in_use_name = in_use.on_disk.as_ref().unwrap().name.clone();
        let mut expected = [
            ".sockety",
            ".sockety-partial-directory",
            ".sockety-partial-link",
        ]
        .map(String::from)
        .to_vec();
        expected.push(in_use_name);
        expected.sort();
        assert_eq!(names(directory.path()), expected);
        assert!(outside.path().exists());
        in_use.publish(Durability::Synced).unwrap();
        assert!(names(directory.path()).contains(&"a.txt".into()));
    }

    #[test]
    fn chunks_of_all_sizes_are_written_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let chunks: Vec<_> = (0..3000usize)
            .map(|n| Bytes::from(vec![n as u8; n % 7]))
            .collect();
        let file = partial(directory.path()).write(&chunks).unwrap();
        let file = file.write(&[]).unwrap().write(&[Bytes::new()]).unwrap();
        file.publish(Durability::Unknown).unwrap();
        let found = fs::read(directory.path().join("a.txt")).unwrap();
        assert_eq!(found, chunks.concat());
    }
}
