//! The macros of the `sockety` crate, which re-exports and documents them.
//!
//! Do not depend on this crate directly: generated code names items of the matching version of
//! `sockety`.

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
mod service;
mod service_error;
mod types;

#[cfg(test)]
mod golden;

/// Generates a typed client, a server, drafts and requests for a service trait.
#[proc_macro_attribute]
pub fn service(arguments: TokenStream, item: TokenStream) -> TokenStream {
    service::expand(arguments.into(), item.into()).into()
}

/// Implements `ServiceError` for an enum whose variants have codes.
#[proc_macro_derive(ServiceError, attributes(code, service_error))]
pub fn derive_service_error(item: TokenStream) -> TokenStream {
    service_error::expand(item.into()).into()
}
