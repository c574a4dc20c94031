use crate::{
    bounds::Bounds,
    error::DecodeError,
    extension::{SERVICE_ERROR, is_service_error},
    scan::scan,
};

/// What [`check`] found out about a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checked {
    /// Whether the value is a service error: the marker `D4 65 00` and the array after it.
    pub service_error: bool,
}

/// Checks that `bytes` are exactly one value within `bounds`, without reading it into a type.
///
/// All elements and bytes that the value declares must be present, strings must be UTF-8, and
/// nothing may follow the value. The marker of a service error and the array after it count as one
/// value. The time is proportional to the bytes. Only values with more than 200
/// levels allocate.
///
/// # Errors
///
/// Any [`DecodeError`] except `Invalid`, `TooMuchMemory` and `ServiceError`.
///
/// # Examples
///
/// ```
/// use sockety_msgpack::{Bounds, DecodeError, check};
///
/// assert!(check(&[0x92, 1, 2], &Bounds::default()).is_ok());
/// assert_eq!(
///     check(&[0xDD, 0xFF, 0xFF, 0xFF, 0xFF], &Bounds::default()),
///     Err(DecodeError::Truncated { offset: 0, needed: 5 + 0xFFFF_FFFF, present: 5 }),
/// );
/// ```
pub fn check(bytes: &[u8], bounds: &Bounds) -> Result<Checked, DecodeError> {
    let service_error = is_service_error(bytes);
    let start = if service_error {
        SERVICE_ERROR.len()
    } else {
        0
    };
    let end = scan(bytes, start, bounds)?;
    if end < bytes.len() {
        return Err(DecodeError::TrailingBytes {
            offset: end,
            count: bytes.len() - end,
        });
    }
    Ok(Checked { service_error })
}

/// Returns the number of bytes of the first value in `bytes`, which other bytes may follow.
///
/// It checks the value like [`check`]. Where bytes arrive in pieces, use
/// [`ItemScanner`](crate::ItemScanner), which does not start over with each piece.
///
/// # Errors
///
/// Any [`DecodeError`] except `TrailingBytes`, `Invalid`, `TooMuchMemory` and `ServiceError`.
///
/// # Examples
///
/// ```
/// use sockety_msgpack::{Bounds, value_len};
///
/// assert_eq!(value_len(&[0x91, 0x07, 0xC0], &Bounds::default()), Ok(2));
/// ```
pub fn value_len(bytes: &[u8], bounds: &Bounds) -> Result<usize, DecodeError> {
    scan(bytes, 0, bounds)
}
