use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::description::error_variant::ErrorVariant;

/// An error type of a service, whose variants travel with codes; made by `#[derive(ServiceError)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel as the error of an action",
    label = "write an enum with `#[derive(Serialize, Deserialize, ServiceError)]`"
)]
pub trait ServiceError: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// All variants.
    const VARIANTS: &'static [ErrorVariant];

    /// Which of them this is.
    fn variant(&self) -> &'static ErrorVariant;

    /// The variant without data that has this code.
    fn from_code(code: u16) -> Option<Self>;

    /// What it says to a person.
    fn message(&self) -> String;
}

/// The error of methods that return none: there is no value of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoError {}

impl std::fmt::Display for NoError {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {}
    }
}

impl std::error::Error for NoError {}

impl ServiceError for NoError {
    const VARIANTS: &'static [ErrorVariant] = &[];

    fn variant(&self) -> &'static ErrorVariant {
        match *self {}
    }

    fn from_code(_: u16) -> Option<Self> {
        None
    }

    fn message(&self) -> String {
        match *self {}
    }
}
