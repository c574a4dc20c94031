use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use super::file_name::FileNameError;
use crate::shown::Shown;

/// Why a file was not saved. Nothing of it is left on disk, and its connection goes on.
///
/// Its text has the name of the file, and never the directory, so that it can be passed on to a peer:
/// [`path`](Self::path) returns both.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// The peer's name for it cannot be used;
    /// [`File::save_as`](crate::content::file::File::save_as) takes another.
    #[error(transparent)]
    Name(#[from] FileNameError),
    /// Something with that name exists already: a file, a directory, a link, or a file whose name
    /// the file system treats as the same. It was not changed.
    #[error("file {} exists already", Name(path))]
    Exists {
        /// The path of the file.
        path: PathBuf,
    },
    /// Its announced size exceeds the limit, see
    /// [`Save::limit`](crate::content::file::save::Save::limit). Nothing was created.
    #[error("file {name} has {size} bytes, over the limit of {limit}")]
    TooLarge {
        /// The peer's name for it, escaped.
        name: Box<str>,
        /// The directory to save it in.
        directory: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The operating system reported an error.
    #[error("cannot {operation}{}", Subject(operation, path))]
    Io {
        /// The operation that failed, such as `write`.
        operation: &'static str,
        /// The file or the directory, under its final name.
        path: PathBuf,
        /// What happened.
        #[source]
        source: io::Error,
    },
    /// It could not be read completely. If it is a received file, the source holds a
    /// [`ReadError`](crate::error::read::ReadError), see [`SaveError::read_error`].
    #[error("file {} did not arrive completely", Name(path))]
    Read {
        /// The path of the file.
        path: PathBuf,
        /// What happened.
        #[source]
        source: io::Error,
    },
}

/// The name of a file, without its directory.
struct Name<'a>(&'a Path);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.file_name().unwrap_or_default();
        Shown::new(&name.to_string_lossy()).fmt(f)
    }
}

/// What an operation was about: the file, unless it was its directory.
struct Subject<'a>(&'static str, &'a Path);

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self(OPEN_DIRECTORY, _) => Ok(()),
            Self(_, path) => write!(f, " {}", Name(path)),
        }
    }
}

/// The operation whose path is the directory.
pub(crate) const OPEN_DIRECTORY: &str = "open the directory";

impl SaveError {
    /// Returns the path of the file, or of the directory if that is what failed. It is not meant for
    /// peers.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Name(_) => None,
            Self::Exists { path } | Self::Io { path, .. } | Self::Read { path, .. } => Some(path),
            Self::TooLarge { directory, .. } => Some(directory),
        }
    }

    /// Returns why a received file did not arrive completely, if this is such an error.
    pub fn read_error(&self) -> Option<&crate::error::read::ReadError> {
        match self {
            Self::Read { source, .. } => source.get_ref()?.downcast_ref(),
            Self::Name(_) | Self::Exists { .. } | Self::TooLarge { .. } | Self::Io { .. } => None,
        }
    }

    pub(crate) fn too_large(name: &str, directory: &Path, size: u64, limit: u64) -> Self {
        Self::TooLarge {
            name: Shown::new(name).to_string().into(),
            directory: directory.to_owned(),
            size,
            limit,
        }
    }

    pub(crate) fn io(operation: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        Self::Io {
            operation,
            path,
            source,
        }
    }
}
