//! The trait itself, its methods returning futures that are `Send`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Attribute, ItemTrait, ReturnType, TraitItem, TraitItemFn, Type, parse_quote};

use crate::model::{Service, conditional};

/// Who only calls the service does not use its trait, and should hear no warning.
pub(crate) fn service(service: &Service) -> TokenStream {
    let mut item = desugared(service.item.clone());
    item.attrs.push(parse_quote!(#[allow(dead_code)]));
    item.attrs.extend(on_unimplemented(service));
    item.into_token_stream()
}

/// What is said of a type that is served and does not implement the trait, unless the user says it.
fn on_unimplemented(service: &Service) -> Option<Attribute> {
    let item = &service.item;
    if !service.has_tools || item.attrs.iter().any(is_on_unimplemented) {
        return None;
    }
    let name = item.ident.unraw();
    let message = format!("`{{Self}}` does not implement the service `{name}`");
    let label = format!("not an implementation of `{name}`");
    let note = format!("write `impl {name} for {{Self}} {{{{ … }}}}`");
    Some(parse_quote! {
        #[diagnostic::on_unimplemented(message = #message, label = #label, note = #note)]
    })
}

fn is_on_unimplemented(attribute: &Attribute) -> bool {
    let metas = if attribute.path().is_ident("cfg_attr") {
        conditional(&attribute.meta)
    } else {
        vec![attribute.meta.clone()]
    };
    metas.iter().any(|meta| {
        let segments = meta.path().segments.iter();
        segments
            .map(|segment| segment.ident.to_string())
            .eq(["diagnostic", "on_unimplemented"])
    })
}

/// The trait with every `async fn` written out.
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

/// What an `async fn` with this output returns.
pub(super) fn future(output: &ReturnType) -> TokenStream {
    let output: Type = match output {
        ReturnType::Default => parse_quote!(()),
        ReturnType::Type(_, ty) => (**ty).clone(),
    };
    quote!(impl ::core::future::Future<Output = #output> + ::core::marker::Send)
}
