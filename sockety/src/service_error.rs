use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// An error type of a service, whose variants travel with codes; made by `#[derive(ServiceError)]`.
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

/// A variant of a [`ServiceError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorVariant {
    /// Its name.
    pub name: &'static str,
    /// Its code, 16 to 3,839.
    pub code: u16,
    /// Whether it has data. One without travels as a fast reply, one with data as a response.
    pub has_details: bool,
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
