use thiserror::Error;

/// The `Serialize` implementation of a value failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot encode value as MessagePack: {0}")]
pub struct EncodeError(pub(crate) String);

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
    /// The value does not fit the expected type. The text is that of serde.
    #[error("{0}")]
    Invalid(String),
}
