use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::part_kind::PartKind;

/// A parameter of an action, see [`ActionDescription`](crate::description::action::ActionDescription).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ParameterDescription {
    /// Its name: a key of the payload, when several parameters share that.
    pub name: Cow<'static, str>,
    /// Its type, as it is written.
    #[serde(rename = "type")]
    pub ty: Cow<'static, str>,
    /// How it travels.
    pub kind: PartKind,
}

impl ParameterDescription {
    /// A parameter.
    pub const fn new(name: &'static str, ty: &'static str, kind: PartKind) -> Self {
        Self {
            name: Cow::Borrowed(name),
            ty: Cow::Borrowed(ty),
            kind,
        }
    }
}
