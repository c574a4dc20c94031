//! The drafts: one function per action, which prepares the message that calls it.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

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
    let (structure, draft) = if action.carries() {
        carrying_body(service, action)
    } else {
        plain_body(service, action)
    };
    let treatment = action.reply.is_awaited().then(|| treatment(action));
    quote! {
        #structure
        #draft #treatment
    }
}

/// What the attributes of the action say to callers.
fn treatment(action: &Action) -> TokenStream {
    let timeout = action.arguments.timeout.as_ref();
    let timeout = timeout.map(|timeout| {
        let milliseconds = timeout.milliseconds;
        quote!(.timeout(::core::time::Duration::from_millis(#milliseconds)))
    });
    let idempotent = action.arguments.idempotent.as_ref();
    let idempotent = idempotent.map(|_| quote!(.idempotent()));
    quote!(#timeout #idempotent)
}

/// The parameters become content, also where only what is returned is more than a payload.
fn carrying_body(service: &Service, action: &Action) -> (Option<TokenStream>, TokenStream) {
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
    (structure, draft)
}

fn plain_body(service: &Service, action: &Action) -> (Option<TokenStream>, TokenStream) {
    let private = &service.names.private;
    let name = &action.name;
    let (function, types) = match reply_types(service, action) {
        Some((output, error)) => ("call_draft", quote!(#output, #error,)),
        None => ("pass_draft", quote!()),
    };
    let (with, with_all) = (
        format_ident!("{function}_with"),
        format_ident!("{function}_with_all"),
    );
    let function = format_ident!("{function}");
    match &action.payload()[..] {
        [] if types.is_empty() => (None, quote!(#private::#function(#name))),
        [] => (None, quote!(#private::#function::<#types>(#name))),
        [Param { ident, ty, .. }] => {
            let ident = quiet(ident);
            let draft = quote!(#private::#with::<#types #ty>(#name, &#ident));
            (None, draft)
        }
        several => {
            let (arguments, value) = arguments(service, several);
            let draft = quote!(#private::#with_all::<#types _>(#name, &#value));
            (Some(arguments), draft)
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
