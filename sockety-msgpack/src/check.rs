use crate::extension::{SERVICE_ERROR, is_service_error};
use crate::scan::scan;
use crate::{Bounds, DecodeError};

/// What [`check`] saw in passing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checked {
    /// Whether the value is the error of a service: the marker `D4 65 00`, then its array.
    pub service_error: bool,
    /// Whether JavaScript's `undefined`, extension type 0, is somewhere in the value.
    pub undefined: bool,
}

/// Checks that `bytes` are one whole value within `bounds`, without reading it into a type.
///
/// Everything that a value declares to hold must be there, strings must be UTF-8, and nothing may
/// follow it. The marker of a service error and the array after it count as one value. It takes
/// time in proportion to the bytes, and allocates only to follow more than 64 levels.
///
/// # Errors
///
/// Every [`DecodeError`] except `Invalid` and `ServiceError`.
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
    let scan = scan(bytes, start, bounds)?;
    if scan.end < bytes.len() {
        return Err(DecodeError::TrailingBytes {
            offset: scan.end,
            count: bytes.len() - scan.end,
        });
    }
    Ok(Checked {
        service_error,
        undefined: scan.undefined,
    })
}

/// The number of bytes that the first value in `bytes` takes; others may follow it.
///
/// For values one after another. `Truncated` means that the rest of the value has not come yet.
///
/// # Errors
///
/// As [`check`], except `TrailingBytes`.
///
/// # Examples
///
/// ```
/// use sockety_msgpack::{Bounds, value_len};
///
/// assert_eq!(value_len(&[0x91, 0x07, 0xC0], &Bounds::default()), Ok(2));
/// ```
pub fn value_len(bytes: &[u8], bounds: &Bounds) -> Result<usize, DecodeError> {
    Ok(scan(bytes, 0, bounds)?.end)
}
