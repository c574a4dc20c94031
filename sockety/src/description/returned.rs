use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::part_kind::PartKind;

/// What an action returns, see [`ActionDescription`](crate::description::action::ActionDescription).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReturnDescription {
    /// The type as it is written, without the `Result` around it; `()` for nothing.
    #[serde(rename = "type")]
    pub ty: Cow<'static, str>,
    /// How its parts travel, in the order of the type; none for nothing.
    pub kinds: Cow<'static, [PartKind]>,
}

impl ReturnDescription {
    /// Nothing: the reply is a code.
    pub const fn nothing() -> Self {
        Self::new("()", &[])
    }

    /// A value, or a tuple of parts.
    pub const fn new(ty: &'static str, kinds: &'static [PartKind]) -> Self {
        Self {
            ty: Cow::Borrowed(ty),
            kinds: Cow::Borrowed(kinds),
        }
    }
}

impl Default for ReturnDescription {
    fn default() -> Self {
        Self::nothing()
    }
}
