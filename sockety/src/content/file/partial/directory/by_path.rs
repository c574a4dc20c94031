use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use tempfile::TempPath;

use super::Directory;

/// A directory that is found by its path each time. The path is resolved once: what links on the
/// way to the directory become later changes nothing.
///
/// If another directory or a link is put in its place, that is used from then on. Windows rules this
/// out, because it neither renames nor removes a directory that is held open.
pub(crate) struct DirectoryByPath {
    path: PathBuf,
    #[cfg(windows)]
    _held: File,
}

/// Opens the directory so that nobody can rename or remove it meanwhile.
#[cfg(windows)]
fn hold(path: &Path) -> io::Result<File> {
    use std::os::windows::fs::OpenOptionsExt;

    // Not FILE_SHARE_DELETE, which renaming needs as well.
    const FILE_SHARE_READ: u32 = 1;
    const FILE_SHARE_WRITE: u32 = 2;
    /// Directories cannot be opened without it.
    const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;

    OpenOptions::new()
        .read(true)
        .share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS)
        .open(path)
}

impl Directory for DirectoryByPath {
    fn open(path: &Path) -> io::Result<Self> {
        let path = fs::canonicalize(path)?;
        #[cfg(windows)]
        let held = hold(&path)?;
        // It may have become a link after the path was resolved.
        if !fs::symlink_metadata(&path)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self {
            path,
            #[cfg(windows)]
            _held: held,
        })
    }

    fn create(&self, name: &OsStr) -> io::Result<File> {
        // Exclusive creation follows no link: if there is one with this name, it fails.
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        options.open(self.path.join(name))
    }

    fn open_file(&self, name: &OsStr) -> io::Result<File> {
        let path = self.path.join(name);
        match fs::symlink_metadata(&path)?.is_file() {
            true => OpenOptions::new().write(true).open(path),
            false => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn exists(&self, name: &OsStr) -> io::Result<bool> {
        match fs::symlink_metadata(self.path.join(name)) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn rename_exclusively(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let from = TempPath::try_from_path(self.path.join(from))?;
        from.persist_noclobber(self.path.join(to))?;
        Ok(())
    }

    fn remove(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn names(&self) -> io::Result<impl Iterator<Item = io::Result<OsString>>> {
        let entries = fs::read_dir(&self.path)?;
        Ok(entries.map(|entry| Ok(entry?.file_name())))
    }
}
