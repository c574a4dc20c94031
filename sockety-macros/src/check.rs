//! Rules that concern more than one token of a service.

use syn::ext::IdentExt;

use crate::errors::Errors;
use crate::model::{Action, Service};
use crate::names::RESERVED;

pub(crate) fn check(service: &Service, errors: &mut Errors) {
    for (index, action) in service.actions.iter().enumerate() {
        check_name(action, errors);
        check_clash(service, action, errors);
        check_duplicate(&service.actions[..index], action, errors);
    }
}

/// The size of an action travels in one or two bytes, and is never 0.
fn check_name(action: &Action, errors: &mut Errors) {
    if action.name.is_empty() {
        errors.at(
            &action.name_tokens,
            format!(
                "an action has a name: write `name = \"{}\"`",
                action.ident.unraw()
            ),
        );
    }
    if action.name.len() > MAX_NAME {
        let tokens = action.prefix_tokens.as_ref().unwrap_or(&action.name_tokens);
        let size = action.name.len();
        errors.at(
            tokens,
            format!("the action's name is {size} bytes: write at most 65,535, prefix included"),
        );
    }
}

const MAX_NAME: usize = 65_535;

/// The client has functions of its own.
fn check_clash(service: &Service, action: &Action, errors: &mut Errors) {
    let name = action.ident.unraw().to_string();
    if RESERVED.contains(&name.as_str()) {
        let client = &service.names.client;
        errors.at(
            &action.ident,
            format!(
                "`{name}` clashes with the generated `{client}::{name}`; \
                 rename the method and keep the action with `#[action(name = \"{name}\")]`"
            ),
        );
    }
}

/// Peers tell actions apart by name alone. Two that are both conditional may exclude each other.
fn check_duplicate(earlier: &[Action], action: &Action, errors: &mut Errors) {
    let is_conditional = |action: &Action| !action.carried.conditions.is_empty();
    let duplicate = earlier.iter().find(|other| {
        other.name == action.name && !(is_conditional(other) && is_conditional(action))
    });
    if let Some(other) = duplicate {
        let name = &action.name;
        errors.at(
            &action.name_tokens,
            format!(
                "`{}` has the action `{name}` already: write another `#[action(name = \"…\")]`",
                other.ident
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use proc_macro2::TokenStream;
    use quote::quote;

    use super::MAX_NAME;
    use crate::expand::expand;

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
        tokens.to_string().contains("write at most 65,535")
    }
}
