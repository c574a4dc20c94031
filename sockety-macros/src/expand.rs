//! The items generated for a service trait without mistakes.

use proc_macro2::TokenStream;
use quote::quote;

use crate::model::Service;

pub(crate) mod attributes;
pub(crate) mod client;
mod content;
mod description;
pub(crate) mod dispatcher;
pub(crate) mod drafts;
mod pointers;
pub(crate) mod request;
pub(crate) mod service_trait;
pub(crate) mod service_types;
mod signature;
mod types;

/// All items, the trait first.
pub(crate) fn service(service: &Service) -> TokenStream {
    let item = service_trait::service_trait(service);
    let use_of_trait = service_trait::use_of_trait(service);
    let client = client::client(service);
    let server = dispatcher::structure(service);
    let drafts = drafts::drafts(service);
    let server_implementation = dispatcher::implementation(service);
    let request = request::structure(service);
    let request_implementations = request::implementations(service);
    let pointers = pointers::pointers(service);
    let description = description::description(service);
    let service_types = service_types::service_types(service);
    let types = types::types(service);
    quote! {
        #item
        #use_of_trait
        #client
        #server
        #drafts
        #server_implementation
        #request
        #request_implementations
        #pointers
        #description
        #service_types
        #types
    }
}
