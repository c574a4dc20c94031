//! The client: one method per action, which returns a call that starts when it is awaited.

use proc_macro2::TokenStream;
use quote::quote;

use super::attributes::{allow_many_arguments, deprecated, describe, describe_generated};
use super::drafts;
use super::signature::{caller_params, reply_types};
use crate::model::{Action, Service};
use crate::names::{generated, generated_tokens};

pub(crate) fn client(service: &Service) -> TokenStream {
    let structure = structure(service);
    let constructors = constructors(service);
    let local = local(service);
    let methods = service.actions.iter().map(|action| method(service, action));
    let client = &service.names.client;
    let conditions = &service.forwarded.conditions;
    let implementation = implementation(service);
    quote! {
        #structure

        #(#conditions)*
        impl #client {
            #constructors
            #local
            #(#methods)*
        }

        #implementation
    }
}

pub(crate) fn structure(service: &Service) -> TokenStream {
    let client = &service.names.client;
    let private = &service.names.private;
    let vis = generated_tokens(&service.item.vis);
    let attributes = describe_generated(
        service,
        "A client of {trait}, with a method for each action.",
    );
    quote! {
        #attributes
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        #vis struct #client {
            connection: #private::Connection,
        }
    }
}

pub(crate) fn constructors(service: &Service) -> TokenStream {
    let (private, deprecated) = (&service.names.private, deprecated(service));
    let vis = generated_tokens(&service.item.vis);
    quote! {
        /// Creates a client that calls over `connection`, which may be shared with other code.
        #deprecated
        #vis fn new(connection: #private::Connection) -> Self {
            Self { connection }
        }

        /// Connects to `address` when awaited, and returns a client of the new connection.
        #deprecated
        #vis fn connect(address: impl #private::IntoAddress) -> #private::Connect<Self> {
            #private::connect(address)
        }

        /// Creates a client that connects to `address` when it is first used, and again when its
        /// connection has ended.
        ///
        /// `connect(address).reconnecting().client()` is the same, with options in between.
        #vis fn reconnecting(address: impl #private::IntoAddress) -> Self {
            #private::reconnecting(address)
        }

        #private::fleet!(#deprecated #vis fn);

        /// Returns the connection that calls are sent over. Of a client that reconnects, it represents
        /// whichever is open.
        #vis fn connection(&self) -> &#private::Connection {
            &self.connection
        }
    }
}

fn local(service: &Service) -> TokenStream {
    let (private, trait_ident) = (&service.names.private, &service.item.ident);
    let (vis, server) = (generated_tokens(&service.item.vis), &service.names.server);
    let deprecated = deprecated(service);
    let bounds = quote!(#trait_ident + ::core::marker::Send + ::core::marker::Sync + 'static);
    quote! {
        /// Creates a client that calls `service` in this process, over an in-memory connection.
        ///
        /// This is meant for tests: `service` may be a mock, which is just another implementation.
        ///
        /// # Panics
        /// Panics outside of a Tokio runtime.
        #deprecated
        #vis fn local(service: impl #bounds) -> Self {
            #private::local(#server { service: ::std::sync::Arc::new(service) })
        }
    }
}

fn method(service: &Service, action: &Action) -> TokenStream {
    let private = &service.names.private;
    let draft = drafts::create(service, action);
    let begin = match reply_types(service, action) {
        Some(_) => quote!(call),
        None => quote!(pass),
    };
    let body = quote!(#private::#begin(&self.connection, #draft));
    signature(service, action, &body)
}

/// The method of the client, with the given `body`.
pub(crate) fn signature(service: &Service, action: &Action, body: &TokenStream) -> TokenStream {
    let private = &service.names.private;
    let vis = generated_tokens(&service.item.vis);
    let (ident, params) = (generated(&action.ident), caller_params(action));
    let attributes = describe(
        &action.forwarded,
        &format!(" Calls the action `{}`.", action.name),
    );
    let allow = allow_many_arguments(action);
    let call = match reply_types(service, action) {
        Some((output, error)) => quote!(#private::Call<#output, #error>),
        None => quote!(#private::Pass),
    };
    quote! {
        #attributes
        #allow
        #vis fn #ident(&self, #params) -> #call {
            #body
        }
    }
}

pub(crate) fn implementation(service: &Service) -> TokenStream {
    let client = &service.names.client;
    let private = &service.names.private;
    let conditions = &service.forwarded.conditions;
    quote! {
        #(#conditions)*
        #[automatically_derived]
        impl #private::ServiceClient for #client {
            fn new(connection: #private::Connection) -> Self {
                Self { connection }
            }

            fn connection(&self) -> &#private::Connection {
                &self.connection
            }
        }
    }
}
