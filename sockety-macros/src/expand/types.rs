//! Checks of types that no other generated code makes, or that it would report in the wrong place.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned;

use crate::model::{Action, Output, Part, Parts, Reply, Service};
use crate::names::generated_span;
use crate::parse::RESULT_MESSAGE;
use crate::types::last_segment;

/// All other requirements are checked by the code that encodes and decodes payloads.
pub(crate) fn types(service: &Service) -> TokenStream {
    let bounds = bounds(service);
    let aliases = aliases(service);
    quote! {
        #bounds
        #aliases
    }
}

fn bounds(service: &Service) -> Option<TokenStream> {
    let conditions = &service.forwarded.conditions;
    let checks: Vec<_> = service.actions.iter().flat_map(checks).collect();
    (!checks.is_empty()).then(|| {
        quote! {
            #(#conditions)*
            const _: fn() = || {
                fn __sent<T: ::core::marker::Send>() {}
                #(#checks)*
            };
        }
    })
}

fn checks(action: &Action) -> Vec<TokenStream> {
    let payload = action.payload();
    let sent = payload.into_iter().map(|param| &param.ty);
    let returned = match action.reply.output() {
        Output::Unit => None,
        Output::Value(ty) => Some(&**ty),
        Output::Parts(parts) => returned_payload(parts),
    };
    let types = sent.chain(returned);
    types.map(|ty| check(action, ty)).collect()
}

fn returned_payload(parts: &Parts) -> Option<&Type> {
    let mut elements = parts.elements.iter();
    let payload = elements.find(|element| element.part == Part::Payload)?;
    Some(&payload.ty)
}

fn check(action: &Action, ty: &Type) -> TokenStream {
    let conditions = &action.forwarded.conditions;
    quote_spanned!(generated_span(ty.span())=> #(#conditions)* __sent::<#ty>();)
}

/// Rejects types that are aliases of `Result`.
///
/// Both constants are called `IS_RESULT`. For a `Result`, the inherent one hides that of the trait.
fn aliases(service: &Service) -> Option<TokenStream> {
    let conditions = &service.forwarded.conditions;
    let checks: Vec<_> = service.actions.iter().filter_map(alias).collect();
    (!checks.is_empty()).then(|| {
        quote! {
            #(#conditions)*
            const _: () = {
                struct __Type<T>(::core::marker::PhantomData<T>);
                trait __Any {
                    const IS_RESULT: bool = false;
                }
                impl<T> __Any for __Type<T> {}
                impl<T, E> __Type<::core::result::Result<T, E>> {
                    const IS_RESULT: bool = true;
                }
                #(#checks)*
            };
        }
    })
}

fn alias(action: &Action) -> Option<TokenStream> {
    let Reply::Response {
        output: Output::Value(ty),
        error: None,
    } = &action.reply
    else {
        return None;
    };
    let conditions = &action.forwarded.conditions;
    let segment = last_segment(ty)?;
    let is_known = KNOWN.iter().any(|known| segment.ident == known);
    (!is_known).then(|| {
        quote_spanned! {generated_span(ty.span())=>
            #(#conditions)*
            ::core::assert!(!__Type::<#ty>::IS_RESULT, #RESULT_MESSAGE);
        }
    })
}

/// Common types, which need no check.
const KNOWN: [&str; 21] = [
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32",
    "u64", "u128", "usize", "String", "Vec", "Option", "Box", "Bytes",
];
