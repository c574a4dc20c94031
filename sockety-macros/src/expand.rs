//! From `#[service]` and its trait to what is generated.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Error, Item, ItemTrait, Type, parse_quote};

use crate::errors::Errors;
use crate::model::{Action, Carried, Reply, Service};
use crate::{check, fallback, names, parse};

pub(crate) mod client;
mod content;
mod description;
pub(crate) mod dispatcher;
pub(crate) mod drafts;
mod pointers;
pub(crate) mod request;
pub(crate) mod service;
mod types;

/// Everything `#[service(arguments)]` on `item` stands for, mistakes included.
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

/// The item as it is, with the reason why it is no service.
fn refuse(item: &TokenStream, error: Error) -> TokenStream {
    let error = match first.parse2(item.clone()) {
        Ok(token) if syn::parse2::<Item>(item.clone()).is_ok() => {
            let message = "`#[service]` stands on a trait: write `trait Name { … }` after it";
            Error::new_spanned(token, message)
        }
        _ => error,
    };
    let error = error.into_compile_error();
    quote!(#error #item)
}

/// The first token after the attributes.
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

/// The attributes of a public item: the user's documentation, or else `sentence`.
fn describe(carried: &Carried, sentence: &str) -> TokenStream {
    let Carried {
        conditions,
        descriptions,
    } = carried;
    let sentence = (!carried.is_documented()).then(|| quote!(#[doc = #sentence]));
    quote!(#(#conditions)* #sentence #(#descriptions)*)
}

/// The attributes of what is generated beside the trait `Media`: `sentence` is completed with it.
fn describe_generated(service: &Service, sentence: &str) -> TokenStream {
    let sentence = format!(" {sentence} [`{}`].", service.item.ident.unraw());
    let conditions = &service.carried.conditions;
    let deprecated = service
        .carried
        .descriptions
        .iter()
        .filter(|attribute| attribute.path().is_ident("deprecated"));
    quote!(#(#conditions)* #[doc = #sentence] #(#deprecated)*)
}

/// What generated code needs to name generated items that are deprecated.
fn allow_deprecated(service: &Service) -> Option<TokenStream> {
    let mut actions = service.actions.iter();
    if actions.any(|action| action.carried.is_deprecated()) {
        return Some(quote!(#[allow(deprecated)]));
    }
    allow_deprecated_trait(service)
}

/// As [`allow_deprecated`], where no methods are named.
fn allow_deprecated_trait(service: &Service) -> Option<TokenStream> {
    let is_deprecated = service.carried.is_deprecated();
    is_deprecated.then(|| quote!(#[allow(deprecated)]))
}

/// The parameters as a caller writes them: `id: u64, title: String`.
fn given(action: &Action) -> TokenStream {
    let params = action.given().map(|param| {
        let ident = names::quiet(&param.ident);
        let ty = &param.ty;
        quote!(#ident: #ty)
    });
    quote!(#(#params),*)
}

/// The names of the parameters that a caller gives: `id, title`.
fn given_idents(action: &Action) -> Vec<Ident> {
    action
        .given()
        .map(|param| names::quiet(&param.ident))
        .collect()
}

/// `T, E` of `Call<T, E>` and `CallDraft<T, E>`, or nothing for a one-way action.
fn reply_types(service: &Service, action: &Action) -> Option<(Type, Type)> {
    let Reply::Response { output, error } = &action.reply else {
        return None;
    };
    let private = &service.names.private;
    let no_error = || parse_quote!(#private::NoError);
    let error = error.as_deref().cloned().unwrap_or_else(no_error);
    Some((output.ty(), error))
}

/// The lint that a method of many parameters would raise a second time.
fn allow_many_arguments(action: &Action) -> Option<TokenStream> {
    (action.given().count() > 6).then(|| quote!(#[allow(clippy::too_many_arguments)]))
}

/// The expression that knows how values of a type travel; a type that cannot is reported there.
fn format(service: &Service, ty: &Type) -> TokenStream {
    let private = &service.names.private;
    quote!(#private::payload::<#ty>())
}

/// As [`format()`], for the error type of a method.
fn error_format(service: &Service, ty: &Type) -> TokenStream {
    let private = &service.names.private;
    quote!(#private::error::<#ty>())
}
