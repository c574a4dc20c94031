//! The trait itself, whose methods return futures that are `Send`.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::{ItemTrait, ReturnType, TraitItem, TraitItemFn, Type, parse_quote};

use crate::attr::without_deprecated;
use crate::model::Service;
use crate::names::generated;

pub(crate) fn service_trait(service: &Service) -> TokenStream {
    let mut item = desugared(service.item.clone());
    for item in &mut item.items {
        if let TraitItem::Fn(method) = item {
            // Generated code names the method, so it is not deprecated.
            method.attrs = without_deprecated(&method.attrs);
        }
    }
    let note = note_on_unimplemented(service);
    quote!(#note #item)
}

/// What the compiler says where something must implement the trait and does not, such as a client.
fn note_on_unimplemented(service: &Service) -> Option<TokenStream> {
    let is_own = |attribute: &syn::Attribute| {
        let path = attribute
            .path()
            .segments
            .iter()
            .map(|it| it.ident.to_string());
        path.eq(["diagnostic", "on_unimplemented"])
    };
    if service.item.attrs.iter().any(is_own) || is_without_prelude() {
        return None;
    }
    let (name, client) = (service.item.ident.unraw(), &service.names.client);
    let message = format!("`{{Self}}` does not implement the service `{name}`");
    let server = format!("to serve calls, write `impl {name} for` a type of your own");
    let client = format!(
        "`{client}` calls a server and does not serve: take a `&{client}`, or implement `{name}` for \
         a type that holds one"
    );
    Some(quote!(
        #[diagnostic::on_unimplemented(message = #message, note = #server, note = #client)]
    ))
}

/// Whether the trait may be in a module with `#![no_implicit_prelude]`, where `diagnostic` means
/// nothing to the compiler. `sockety` means nothing there either, so the macro is called by its
/// absolute path.
fn is_without_prelude() -> bool {
    let called_as = Span::call_site().source_text();
    called_as.is_some_and(|text| text.replace(' ', "").starts_with("#[::"))
}

/// Code that names the trait and all its methods. A crate that only calls the service never does,
/// and would be warned that they are never used.
///
/// An `#[allow(dead_code)]` would be an error under `#![forbid(dead_code)]`. The compiler regards
/// what implementations of foreign traits for foreign types name as used.
pub(crate) fn use_of_trait(service: &Service) -> TokenStream {
    let (trait_ident, private) = (&service.item.ident, &service.names.private);
    let conditions = &service.forwarded.conditions;
    let methods = service.actions.iter().map(|action| {
        let (conditions, ident) = (&action.forwarded.conditions, generated(&action.ident));
        quote!(#(#conditions)* let _ = <__S as #trait_ident>::#ident;)
    });
    quote! {
        #(#conditions)*
        const _: () = {
            struct __Service;
            impl<__S> #private::Uses<__Service> for ::core::marker::PhantomData<__S>
            where
                __S: #trait_ident + ::core::marker::Sync,
            {
                fn uses() {
                    #(#methods)*
                }
            }
        };
    }
}

/// The trait with every `async fn` rewritten as a function that returns a future. An `async fn` of
/// a trait could not promise that its future is `Send`.
pub(crate) fn desugared(mut item: ItemTrait) -> ItemTrait {
    for item in &mut item.items {
        if let TraitItem::Fn(method) = item {
            if method.sig.asyncness.take().is_some() {
                desugar(method);
            }
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
