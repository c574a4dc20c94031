//! `#[service]`: from the trait to the generated items.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Error, Item, ItemTrait};

use crate::errors::Errors;
use crate::model::Service;
use crate::{check, fallback, parse};

mod attributes;
pub(crate) mod client;
mod content;
mod description;
pub(crate) mod dispatcher;
pub(crate) mod drafts;
mod pointers;
pub(crate) mod request;
pub(crate) mod service;
mod signature;
mod types;

/// Expands `#[service(arguments)]` on `item`, including errors for its mistakes.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let parsed = match syn::parse2::<ItemTrait>(item.clone()) {
        Ok(parsed) => parsed,
        Err(error) => return refuse(&item, error),
    };
    let mut errors = Errors::default();
    let service = parse::service(arguments, parsed, &mut errors);
    check::check(&service, &mut errors);
    if errors.is_empty() {
        expand_service(&service)
    } else {
        fallback::expand(service, errors)
    }
}

/// The unchanged item, with the reason why it cannot be a service.
fn refuse(item: &TokenStream, error: Error) -> TokenStream {
    let error = match first.parse2(item.clone()) {
        Ok(token) if syn::parse2::<Item>(item.clone()).is_ok() => {
            let message =
                "`#[service]` can only be applied to a trait: write `trait Name { … }` below it";
            Error::new_spanned(token, message)
        }
        _ => error,
    };
    let error = error.into_compile_error();
    quote!(#error #item)
}

/// The first token after the attributes, which is where the item itself begins.
fn first(input: ParseStream<'_>) -> syn::Result<TokenTree> {
    input.call(Attribute::parse_outer)?;
    let token = input.parse()?;
    input.parse::<TokenStream>()?;
    Ok(token)
}

fn expand_service(service: &Service) -> TokenStream {
    let item = service::service(service);
    let client = client::client(service);
    let server = dispatcher::structure(service);
    let drafts = drafts::drafts(service);
    let server_implementation = dispatcher::implementation(service);
    let request = request::structure(service);
    let request_implementations = request::implementations(service);
    let pointers = pointers::pointers(service);
    let description = description::description(service);
    let types = types::types(service);
    quote! {
        #item
        #client
        #server
        #drafts
        #server_implementation
        #request
        #request_implementations
        #pointers
        #description
        #types
    }
}
