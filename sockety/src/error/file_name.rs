//! Why the name of a received file is not safe to use.

use crate::shown::Shown;

/// A name that is not safe as the name of a file; returned by
/// [`File::safe_name`](crate::content::file::File::safe_name).
///
/// Its text shows the name escaped, and shortened if it is long.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("file name {name} {problem}")]
pub struct FileNameError {
    pub(crate) name: Shown,
    pub(crate) problem: NameProblem,
}

impl FileNameError {
    /// Returns what is wrong with it.
    pub fn problem(&self) -> NameProblem {
        self.problem
    }
}

/// What is wrong with a file's name. The rules are the same on every operating system: a name that
/// is accepted names a file inside the directory on all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameProblem {
    /// It is empty.
    #[error("is empty")]
    Empty,
    /// It is longer than the 255 bytes that file systems allow.
    #[error("has {length} bytes, over the limit of {}", NameProblem::LONGEST)]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// It is `.` or `..`, a directory.
    #[error("means a directory")]
    Directory,
    /// It has a `/` or a `\`.
    #[error("has a path separator")]
    Separator,
    /// It has a colon: a drive letter or a stream of a file on Windows.
    #[error("has a colon")]
    Colon,
    /// It has a NUL or another control character.
    #[error("has the control character {0:?}")]
    Control(char),
    /// It ends with a dot or a space, which Windows removes.
    #[error("ends with a dot or a space")]
    TrailingDotOrSpace,
    /// It means a device on Windows, such as `CON`, `nul.txt` or `COM¹`.
    #[error("means a device")]
    Device,
    /// It has the form of the names of files that are not complete yet, see
    /// [`sweep_partial_files`](crate::content::file::partial::sweep_partial_files).
    #[error("is reserved for files that are being saved")]
    Reserved,
}

impl NameProblem {
    /// In bytes: the limit of the file systems in use.
    pub(crate) const LONGEST: usize = 255;
}
