//! What can be wrong with a schema.

use std::{error::Error, fmt, io, path::PathBuf};

/// A schema that cannot be read, or that contradicts itself.
#[derive(Debug)]
#[non_exhaustive]
pub enum SchemaError {
    /// The file cannot be read.
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The text is longer than any schema may be.
    TooLong {
        /// Its length in bytes.
        bytes: usize,
        /// The most that is read.
        limit: usize,
    },
    /// The text is no JSON, or no schema.
    Json(serde_json::Error),
    /// The text is of another version of the format.
    Format {
        /// The version.
        format: u64,
        /// The version that is read.
        known: u64,
    },
    /// There is more of something than any schema may have.
    TooMany {
        /// Of what, in the plural.
        what: &'static str,
        /// How many.
        count: usize,
        /// The most that there may be.
        limit: usize,
    },
    /// A type contains others too deep.
    TooDeep {
        /// Where.
        path: String,
        /// The most levels.
        limit: usize,
    },
    /// A name is longer than any may be.
    LongName {
        /// Its beginning.
        name: String,
        /// Its length in bytes.
        bytes: usize,
        /// The most bytes.
        limit: usize,
    },
    /// A name leads to no type.
    UnknownType {
        /// Where it is used.
        path: String,
        /// The name.
        name: String,
    },
    /// Something has the name of something else that it must differ from.
    Duplicate {
        /// Where both are.
        path: String,
        /// The name of both.
        name: String,
    },
    /// A type consists of itself alone, so that it has no values.
    Endless {
        /// Its name.
        name: String,
    },
    /// Something is not what it has to be there.
    Unfit {
        /// Where.
        path: String,
        /// What is wrong.
        reason: &'static str,
    },
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, .. } => write!(f, "cannot read {}", path.display()),
            Self::TooLong { bytes, limit } => {
                write!(f, "schema of {bytes} bytes is over the limit of {limit}")
            }
            Self::Json(_) => f.write_str("invalid schema"),
            Self::Format { format, known } => write!(
                f,
                "unknown format {format} of a schema: this version reads format {known}"
            ),
            Self::TooMany { what, count, limit } => {
                write!(f, "schema has {count} {what}: maximum is {limit}")
            }
            Self::TooDeep { path, limit } => {
                write!(
                    f,
                    "type of {path} is nested too deep: maximum is {limit} levels"
                )
            }
            Self::LongName { name, bytes, limit } => {
                write!(
                    f,
                    "name {name:?}… of {bytes} bytes is over the limit of {limit}"
                )
            }
            Self::UnknownType { path, name } => {
                write!(
                    f,
                    "{path} names the type {name:?}, which the schema does not have"
                )
            }
            Self::Duplicate { path, name } => write!(f, "{path} has two of the name {name:?}"),
            Self::Endless { name } => write!(f, "type {name:?} consists of itself alone"),
            Self::Unfit { path, reason } => write!(f, "{path}: {reason}"),
        }
    }
}

impl Error for SchemaError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::File { error, .. } => Some(error),
            Self::Json(error) => Some(error),
            _ => None,
        }
    }
}
