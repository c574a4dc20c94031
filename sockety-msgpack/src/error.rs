use thiserror::Error;

/// A value that could not be written, because its `Serialize` implementation refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("value cannot be written as MessagePack: {0}")]
pub struct EncodeError(pub(crate) String);

/// Bytes that are not the wanted value.
///
/// An `offset` counts from the first of the given bytes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A value, or what it declares to hold, goes on after the end of the bytes.
    #[error("value at byte {offset} needs at least {needed} bytes, {present} are there")]
    Truncated {
        /// Where the value begins.
        offset: usize,
        /// Bytes that are needed from there on, at least.
        needed: u64,
        /// Bytes that are there.
        present: usize,
    },
    /// Bytes after the value.
    #[error("{count} bytes follow the value that ends at byte {offset}")]
    TrailingBytes {
        /// Where the value ended.
        offset: usize,
        /// Bytes after it.
        count: usize,
    },
    /// More arrays and maps inside one another than [`Bounds::depth`](super::Bounds::depth).
    #[error("container at byte {offset} is nested {depth} deep, the limit is {limit}")]
    TooDeep {
        /// Where the innermost array or map begins.
        offset: usize,
        /// Its depth; the outermost container has 1.
        depth: usize,
        /// The limit.
        limit: usize,
    },
    /// More values than [`Bounds::items`](super::Bounds::items).
    #[error("value at byte {offset} brings the count to {items} values, the limit is {limit}")]
    TooManyItems {
        /// Where the array or map begins that declares them.
        offset: usize,
        /// The count up to there.
        items: u64,
        /// The limit.
        limit: usize,
    },
    /// The one byte that MessagePack never uses.
    #[error("byte {offset} is the reserved marker 0xC1")]
    ReservedMarker {
        /// Where it is.
        offset: usize,
    },
    /// A string that is not UTF-8. A JavaScript string cut inside a surrogate pair gives one.
    #[error("string at byte {offset} is not valid UTF-8 from its byte {valid_up_to} on")]
    InvalidUtf8 {
        /// Where the string begins, its marker included.
        offset: usize,
        /// Bytes of its text that are valid.
        valid_up_to: usize,
    },
    /// The bytes are the error of a service, not a value.
    #[error("payload is the error of a service (extension type 0x65), not a value")]
    ServiceError,
    /// The value does not fit the wanted type; what serde said.
    #[error("{0}")]
    Invalid(String),
}
