//! Checks of types that generated code makes nowhere else, or not where the types stand.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned;

use crate::model::{Action, Output, Reply, Service};
use crate::names::made_here;

/// The rest is checked where payloads are encoded and decoded.
pub(crate) fn types(service: &Service) -> TokenStream {
    let private = &service.names.private;
    let conditions = &service.carried.conditions;
    let checks: Vec<_> = service.actions.iter().flat_map(checks).collect();
    if checks.is_empty() {
        return TokenStream::new();
    }
    quote! {
        #(#conditions)*
        const _: fn() = || {
            fn __sent<T: ::core::marker::Send>() {}
            fn __returned<T: ::core::marker::Send + #private::serde::de::DeserializeOwned>() {}
            #(#checks)*
        };
    }
}

fn checks(action: &Action) -> Vec<TokenStream> {
    let payload = action.payload();
    let sent = payload.into_iter().map(|param| ("__sent", &param.ty));
    let returned = match &action.reply {
        Reply::Response {
            output: Output::Value(ty),
            ..
        } => Some(("__returned", &**ty)),
        Reply::Response {
            output: Output::Unit,
            ..
        }
        | Reply::OneWay => None,
    };
    let check = |(function, ty)| check(action, &format_ident!("{function}"), ty);
    sent.chain(returned).map(check).collect()
}

fn check(action: &Action, function: &Ident, ty: &Type) -> TokenStream {
    let conditions = &action.carried.conditions;
    quote_spanned!(made_here(ty.span())=> #(#conditions)* #function::<#ty>();)
}
