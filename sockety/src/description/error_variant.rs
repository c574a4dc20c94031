use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// A variant of a [`ServiceError`](crate::error::service::ServiceError).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ErrorVariant {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Its code, 16 to 3,839.
    pub code: u16,
    /// Whether it has data. One without travels as a fast reply, one with data as a response.
    pub has_details: bool,
    /// What it says to a person, from its doc comment or its name.
    #[serde(default)]
    pub docs: Cow<'static, str>,
}

impl ErrorVariant {
    /// A variant without data.
    pub const fn new(name: &'static str, code: u16, docs: &'static str) -> Self {
        Self {
            name: Cow::Borrowed(name),
            code,
            has_details: false,
            docs: Cow::Borrowed(docs),
        }
    }

    /// The variant has data.
    pub const fn with_details(mut self) -> Self {
        self.has_details = true;
        self
    }
}
