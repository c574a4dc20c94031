//! Attributes of generated items.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;

use crate::attr::{ForwardedAttributes, without_deprecated};
use crate::model::{Action, Service};

/// The attributes of an item that is generated for a method: the user's documentation, or
/// `sentence` if there is none.
pub(super) fn describe(forwarded: &ForwardedAttributes, sentence: &str) -> TokenStream {
    let ForwardedAttributes {
        conditions,
        descriptions,
    } = forwarded;
    let sentence = (!forwarded.is_documented()).then(|| quote!(#[doc = #sentence]));
    quote!(#(#conditions)* #sentence #(#descriptions)*)
}

/// The attributes of an item that is generated for the trait. In `sentence`, `{trait}` becomes a
/// link to the trait.
pub(super) fn describe_generated(service: &Service, sentence: &str) -> TokenStream {
    let link = format!("[`{}`]", service.item.ident.unraw());
    let sentence = format!(" {}", sentence.replace("{trait}", &link));
    let conditions = &service.forwarded.conditions;
    quote!(#(#conditions)* #[doc = #sentence])
}

/// Like [`describe`], without `#[deprecated]`.
pub(super) fn describe_not_deprecated(
    forwarded: &ForwardedAttributes,
    sentence: &str,
) -> TokenStream {
    let forwarded = ForwardedAttributes {
        conditions: forwarded.conditions.clone(),
        descriptions: without_deprecated(&forwarded.descriptions),
    };
    describe(&forwarded, sentence)
}

/// The `#[deprecated]` of the trait, for the functions with which users begin to use it.
///
/// Neither the trait nor the generated types have it, because generated code names them: that would
/// cause warnings, and an `#[allow(deprecated)]` is an error under `#![forbid(deprecated)]`.
pub(crate) fn deprecated(service: &Service) -> TokenStream {
    let deprecated = service.forwarded.deprecated();
    quote!(#(#deprecated)*)
}

/// Silences the lint that the method itself already triggers in the trait. It allows seven
/// parameters, of which `self` is one.
pub(super) fn allow_many_arguments(action: &Action) -> Option<TokenStream> {
    (action.caller_params().count() > 6).then(|| quote!(#[allow(clippy::too_many_arguments)]))
}
