//! Implementations of the trait for `&S`, `Box<S>` and `Arc<S>`, which forward to `S`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{ReturnType, TraitItem};

use super::attributes::allow_many_arguments;
use super::service_trait::future;
use crate::model::{Action, Service};
use crate::names::generated;

pub(super) fn pointers(service: &Service) -> TokenStream {
    let pointers = [
        quote!(&__S),
        quote!(::std::boxed::Box<__S>),
        quote!(::std::sync::Arc<__S>),
    ];
    let implementations = pointers.map(|pointer| implementation(service, &pointer));
    quote!(#(#implementations)*)
}

fn implementation(service: &Service, pointer: &TokenStream) -> TokenStream {
    let trait_ident = &service.item.ident;
    let conditions = &service.forwarded.conditions;
    let supertraits = &service.item.supertraits;
    let supertraits = (!supertraits.is_empty()).then(|| quote!(Self: #supertraits,));
    let methods = service.item.items.iter().filter_map(|item| match item {
        TraitItem::Fn(method) => Some(&method.sig.output),
        _ => None,
    });
    let methods = service.actions.iter().zip(methods);
    let methods = methods.map(|(action, output)| method(service, action, output));
    quote! {
        #(#conditions)*
        #[automatically_derived]
        impl<__S> #trait_ident for #pointer
        where
            __S: #trait_ident + ::core::marker::Send + ::core::marker::Sync,
            #supertraits
        {
            #(#methods)*
        }
    }
}

fn method(service: &Service, action: &Action, output: &ReturnType) -> TokenStream {
    let (trait_ident, ident) = (&service.item.ident, generated(&action.ident));
    let conditions = &action.forwarded.conditions;
    let allow = allow_many_arguments(action);
    let names: Vec<_> = action
        .params
        .iter()
        .map(|param| generated(&param.ident))
        .collect();
    let types = action.params.iter().map(|param| &param.ty);
    let output = future(output);
    quote! {
        #(#conditions)*
        #allow
        fn #ident(&self, #(#names: #types),*) -> #output {
            <__S as #trait_ident>::#ident(&**self, #(#names),*)
        }
    }
}
