//! `#[derive(ServiceError)]`: from the enum to the generated implementations.

use proc_macro2::TokenStream;
use syn::DeriveInput;

use crate::errors::Errors;

mod expand;
mod fallback;
mod model;
mod parse;

/// Expands `#[derive(ServiceError)]` on `item`, including errors for its mistakes.
pub(crate) fn expand(item: TokenStream) -> TokenStream {
    let input: DeriveInput = match syn::parse2(item) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    let mut errors = Errors::default();
    let model = parse::service_error(&input, &mut errors);
    if errors.is_empty() {
        expand::service_error(&model)
    } else {
        fallback::expand(&model, errors)
    }
}
