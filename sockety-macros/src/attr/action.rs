//! The arguments of `#[action]`.

use std::mem;

use proc_macro2::Ident;
use syn::{Attribute, LitStr, Meta};

use super::forwarded::conditional;
use super::known::KnownArguments;
use super::limits::Limits;
use super::units;
use crate::errors::Errors;

const ACTION: KnownArguments = KnownArguments {
    attribute: "#[action(…)]",
    arguments: &[
        ("name", "name = \"…\""),
        ("alias", "alias = [\"…\"]"),
        ("one_way", "one_way"),
        ("idempotent", "idempotent"),
        ("timeout", "timeout = \"2s\""),
        ("limit", "limit(…)"),
        ("spawn", "spawn"),
        ("no_cancel", "no_cancel"),
        ("long_poll", "long_poll"),
    ],
};

#[derive(Default)]
pub(crate) struct ActionArguments {
    pub(crate) name: Option<LitStr>,
    pub(crate) aliases: Vec<LitStr>,
    pub(crate) one_way: Option<Ident>,
    pub(crate) idempotent: Option<Ident>,
    pub(crate) timeout: Option<Timeout>,
    pub(crate) limits: Limits,
    pub(crate) spawn: Option<Ident>,
    pub(crate) no_cancel: Option<Ident>,
    pub(crate) long_poll: Option<Ident>,
}

/// How long callers wait for a reply.
pub(crate) struct Timeout {
    pub(crate) milliseconds: u64,
    pub(crate) tokens: LitStr,
}

impl ActionArguments {
    /// Removes every `#[action]` from `attributes` and reads its arguments.
    pub(crate) fn take(attributes: &mut Vec<Attribute>, errors: &mut Errors) -> Self {
        refuse_conditional(attributes, errors);
        let is_action = |attribute: &Attribute| attribute.path().is_ident("action");
        let (taken, kept): (Vec<_>, _) = mem::take(attributes).into_iter().partition(is_action);
        *attributes = kept;
        let mut arguments = Self::default();
        for argument in ACTION.read_all(&taken, errors) {
            match argument.name.as_str() {
                "name" => arguments.name = argument.text(errors),
                "alias" => arguments.aliases = argument.texts(errors),
                "one_way" => arguments.one_way = argument.flag(errors),
                "idempotent" => arguments.idempotent = argument.flag(errors),
                "timeout" => {
                    let text = argument.text(errors);
                    arguments.timeout = text.and_then(|text| timeout(text, errors));
                }
                "limit" => arguments.limits = Limits::parse(&argument, errors),
                "spawn" => arguments.spawn = argument.flag(errors),
                "no_cancel" => arguments.no_cancel = argument.flag(errors),
                _ => arguments.long_poll = argument.flag(errors),
            }
        }
        arguments
    }
}

fn timeout(tokens: LitStr, errors: &mut Errors) -> Option<Timeout> {
    let milliseconds = errors.ok(units::milliseconds(&tokens))?;
    Some(Timeout {
        milliseconds,
        tokens,
    })
}

/// Rejects `#[cfg_attr(…, action(…))]`: the macro runs before the compiler knows whether it
/// applies.
fn refuse_conditional(attributes: &mut Vec<Attribute>, errors: &mut Errors) {
    attributes.retain(|attribute| {
        let is_action = |meta: &Meta| meta.path().is_ident("action");
        let refused = attribute.path().is_ident("cfg_attr")
            && conditional(&attribute.meta).iter().any(is_action);
        if refused {
            errors.at(
                attribute,
                "`#[action]` cannot be inside `cfg_attr`: write two methods, each with its own `#[cfg]`",
            );
        }
        !refused
    });
}
