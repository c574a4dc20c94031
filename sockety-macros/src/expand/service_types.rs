//! The types of each action as lists, for code that is generic over them.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::punctuated::Punctuated;
use syn::{Meta, Token, Type};

use crate::model::{Action, Output, ParamKind, Part, Service};
use crate::types::{last_segment, parts::streamed};

pub(super) fn service_types(service: &Service) -> TokenStream {
    let actions = &service.actions;
    let is_conditional = |action: &Action| !action.forwarded.conditions.is_empty();
    if !actions.iter().any(is_conditional) {
        let types: Vec<_> = actions
            .iter()
            .map(|action| types(service, action))
            .collect();
        return implementation(service, &tree(&types));
    }
    // A type cannot have conditions in it, while an alias can.
    let names: Vec<_> = (0..actions.len())
        .map(|index| format_ident!("__Action{index}").into_token_stream())
        .collect();
    let aliases = actions.iter().zip(&names).map(|(action, name)| {
        let (types, conditions) = (types(service, action), &action.forwarded.conditions);
        let without = (!conditions.is_empty()).then(|| {
            let predicates = conditions
                .iter()
                .map(|condition| predicate(&condition.meta));
            quote!(#[cfg(not(all(#(#predicates),*)))] type #name = ();)
        });
        quote!(#(#conditions)* type #name = #types; #without)
    });
    let implementation = implementation(service, &tree(&names));
    let conditions = &service.forwarded.conditions;
    quote! {
        #(#conditions)*
        const _: () = {
            #(#aliases)*
            #implementation
        };
    }
}

/// Types as a tree of pairs, as the compiler does not take types that are nested as deep as services have actions.
fn tree(types: &[TokenStream]) -> TokenStream {
    match types {
        [] => quote!(()),
        [one] => one.clone(),
        several => {
            let (first, second) = several.split_at(several.len().div_ceil(2));
            let (first, second) = (tree(first), tree(second));
            quote!((#first, #second))
        }
    }
}

/// Whether the condition holds, as the predicate of a `cfg`.
fn predicate(condition: &Meta) -> TokenStream {
    let Ok(list) = condition.require_list() else {
        return quote!(all());
    };
    if list.path.is_ident("cfg") {
        return list.tokens.clone();
    }
    // `cfg_attr(a, cfg(b), cfg(c))` holds without a, or with b and c.
    let metas = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
    let mut metas = metas.unwrap_or_default().into_iter();
    let first = metas.next();
    let rest = metas.map(|meta| predicate(&meta));
    quote!(any(not(#first), all(#(#rest),*)))
}

/// The implementation, with this tree of the types of actions.
pub(crate) fn implementation(service: &Service, actions: &TokenStream) -> TokenStream {
    let (client, private) = (&service.names.client, &service.names.private);
    let conditions = &service.forwarded.conditions;
    quote! {
        #(#conditions)*
        // In a bound, types may be less visible than the service.
        #[automatically_derived]
        #[allow(private_bounds)]
        impl<__V> #private::ServiceTypes<__V> for #client
        where
            __V: #private::VisitTypes<#actions>,
        {
            const DESCRIPTION: &'static #private::ServiceDescription = #client::DESCRIPTION;

            fn visit_types(visitor: &mut __V) {
                #private::VisitTypes::<#actions>::visit(visitor);
            }
        }
    }
}

fn types(service: &Service, action: &Action) -> TokenStream {
    let private = &service.names.private;
    let params = action.params.iter().filter_map(|param| match param.kind {
        ParamKind::Context => None,
        ParamKind::Part(part) => valued(part, &param.ty),
    });
    let returned = match action.reply.output() {
        Output::Unit => Vec::new(),
        Output::Value(ty) => vec![&**ty],
        Output::Parts(parts) => {
            let elements = parts.elements.iter();
            elements
                .filter_map(|element| valued(element.part, &element.ty))
                .collect()
        }
    };
    let params = list(params.map(ToTokens::to_token_stream));
    let returned = list(returned.into_iter().map(ToTokens::to_token_stream));
    let error = list(
        action
            .reply
            .error()
            .into_iter()
            .map(ToTokens::to_token_stream),
    );
    let parts = action.params.iter().filter_map(|param| match param.kind {
        ParamKind::Context => None,
        ParamKind::Part(part) => Some((part, &param.ty)),
    });
    let sent: Vec<_> = parts.filter_map(ends_with).collect();
    let got: Vec<_> = match action.reply.output() {
        Output::Parts(parts) => {
            let elements = parts.elements.iter();
            let ends = elements.filter_map(|element| ends_with((element.part, &element.ty)));
            ends.collect()
        }
        Output::Unit | Output::Value(_) => Vec::new(),
    };
    let stream_errors = (!sent.is_empty() || !got.is_empty()).then(|| {
        let sent = list(sent.into_iter().map(ToTokens::to_token_stream));
        let got = list(got.into_iter().map(ToTokens::to_token_stream));
        quote!(, #sent, #got)
    });
    quote!(#private::ActionTypes<#params, #returned, #error #stream_errors>)
}

/// The type of the error that may end a stream of values, if it has one.
fn ends_with((part, ty): (Part, &Type)) -> Option<&Type> {
    match part {
        Part::Streaming => streamed(ty).1.filter(|error| !is_no_error(error)),
        Part::Payload | Part::File | Part::Files | Part::ByteStream => None,
    }
}

/// Whether it is the default, written out: the error that never happens.
fn is_no_error(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == "NoError")
}

/// The type of a value, or of the items of a stream of values.
fn valued(part: Part, ty: &Type) -> Option<&Type> {
    match part {
        Part::Payload => Some(ty),
        Part::Streaming => Some(streamed(ty).0),
        Part::File | Part::Files | Part::ByteStream => None,
    }
}

/// A list as nested pairs.
fn list(items: impl Iterator<Item = TokenStream>) -> TokenStream {
    let items: Vec<_> = items.collect();
    items
        .into_iter()
        .rfold(quote!(()), |rest, item| quote!((#item, #rest)))
}
