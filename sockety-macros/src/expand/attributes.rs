//! Attributes of what is generated.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;

use crate::attr::ForwardedAttributes;
use crate::model::{Action, Service};

/// The attributes of a public item: the user's documentation, or else `sentence`.
pub(super) fn describe(forwarded: &ForwardedAttributes, sentence: &str) -> TokenStream {
    let ForwardedAttributes {
        conditions,
        descriptions,
    } = forwarded;
    let sentence = (!forwarded.is_documented()).then(|| quote!(#[doc = #sentence]));
    quote!(#(#conditions)* #sentence #(#descriptions)*)
}

/// The attributes of what is generated beside the trait `Media`: `sentence` is completed with it.
pub(super) fn describe_generated(service: &Service, sentence: &str) -> TokenStream {
    let sentence = format!(" {sentence} [`{}`].", service.item.ident.unraw());
    let conditions = &service.forwarded.conditions;
    let deprecated = service
        .forwarded
        .descriptions
        .iter()
        .filter(|attribute| attribute.path().is_ident("deprecated"));
    quote!(#(#conditions)* #[doc = #sentence] #(#deprecated)*)
}

/// What generated code needs to name generated items that are deprecated.
pub(super) fn allow_deprecated(service: &Service) -> Option<TokenStream> {
    let mut actions = service.actions.iter();
    if actions.any(|action| action.forwarded.is_deprecated()) {
        return Some(quote!(#[allow(deprecated)]));
    }
    allow_deprecated_trait(service)
}

/// As [`allow_deprecated`], where no methods are named.
pub(super) fn allow_deprecated_trait(service: &Service) -> Option<TokenStream> {
    let is_deprecated = service.forwarded.is_deprecated();
    is_deprecated.then(|| quote!(#[allow(deprecated)]))
}

/// The lint that a method of many parameters would raise a second time.
pub(super) fn allow_many_arguments(action: &Action) -> Option<TokenStream> {
    (action.caller_params().count() > 6).then(|| quote!(#[allow(clippy::too_many_arguments)]))
}
