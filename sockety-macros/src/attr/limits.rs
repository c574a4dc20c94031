//! The arguments of `#[action(limit(…))]`.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Expr, ExprLit, Lit, Meta};

use super::known::{Argument, KnownArguments};
use super::units;
use crate::errors::Errors;

const LIMIT: KnownArguments = KnownArguments {
    attribute: "limit(…)",
    arguments: &[
        ("payload", "payload = \"1 MiB\""),
        ("files", "files = 8"),
        ("file", "file = \"2 GiB\""),
    ],
};

/// The most that a call of an action may carry.
#[derive(Default)]
pub(crate) struct Limits {
    /// In bytes.
    pub(crate) payload: Option<Limit<u64>>,
    /// How many files.
    pub(crate) files: Option<Limit<u32>>,
    /// The size of each file, in bytes.
    pub(crate) file: Option<Limit<u64>>,
}

pub(crate) struct Limit<T> {
    pub(crate) value: T,
    pub(crate) tokens: TokenStream,
}

impl Limits {
    pub(super) fn parse(argument: &Argument, errors: &mut Errors) -> Self {
        let mut limits = Self::default();
        let Meta::List(list) = &argument.meta else {
            errors.at(&argument.meta, LIMIT.expected("invalid syntax"));
            return limits;
        };
        for argument in LIMIT.read(list.tokens.clone(), errors) {
            match argument.name.as_str() {
                "payload" => limits.payload = size(&argument, errors),
                "files" => limits.files = number(&argument, errors),
                _ => limits.file = size(&argument, errors),
            }
        }
        limits
    }

    pub(crate) fn is_none(&self) -> bool {
        self.payload.is_none() && self.files.is_none() && self.file.is_none()
    }
}

fn size(argument: &Argument, errors: &mut Errors) -> Option<Limit<u64>> {
    let text = argument.text(errors)?;
    let value = errors.ok(units::bytes(&text))?;
    Some(Limit {
        value,
        tokens: argument.meta.to_token_stream(),
    })
}

fn number(argument: &Argument, errors: &mut Errors) -> Option<Limit<u32>> {
    if let Meta::NameValue(meta) = &argument.meta {
        if let Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) = &meta.value
        {
            if let Ok(value) = number.base10_parse() {
                let tokens = argument.meta.to_token_stream();
                return Some(Limit { value, tokens });
            }
        }
    }
    let name = &argument.name;
    errors.at(
        &argument.meta,
        format!(
            "invalid value for `{name}`: write a whole number up to {}, as in `{name} = 8`",
            u32::MAX
        ),
    );
    None
}
