//! The macros of `sockety`: service traits become typed clients, servers and drafts.
//!
//! They are documented where `sockety` exports them.

use proc_macro::TokenStream;

mod attr;
mod check;
mod docs;
mod errors;
mod expand;
mod fallback;
mod model;
mod names;
mod parse;
mod service_error;
mod types;

#[cfg(test)]
mod golden;

/// Turns a trait into a service.
#[proc_macro_attribute]
pub fn service(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(arguments.into(), item.into()).into()
}

/// Gives the variants of an enum codes on the wire.
#[proc_macro_derive(ServiceError, attributes(code, service_error))]
pub fn derive_service_error(item: TokenStream) -> TokenStream {
    service_error::expand(item.into()).into()
}
