//! Rules that need the whole model: names must be valid and unique, and arguments must fit their
//! methods.

use proc_macro2::TokenStream;
use syn::ext::IdentExt;

use crate::errors::Errors;
use crate::model::{Action, Service};
use crate::names::RESERVED;

mod arguments;
mod params;

pub(crate) fn check(service: &Service, errors: &mut Errors) {
    for (index, action) in service.actions.iter().enumerate() {
        for (name, tokens) in action.names() {
            check_name(action, name, &tokens, errors);
        }
        check_clash(service, action, errors);
        check_variant(service, &service.actions[..index], action, errors);
        check_duplicates(&service.actions[..index], action, errors);
        arguments::check(action, errors);
        params::check(action, errors);
    }
}

/// On the wire, the length of a name is a number of one or two bytes, and never 0.
fn check_name(action: &Action, name: &str, tokens: &TokenStream, errors: &mut Errors) {
    if name.is_empty() {
        errors.at(
            tokens,
            format!(
                "the name of an action cannot be empty: write a name, as in `\"{}\"`",
                action.ident.unraw()
            ),
        );
    }
    if name.len() > MAX_NAME {
        let tokens = action.prefix_tokens.as_ref().unwrap_or(tokens);
        let size = name.len();
        errors.at(
            tokens,
            format!("the name of an action has {size} bytes: write at most {MAX_NAME}, including the prefix"),
        );
    }
}

/// In bytes.
const MAX_NAME: usize = 65_535;

/// The client has functions that are not actions.
fn check_clash(service: &Service, action: &Action, errors: &mut Errors) {
    let name = action.ident.unraw().to_string();
    if RESERVED.contains(&name.as_str()) {
        let client = &service.names.client;
        errors.at(
            &action.ident,
            format!(
                "`{name}` conflicts with the generated `{client}::{name}`: \
                 rename the method, and keep the action with `#[action(name = \"{name}\")]`"
            ),
        );
    }
}

/// Different methods may have the same variant, such as `ask_back` and `askBack`. Methods of the
/// same name are left to [`check_duplicates`].
fn check_variant(service: &Service, earlier: &[Action], action: &Action, errors: &mut Errors) {
    let variant = action.variant();
    let same = earlier.iter().find(|other| {
        other.variant() == variant && other.ident != action.ident && !may_exclude(other, action)
    });
    if let Some(other) = same {
        let request = &service.names.request;
        errors.at(
            &action.ident,
            format!(
                "`{}` already generates the variant `{request}::{variant}`: rename `{}`",
                other.ident, action.ident
            ),
        );
    }
}

/// Peers distinguish actions only by name.
fn check_duplicates(earlier: &[Action], action: &Action, errors: &mut Errors) {
    let names: Vec<_> = action.names().collect();
    for (index, (name, tokens)) in names.iter().enumerate() {
        let is_same = |known: &str| known == *name;
        if names[..index].iter().any(|(known, _)| is_same(known)) {
            let method = &action.ident;
            errors.at(
                tokens,
                format!("`{method}` already has the name `{name}`: remove this alias"),
            );
            continue;
        }
        let duplicate = earlier.iter().find(|other| {
            other.names().any(|(known, _)| is_same(known)) && !may_exclude(other, action)
        });
        if let Some(other) = duplicate {
            errors.at(
                tokens,
                format!(
                    "the action `{name}` already belongs to `{}`: write another {}",
                    other.ident,
                    if index == 0 {
                        "name with `#[action(name = \"…\")]`"
                    } else {
                        "alias"
                    },
                ),
            );
        }
    }
}

/// Two methods that both have a `#[cfg]` may never exist in the same build.
fn may_exclude(other: &Action, action: &Action) -> bool {
    let is_conditional = |action: &Action| !action.forwarded.conditions.is_empty();
    is_conditional(other) && is_conditional(action)
}

#[cfg(test)]
mod tests {
    use proc_macro2::TokenStream;
    use quote::quote;

    use super::MAX_NAME;
    use crate::service::expand;

    #[test]
    fn a_name_has_at_most_65_535_bytes() {
        assert!(!is_refused(&quote!(), MAX_NAME));
        assert!(is_refused(&quote!(), MAX_NAME + 1));
        assert!(is_refused(&quote!(prefix = "a."), MAX_NAME - 1));
    }

    fn is_refused(arguments: &TokenStream, size: usize) -> bool {
        let name = "x".repeat(size);
        let item = quote!(
            trait Media {
                #[action(name = #name)]
                async fn get(&self);
            }
        );
        let tokens = expand(arguments.clone(), item);
        tokens.to_string().contains("write at most 65535")
    }
}
