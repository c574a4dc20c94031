use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{part_kind::PartKind, set};

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
    /// Other keys that are read as it.
    #[serde(default)]
    pub aliases: Cow<'static, [Cow<'static, str>]>,
    /// Whether it has the default of its type in calls without it.
    #[serde(default)]
    pub has_default: bool,
}

impl ParameterDescription {
    /// A parameter.
    pub const fn new(name: &'static str, ty: &'static str, kind: PartKind) -> Self {
        Self {
            name: Cow::Borrowed(name),
            ty: Cow::Borrowed(ty),
            kind,
            aliases: Cow::Borrowed(&[]),
            has_default: false,
        }
    }

    /// With these further keys.
    pub const fn aliases(mut self, aliases: &'static [Cow<'static, str>]) -> Self {
        set(&mut self.aliases, Cow::Borrowed(aliases));
        self
    }

    /// Calls without it have the default of its type.
    pub const fn with_default(mut self) -> Self {
        self.has_default = true;
        self
    }
}
