use std::fmt;

use serde::de::{Expected, Unexpected};
use thiserror::Error;

use crate::escaped::escaped;

/// The `Serialize` implementation of a value failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot encode value as MessagePack: {}", .0.text)]
pub struct EncodeError(Box<EncodeFailure>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct EncodeFailure {
    text: String,
}

impl serde::ser::Error for EncodeError {
    #[cold]
    #[inline(never)]
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self(Box::new(EncodeFailure {
            text: text.to_string(),
        }))
    }
}

/// Bytes that are not a value of the expected type.
///
/// Each `offset` counts from the first of the bytes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end before the value does.
    #[error("truncated value at byte {offset}: needs at least {needed} bytes, {present} present")]
    Truncated {
        /// Where the incomplete value begins.
        offset: usize,
        /// The number of bytes that it needs, at least.
        needed: u64,
        /// The number of its bytes that are present.
        present: usize,
    },
    /// More bytes follow the value.
    #[error("trailing bytes after the value: {count} from byte {offset} on")]
    TrailingBytes {
        /// Where the value ends.
        offset: usize,
        /// The number of bytes after it.
        count: usize,
    },
    /// Arrays and maps are nested deeper than [`Bounds::depth`](crate::Bounds::depth).
    #[error("container at byte {offset} is nested too deep: {depth} levels, maximum is {limit}")]
    TooDeep {
        /// Where the innermost array or map begins.
        offset: usize,
        /// Its depth. The outermost container has depth 1.
        depth: usize,
        /// The limit.
        limit: usize,
    },
    /// There are more values than [`Bounds::items`](crate::Bounds::items).
    #[error("too many values up to the container at byte {offset}: {items}, maximum is {limit}")]
    TooManyItems {
        /// Where the array or map that exceeds the limit begins.
        offset: usize,
        /// The number of values, including those that it declares.
        items: u64,
        /// The limit.
        limit: usize,
    },
    /// The value would take much more memory than its bytes: most of its elements are large, and
    /// nearly empty on the wire.
    #[error("value needs too much memory for its bytes at byte {offset}: maximum is {limit} bytes")]
    TooMuchMemory {
        /// Where the first element begins for which there is no memory left.
        offset: usize,
        /// The limit: 64 times the number of bytes, and 4 MiB.
        limit: usize,
    },
    /// A marker is 0xC1, which MessagePack never uses.
    #[error("reserved marker 0xC1 at byte {offset}")]
    ReservedMarker {
        /// Where the marker is.
        offset: usize,
    },
    /// A string is not UTF-8. msgpackr writes one for a lone surrogate in a JavaScript string.
    #[error(
        "invalid UTF-8 in the string at byte {offset}: only its first {valid_up_to} bytes are valid"
    )]
    InvalidUtf8 {
        /// Where the marker of the string is.
        offset: usize,
        /// The number of bytes at the start of its text that are valid.
        valid_up_to: usize,
    },
    /// The bytes are a service error, not a value.
    #[error("payload is a service error (extension type 0x65), not a value")]
    ServiceError,
    /// The value does not fit the expected type.
    #[error(transparent)]
    Invalid(Box<InvalidValue>),
}

/// A value that does not fit the expected type.
///
/// As text it is the path, what is wrong, and the offset if it is not 0:
/// ``user.tags[3]: invalid type: string "x", expected u32 (byte 17)``.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidValue {
    path: String,
    offset: usize,
    problem: String,
}

impl InvalidValue {
    pub(crate) fn new(problem: String) -> Self {
        Self {
            path: String::new(),
            offset: 0,
            problem,
        }
    }

    /// Where the value is in the outermost one, such as `user.tags[3]`: fields, keys and variants
    /// after a dot, positions in brackets. It is empty for the outermost value.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where the value begins.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// What was found and what was expected, in most cases in the words of serde.
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.problem)?;
        match self.offset {
            0 => Ok(()),
            offset => write!(f, " (byte {offset})"),
        }
    }
}

impl std::error::Error for InvalidValue {}

/// An error while a value is read. It gets its place on the way out: visitors know none.
#[derive(Debug)]
pub struct Error(Box<Failure>);

#[derive(Debug)]
enum Failure {
    /// Of the structure, with its place.
    Structure(DecodeError),
    Value {
        path: String,
        offset: Option<usize>,
        problem: Problem,
    },
}

#[derive(Debug)]
enum Problem {
    Text(String),
    /// A value of another type. What was found can be said better by who found it.
    Type {
        found: String,
        expected: String,
    },
}

/// A longer path is cut at its start, where it says least.
const LONGEST_PATH: usize = 200;

impl Error {
    #[cold]
    fn value(problem: Problem) -> Self {
        Self(Box::new(Failure::Value {
            path: String::new(),
            offset: None,
            problem,
        }))
    }

    /// This value was found, and the visitor takes none like it.
    #[cold]
    #[inline(never)]
    pub(crate) fn unexpected(found: &str, expected: &dyn Expected) -> Self {
        Self::value(Problem::Type {
            found: found.to_owned(),
            expected: expected.to_string(),
        })
    }

    /// The same error with other words for what was found, if it is about that.
    #[cold]
    #[inline(never)]
    pub(crate) fn found(mut self, what: &str) -> Self {
        if let Failure::Value {
            problem: Problem::Type { found, .. },
            ..
        } = &mut *self.0
        {
            what.clone_into(found);
        }
        self
    }

    /// Whether a visitor takes no newtype struct, which is how it is given an extension.
    #[cold]
    pub(crate) fn is_of_newtype_struct(&self) -> bool {
        match &*self.0 {
            Failure::Value {
                problem: Problem::Type { found, .. },
                ..
            } => *found == Unexpected::NewtypeStruct.to_string(),
            Failure::Value { .. } | Failure::Structure(_) => false,
        }
    }

    /// The error of the value at this offset, unless it already is that of a value inside.
    #[cold]
    #[inline(never)]
    pub(crate) fn at(mut self, place: usize) -> Self {
        if let Failure::Value { offset, .. } = &mut *self.0 {
            offset.get_or_insert(place);
        }
        self
    }

    /// The error of a value inside another one, where it has this place.
    #[cold]
    #[inline(never)]
    pub(crate) fn within(mut self, place: &Place<'_>) -> Self {
        if let Failure::Value { path, .. } = &mut *self.0 {
            if path.len() < LONGEST_PATH {
                let mut outer = place.to_string();
                if outer.len() + path.len() > LONGEST_PATH {
                    "…".clone_into(&mut outer);
                }
                if !path.is_empty() && !path.starts_with('[') {
                    outer.push('.');
                }
                path.insert_str(0, &outer);
            }
        }
        self
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn into_decode_error(self) -> DecodeError {
        match *self.0 {
            Failure::Structure(error) => error,
            Failure::Value {
                path,
                offset,
                problem,
            } => DecodeError::Invalid(Box::new(InvalidValue {
                path,
                offset: offset.unwrap_or_default(),
                problem: match problem {
                    // The text of serde quotes the value.
                    Problem::Text(text) => escaped(&text),
                    Problem::Type { found, expected } => {
                        escaped(&format!("invalid type: {found}, expected {expected}"))
                    }
                },
            })),
        }
    }
}

/// As many whole characters from the beginning as fit into this number of bytes.
fn prefix(text: &str, longest: usize) -> &str {
    let mut ends = (0..=longest.min(text.len())).rev();
    let end = ends.find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or(0)]
}

/// The beginning of a text: one that quotes a value may be as long as that.
fn beginning(text: &dyn fmt::Display) -> String {
    struct Beginning(String);

    impl fmt::Write for Beginning {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let room = LONGEST_QUOTED.saturating_sub(self.0.len());
            self.0.push_str(prefix(text, room));
            if text.len() > room {
                Err(fmt::Error)
            } else {
                Ok(())
            }
        }
    }

    let mut beginning = Beginning(String::new());
    // It fails where the text is cut.
    let _ = fmt::write(&mut beginning, format_args!("{text}"));
    beginning.0
}

/// More than is shown of a text, see [`escaped`].
const LONGEST_QUOTED: usize = 1024;

/// The place of a value in the one around it.
pub(crate) enum Place<'a> {
    Index(usize),
    Name(&'a str),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Index(index) => return write!(f, "[{index}]"),
            Self::Name(name) => *name,
        };
        let is_plain = |char: char| char.is_alphanumeric() || matches!(char, '_' | '-' | '$');
        if !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(is_plain) {
            return f.write_str(name);
        }
        let shown = prefix(name, LONGEST_NAME);
        let cut = if shown.len() < name.len() { "…" } else { "" };
        write!(f, "[{shown:?}{cut}]")
    }
}

/// Longer names of entries are cut.
const LONGEST_NAME: usize = 64;

impl From<DecodeError> for Error {
    #[cold]
    fn from(error: DecodeError) -> Self {
        Self(Box::new(Failure::Structure(error)))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Failure::Structure(error) => error.fmt(f),
            Failure::Value { problem, .. } => match problem {
                Problem::Text(text) => f.write_str(text),
                Problem::Type { found, expected } => {
                    write!(f, "invalid type: {found}, expected {expected}")
                }
            },
        }
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    #[cold]
    #[inline(never)]
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::value(Problem::Text(beginning(&text)))
    }

    #[cold]
    #[inline(never)]
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::unexpected(&beginning(&found), expected)
    }
}
