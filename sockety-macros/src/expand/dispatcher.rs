//! The server: passes incoming messages to the methods of a service.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;

use super::attributes::{deprecated, describe_generated};
use super::content::{self, Answer};
use super::signature::{error_format, format};
use crate::model::{Action, Output, Param, ParamKind, Reply, Service};
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
    let (dispatch, one_way) = (dispatch(service), one_way(service));
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

            #one_way
        }
    }
}

/// The function that calls a method and answers.
fn dispatch(service: &Service) -> TokenStream {
    let private = &service.names.private;
    let (index, message, start) = (local("action"), local("message"), local("start"));
    let selection = select(service, |action| handle(service, action));
    quote! {
        fn dispatch(&self, #index: usize, #message: #private::IncomingMessage<#private::ReceivedPayload<'_>>, #start: #private::Start<'_, '_>) -> #private::Begun {
            #selection
        }
    }
}

/// The function for one-way messages that nobody has to answer, if any action takes them: their
/// handlers run in memory that was used before.
fn one_way(service: &Service) -> Option<TokenStream> {
    let private = &service.names.private;
    let takes_them = |action: &Action| {
        let is_one_way = matches!(action.reply, Reply::OneWay);
        let has_context = action
            .params
            .iter()
            .any(|param| param.kind == ParamKind::Context);
        is_one_way && !has_context && !action.takes_content() && !action.is_spawned()
    };
    if !service.actions.iter().any(takes_them) {
        return None;
    }
    let (index, message) = (local("action"), local("message"));
    let selection = select(service, |action| match takes_them(action) {
        true => handle_one_way(service, action),
        false => quote!(::core::option::Option::None),
    });
    Some(quote! {
        fn one_way(&self, #index: usize, #message: #private::OneWay<'_, '_>) -> ::core::option::Option<#private::Begun> {
            #selection
        }
    })
}

/// The arm of an action for messages that nobody has to answer. The handler returns the reference to
/// the service.
fn handle_one_way(service: &Service, action: &Action) -> TokenStream {
    let trait_ident = &service.item.ident;
    let (message, this, value) = (local("message"), local("service"), local("value"));
    let decode = decoding(service, action).map(|decode| {
        let (pattern, _) = content::pattern(action);
        quote! {
            let #pattern = match #decode {
                ::core::result::Result::Ok(#value) => #value,
                ::core::result::Result::Err(_) => return ::core::option::Option::None,
            };
        }
    });
    let arguments = called_with(service, action);
    let ident = generated(&action.ident);
    quote! {
        #decode
        ::core::option::Option::Some(#message.run(&self.service, |#this| async move {
            <__S as #trait_ident>::#ident(&*#this, #(#arguments),*).await;
            (#this, ())
        }))
    }
}

/// Selects an action by its index.
///
/// The index counts the actions that exist in this build. The macro does not know which those are
/// if methods have a `#[cfg]`, so the compiler counts them: each variant of a local enum, and each
/// element of its list, has the `#[cfg]` of its method.
fn select(service: &Service, arm: impl Fn(&Action) -> TokenStream) -> TokenStream {
    let index = local("action");
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
    let bodies = service.actions.iter().map(arm);
    quote! {
        enum __Action {
            #(#(#conditions)* #variants,)*
        }
        const __ACTIONS: &[__Action] = &[#(#(#conditions)* __Action::#variants),*];

        match __ACTIONS[#index] {
            #(
                #(#conditions)*
                __Action::#variants => { #bodies }
            )*
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
    let called = quote!(<__S as #trait_ident>::#ident(&*#this, #(#arguments),*).await);
    let (output, reply, start) = (local("output"), local("reply"), local("start"));
    let Answer { pattern, answer } = answer(service, action);
    if action.is_spawned() {
        let private = &service.names.private;
        // The future outlives the buffer of the connection, so the payload is copied first.
        return quote! {
            let #message = #message.into_owned();
            let #this = ::core::clone::Clone::clone(&self.service);
            #private::Begun::later(::std::boxed::Box::pin(async move {
                #context
                #decode
                let #pattern = #called;
                let __answer = #answer;
                #reply.send(__answer).await
            }))
        };
    }
    // A method that returns nothing is called by a statement.
    let called = match (action.reply.output(), action.reply.error()) {
        (Output::Unit, None) => quote!(#called; let #output = ();),
        _ => quote!(let #output = #called;),
    };
    quote! {
        #context
        #decode
        #reply.run(
            #start,
            &self.service,
            |#this| async move {
                #called
                (#this, #output)
            },
            |#reply, #pattern| #answer,
        )
    }
}

/// Decodes the parameters of an action without content, or ends the handling with an error.
fn decode(service: &Service, action: &Action) -> TokenStream {
    let (message, error, reply) = (local("message"), local("error"), local("reply"));
    let refuse = content::refuse(action, &quote!(#message.into_reply()), &quote!(bad_request));
    let decode = decoding(service, action);
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

/// Reads the parameters of an action without content out of its message, if it has any.
fn decoding(service: &Service, action: &Action) -> Option<TokenStream> {
    let message = local("message");
    let reading = || content::reading(service, action);
    match action.payload().len() {
        0 => None,
        1 => {
            let reading = reading();
            Some(quote!(#message.decode(#reading)))
        }
        _ => {
            let reading = reading();
            Some(quote!(#message.decode_all(#reading)))
        }
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

/// What answers a message, of what the method returns. A type that cannot be sent is reported at its
/// place in the signature.
fn answer(service: &Service, action: &Action) -> Answer {
    let (output, reply) = (local("output"), local("reply"));
    let (method, span) = match (action.reply.output(), action.reply.error()) {
        (Output::Unit, None) => {
            return Answer {
                pattern: quote!(()),
                answer: quote!(#reply.unit()),
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
        (Output::Parts(parts), error) => return content::answer(service, parts, error),
    };
    Answer {
        pattern: output.into_token_stream(),
        answer: quote_spanned!(generated_span(span)=> #reply.#method),
    }
}
