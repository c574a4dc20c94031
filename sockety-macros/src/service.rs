//! `#[service]`: from the trait to the generated items.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Error, Item, ItemTrait};

use crate::errors::Errors;
use crate::{check, expand, fallback, parse};

/// Expands `#[service(arguments)]` on `item`, including errors for its mistakes.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let parsed = match syn::parse2::<ItemTrait>(item.clone()) {
        Ok(parsed) => parsed,
        Err(error) => return refuse(&item, error),
    };
    let mut errors = Errors::default();
    // Checks run even after mistakes in parsing: the model is complete in any case, and one build
    // then shows both kinds of mistakes.
    let service = parse::service(arguments, parsed, &mut errors);
    check::check(&service, &mut errors);
    if errors.is_empty() {
        expand::service(&service)
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
