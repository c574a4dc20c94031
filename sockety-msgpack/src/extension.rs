//! The extension types that mean something to msgpackr.

/// JavaScript's `undefined` as msgpackr writes it. Other extensions of type 0 are none.
pub(crate) const UNDEFINED: [u8; 3] = [0xD4, 0x00, 0x00];

/// The start of a service error: an extension of type 0x65 (`e`) with one byte of data. msgpackr
/// takes the value after it as the error.
pub(crate) const SERVICE_ERROR: [u8; 3] = [0xD4, 0x65, 0x00];

/// Returns whether a payload or a stream item is a service error and not a value.
#[inline]
#[must_use]
pub fn is_service_error(bytes: &[u8]) -> bool {
    bytes.starts_with(&SERVICE_ERROR)
}

/// The name of the struct by which types of rmp-serde and rmpv ask for an extension.
pub(crate) const EXTENSION_STRUCT: &str = "_ExtStruct";
