//! From values to the parts of a message, and back.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Type;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::signature::{error_format, format};
use crate::model::{Action, Element, Output, Param, ParamKind, Part, Parts, Service};
use crate::names::{self, generated, generated_span, local, local_at};
use crate::types::parts::{element, streamed};

/// What answers a message.
pub(super) struct Answer {
    /// For what the method returns.
    pub(super) pattern: TokenStream,
    /// The answer that is made of it.
    pub(super) answer: TokenStream,
}

/// Builds the content of a call from its parameters: the payload, then files, then the stream.
pub(super) fn of_params(service: &Service, action: &Action) -> TokenStream {
    let content = of_payload(service, action);
    let packed = content_params(action)
        .into_iter()
        .map(|(_, part, param)| pack(service, part, &param.ty, &generated(&param.ident)));
    quote!(#content #(#packed)*)
}

/// Like [`of_params`], without files and streams.
pub(super) fn of_payload(service: &Service, action: &Action) -> TokenStream {
    let private = &service.names.private;
    let content = quote!(#private::Content::new());
    match &action.payload()[..] {
        [] => content,
        [Param { ident, ty, .. }] => {
            let packed = pack(service, Part::Payload, ty, &generated(ident));
            quote!(#content #packed)
        }
        several => {
            let count = Literal::usize_unsuffixed(several.len());
            let written = several.iter().map(|Param { ident, ty, .. }| {
                let (name, ident) = (ident.unraw().to_string(), generated(ident));
                let format = format(service, ty);
                quote!(.with(#name, #format, &#ident))
            });
            let parameters = local("parameters");
            quote!(#content.parameters(#count, |#parameters| { #parameters #(#written)*; }))
        }
    }
}

/// The description of a payload that is read: the format of one parameter, or the list of several
/// parameters that [`parameters`] returns.
pub(super) fn reading(service: &Service, action: &Action) -> TokenStream {
    if let [param] = action.payload()[..] {
        return format(service, &param.ty);
    }
    let (request, parameters) = (&service.names.request, names::parameters(&action.ident));
    quote!(#request::#parameters())
}

/// The function that lists the names and formats of several parameters, or `None` if the action has
/// fewer than two. The server and the conversion from a message to a request both read by this
/// list.
pub(super) fn parameters(service: &Service, action: &Action) -> Option<TokenStream> {
    let payload = action.payload();
    if payload.len() < 2 {
        return None;
    }
    let private = &service.names.private;
    let (conditions, ident) = (
        &action.forwarded.conditions,
        names::parameters(&action.ident),
    );
    let sentence = format!(" The parameters of `{}`.", action.ident.unraw());
    let types = list(payload.iter().map(
        |Param { ty, arguments, .. }| match arguments.aliases[..] {
            [] => quote!(#private::Entry<#ty>),
            _ => quote!(#private::AliasedEntry<#ty>),
        },
    ));
    let parameters = list(payload.iter().map(|param| {
        let Param {
            ident,
            ty,
            arguments,
            ..
        } = param;
        let (name, format) = (ident.unraw().to_string(), format(service, ty));
        let aliases = &arguments.aliases;
        let aliases = (!aliases.is_empty()).then(|| quote!(.or_named(&[#(#aliases),*])));
        // At the type, of which the compiler says that it has no default.
        let default = arguments.default.as_ref();
        let default = default.map(|_| quote_spanned!(generated_span(ty.span())=> .or_default()));
        quote!(#private::parameter(#name, #format) #default #aliases)
    }));
    Some(quote! {
        #(#conditions)*
        #[doc = #sentence]
        #[inline]
        fn #ident() -> #types {
            #parameters
        }
    })
}

/// The expression that decodes the payload, or `None` if the action has none.
pub(super) fn decoding(
    service: &Service,
    action: &Action,
    payload: &TokenStream,
) -> Option<TokenStream> {
    let private = &service.names.private;
    let reading = reading(service, action);
    match action.payload().len() {
        // The payload is not read at all: peers may send anything.
        0 => None,
        1 => Some(quote!(#private::decode(#payload, #reading))),
        _ => Some(quote!(#private::decode_all(#payload, #reading))),
    }
}

/// The pattern for the values that [`reading`] describes, and its variables.
pub(super) fn pattern(action: &Action) -> (TokenStream, Vec<Ident>) {
    let params = action.params.iter().enumerate();
    let payload = params.filter(|(_, param)| param.kind == ParamKind::Part(Part::Payload));
    let values: Vec<_> = payload
        .map(|(index, param)| local_part(index, &param.ty))
        .collect();
    let pattern = match &values[..] {
        [value] => value.to_token_stream(),
        several => list(several.iter().map(ToTokens::to_token_stream)),
    };
    (pattern, values)
}

/// A list as nested pairs: `(a, (b, ()))`. With pairs, `sockety` needs two implementations of its
/// trait for lists, not one for each length.
fn list(items: impl DoubleEndedIterator<Item = TokenStream>) -> TokenStream {
    items.rfold(quote!(()), |rest, item| quote!((#item, #rest)))
}

/// The function that reads the returned value from a response.
pub(super) fn read(service: &Service, output: &Output) -> TokenStream {
    let received = local("received");
    let Output::Parts(parts) = output else {
        let format = format(service, &output.ty());
        return quote!(|#received| #received.payload(#format));
    };
    if let ([Element { part, ty }], false) = (&parts.elements[..], parts.is_tuple) {
        if *part != Part::Files {
            let taken = take(service, *part, ty);
            return quote!(|#received| #taken);
        }
    }
    let elements = parts.elements.iter();
    let value = whole(
        parts,
        elements.map(|element| take_or_fail(service, element)),
    );
    quote!(|#received| ::core::result::Result::Ok(#value))
}

fn take_or_fail(service: &Service, Element { part, ty }: &Element) -> TokenStream {
    let taken = take(service, *part, ty);
    match part {
        Part::Files => taken,
        Part::Payload | Part::File | Part::ByteStream | Part::Streaming => {
            quote_spanned!(generated_span(ty.span())=> #taken?)
        }
    }
}

/// Takes the parameters out of a message with content, or ends the handling with an error.
pub(super) fn take_params(service: &Service, action: &Action) -> TokenStream {
    let (message, received, reply) = (local("message"), local("received"), local("reply"));
    let payload = take_payload(service, action);
    let content = content_params(action)
        .into_iter()
        .map(|(index, part, param)| take_param(service, action, (index, part), &param.ty));
    // Single files are taken before the rest of the files, which takes all that is left.
    quote! {
        let (mut #received, #reply) = #message.into_received();
        #payload
        #(#content)*
        ::core::mem::drop(#received);
    }
}

fn take_payload(service: &Service, action: &Action) -> Option<TokenStream> {
    let (received, reading) = (local("received"), reading(service, action));
    let taken = match action.payload().len() {
        0 => return None,
        1 => quote!(#received.payload(#reading)),
        _ => quote!(#received.parameters(#reading)),
    };
    let (pattern, _) = pattern(action);
    Some(or_refuse(action, &pattern, &local("value"), &taken))
}

fn take_param(
    service: &Service,
    action: &Action,
    (index, part): (usize, Part),
    ty: &Type,
) -> TokenStream {
    let (value, taken) = (local_part(index, ty), take(service, part, ty));
    match part {
        Part::Files => quote!(let #value: #ty = #taken;),
        Part::Payload | Part::File | Part::ByteStream | Part::Streaming => {
            or_refuse(action, &quote!(#value: #ty), &value, &taken)
        }
    }
}

/// Ends the handling: `method` of the pending reply answers that the parameters cannot be read.
pub(super) fn refuse(action: &Action, reply: &TokenStream, method: &TokenStream) -> TokenStream {
    let error = local("error");
    match action.is_spawned() {
        true => quote!(return #reply.#method(#error).await),
        false => quote!(return ::core::convert::From::from(#reply.#method(#error))),
    }
}

/// Binds the value of `taken`, or ends the handling with its error.
fn or_refuse(
    action: &Action,
    binding: &TokenStream,
    value: &Ident,
    taken: &TokenStream,
) -> TokenStream {
    let (error, reply) = (local("error"), local("reply").into_token_stream());
    let refuse = refuse(action, &reply, &quote!(bad_content));
    quote! {
        let #binding = match #taken {
            ::core::result::Result::Ok(#value) => #value,
            ::core::result::Result::Err(#error) => #refuse,
        };
    }
}

/// What answers a message, of what a method with content returns.
pub(super) fn answer(service: &Service, parts: &Parts, error: Option<&Type>) -> Answer {
    let (output, reply) = (local("output"), local("reply"));
    let (pattern, content) = unpack(service, parts);
    let Some(error) = error else {
        return Answer {
            pattern,
            answer: quote!(#reply.content(#content)),
        };
    };
    let format = error_format(service, error);
    let answer = quote_spanned! {generated_span(error.span())=>
        #reply.content_result(#format, ::core::result::Result::map(#output, |#pattern| #content))
    };
    Answer {
        pattern: output.into_token_stream(),
        answer,
    }
}

/// The pattern that destructures a returned value, and the expression that packs its parts.
fn unpack(service: &Service, parts: &Parts) -> (TokenStream, TokenStream) {
    let private = &service.names.private;
    let elements = parts.elements.iter().enumerate();
    let mut elements: Vec<_> = elements
        .map(|(index, Element { part, ty })| (*part, ty, local_part(index, ty)))
        .collect();
    let pattern = whole(parts, elements.iter().map(|(_, _, ident)| quote!(#ident)));
    // The pattern has the order of the tuple; from here on, the order is that of the message.
    elements.sort_by_key(|(part, ..)| *part);
    let packed = elements
        .iter()
        .map(|(part, ty, ident)| pack(service, *part, ty, ident));
    (pattern, quote!(#private::Content::new() #(#packed)*))
}

/// The elements as a tuple, or the only element by itself.
fn whole(parts: &Parts, elements: impl Iterator<Item = TokenStream>) -> TokenStream {
    if parts.is_tuple {
        quote!((#(#elements,)*))
    } else {
        quote!(#(#elements)*)
    }
}

/// The parameters that are files or streams, in the order in which they are sent, each with its
/// index in the method.
fn content_params(action: &Action) -> Vec<(usize, Part, &Param)> {
    let params = action.params.iter().enumerate();
    let mut content: Vec<_> = params
        .filter_map(|(index, param)| match param.kind {
            ParamKind::Context | ParamKind::Part(Part::Payload) => None,
            ParamKind::Part(part) => Some((index, part, param)),
        })
        .collect();
    // The sort is stable: files of the same kind keep the order of their parameters.
    content.sort_by_key(|(_, part, _)| *part);
    content
}

/// The method call that adds a value to `Content`.
fn pack(service: &Service, part: Part, ty: &Type, value: &Ident) -> TokenStream {
    let private = &service.names.private;
    match part {
        Part::Payload => {
            let format = format(service, ty);
            quote!(.payload(#format, &#value))
        }
        Part::File => quote!(.file(#private::named_file::<#ty>().give(#value))),
        Part::Files => {
            let file = element(ty);
            quote!(.files(#private::named_file::<#file>().give_all(#value)))
        }
        Part::ByteStream => quote!(.bytes(#private::named_bytes::<#ty>().give(#value))),
        Part::Streaming => {
            let types = stream_types(ty);
            quote!(.streaming::<#types>(#value))
        }
    }
}

/// The expression that takes a value out of `__received`.
fn take(service: &Service, part: Part, ty: &Type) -> TokenStream {
    let (received, span) = (local_at("received", ty.span()), generated_span(ty.span()));
    let private = &service.names.private;
    match part {
        Part::Payload => {
            let format = format(service, ty);
            quote!(#received.payload(#format))
        }
        Part::File => {
            quote_spanned!(span=> #private::named_file::<#ty>().take(#received.file()))
        }
        Part::Files => {
            let file = element(ty);
            quote_spanned!(span=> #private::named_file::<#file>().take_all(#received.files()))
        }
        Part::ByteStream => {
            quote_spanned!(span=> #private::named_bytes::<#ty>().take(#received.bytes()))
        }
        Part::Streaming => {
            let types = stream_types(ty);
            quote!(#received.streaming::<#types>())
        }
    }
}

/// The type arguments of a stream. They are written out so that a type that cannot be sent is
/// reported at its place in the signature.
fn stream_types(ty: &Type) -> TokenStream {
    let (item, error) = streamed(ty);
    let error = error.map_or_else(|| quote!(_), ToTokens::to_token_stream);
    quote!(#item, #error)
}

/// The local variable of a value, with the location of its type: the compiler reports mismatches
/// there.
pub(super) fn local_part(index: usize, ty: &Type) -> Ident {
    local_at(&index.to_string(), ty.span())
}
