//! Output for a trait with mistakes: the errors, the trait, and stand-ins for the other items.
//!
//! Without stand-ins, every use of `MediaClient` would be another error, and the one that matters
//! would be lost among them.

use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{ItemTrait, TraitItem};

use crate::errors::Errors;
use crate::expand::{client, dispatcher, drafts, request, service_trait, service_types};
use crate::model::{Action, Reply, Service};
use crate::names::{RESERVED, generated, generated_tokens};
use crate::types::check_owned;

/// The errors, the trait, and stand-ins: items with the same signatures that never run.
pub(crate) fn expand(mut service: Service, errors: Errors) -> TokenStream {
    let errors = errors.into_compile_errors();
    repair(&mut service);
    let item = service_trait::desugared(service.item.clone());
    let client = stand_in_client(&service);
    let server = stand_in_server(&service);
    let drafts = stand_in_drafts(&service);
    let request = stand_in_request(&service);
    // The errors come first, so that the compiler reports them before anything that follows from
    // them.
    quote! {
        #errors
        #item
        #client
        #server
        #drafts
        #request
    }
}

/// Removes what the compiler would report a second time.
fn repair(service: &mut Service) {
    remove_duplicates(&mut service.item);
    let mut seen = HashSet::new();
    service.actions.retain(|action| {
        let name = action.ident.to_string();
        let is_conditional = !action.forwarded.conditions.is_empty();
        is_nameable(action)
            && !RESERVED.contains(&name.as_str())
            && (is_conditional || seen.insert(action.variant().to_string()))
    });
}

/// Whether the types of a method can be written outside the trait.
fn is_nameable(action: &Action) -> bool {
    let reply = match &action.reply {
        Reply::OneWay => Vec::new(),
        Reply::Response { output, error } => {
            let error = error.as_deref().cloned();
            error.into_iter().chain([output.ty()]).collect()
        }
    };
    let mut types = action.caller_params().map(|param| &param.ty).chain(&reply);
    !action.is_generic && types.all(|ty| check_owned(ty, &mut Errors::default()))
}

fn remove_duplicates(item: &mut ItemTrait) {
    let mut seen = HashSet::new();
    item.items.retain_mut(|item| match item {
        TraitItem::Fn(method) => {
            method.sig.constness = None;
            let is_conditional = method
                .attrs
                .iter()
                .any(|attribute| attribute.path().is_ident("cfg"));
            is_conditional || seen.insert(method.sig.ident.to_string())
        }
        _ => true,
    });
}

fn stand_in_client(service: &Service) -> TokenStream {
    let structure = client::structure(service);
    let constructors = client::constructors(service);
    let implementation = client::implementation(service);
    let methods = service
        .actions
        .iter()
        .map(|action| client::signature(service, action, &unreachable(action)));
    let (client, private) = (&service.names.client, &service.names.private);
    let (vis, name) = (
        generated_tokens(&service.item.vis),
        service.item.ident.unraw().to_string(),
    );
    let conditions = &service.forwarded.conditions;
    let types = service_types::implementation(service, &quote!(()));
    quote! {
        #structure

        #(#conditions)*
        impl #client {
            /// Describes the service: its actions, with their parameters, results and errors.
            #vis const DESCRIPTION: &'static #private::ServiceDescription =
                &#private::ServiceDescription::new(#name);

            #constructors

            /// Creates a client that calls `service` in this process.
            #vis fn local<__S>(service: __S) -> Self {
                let _ = service;
                ::core::unreachable!()
            }

            #(#methods)*
        }

        #implementation
        #types
    }
}

/// The body of a stand-in. It uses the parameters, so that none of them is reported as unused.
fn unreachable(action: &Action) -> TokenStream {
    let idents = action.caller_params().map(|param| generated(&param.ident));
    quote! {
        let _ = (#(#idents,)*);
        ::core::unreachable!()
    }
}

fn stand_in_server(service: &Service) -> TokenStream {
    let structure = dispatcher::structure(service);
    let (server, private) = (&service.names.server, &service.names.private);
    let conditions = &service.forwarded.conditions;
    quote! {
        #structure

        #(#conditions)*
        impl<S: ::core::marker::Send + ::core::marker::Sync + 'static> #private::Service for #server<S> {
            fn description(&self) -> &'static #private::ServiceDescription {
                Self::DESCRIPTION
            }

            fn dispatch(&self, _: usize, _: #private::IncomingMessage<#private::ReceivedPayload<'_>>, _: #private::Start<'_, '_>) -> #private::Begun {
                ::core::unreachable!()
            }
        }
    }
}

fn stand_in_drafts(service: &Service) -> TokenStream {
    let structure = drafts::structure(service);
    let factories = service
        .actions
        .iter()
        .map(|action| drafts::signature(service, action, &unreachable(action)));
    let draft = &service.names.draft;
    let conditions = &service.forwarded.conditions;
    quote! {
        #structure

        #(#conditions)*
        impl #draft {
            #(#factories)*
        }
    }
}

fn stand_in_request(service: &Service) -> TokenStream {
    let structure = request::structure(service);
    let (request, private) = (&service.names.request, &service.names.private);
    let conditions = &service.forwarded.conditions;
    quote! {
        #structure

        #(#conditions)*
        impl ::core::convert::TryFrom<&#private::Message> for #request {
            type Error = #private::RequestMismatch;

            fn try_from(_: &#private::Message) -> ::core::result::Result<Self, #private::RequestMismatch> {
                ::core::unreachable!()
            }
        }

        #(#conditions)*
        impl ::core::convert::From<#request> for #private::Outgoing {
            fn from(_: #request) -> Self {
                ::core::unreachable!()
            }
        }
    }
}
