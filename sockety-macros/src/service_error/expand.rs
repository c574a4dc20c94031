//! The implementations of `ServiceError`, `Display` and `Error`.

use proc_macro2::TokenStream;
use quote::quote;

use super::model::{Display, ServiceError, Variant};
use crate::names::local;

pub(crate) fn service_error(model: &ServiceError) -> TokenStream {
    let implementation = implementation(model);
    let display = display(model);
    quote! {
        #implementation
        #display
    }
}

fn implementation(model: &ServiceError) -> TokenStream {
    let (ident, private) = (&model.ident, &model.private);
    let entries = model.variants.iter().map(|variant| entry(model, variant));
    let variant = variant(model);
    let from_code = from_code(model);
    quote! {
        #[automatically_derived]
        impl #private::ServiceError for #ident {
            const VARIANTS: &'static [#private::ErrorVariant] = &[#(#entries),*];

            #variant
            #from_code
        }
    }
}

fn entry(model: &ServiceError, variant: &Variant) -> TokenStream {
    let private = &model.private;
    let Variant {
        name, code, text, ..
    } = variant;
    let with_details = variant.has_details.then(|| quote!(.with_details()));
    quote!(#private::ErrorVariant::new(#name, #code, #text) #with_details)
}

fn variant(model: &ServiceError) -> TokenStream {
    let private = &model.private;
    let idents = model.variants.iter().map(|variant| &variant.ident);
    let indices = 0..model.variants.len();
    let index = local("index");
    quote! {
        fn variant(&self) -> &'static #private::ErrorVariant {
            let #index: usize = match self {
                #(Self::#idents { .. } => #indices,)*
            };
            &<Self as #private::ServiceError>::VARIANTS[#index]
        }
    }
}

fn from_code(model: &ServiceError) -> TokenStream {
    let code = local("code");
    let bare = model.variants.iter().filter(|variant| !variant.has_details);
    let arms = bare.map(|Variant { ident, code, .. }| {
        quote!(#code => ::core::option::Option::Some(Self::#ident {}))
    });
    quote! {
        fn from_code(#code: u16) -> ::core::option::Option<Self> {
            match #code {
                #(#arms,)*
                _ => ::core::option::Option::None,
            }
        }
    }
}

fn display(model: &ServiceError) -> Option<TokenStream> {
    if model.display == Display::Foreign {
        return None;
    }
    let ident = &model.ident;
    let formatter = local("formatter");
    let idents = model.variants.iter().map(|variant| &variant.ident);
    let texts = model.variants.iter().map(|variant| &variant.text);
    Some(quote! {
        #[automatically_derived]
        impl ::core::fmt::Display for #ident {
            fn fmt(&self, #formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                #formatter.write_str(match self {
                    #(Self::#idents { .. } => #texts,)*
                })
            }
        }

        #[automatically_derived]
        impl ::core::error::Error for #ident {}
    })
}
