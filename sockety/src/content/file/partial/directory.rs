//! A directory that files are saved in, and what is done there.

#[cfg(any(test, not(unix)))]
mod by_path;
#[cfg(unix)]
mod open;

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    path::Path,
};

#[cfg(any(test, not(unix)))]
pub(crate) use self::by_path::DirectoryByPath;
#[cfg(unix)]
pub(crate) use self::open::OpenDirectory;

/// Locks a file until it is closed. Returns `false` if another process or handle has locked it.
#[cfg(unix)]
pub(crate) fn try_lock(file: &File) -> io::Result<bool> {
    use rustix::{
        fs::{FlockOperation, flock},
        io::Errno,
    };

    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Locks a file until it is closed. Returns `false` if another process or handle has locked it.
#[cfg(not(unix))]
#[expect(
    clippy::incompatible_msrv,
    reason = "Windows needs Rust 1.89, for this alone"
)]
pub(crate) fn try_lock(file: &File) -> io::Result<bool> {
    use std::fs::TryLockError;

    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The kind of directory that this system has.
#[cfg(unix)]
pub(crate) type SystemDirectory = OpenDirectory;
#[cfg(not(unix))]
pub(crate) type SystemDirectory = DirectoryByPath;

/// A directory in which no link is followed.
///
/// A name is one component of a path: callers never pass a separator, `.` or `..`. All methods
/// block.
pub(crate) trait Directory: Sized + Send + 'static {
    /// Opens the directory. Links on the way to it are followed.
    fn open(path: &Path) -> io::Result<Self>;

    /// Creates a file and opens it for writing. Where files have modes, only the owner may read and
    /// write it. Fails if the name is taken, be it by a link that leads nowhere.
    fn create(&self, name: &OsStr) -> io::Result<File>;

    /// Opens a regular file for writing, and leaves it as it is.
    fn open_file(&self, name: &OsStr) -> io::Result<File>;

    /// Whether the name is taken.
    fn exists(&self, name: &OsStr) -> io::Result<bool>;

    /// Gives a file another name, if that is free: the file system decides in one step. Whatever the
    /// outcome, the first name may remain or be gone.
    fn rename_exclusively(&self, from: &OsStr, to: &OsStr) -> io::Result<()>;

    /// Removes a file or a link.
    fn remove(&self, name: &OsStr) -> io::Result<()>;

    /// Writes the names to the disk itself, on systems that can be asked to.
    fn sync(&self) -> io::Result<()>;

    /// The names of everything in it, perhaps with `.` and `..`.
    fn names(&self) -> io::Result<impl Iterator<Item = io::Result<OsString>>>;
}
