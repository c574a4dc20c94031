//! A service error as a payload: the marker `D4 65 00`, then the array
//! [variant name, message, details]. msgpackr reads it as a JavaScript `Error`.

use serde::Serialize;

use crate::{
    bounds::Bounds,
    check::check,
    decode::from_slice_with,
    encode::encode_measured,
    error::{DecodeError, EncodeError, InvalidValue},
    extension::{SERVICE_ERROR, UNDEFINED},
    scan::scan,
    token::{Kind, Token},
};

/// The parts of a received service error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceErrorParts<'a> {
    /// The name of the variant. For a JavaScript `Error`, its class.
    pub name: String,
    /// The text for users.
    pub message: String,
    /// The value with the details, still encoded. It is nil if there was none.
    pub details: &'a [u8],
}

/// Appends a service error to `into`, and returns how deep its arrays and maps are nested. After a
/// failure, `into` is unchanged.
///
/// # Errors
///
/// When the `Serialize` implementation of the details fails.
pub fn encode_service_error<D: Serialize + ?Sized>(
    name: &str,
    message: &str,
    details: &D,
    into: &mut Vec<u8>,
) -> Result<usize, EncodeError> {
    let start = into.len();
    into.extend_from_slice(&SERVICE_ERROR);
    encode_measured(&(name, message, details), into).inspect_err(|_| into.truncate(start))
}

/// Checks the structure of a service error, and returns its parts.
///
/// # Errors
///
/// When the bytes do not pass [`check`], or are not a service error.
pub fn decode_service_error<'a>(
    bytes: &'a [u8],
    bounds: &Bounds,
) -> Result<ServiceErrorParts<'a>, DecodeError> {
    if !check(bytes, bounds)?.service_error {
        return Err(invalid(
            "payload is a value, not a service error".to_owned(),
        ));
    }
    let array = Token::read(bytes, SERVICE_ERROR.len())?;
    let count = match array.kind {
        Kind::Container { map: false, items } if items >= 2 => items,
        Kind::Container { .. } | Kind::Plain | Kind::Str(_) | Kind::Ext => {
            return Err(invalid(
                "invalid service error: expected an array of at least 2 elements".to_owned(),
            ));
        }
    };
    let name = SERVICE_ERROR.len() + array.len;
    let message = scan(bytes, name, bounds)?;
    let details = scan(bytes, message, bounds)?;
    let text = |part: &str, bytes: &[u8]| {
        from_slice_with(bytes, bounds)
            .map_err(|error| invalid(format!("invalid {part} of a service error: {error}")))
    };
    Ok(ServiceErrorParts {
        name: text("name", &bytes[name..message])?,
        message: text("message", &bytes[message..details])?,
        details: match count {
            2 => NIL,
            _ => match &bytes[details..scan(bytes, details, bounds)?] {
                details if *details == UNDEFINED => NIL,
                details => details,
            },
        },
    })
}

fn invalid(problem: String) -> DecodeError {
    DecodeError::Invalid(Box::new(InvalidValue::new(problem)))
}

const NIL: &[u8] = &[0xC0];
