//! The request: an enum of all actions with their parameters, which can be matched or sent.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;

use super::attributes::{describe_generated, describe_not_deprecated};
use super::{content, drafts};
use crate::model::{Action, Param, Service};
use crate::names::{generated, generated_tokens, local};

/// The enum, and the implementations that do not depend on what the parameters are.
pub(crate) fn structure(service: &Service) -> TokenStream {
    let request = &service.names.request;
    let vis = generated_tokens(&service.item.vis);
    let attributes = describe_generated(
        service,
        "A request to {trait}: an action with its parameters, except files and streams.",
    );
    let variants = service.actions.iter().map(variant);
    let debug = debug(service);
    quote! {
        #attributes
        #vis enum #request {
            #(#variants,)*
        }

        #debug
    }
}

fn variant(action: &Action) -> TokenStream {
    let variant = action.variant();
    let sentence = format!(" The action `{}`.", action.name);
    // Generated code names the variant, so it is not deprecated.
    let attributes = describe_not_deprecated(&action.forwarded, &sentence);
    let fields = action.payload().into_iter().map(|Param { ident, ty, .. }| {
        let (ident, sentence) = (
            generated(ident),
            format!(" The parameter `{}`.", ident.unraw()),
        );
        quote!(#[doc = #sentence] #ident: #ty)
    });
    let fields: Vec<_> = fields.collect();
    let fields = (!fields.is_empty()).then(|| quote!({ #(#fields),* }));
    quote!(#attributes #variant #fields)
}

/// `Debug` prints which action a request is for, and not its parameters. So the types of parameters
/// need not implement `Debug`, and secrets among their values do not end up in logs.
fn debug(service: &Service) -> TokenStream {
    let request = &service.names.request;
    let formatter = local("formatter");
    let conditions = &service.forwarded.conditions;
    let arms = service.actions.iter().map(|action| {
        let (conditions, variant) = (&action.forwarded.conditions, action.variant());
        let fields = if action.payload().is_empty() {
            ""
        } else {
            " { .. }"
        };
        let text = format!("{variant}{fields}");
        quote!(#(#conditions)* Self::#variant { .. } => #formatter.write_str(#text),)
    });
    quote! {
        #(#conditions)*
        #[automatically_derived]
        impl ::core::fmt::Debug for #request {
            fn fmt(&self, #formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                match *self {
                    #(#arms)*
                }
            }
        }
    }
}

pub(super) fn implementations(service: &Service) -> TokenStream {
    let parameters = parameters(service);
    let received = received(service);
    let outgoing = outgoing(service);
    quote! {
        #parameters
        #received
        #outgoing
    }
}

/// The lists of parameters. They are functions of the enum because that has a name which only this
/// service generates.
fn parameters(service: &Service) -> Option<TokenStream> {
    let request = &service.names.request;
    let conditions = &service.forwarded.conditions;
    let actions = service.actions.iter();
    let functions: Vec<_> = actions
        .filter_map(|action| content::parameters(service, action))
        .collect();
    (!functions.is_empty()).then(|| {
        quote! {
            #(#conditions)*
            impl #request {
                #(#functions)*
            }
        }
    })
}

fn received(service: &Service) -> TokenStream {
    let (request, private) = (&service.names.request, &service.names.private);
    let message = local("message");
    let conditions = &service.forwarded.conditions;
    let arms = service
        .actions
        .iter()
        .map(|action| receive(service, action));
    quote! {
        #(#conditions)*
        #[automatically_derived]
        impl ::core::convert::TryFrom<&#private::Message> for #request {
            type Error = #private::RequestMismatch;

            fn try_from(#message: &#private::Message) -> ::core::result::Result<Self, #private::RequestMismatch> {
                match #message.action() {
                    #(#arms)*
                    _ => ::core::result::Result::Err(#private::RequestMismatch::action(#message.action())),
                }
            }
        }
    }
}

fn receive(service: &Service, action: &Action) -> TokenStream {
    let (conditions, variant) = (&action.forwarded.conditions, action.variant());
    let names = action.names().map(|(name, _)| name);
    let (request, message) = (&service.names.request, local("message"));
    let ok = quote!(::core::result::Result::Ok);
    let Some(decode) = content::decoding(service, action, &quote!(#message.payload())) else {
        // Not `Self::…`: a variant `Error` would be taken for the associated type.
        return quote!(#(#conditions)* #(#names)|* => #ok(#request::#variant),);
    };
    let (pattern, values) = content::pattern(action);
    let payload = action.payload();
    let idents = payload.iter().map(|param| generated(&param.ident));
    quote! {
        #(#conditions)* #(#names)|* => {
            let #pattern = #decode?;
            #ok(#request::#variant { #(#idents: #values),* })
        }
    }
}

fn outgoing(service: &Service) -> TokenStream {
    let (request, private) = (&service.names.request, &service.names.private);
    let value = local("request");
    let conditions = &service.forwarded.conditions;
    let arms = service.actions.iter().map(|action| send(service, action));
    quote! {
        #(#conditions)*
        #[automatically_derived]
        impl ::core::convert::From<#request> for #private::Outgoing {
            fn from(#value: #request) -> Self {
                match #value {
                    #(#arms)*
                }
            }
        }
    }
}

/// The arm of an action in the conversion to a message. The user adds files and streams afterwards.
fn send(service: &Service, action: &Action) -> TokenStream {
    let (request, variant) = (&service.names.request, action.variant());
    let private = &service.names.private;
    let (conditions, name) = (&action.forwarded.conditions, &action.name);
    let idents: Vec<_> = action
        .payload()
        .iter()
        .map(|param| generated(&param.ident))
        .collect();
    let message = if action.takes_content() {
        let content = content::of_payload(service, action);
        quote!(#private::pass_draft(#name, #content).into_outgoing())
    } else {
        let draft = drafts::create(service, action);
        quote!(#draft.into_outgoing())
    };
    quote!(#(#conditions)* #request::#variant { #(#idents),* } => #message,)
}
