//! The drafts: one function per action, which prepares a call without sending it.

use proc_macro2::TokenStream;
use quote::quote;

use super::attributes::{allow_many_arguments, describe, describe_generated};
use super::content;
use super::description::limits;
use super::signature::{caller_idents, caller_params, reply_types};
use crate::model::{Action, Service};
use crate::names::{generated, generated_tokens};

pub(crate) fn drafts(service: &Service) -> TokenStream {
    let structure = structure(service);
    let draft = &service.names.draft;
    let conditions = &service.forwarded.conditions;
    let factories = service
        .actions
        .iter()
        .map(|action| signature(service, action, &body(service, action)));
    quote! {
        #structure

        #(#conditions)*
        impl #draft {
            #(#factories)*
        }
    }
}

pub(crate) fn structure(service: &Service) -> TokenStream {
    let draft = &service.names.draft;
    let vis = generated_tokens(&service.item.vis);
    let attributes = describe_generated(
        service,
        "Prepares calls of {trait}, which can be sent later or several times.",
    );
    quote! {
        #attributes
        #[derive(::core::fmt::Debug)]
        #vis struct #draft;
    }
}

/// The function that creates a draft, with the given `body`.
pub(crate) fn signature(service: &Service, action: &Action, body: &TokenStream) -> TokenStream {
    let private = &service.names.private;
    let vis = generated_tokens(&service.item.vis);
    let (ident, params) = (generated(&action.ident), caller_params(action));
    let attributes = describe(
        &action.forwarded,
        &format!(" Prepares a call of the action `{}`.", action.name),
    );
    let allow = allow_many_arguments(action);
    let draft = match reply_types(service, action) {
        Some((output, error)) => quote!(#private::CallDraft<#output, #error>),
        None => quote!(#private::PassDraft),
    };
    quote! {
        #attributes
        #allow
        #vis fn #ident(#params) -> #draft {
            #body
        }
    }
}

/// The expression that creates the draft of an action from variables with the names of its
/// parameters.
pub(super) fn create(service: &Service, action: &Action) -> TokenStream {
    if action.forwarded.is_deprecated() {
        // Calling the function would cause a warning.
        return body(service, action);
    }
    let (draft, ident) = (&service.names.draft, generated(&action.ident));
    let arguments = caller_idents(action);
    quote!(#draft::#ident(#(#arguments),*))
}

fn body(service: &Service, action: &Action) -> TokenStream {
    let private = &service.names.private;
    let (name, content) = (&action.name, content::of_params(service, action));
    let Some((output, error)) = reply_types(service, action) else {
        let limits = limits(service, &action.arguments.limits);
        return quote!(#private::pass_draft(#name, #content) #limits);
    };
    let read = content::read(service, action.reply.output());
    let call_options = call_options(service, action);
    quote!(#private::call_draft::<#output, #error>(#name, #content, #read) #call_options)
}

/// The arguments of `#[action]` that concern callers.
fn call_options(service: &Service, action: &Action) -> TokenStream {
    let timeout = action.arguments.timeout.as_ref();
    let timeout = timeout.map(|timeout| {
        let milliseconds = timeout.milliseconds;
        quote!(.timeout(::core::time::Duration::from_millis(#milliseconds)))
    });
    let idempotent = action.arguments.idempotent.as_ref();
    let idempotent = idempotent.map(|_| quote!(.idempotent()));
    let long_poll = action.arguments.long_poll.as_ref();
    let long_poll = long_poll.map(|_| quote!(.long_poll()));
    let limits = limits(service, &action.arguments.limits);
    quote!(#timeout #idempotent #long_poll #limits)
}
