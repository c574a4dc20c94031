//! The trait itself, whose methods return futures that are `Send`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{ItemTrait, ReturnType, TraitItem, TraitItemFn, Type, parse_quote};

use crate::model::Service;

/// A crate that only calls the service never uses the trait, which must not cause a warning.
pub(crate) fn service_trait(service: &Service) -> TokenStream {
    let mut item = desugared(service.item.clone());
    item.attrs.push(parse_quote!(#[allow(dead_code)]));
    item.into_token_stream()
}

/// The trait with every `async fn` rewritten as a function that returns a future. An `async fn` of
/// a trait could not promise that its future is `Send`.
pub(crate) fn desugared(mut item: ItemTrait) -> ItemTrait {
    for item in &mut item.items {
        if let TraitItem::Fn(method) = item
            && method.sig.asyncness.take().is_some()
        {
            desugar(method);
        }
    }
    item
}

fn desugar(method: &mut TraitItemFn) {
    let future = future(&method.sig.output);
    method.sig.output = parse_quote!(-> #future);
    if let Some(body) = &method.default {
        method.default = Some(parse_quote!({ async move #body }));
        method
            .sig
            .generics
            .make_where_clause()
            .predicates
            .push(parse_quote!(Self: ::core::marker::Sync));
    }
    method.semi_token = method.default.is_none().then(Default::default);
}

/// The type of the future that an `async fn` with this output returns.
pub(super) fn future(output: &ReturnType) -> TokenStream {
    let output: Type = match output {
        ReturnType::Default => parse_quote!(()),
        ReturnType::Type(_, ty) => (**ty).clone(),
    };
    quote!(impl ::core::future::Future<Output = #output> + ::core::marker::Send)
}
