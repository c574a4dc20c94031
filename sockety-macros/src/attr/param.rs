//! The arguments of `#[param]`.

use std::mem;

use proc_macro2::Ident;
use syn::{Attribute, LitStr};

use super::known::KnownArguments;
use crate::errors::Errors;

const PARAM: KnownArguments = KnownArguments {
    attribute: "#[param(…)]",
    arguments: &[("alias", "alias = [\"…\"]"), ("default", "default")],
};

#[derive(Default)]
pub(crate) struct ParamArguments {
    /// Other keys that are read as the parameter.
    pub(crate) aliases: Vec<LitStr>,
    /// Whether it has the default of its type where it is missing.
    pub(crate) default: Option<Ident>,
}

impl ParamArguments {
    /// Removes every `#[param]` from `attributes` and reads its arguments.
    pub(crate) fn take(attributes: &mut Vec<Attribute>, errors: &mut Errors) -> Self {
        let is_param = |attribute: &Attribute| attribute.path().is_ident("param");
        let (taken, kept): (Vec<_>, _) = mem::take(attributes).into_iter().partition(is_param);
        *attributes = kept;
        let mut arguments = Self::default();
        for argument in PARAM.read_all(&taken, errors) {
            match argument.name.as_str() {
                "alias" => arguments.aliases = argument.texts(errors),
                _ => arguments.default = argument.flag(errors),
            }
        }
        arguments
    }
}
