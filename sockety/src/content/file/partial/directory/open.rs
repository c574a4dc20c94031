use std::{
    ffi::{OsStr, OsString},
    fs::{File, OpenOptions},
    io,
    os::unix::{ffi::OsStringExt, fs::OpenOptionsExt},
    path::Path,
};

use rustix::{
    fs::{AtFlags, Dir, Mode, OFlags, linkat, openat, statat, unlinkat},
    io::{Errno, retry_on_intr},
};

use super::Directory;

/// A directory that stays open: what is renamed or linked outside of it meanwhile changes nothing.
pub(crate) struct OpenDirectory(File);

/// Where possible it is only referred to: files may be saved in a directory that may not be listed.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const REFERENCE: OFlags = OFlags::PATH;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const REFERENCE: OFlags = OFlags::empty();

impl OpenDirectory {
    fn open_at(&self, name: impl AsRef<OsStr>, flags: OFlags, mode: Mode) -> io::Result<File> {
        let name = name.as_ref();
        let file = retry_on_intr(|| openat(&self.0, name, flags | OFlags::CLOEXEC, mode))?;
        Ok(file.into())
    }

    /// The directory itself, opened for reading.
    fn readable(&self) -> io::Result<File> {
        self.open_at(".", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
    }

    fn link(&self, from: &OsStr, to: &OsStr) -> rustix::io::Result<()> {
        linkat(&self.0, from, &self.0, to, AtFlags::empty())
    }
}

/// Why a file was not linked: what a file system without hard links says is not about permissions.
fn linking(error: Errno) -> io::Error {
    match error {
        Errno::PERM | Errno::NOSYS | Errno::NOTSUP => io::Error::new(
            io::ErrorKind::Unsupported,
            "the file system can neither rename exclusively nor link files: save on another",
        ),
        error => error.into(),
    }
}

impl Directory for OpenDirectory {
    fn open(path: &Path) -> io::Result<Self> {
        let flags = (REFERENCE | OFlags::DIRECTORY).bits() as i32;
        let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
        opened.map(Self)
    }

    fn create(&self, name: &OsStr) -> io::Result<File> {
        // Exclusive creation follows no link: if there is one with this name, it fails.
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        self.open_at(name, flags, Mode::RUSR | Mode::WUSR)
    }

    fn open_file(&self, name: &OsStr) -> io::Result<File> {
        // A pipe that nobody reads is not waited for.
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = self.open_at(name, flags, Mode::empty())?;
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn exists(&self, name: &OsStr) -> io::Result<bool> {
        match statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// A link is never made over a name that is taken, whereas renaming replaces what has it. The
    /// first name remains.
    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    fn rename_exclusively(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        self.link(from, to).map_err(linking)
    }

    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    fn rename_exclusively(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        use rustix::fs::{RenameFlags, renameat_with};

        match renameat_with(&self.0, from, &self.0, to, RenameFlags::NOREPLACE) {
            // This kernel or this file system, such as NFS, does not support it.
            Err(Errno::NOSYS | Errno::INVAL | Errno::NOTSUP) => {
                self.link(from, to).map_err(linking)
            }
            renamed => Ok(renamed?),
        }
    }

    fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.0, name, AtFlags::empty())?)
    }

    fn sync(&self) -> io::Result<()> {
        self.readable()?.sync_all()
    }

    fn names(&self) -> io::Result<impl Iterator<Item = io::Result<OsString>>> {
        let entries = Dir::new(self.readable()?)?;
        Ok(entries.map(|entry| {
            let name = entry?.file_name().to_bytes().to_owned();
            Ok(OsString::from_vec(name))
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn a_file_system_without_hard_links_is_named() {
        for error in [Errno::PERM, Errno::NOSYS, Errno::NOTSUP] {
            let said = linking(error);
            assert_eq!(said.kind(), io::ErrorKind::Unsupported);
            assert!(said.to_string().contains("nor link files"), "{said}");
        }
        assert_eq!(linking(Errno::EXIST).kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(
            linking(Errno::ACCESS).kind(),
            io::ErrorKind::PermissionDenied
        );
    }

    #[test]
    fn t_x3_linking_is_as_exclusive_as_renaming() {
        let directory = tempfile::tempdir().unwrap();
        let open = OpenDirectory::open(directory.path()).unwrap();
        fs::write(directory.path().join("new"), "new").unwrap();
        fs::write(directory.path().join("old"), "old").unwrap();
        symlink("nowhere", directory.path().join("link")).unwrap();
        for taken in ["old", "link"] {
            let error = open.link("new".as_ref(), taken.as_ref()).unwrap_err();
            assert_eq!(error, Errno::EXIST);
        }
        assert_eq!(fs::read(directory.path().join("old")).unwrap(), b"old");
        open.link("new".as_ref(), "free".as_ref()).unwrap();
        assert_eq!(fs::read(directory.path().join("free")).unwrap(), b"new");
    }
}
