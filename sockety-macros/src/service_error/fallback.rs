//! Output for an enum with mistakes: the errors, and stand-ins for the implementations, so that
//! code that uses the error type compiles.

use proc_macro2::TokenStream;
use quote::quote;

use super::model::{Display, ServiceError};
use crate::errors::Errors;

pub(crate) fn expand(model: &ServiceError, errors: Errors) -> TokenStream {
    let errors = errors.into_compile_errors();
    if model.is_generic {
        return errors;
    }
    let implementation = implementation(model);
    let display = (model.display == Display::Generated).then(|| display(model));
    quote! {
        #errors
        #implementation
        #display
    }
}

fn implementation(model: &ServiceError) -> TokenStream {
    let (ident, private) = (&model.ident, &model.private);
    quote! {
        #[automatically_derived]
        impl #private::ServiceError for #ident {
            const VARIANTS: &'static [#private::ErrorVariant] = &[];

            fn variant(&self) -> &'static #private::ErrorVariant {
                ::core::unreachable!()
            }

            fn from_code(_: u16) -> ::core::option::Option<Self> {
                ::core::unreachable!()
            }
        }
    }
}

fn display(model: &ServiceError) -> TokenStream {
    let ident = &model.ident;
    quote! {
        #[automatically_derived]
        impl ::core::fmt::Display for #ident {
            fn fmt(&self, _: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::unreachable!()
            }
        }

        #[automatically_derived]
        impl ::core::error::Error for #ident {}
    }
}
