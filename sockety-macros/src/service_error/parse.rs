//! From the enum to the model. Parsing continues after a mistake, like that of `#[service]`.

use std::collections::HashMap;

use syn::ext::IdentExt;
use syn::{Attribute, Data, DataEnum, DeriveInput, LitInt};

use super::model::{Display, ServiceError, Variant};
use crate::attr::ServiceErrorArguments;
use crate::docs;
use crate::errors::Errors;
use crate::names;

pub(crate) fn service_error(input: &DeriveInput, errors: &mut Errors) -> ServiceError {
    check_generics(input, errors);
    let variants = match &input.data {
        Data::Enum(data) => variants(input, data, errors),
        Data::Struct(data) => {
            errors.at(data.struct_token, refusal(input));
            Vec::new()
        }
        Data::Union(data) => {
            errors.at(data.union_token, refusal(input));
            Vec::new()
        }
    };
    check_codes(&variants, errors);
    let arguments = ServiceErrorArguments::parse(&input.attrs, errors);
    let display = match arguments.display {
        true => display(input),
        false => Display::Foreign,
    };
    ServiceError {
        ident: input.ident.clone(),
        private: names::private(&arguments.krate),
        variants,
        display,
        is_generic: !input.generics.params.is_empty(),
    }
}

fn refusal(input: &DeriveInput) -> String {
    let name = &input.ident;
    format!(
        "a service error must be an enum with a code for each variant: write `enum {name} {{ #[code(16)] Variant, … }}`"
    )
}

fn check_generics(input: &DeriveInput, errors: &mut Errors) {
    if !input.generics.params.is_empty() {
        let name = &input.ident;
        errors.at(
            &input.generics,
            format!("a service error cannot be generic: write `{name}` without parameters"),
        );
    }
}

fn variants(input: &DeriveInput, data: &DataEnum, errors: &mut Errors) -> Vec<Variant> {
    if data.variants.is_empty() {
        errors.at(&input.ident, refusal(input));
    }
    data.variants
        .iter()
        .filter_map(|variant| self::variant(variant, errors))
        .collect()
}

fn variant(variant: &syn::Variant, errors: &mut Errors) -> Option<Variant> {
    let name = variant.ident.unraw().to_string();
    let code_tokens = code(variant, errors)?;
    Some(Variant {
        ident: variant.ident.clone(),
        code: errors.ok(parse_code(&code_tokens))?,
        code_tokens,
        has_details: !variant.fields.is_empty(),
        text: docs::first_paragraph(&variant.attrs).unwrap_or_else(|| docs::words(&name)),
        name,
    })
}

/// The literal in `#[code(N)]`.
fn code(variant: &syn::Variant, errors: &mut Errors) -> Option<LitInt> {
    let name = &variant.ident;
    let mut codes = variant
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("code"));
    let Some(attribute) = codes.next() else {
        errors.at(
            name,
            format!(
                "missing code for `{name}`: write `#[code(N)]` above it, with N from 16 to 3839"
            ),
        );
        return None;
    };
    for second in codes {
        errors.at(
            second,
            format!("duplicate code for `{name}`: keep one `#[code(N)]`"),
        );
    }
    let literal = attribute.parse_args::<LitInt>();
    if literal.is_err() {
        errors.at(
            attribute,
            format!("invalid code for `{name}`: write a number, as in `#[code(16)]`"),
        );
    }
    literal.ok()
}

/// Services may use the codes from 16 to 3839.
fn parse_code(literal: &LitInt) -> syn::Result<u16> {
    match literal.base10_parse::<u16>() {
        Ok(code @ 16..=3839) => Ok(code),
        _ => Err(syn::Error::new_spanned(
            literal,
            format!(
                "invalid code {literal}: write a code from 16 to 3839, \
                 as 0–15 belong to the protocol and 3840–4095 to the framework"
            ),
        )),
    }
}

fn check_codes(variants: &[Variant], errors: &mut Errors) {
    let mut owners = HashMap::new();
    for variant in variants {
        let owner = owners.entry(variant.code).or_insert(&variant.ident);
        if *owner != &variant.ident {
            let (code, name) = (variant.code, &variant.ident);
            let message = format!(
                "the code {code} already belongs to `{owner}`: write another one for `{name}`"
            );
            errors.at(&variant.code_tokens, message);
        }
    }
}

fn display(input: &DeriveInput) -> Display {
    let is_foreign = |attribute: &Attribute| {
        let path = attribute.path();
        ["error", "display", "snafu"]
            .iter()
            .any(|known| path.is_ident(known))
    };
    let on_variant = match &input.data {
        Data::Enum(data) => data
            .variants
            .iter()
            .any(|variant| variant.attrs.iter().any(is_foreign)),
        Data::Struct(_) | Data::Union(_) => false,
    };
    if on_variant || input.attrs.iter().any(is_foreign) {
        Display::Foreign
    } else {
        Display::Generated
    }
}
