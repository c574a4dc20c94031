use std::{error::Error, fmt};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::description::error_variant::ErrorVariant;

/// An error type of a service: an enum whose variants are sent as codes, or with their data.
/// Implemented by `#[derive(ServiceError)]`.
///
/// Its `Display` is the text that the peer receives along with the data.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel as the error of an action",
    label = "write an enum with `#[derive(Serialize, Deserialize, ServiceError)]`"
)]
pub trait ServiceError: Error + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// All variants.
    const VARIANTS: &'static [ErrorVariant];

    /// Returns the variant of this error.
    fn variant(&self) -> &'static ErrorVariant;

    /// Returns the variant with this code, if it has no data.
    fn from_code(code: u16) -> Option<Self>;
}

/// The error of methods that return no error. It has no values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoError {}

impl fmt::Display for NoError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl Error for NoError {}

impl ServiceError for NoError {
    const VARIANTS: &'static [ErrorVariant] = &[];

    fn variant(&self) -> &'static ErrorVariant {
        match *self {}
    }

    fn from_code(_: u16) -> Option<Self> {
        None
    }
}
