//! Arguments of `#[param]`, which only parameters with a name on the wire can have.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::ext::IdentExt;

use crate::errors::Errors;
use crate::model::{Action, Param, ParamKind, Part};

pub(super) fn check(action: &Action, errors: &mut Errors) {
    for param in &action.params {
        check_place(action, param, errors);
    }
    check_names(action, errors);
}

/// Files, streams and the context have no name on the wire, and the only parameter of a payload has none either.
fn check_place(action: &Action, param: &Param, errors: &mut Errors) {
    let aliases = param
        .arguments
        .aliases
        .iter()
        .map(ToTokens::to_token_stream);
    let default = param
        .arguments
        .default
        .iter()
        .map(ToTokens::to_token_stream);
    let arguments: Vec<TokenStream> = aliases.chain(default).collect();
    let Some(first) = arguments.first() else {
        return;
    };
    let name = param.ident.unraw();
    if param.kind != ParamKind::Part(Part::Payload) {
        errors.at(
            first,
            format!("`{name}` is no value of the payload: remove `#[param]`"),
        );
    } else if action.payload().len() < 2 {
        errors.at(
            first,
            format!("`{name}` is the only value of the payload, and travels without its name: remove `#[param]`"),
        );
    }
}

/// The keys of a payload differ from each other.
fn check_names(action: &Action, errors: &mut Errors) {
    let payload = action.payload();
    let mut known: Vec<String> = payload
        .iter()
        .map(|it| it.ident.unraw().to_string())
        .collect();
    for alias in payload.iter().flat_map(|param| &param.arguments.aliases) {
        let name = alias.value();
        if known.contains(&name) {
            let method = &action.ident;
            errors.at(
                alias,
                format!("`{method}` already has a parameter `{name}`: write another alias"),
            );
        }
        known.push(name);
    }
}
