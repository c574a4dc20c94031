//! From the trait to the model.
//!
//! Parsing never stops at a mistake: it reports the mistake and continues with a plausible value,
//! so that one build shows every mistake.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{ItemTrait, Safety, Signature, TraitItem, TraitItemFn};

use crate::attr::{ActionArguments, ForwardedAttributes, ServiceArguments, without_deprecated};
use crate::errors::Errors;
use crate::model::{Action, Service};
use crate::names::Names;

mod params;
mod parts;
mod reply;

pub(crate) use reply::RESULT_MESSAGE;

pub(crate) fn service(arguments: TokenStream, mut item: ItemTrait, errors: &mut Errors) -> Service {
    let arguments = ServiceArguments::parse(arguments, errors);
    check_trait(&item, errors);
    let prefix = arguments.prefix.as_ref();
    let prefix = prefix.map(|prefix| (prefix.value(), prefix.to_token_stream()));
    // Before the item is stored: its `#[action]` attributes are removed on the way.
    let mut actions = actions(&mut item, prefix, errors);
    let forwarded = ForwardedAttributes::of(&item.attrs);
    for action in &mut actions {
        action.forwarded.inherit_deprecated(&forwarded);
    }
    // Generated code names the trait, so it is not deprecated; what users call is.
    item.attrs = without_deprecated(&item.attrs);
    Service {
        names: Names::new(&item.ident, &arguments.krate),
        forwarded,
        actions,
        item,
    }
}

fn check_trait(item: &ItemTrait, errors: &mut Errors) {
    let name = &item.ident;
    if let Some(token) = &item.unsafety {
        errors.at(
            token,
            format!("a service trait cannot be unsafe: write `trait {name}`"),
        );
    }
    if !item.generics.params.is_empty() {
        errors.at(
            &item.generics,
            format!(
                "a service trait cannot be generic: write `trait {name}`, with concrete types in its methods"
            ),
        );
    }
    if let Some(clause) = &item.generics.where_clause {
        errors.at(
            clause,
            format!("a service trait cannot have a where clause: write the bounds as supertraits, as in `trait {name}: Send`"),
        );
    }
}

/// The actions, with the prefix in their names. Removes the `#[action]` attributes from the trait.
fn actions(
    item: &mut ItemTrait,
    prefix: Option<(String, TokenStream)>,
    errors: &mut Errors,
) -> Vec<Action> {
    let service = item.ident.clone();
    let (prefix, prefix_tokens) = prefix.unzip();
    let mut actions = Vec::new();
    for item in &mut item.items {
        let TraitItem::Fn(method) = item else {
            errors.at(
                item,
                format!("a service trait can contain only methods: move this item out of `trait {service}`"),
            );
            continue;
        };
        let mut action = action(method, errors);
        let names = action.aliases.iter_mut().map(|(name, _)| name);
        for name in names.chain([&mut action.name]) {
            name.insert_str(0, prefix.as_deref().unwrap_or_default());
        }
        action.prefix_tokens.clone_from(&prefix_tokens);
        actions.push(action);
    }
    actions
}

fn action(method: &mut TraitItemFn, errors: &mut Errors) -> Action {
    // Before attributes are forwarded: `#[action]` must not remain on the trait, where nothing
    // would resolve it.
    let arguments = ActionArguments::take(&mut method.attrs, errors);
    let ident = method.sig.ident.clone();
    check_signature(&method.sig, errors);
    let params = params::params(&mut method.sig, errors);
    let (name, name_tokens) = match &arguments.name {
        Some(name) => (name.value(), name.to_token_stream()),
        None => (ident.unraw().to_string(), ident.to_token_stream()),
    };
    let reply = match &arguments.one_way {
        Some(one_way) => reply::no_reply(one_way, &method.sig, errors),
        None => reply::reply(&method.sig, errors),
    };
    let aliases = arguments.aliases.iter();
    let aliases = aliases.map(|alias| (alias.value(), alias.clone()));
    Action {
        ident,
        name,
        name_tokens,
        aliases: aliases.collect(),
        arguments,
        prefix_tokens: None,
        forwarded: ForwardedAttributes::of(&method.attrs),
        params,
        reply,
        is_generic: !method.sig.generics.params.is_empty(),
    }
}

fn check_signature(sig: &Signature, errors: &mut Errors) {
    let name = &sig.ident;
    let instead = format!("write `async fn {name}`");
    if sig.asyncness.is_none() {
        errors.at(
            sig.fn_token,
            format!("a service method must be async: {instead}"),
        );
    }
    if let Some(token) = &sig.constness {
        errors.at(
            token,
            format!("a service method cannot be const: {instead}"),
        );
    }
    if let Safety::Unsafe(token) = &sig.safety {
        errors.at(
            token,
            format!("a service method cannot be unsafe: {instead}"),
        );
    }
    if let Some(abi) = &sig.abi {
        errors.at(
            abi,
            format!("a service method cannot have an ABI: {instead}"),
        );
    }
    if !sig.generics.params.is_empty() {
        errors.at(
            &sig.generics,
            format!("a service method cannot be generic: {instead}, with concrete owned types"),
        );
    }
    if let Some(clause) = &sig.generics.where_clause {
        errors.at(
            clause,
            format!(
                "a service method cannot have a where clause: {instead}, with concrete owned types"
            ),
        );
    }
}
