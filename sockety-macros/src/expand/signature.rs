//! Parameters and types in generated signatures, and the formats of those types.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Type, parse_quote};

use crate::model::{Action, Reply, Service};
use crate::names;

/// The parameters that a caller passes, as a signature declares them: `id: u64, title: String`.
pub(super) fn caller_params(action: &Action) -> TokenStream {
    let params = action.caller_params().map(|param| {
        let ident = names::generated(&param.ident);
        let ty = &param.ty;
        quote!(#ident: #ty)
    });
    quote!(#(#params),*)
}

/// The names of the parameters that a caller passes: `id, title`.
pub(super) fn caller_idents(action: &Action) -> Vec<Ident> {
    action
        .caller_params()
        .map(|param| names::generated(&param.ident))
        .collect()
}

/// `T` and `E` of `Call<T, E>` and `CallDraft<T, E>`, or `None` for a one-way action.
pub(super) fn reply_types(service: &Service, action: &Action) -> Option<(Type, Type)> {
    let Reply::Response { output, error } = &action.reply else {
        return None;
    };
    let private = &service.names.private;
    let no_error = || parse_quote!(#private::NoError);
    let error = error.as_deref().cloned().unwrap_or_else(no_error);
    Some((output.ty(), error))
}

/// The expression for the format in which values of a type are sent.
///
/// Every type that is sent passes through here, and nothing else requires anything of it. So a type
/// that cannot be sent violates the same bound everywhere, which the compiler reports once.
pub(super) fn format(service: &Service, ty: &Type) -> TokenStream {
    let private = &service.names.private;
    quote!(#private::payload::<#ty>())
}

/// Like [`format()`], for the error type of a method.
pub(super) fn error_format(service: &Service, ty: &Type) -> TokenStream {
    let private = &service.names.private;
    quote!(#private::error::<#ty>())
}
