//! A file under a temporary name, until it is whole.

mod directory;

use std::{
    ffi::{OsStr, OsString},
    io::{self, IoSlice, Write},
    iter,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use tokio::{runtime::Handle, task::spawn_blocking};
use uuid::Uuid;

use self::directory::{Directory, SystemDirectory, try_lock};
use crate::error::save::{OPEN_DIRECTORY, SaveError};

/// A file that is being saved, in the directory in which it will stay. Dropping it removes it, off the async
/// threads.
pub(super) struct PartialFile<D: Directory = SystemDirectory> {
    on_disk: Option<Temporary<D>>,
}

/// Dropping it removes it.
struct Temporary<D: Directory> {
    target: Target<D>,
    name: String,
    file: std::fs::File,
}

/// Where a file is to be saved: a directory and a name in it.
struct Target<D> {
    dir: D,
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
impl<D: Directory> PartialFile<D> {
    /// Creates the file. What has its final name already is found here, so that nothing is received in vain;
    /// [`publish`](Self::publish) has the last word.
    pub(super) fn create(directory: &Path, name: OsString) -> Result<Self, SaveError> {
        let target = Target::<D>::open(directory, name)?;
        match target.dir.exists(&target.name) {
            Ok(false) => {}
            Ok(true) => return Err(SaveError::Exists { path: target.path }),
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

    fn take(&mut self) -> Temporary<D> {
        let on_disk = self.on_disk.take();
        on_disk.expect("it is taken only by methods that consume it")
    }
}

impl<D: Directory> From<Temporary<D>> for PartialFile<D> {
    fn from(file: Temporary<D>) -> Self {
        Self {
            on_disk: Some(file),
        }
    }
}

impl<D: Directory> Drop for PartialFile<D> {
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

impl<D: Directory> Temporary<D> {
    fn create(
        target: Target<D>,
        names: impl IntoIterator<Item = String>,
    ) -> Result<Self, SaveError> {
        for name in names {
            match target.dir.create(name.as_ref()) {
                Ok(file) if is_kept(&target.dir, name.as_ref(), &file) => {
                    return Ok(Self { target, name, file });
                }
                Ok(_) => {}
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
        match dir.rename_exclusively(self.name.as_ref(), name) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(SaveError::Exists { path: path.clone() });
            }
            Err(error) => return Err(SaveError::io("name", path, error)),
        }
        if durability == Durability::Synced {
            if let Err(error) = dir.sync() {
                // Nothing is left of a file that was not saved as asked.
                drop(dir.remove(name));
                return Err(SaveError::io("sync the directory of", path, error));
            }
        }
        Ok(())
    }
}

impl<D: Directory> Drop for Temporary<D> {
    fn drop(&mut self) {
        // After it was renamed there is nothing under this name any more. When it cannot be removed, because the
        // disk has failed, it stays for a sweep.
        drop(self.target.dir.remove(self.name.as_ref()));
    }
}

impl<D: Directory> Target<D> {
    fn open(directory: &Path, name: OsString) -> Result<Self, SaveError> {
        let dir =
            D::open(directory).map_err(|error| SaveError::io(OPEN_DIRECTORY, directory, error))?;
        let path = directory.join(&name);
        Ok(Self { dir, path, name })
    }
}

/// Removes the incomplete files that a killed process left behind in a directory, and returns their number.
///
/// While a file is being saved, its name is `.sockety-partial-` and something random. It is removed when saving fails or is
/// abandoned, and left behind only if its process ends abruptly. Files that this or another process is saving right now
/// are recognized by a lock, and stay. So this may be called at any time, for instance before a server starts.
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
/// Errors of the operating system about the directory. A file that cannot be opened, locked or removed stays.
///
/// # Cancel safety
/// If it is dropped before it completes, it goes on.
///
/// # Panics
/// Panics outside of a Tokio runtime.
pub async fn sweep_partial_files(directory: impl AsRef<Path>) -> io::Result<usize> {
    let directory = directory.as_ref().to_owned();
    spawn_blocking(move || sweep::<SystemDirectory>(&directory))
        .await
        .map_err(io::Error::other)?
}

fn sweep<D: Directory>(directory: &Path) -> io::Result<usize> {
    let dir = D::open(directory)?;
    let mut removed = 0;
    for name in dir.names()? {
        let name = name?;
        let is_partial = name.to_str().is_some_and(|name| name.starts_with(PREFIX));
        if is_partial && remove_abandoned(&dir, &name).is_ok() {
            removed += 1;
        }
    }
    Ok(removed)
}

fn remove_abandoned(dir: &impl Directory, name: &OsStr) -> io::Result<()> {
    // Some network file systems lock only what is open for writing.
    let file = dir.open_file(name)?;
    // The lock is held until the name is gone: see `is_kept`.
    if !try_lock(&file)? {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    dir.remove(name)
}

/// Locks a new temporary file, so that no sweep takes it for one that was left behind. `false` when one was
/// faster, and removes it or has.
fn is_kept(dir: &impl Directory, name: &OsStr, file: &std::fs::File) -> bool {
    match try_lock(file) {
        Ok(false) => false,
        // Where nothing can be locked, a sweep removes nothing.
        Ok(true) | Err(_) => dir.exists(name).unwrap_or(false),
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

/// Each is done in every kind of directory.
#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::{
        directory::{DirectoryByPath, OpenDirectory},
        *,
    };

    fn partial<D: Directory>(directory: &Path) -> PartialFile<D> {
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
        fn check<D: Directory>() {
            let directory = tempfile::tempdir().unwrap();
            let outside = tempfile::tempdir().unwrap();
            let victim = outside.path().join("victim");
            fs::write(&victim, "precious").unwrap();
            symlink(&victim, directory.path().join("planted")).unwrap();
            let nowhere = outside.path().join("new");
            symlink(nowhere, directory.path().join("dangling")).unwrap();

            let target = Target::<D>::open(directory.path(), "a.txt".into()).unwrap();
            let tried = ["planted", "dangling", "free"].map(String::from);
            let file = PartialFile::from(Temporary::create(target, tried).unwrap());
            let file = file.write(&[Bytes::from("content")]).unwrap();
            assert_eq!(names(directory.path()), ["dangling", "free", "planted"]);
            file.publish(Durability::Unknown).unwrap();
            assert_eq!(names(directory.path()), ["a.txt", "dangling", "planted"]);
            assert_eq!(fs::read(&victim).unwrap(), b"precious");
            assert_eq!(names(outside.path()), ["victim"]);

            let target = Target::<D>::open(directory.path(), "b.txt".into()).unwrap();
            let error = Temporary::create(target, ["planted".into()]).err().unwrap();
            assert!(matches!(
                error,
                SaveError::Io {
                    operation: "create",
                    ..
                }
            ));
        }
        check::<OpenDirectory>();
        check::<DirectoryByPath>();
    }

    #[test]
    fn t_x2_a_link_put_in_place_of_what_is_swept_is_not_followed() {
        fn check<D: Directory>() {
            let directory = tempfile::tempdir().unwrap();
            let victim = tempfile::NamedTempFile::new().unwrap();
            symlink(victim.path(), directory.path().join("link")).unwrap();
            let dir = D::open(directory.path()).unwrap();
            dir.open_file("link".as_ref()).unwrap_err();
            remove_abandoned(&dir, "link".as_ref()).unwrap_err();
            assert_eq!(names(directory.path()), ["link"]);
        }
        check::<OpenDirectory>();
        check::<DirectoryByPath>();
    }

    #[test]
    fn t_x2_a_link_to_the_directory_may_change_while_a_file_is_saved() {
        fn check<D: Directory>() {
            let outer = tempfile::tempdir().unwrap();
            let [link, one, other] = ["link", "one", "other"].map(|name| outer.path().join(name));
            fs::create_dir(&one).unwrap();
            fs::create_dir(&other).unwrap();
            symlink(&one, &link).unwrap();
            let file = partial::<D>(&link);
            fs::remove_file(&link).unwrap();
            symlink(&other, &link).unwrap();
            file.publish(Durability::Synced).unwrap();
            assert_eq!(names(&one), ["a.txt"]);
            assert!(names(&other).is_empty());
        }
        check::<OpenDirectory>();
        check::<DirectoryByPath>();
    }

    #[test]
    fn t_x2_another_directory_in_place_of_an_open_one_changes_nothing() {
        let outer = tempfile::tempdir().unwrap();
        let [uploads, moved] = ["uploads", "moved"].map(|name| outer.path().join(name));
        fs::create_dir(&uploads).unwrap();
        let file = partial::<OpenDirectory>(&uploads);
        fs::rename(&uploads, &moved).unwrap();
        fs::create_dir(&uploads).unwrap();
        file.publish(Durability::Synced).unwrap();
        assert_eq!(names(&moved), ["a.txt"]);
        assert!(names(&uploads).is_empty());
    }

    #[test]
    fn t_x3_what_appears_under_the_final_name_meanwhile_stays() {
        fn check<D: Directory>() {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("a.txt");
            let file = partial::<D>(directory.path());
            fs::write(&path, "first").unwrap();
            let error = file.publish(Durability::Unknown).unwrap_err();
            assert!(matches!(error, SaveError::Exists { path: found } if found == path));
            assert_eq!(fs::read(&path).unwrap(), b"first");
            assert_eq!(names(directory.path()), ["a.txt"]);
        }
        check::<OpenDirectory>();
        check::<DirectoryByPath>();
    }

    #[test]
    fn t_x3_a_name_that_is_taken_is_not_given_again() {
        fn check<D: Directory>() {
            let directory = tempfile::tempdir().unwrap();
            let dir = D::open(directory.path()).unwrap();
            fs::write(directory.path().join("old"), "old").unwrap();
            symlink("nowhere", directory.path().join("link")).unwrap();
            for taken in ["old", "link"] {
                fs::write(directory.path().join("new"), "new").unwrap();
                let error = dir.rename_exclusively("new".as_ref(), taken.as_ref());
                assert_eq!(error.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            }
            assert_eq!(fs::read(directory.path().join("old")).unwrap(), b"old");
            let link = fs::read_link(directory.path().join("link")).unwrap();
            assert_eq!(link, Path::new("nowhere"));
        }
        check::<OpenDirectory>();
        check::<DirectoryByPath>();
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn t_x5_a_full_disk_leaves_nothing() {
        fn check<D: Directory>() {
            let directory = tempfile::tempdir().unwrap();
            let mut file = partial::<D>(directory.path());
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
        check::<OpenDirectory>();
        check::<DirectoryByPath>();
    }

    #[test]
    fn t_x5_what_is_no_directory_is_an_error_at_once() {
        fn check<D: Directory>() {
            let file = tempfile::NamedTempFile::new().unwrap();
            let error = PartialFile::<D>::create(file.path(), "a.txt".into()).err();
            let Some(SaveError::Io { source, .. }) = error else {
                panic!("{error:?}");
            };
            assert_eq!(source.kind(), io::ErrorKind::NotADirectory);
        }
        check::<OpenDirectory>();
        check::<DirectoryByPath>();
    }

    #[test]
    fn t_x6_a_dropped_file_is_removed_without_a_runtime_too() {
        fn check<D: Directory>() {
            let directory = tempfile::tempdir().unwrap();
            let file = partial::<D>(directory.path());
            assert_eq!(names(directory.path()).len(), 1);
            drop(file);
            assert!(names(directory.path()).is_empty());
        }
        check::<OpenDirectory>();
        check::<DirectoryByPath>();
    }

    #[test]
    fn t_x6_a_sweep_removes_what_was_left_behind_and_nothing_else() {
        fn check<D: Directory>() {
            let directory = tempfile::tempdir().unwrap();
            let outside = tempfile::NamedTempFile::new().unwrap();
            let in_use = partial::<D>(directory.path());
            let left = |name: &str| directory.path().join(name);
            fs::write(left(&new_name()), "left").unwrap();
            fs::write(left(&new_name()), "").unwrap();
            fs::write(left(".sockety"), "").unwrap();
            fs::create_dir(left(".sockety-partial-directory")).unwrap();
            symlink(outside.path(), left(".sockety-partial-link")).unwrap();

            assert_eq!(sweep::<D>(directory.path()).unwrap(), 2);
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
        check::<OpenDirectory>();
        check::<DirectoryByPath>();
    }

    #[test]
    fn chunks_of_all_sizes_are_written_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let chunks: Vec<_> = (0..3000usize)
            .map(|n| Bytes::from(vec![n as u8; n % 7]))
            .collect();
        let file = partial::<SystemDirectory>(directory.path());
        let file = file.write(&chunks).unwrap();
        let file = file.write(&[]).unwrap().write(&[Bytes::new()]).unwrap();
        file.publish(Durability::Unknown).unwrap();
        let found = fs::read(directory.path().join("a.txt")).unwrap();
        assert_eq!(found, chunks.concat());
    }
}
