//! The drafts: one function per action, which prepares the message that calls it.

use proc_macro2::TokenStream;
use quote::quote;

use super::{
    allow_deprecated, allow_many_arguments, content, describe, describe_generated, given,
    reply_types, serde_path,
};
use crate::model::{Action, Param, Service};
use crate::names::{quiet, quiet_tokens};

pub(crate) fn drafts(service: &Service) -> TokenStream {
    let structure = structure(service);
    let draft = &service.names.draft;
    let conditions = &service.carried.conditions;
    let allow = allow_deprecated(service);
    let factories = service
        .actions
        .iter()
        .map(|action| signature(service, action, &body(service, action)));
    quote! {
        #structure

        #(#conditions)*
        #allow
        impl #draft {
            #(#factories)*
        }
    }
}

pub(crate) fn structure(service: &Service) -> TokenStream {
    let draft = &service.names.draft;
    let vis = quiet_tokens(&service.item.vis);
    let attributes = describe_generated(
        service,
        "Prepares calls, to be sent later or often, of the actions of",
    );
    quote! {
        #attributes
        #[derive(::core::fmt::Debug)]
        #vis struct #draft;
    }
}

/// The factory of a draft with any `body`.
pub(crate) fn signature(service: &Service, action: &Action, body: &TokenStream) -> TokenStream {
    let private = &service.names.private;
    let vis = quiet_tokens(&service.item.vis);
    let (ident, given) = (quiet(&action.ident), given(action));
    let attributes = describe(
        &action.carried,
        &format!(" Drafts a call of the action `{}`.", action.name),
    );
    let allow = allow_many_arguments(action);
    let draft = match reply_types(service, action) {
        Some((output, error)) => quote!(#private::CallDraft<#output, #error>),
        None => quote!(#private::PassDraft),
    };
    quote! {
        #attributes
        #allow
        #vis fn #ident(#given) -> #draft {
            #body
        }
    }
}

fn body(service: &Service, action: &Action) -> TokenStream {
    if action.carries() {
        carrying_body(service, action)
    } else {
        plain_body(service, action)
    }
}

/// The parameters become content, also where only what is returned is more than a payload.
fn carrying_body(service: &Service, action: &Action) -> TokenStream {
    let private = &service.names.private;
    let name = &action.name;
    let (structure, content) = content::of_params(service, action);
    let draft = match reply_types(service, action) {
        Some((output, error)) => {
            let read = content::read(service, action.reply.output());
            quote!(#private::call_draft_carrying::<#output, #error>(#name, #content, #read))
        }
        None => quote!(#private::pass_draft_carrying(#name, #content)),
    };
    quote! {
        #structure
        #draft
    }
}

fn plain_body(service: &Service, action: &Action) -> TokenStream {
    let private = &service.names.private;
    let name = &action.name;
    let (function, types) = match reply_types(service, action) {
        Some((output, error)) => (quote!(call_draft), quote!(#output, #error,)),
        None => (quote!(pass_draft), quote!()),
    };
    let with = quote::format_ident!("{}_with", function.to_string());
    match &action.payload()[..] {
        [] if types.is_empty() => quote!(#private::#function(#name)),
        [] => quote!(#private::#function::<#types>(#name)),
        [Param { ident, ty, .. }] => {
            let ident = quiet(ident);
            quote!(#private::#with::<#types #ty>(#name, &#ident))
        }
        several => {
            let (arguments, value) = arguments(service, several);
            quote! {
                #arguments
                #private::#with::<#types _>(#name, &#value)
            }
        }
    }
}

/// A struct that borrows the parameters, and the expression that makes one.
pub(super) fn arguments(service: &Service, params: &[&Param]) -> (TokenStream, TokenStream) {
    let private = &service.names.private;
    let serde = serde_path(service);
    let idents: Vec<_> = params.iter().map(|param| quiet(&param.ident)).collect();
    let types = params.iter().map(|param| &param.ty);
    let structure = quote! {
        #[derive(#private::serde::Serialize)]
        #[serde(crate = #serde)]
        struct __Arguments<'a> {
            #(#idents: &'a #types,)*
        }
    };
    (structure, quote!(__Arguments { #(#idents: &#idents),* }))
}
