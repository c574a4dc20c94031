use std::{
    io,
    path::{Path, PathBuf},
};

use super::file_name::FileNameError;
use crate::shown::Shown;

/// Why a file was not saved. Nothing of it is left on disk, and the connection that brought it goes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// The peer's name for it cannot be used; [`File::save_as`](crate::content::file::File::save_as) takes another.
    #[error(transparent)]
    Name(#[from] FileNameError),
    /// There is something under that name already: a file, a directory, a link, or a file whose name the file
    /// system takes for the same. It was left as it is.
    #[error("{path:?} exists already")]
    Exists {
        /// Where the file should have been.
        path: PathBuf,
    },
    /// Its announced size is over the limit, see [`Save::limit`](crate::content::file::save::Save::limit). Nothing was created.
    #[error("file {name} for {directory:?} has {size} bytes, over the limit of {limit}")]
    TooLarge {
        /// The peer's name for it, as it is shown.
        name: Box<str>,
        /// Where it should have been saved.
        directory: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The operating system reported an error.
    #[error("cannot {operation} {path:?}")]
    Io {
        /// What failed, such as `write`.
        operation: &'static str,
        /// The file or the directory, under the name that it was to have.
        path: PathBuf,
        /// What happened.
        #[source]
        source: io::Error,
    },
    /// It could not be read to its end. Of a received file the source holds a
    /// [`ReadError`](crate::error::read::ReadError), see [`SaveError::read_error`].
    #[error("file for {path:?} did not arrive completely")]
    Read {
        /// Where it should have been saved.
        path: PathBuf,
        /// What happened.
        #[source]
        source: io::Error,
    },
}

impl SaveError {
    /// Why a received file did not arrive completely, if that is what happened.
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
