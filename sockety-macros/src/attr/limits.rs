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
        ("all_files", "all_files = \"8 GiB\""),
        ("stream", "stream = \"1 GiB\""),
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
    /// The size of all files together, in bytes.
    pub(crate) all_files: Option<Limit<u64>>,
    /// In bytes.
    pub(crate) stream: Option<Limit<u64>>,
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
                "file" => limits.file = size(&argument, errors),
                "all_files" => limits.all_files = size(&argument, errors),
                _ => limits.stream = size(&argument, errors),
            }
        }
        limits
    }

    pub(crate) fn is_none(&self) -> bool {
        let Self {
            payload,
            files,
            file,
            all_files,
            stream,
        } = self;
        let sizes = [payload, file, all_files, stream];
        files.is_none() && sizes.iter().all(|limit| limit.is_none())
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
