use super::service::ServiceError;
use crate::{
    description::error_variant::ErrorVariant,
    fast_reply::FastReply,
    msgpack::{self, __private::decode_service_error},
};
use std::fmt;

/// An error of a service that the error type of this side does not have, such as that of a newer
/// peer, or one with data of another form.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteError {
    /// Its code, if the error was sent as a code or this side knows its name.
    pub code: Option<u16>,
    /// The name of the variant; empty if only a code was sent that this side does not know.
    pub name: String,
    /// Its text; empty if only a code was sent.
    pub message: String,
}

impl RemoteError {
    /// An error with data that could not be decoded, apart from these texts.
    pub(crate) fn named(variants: &[ErrorVariant], name: String, message: String) -> Self {
        let known = variants.iter().find(|variant| variant.name == name);
        let code = known.map(|variant| variant.code);
        Self {
            code,
            name,
            message,
        }
    }

    /// An error that was sent as a code, if that is one of a service.
    pub(crate) fn coded(variants: &[ErrorVariant], code: FastReply) -> Option<Self> {
        let code = code.code();
        let known = variants.iter().find(|variant| variant.code == code);
        SERVICE_CODES.contains(&code).then(|| Self {
            code: Some(code),
            name: known.map_or_else(String::new, |variant| variant.name.to_string()),
            message: String::new(),
        })
    }
}

/// The codes that services may assign to their errors.
const SERVICE_CODES: std::ops::RangeInclusive<u16> = 16..=3839;

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.name, &*self.message, self.code) {
            ("", "", Some(code)) => write!(f, "error {code} of the service"),
            ("", message, _) => f.write_str(message),
            (name, "", _) => f.write_str(name),
            (name, message, _) => write!(f, "{name}: {message}"),
        }
    }
}

impl std::error::Error for RemoteError {}

/// Decodes an error of a service, as far as this side knows it.
pub(crate) fn read_remote<E: ServiceError>(
    value: &[u8],
    bounds: &msgpack::Bounds,
) -> Result<Result<E, RemoteError>, msgpack::DecodeError> {
    let parts = decode_service_error(value, bounds)?;
    let is_known = E::VARIANTS.iter().any(|variant| variant.name == parts.name);
    match msgpack::from_slice_with(parts.details, bounds) {
        Ok(error) if is_known => Ok(Ok(error)),
        _ => Ok(Err(RemoteError::named(
            E::VARIANTS,
            parts.name,
            parts.message,
        ))),
    }
}
