//! The server: passes incoming messages to the methods of a service.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;

use super::attributes::{deprecated, describe_generated};
use super::content;
use super::signature::{error_format, format};
use crate::model::{Action, Output, Param, ParamKind, Service};
use crate::names::{generated, generated_span, generated_tokens, local};
use crate::types::referenced;

/// The struct, and the implementations that do not name the trait.
pub(crate) fn structure(service: &Service) -> TokenStream {
    let server = &service.names.server;
    let vis = generated_tokens(&service.item.vis);
    let attributes = describe_generated(
        service,
        "Serves an implementation of {trait}. Add it to a router, or serve it alone.",
    );
    let conditions = &service.forwarded.conditions;
    let (client, private) = (&service.names.client, &service.names.private);
    let deprecated = deprecated(service);
    let (name, formatter) = (server.to_string(), local("formatter"));
    // `Clone` and `Debug` are not derived, as they would require them of the user's implementation.
    quote! {
        #attributes
        #vis struct #server<S> {
            service: ::std::sync::Arc<S>,
        }

        #(#conditions)*
        impl<S> #server<S> {
            /// Describes the service: its actions, with their parameters, results and errors.
            #vis const DESCRIPTION: &'static #private::ServiceDescription = #client::DESCRIPTION;

            /// Creates a server for `service`.
            #deprecated
            #vis fn new(service: S) -> Self {
                Self { service: ::std::sync::Arc::new(service) }
            }

            /// Creates a server for a service that is shared with other code.
            #deprecated
            #vis fn from_arc(service: ::std::sync::Arc<S>) -> Self {
                Self { service }
            }
        }

        #(#conditions)*
        #[automatically_derived]
        impl<S> ::core::clone::Clone for #server<S> {
            fn clone(&self) -> Self {
                Self { service: ::core::clone::Clone::clone(&self.service) }
            }
        }

        #(#conditions)*
        #[automatically_derived]
        impl<S> ::core::fmt::Debug for #server<S> {
            fn fmt(&self, #formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                #formatter.debug_struct(#name).finish_non_exhaustive()
            }
        }
    }
}

/// The implementation of `Service`. Its type parameter is `__S`, because its body names types of
/// the user, one of which may be called `S`.
pub(super) fn implementation(service: &Service) -> TokenStream {
    let (server, private) = (&service.names.server, &service.names.private);
    let trait_ident = &service.item.ident;
    let conditions = &service.forwarded.conditions;
    let dispatch = dispatch(service);
    quote! {
        #(#conditions)*
        #[automatically_derived]
        impl<__S> #private::Service for #server<__S>
        where
            __S: #trait_ident + ::core::marker::Send + ::core::marker::Sync + 'static,
        {
            fn description(&self) -> &'static #private::ServiceDescription {
                Self::DESCRIPTION
            }

            #dispatch
        }
    }
}

/// The function that selects a method by index.
///
/// The index counts the actions that exist in this build. The macro does not know which those are
/// if methods have a `#[cfg]`, so the compiler counts them: each variant of a local enum, and each
/// element of its list, has the `#[cfg]` of its method.
fn dispatch(service: &Service) -> TokenStream {
    let private = &service.names.private;
    let (index, message, this) = (local("action"), local("message"), local("service"));
    let variants: Vec<_> = service
        .actions
        .iter()
        .map(|action| generated(&action.ident))
        .collect();
    let conditions: Vec<_> = service
        .actions
        .iter()
        .map(|action| &action.forwarded.conditions)
        .collect();
    let bodies = service.actions.iter().map(|action| handle(service, action));
    quote! {
        fn dispatch(&self, #index: usize, #message: #private::IncomingMessage<#private::ReceivedPayload<'_>>) -> #private::Dispatch {
            enum __Action {
                #(#(#conditions)* #variants,)*
            }
            const __ACTIONS: &[__Action] = &[#(#(#conditions)* __Action::#variants),*];

            let #this = ::core::clone::Clone::clone(&self.service);
            match __ACTIONS[#index] {
                #(
                    #(#conditions)*
                    __Action::#variants => { #bodies }
                )*
            }
        }
    }
}

/// The arm of an action: opens the message, decodes the parameters, calls the method and responds.
///
/// Parameters are decoded before the future is made, while the payload is still borrowed from the
/// buffer of the connection, so that it need not be copied. A method with `spawn` decodes in its
/// own task and has to copy.
fn handle(service: &Service, action: &Action) -> TokenStream {
    let trait_ident = &service.item.ident;
    let (message, this) = (local("message"), local("service"));
    let has_context = action
        .params
        .iter()
        .any(|param| param.kind == ParamKind::Context);
    let context = has_context.then(|| {
        let context = local("context");
        quote!(let #context = #message.context();)
    });
    let decode = if action.takes_content() {
        content::take_params(service, action)
    } else {
        decode(service, action)
    };
    let arguments = called_with(service, action);
    let ident = generated(&action.ident);
    let respond = respond(
        service,
        action,
        &quote!(<__S as #trait_ident>::#ident(&*#this, #(#arguments),*).await),
    );
    if action.is_spawned() {
        // The future outlives the buffer of the connection, so the payload is copied first.
        return quote! {
            let #message = #message.into_owned();
            ::std::boxed::Box::pin(async move {
                #context
                #decode
                #respond
            })
        };
    }
    quote! {
        #context
        #decode
        ::std::boxed::Box::pin(async move { #respond })
    }
}

/// Decodes the parameters of an action without content, or ends the handling with an error.
fn decode(service: &Service, action: &Action) -> TokenStream {
    let (message, error, reply) = (local("message"), local("error"), local("reply"));
    let refuse = content::refuse(action, &quote!(#message.into_reply()), &quote!(bad_request));
    let decode = match action.payload().len() {
        1 => {
            let reading = content::reading(service, action);
            Some(quote!(#message.decode(#reading)))
        }
        0 => None,
        _ => {
            let reading = content::reading(service, action);
            Some(quote!(#message.decode_all(#reading)))
        }
    };
    let (value, (pattern, _)) = (local("value"), content::pattern(action));
    let decode = decode.map(|decode| {
        quote! {
            let #pattern = match #decode {
                ::core::result::Result::Ok(#value) => #value,
                ::core::result::Result::Err(#error) => #refuse,
            };
        }
    });
    // This releases the payload before the method runs: it may be large, and the method may take
    // long.
    quote! {
        #decode
        let #reply = #message.into_reply();
    }
}

/// The arguments of the method, in its own order.
fn called_with(service: &Service, action: &Action) -> Vec<TokenStream> {
    let (context, private) = (local("context"), &service.names.private);
    let argument = |(index, param): (usize, &Param)| match param.kind {
        ParamKind::Context => {
            let ty = referenced(&param.ty);
            quote!(#private::context::<#ty>(&#context))
        }
        ParamKind::Part(_) => content::local_part(index, &param.ty).into_token_stream(),
    };
    action.params.iter().enumerate().map(argument).collect()
}

/// Calls the method and sends what it returns. A type that cannot be sent is reported at its place
/// in the signature.
fn respond(service: &Service, action: &Action, called: &TokenStream) -> TokenStream {
    let (output, answer, reply) = (local("output"), local("answer"), local("reply"));
    let (method, span) = match (action.reply.output(), action.reply.error()) {
        (Output::Unit, None) => {
            return quote! {
                #called;
                let #answer = #reply.unit();
                #reply.send(#answer).await
            };
        }
        (Output::Value(ty), None) => {
            let format = format(service, ty);
            (quote!(value(#format, #output)), ty.span())
        }
        (Output::Unit, Some(error)) => {
            let format = error_format(service, error);
            (quote!(unit_result(#format, #output)), error.span())
        }
        (Output::Value(ty), Some(error)) => {
            let (format, error_format) = (format(service, ty), error_format(service, error));
            let method = quote!(value_result(#format, #error_format, #output));
            (method, error.span())
        }
        (Output::Parts(parts), error) => {
            return content::respond(service, parts, error, called);
        }
    };
    let answer_with = quote_spanned!(generated_span(span)=> #reply.#method);
    quote! {
        let #output = #called;
        let #answer = #answer_with;
        #reply.send(#answer).await
    }
}
