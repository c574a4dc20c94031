//! Parameters and types in signatures, and how values of those travel.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Type, parse_quote};

use crate::model::{Action, Reply, Service};
use crate::names;

/// The parameters as a caller writes them: `id: u64, title: String`.
pub(super) fn caller_params(action: &Action) -> TokenStream {
    let params = action.caller_params().map(|param| {
        let ident = names::generated(&param.ident);
        let ty = &param.ty;
        quote!(#ident: #ty)
    });
    quote!(#(#params),*)
}

/// The names of the parameters that a caller gives: `id, title`.
pub(super) fn caller_idents(action: &Action) -> Vec<Ident> {
    action
        .caller_params()
        .map(|param| names::generated(&param.ident))
        .collect()
}

/// `T, E` of `Call<T, E>` and `CallDraft<T, E>`, or nothing for a one-way action.
pub(super) fn reply_types(service: &Service, action: &Action) -> Option<(Type, Type)> {
    let Reply::Response { output, error } = &action.reply else {
        return None;
    };
    let private = &service.names.private;
    let no_error = || parse_quote!(#private::NoError);
    let error = error.as_deref().cloned().unwrap_or_else(no_error);
    Some((output.ty(), error))
}

/// The expression that knows how values of a type travel; a type that cannot is reported there.
pub(super) fn format(service: &Service, ty: &Type) -> TokenStream {
    let private = &service.names.private;
    quote!(#private::payload::<#ty>())
}

/// As [`format()`], for the error type of a method.
pub(super) fn error_format(service: &Service, ty: &Type) -> TokenStream {
    let private = &service.names.private;
    quote!(#private::error::<#ty>())
}
