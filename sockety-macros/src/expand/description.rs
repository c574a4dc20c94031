//! The description of a service as a constant.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Type;
use syn::ext::IdentExt;

use super::signature::error_format;
use crate::attr::{ForwardedAttributes, Limits};
use crate::docs;
use crate::model::{Action, Output, Param, ParamKind, Part, Service};
use crate::names::generated_tokens;
use crate::types::text;

pub(super) fn description(service: &Service) -> TokenStream {
    let (client, private) = (&service.names.client, &service.names.private);
    let conditions = &service.forwarded.conditions;
    let vis = generated_tokens(&service.item.vis);
    let name = service.item.ident.unraw().to_string();
    let docs = documented(&service.forwarded);
    let actions = service
        .actions
        .iter()
        .map(|action| self::action(service, action));
    quote! {
        #(#conditions)*
        impl #client {
            /// Describes the service: its actions, with their parameters, results and errors.
            #vis const DESCRIPTION: &'static #private::ServiceDescription =
                &#private::ServiceDescription::new(#name)
                    #docs
                    .actions(const { &[#(#actions),*] });
        }
    }
}

fn action(service: &Service, action: &Action) -> TokenStream {
    let private = &service.names.private;
    let (conditions, name) = (&action.forwarded.conditions, &action.name);
    let docs = documented(&action.forwarded);
    let options = options(service, action);
    let parameters = parameters(service, action);
    let returns = returns(service, action);
    let errors = action.reply.error().map(|ty| errors(service, ty));
    quote! {
        #(#conditions)*
        #private::ActionDescription::new(#name) #docs #options #parameters #returns #errors
    }
}

fn documented(forwarded: &ForwardedAttributes) -> Option<TokenStream> {
    let text = docs::text(&forwarded.descriptions);
    (!text.is_empty()).then(|| quote!(.docs(#text)))
}

/// The arguments of `#[action]`.
fn options(service: &Service, action: &Action) -> TokenStream {
    let arguments = &action.arguments;
    let aliases = action.aliases.iter().map(|(alias, _)| alias);
    let aliases = (!action.aliases.is_empty())
        .then(|| quote!(.aliases(const { &[#(::std::borrow::Cow::Borrowed(#aliases)),*] })));
    let one_way = arguments.one_way.as_ref().map(|_| quote!(.one_way()));
    let idempotent = arguments.idempotent.as_ref().map(|_| quote!(.idempotent()));
    let spawned = arguments.spawn.as_ref().map(|_| quote!(.spawned()));
    let no_cancel = arguments.no_cancel.as_ref().map(|_| quote!(.no_cancel()));
    let timeout = arguments.timeout.as_ref().map(|timeout| {
        let milliseconds = timeout.milliseconds;
        quote!(.timeout(::core::time::Duration::from_millis(#milliseconds)))
    });
    let limits = limits(service, &arguments.limits);
    quote!(#aliases #one_way #idempotent #spawned #no_cancel #timeout #limits)
}

/// The limits of an action, if it declares any.
pub(super) fn limits(service: &Service, limits: &Limits) -> Option<TokenStream> {
    let private = &service.names.private;
    let payload = limits.payload.as_ref().map(|limit| limit.value);
    let payload = payload.map(|limit| quote!(.payload(#limit)));
    let files = limits.files.as_ref().map(|limit| limit.value);
    let files = files.map(|limit| quote!(.files(#limit)));
    let file = limits.file.as_ref().map(|limit| limit.value);
    let file = file.map(|limit| quote!(.file(#limit)));
    let all_files = limits.all_files.as_ref().map(|limit| limit.value);
    let all_files = all_files.map(|limit| quote!(.all_files(#limit)));
    let stream = limits.stream.as_ref().map(|limit| limit.value);
    let stream = stream.map(|limit| quote!(.stream(#limit)));
    (!limits.is_none()).then(
        || quote!(.limits(#private::ActionLimits::none() #payload #files #file #all_files #stream)),
    )
}

fn parameters(service: &Service, action: &Action) -> Option<TokenStream> {
    let private = &service.names.private;
    let parameters = action.params.iter().filter_map(|param| {
        let Param {
            ident,
            ty,
            kind,
            arguments,
        } = param;
        let ParamKind::Part(part) = kind else {
            return None;
        };
        let (name, ty, kind) = (ident.unraw().to_string(), text(ty), kind_of(service, *part));
        let aliases = &arguments.aliases;
        let aliases = (!aliases.is_empty())
            .then(|| quote!(.aliases(const { &[#(::std::borrow::Cow::Borrowed(#aliases)),*] })));
        let default = arguments.default.as_ref().map(|_| quote!(.with_default()));
        Some(quote!(#private::ParameterDescription::new(#name, #ty, #kind) #aliases #default))
    });
    let parameters: Vec<_> = parameters.collect();
    (!parameters.is_empty()).then(|| quote!(.parameters(const { &[#(#parameters),*] })))
}

fn returns(service: &Service, action: &Action) -> Option<TokenStream> {
    let private = &service.names.private;
    let output = action.reply.output();
    let kinds = output.parts().map(|part| kind_of(service, part));
    let ty = text(&output.ty());
    let is_nothing = matches!(output, Output::Unit);
    (!is_nothing).then(|| quote!(.returns(#private::ReturnDescription::new(#ty, &[#(#kinds),*]))))
}

fn kind_of(service: &Service, part: Part) -> TokenStream {
    let private = &service.names.private;
    let kind = match part {
        Part::Payload => quote!(Payload),
        Part::File => quote!(File),
        Part::Files => quote!(Files),
        Part::ByteStream => quote!(ByteStream),
        Part::Streaming => quote!(Streaming),
    };
    quote!(#private::PartKind::#kind)
}

fn errors(service: &Service, ty: &Type) -> TokenStream {
    let error = error_format(service, ty);
    quote!(.errors(#error.variants))
}
