//! What can be wrong with an export.

use std::{error::Error, fmt, io, path::PathBuf};

/// A type, or a name, that has no counterpart in JavaScript.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unsupported {
    /// Where it is: `bank.transfer(request) › Transfer.until`.
    pub path: String,
    /// What is wrong, and what to write instead.
    pub reason: String,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, reason } = self;
        write!(f, "{path} has no TypeScript: {reason}")
    }
}

impl Error for Unsupported {}

/// An export, or a check of one, that has failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ExportError {
    /// A type cannot be described.
    #[cfg(feature = "specta")]
    Refused(sockety_schema::RefusedType),
    /// A type has no counterpart in JavaScript.
    Unsupported(Unsupported),
    /// The file cannot be read or written.
    Io {
        /// The file.
        path: PathBuf,
        /// What failed.
        source: io::Error,
    },
    /// The file is not what an export would write.
    Differs {
        /// The file.
        path: PathBuf,
        /// The first line that differs, from 1.
        line: usize,
    },
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "specta")]
            Self::Refused(_) => f.write_str("service cannot be described"),
            Self::Unsupported(_) => f.write_str("service cannot be exported"),
            Self::Io { path, .. } => write!(f, "cannot access {}", path.display()),
            Self::Differs { path, line } => write!(
                f,
                "{} differs from the service at line {line}: export it again",
                path.display()
            ),
        }
    }
}

impl Error for ExportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            #[cfg(feature = "specta")]
            Self::Refused(error) => Some(error),
            Self::Unsupported(error) => Some(error),
            Self::Io { source, .. } => Some(source),
            Self::Differs { .. } => None,
        }
    }
}

#[cfg(feature = "specta")]
impl From<sockety_schema::RefusedType> for ExportError {
    fn from(error: sockety_schema::RefusedType) -> Self {
        Self::Refused(error)
    }
}

impl From<Unsupported> for ExportError {
    fn from(error: Unsupported) -> Self {
        Self::Unsupported(error)
    }
}
