//! What an enum of errors means.

use proc_macro2::{Ident, TokenStream};
use syn::LitInt;

/// A type whose values are errors of a service.
pub(crate) struct ServiceError {
    pub(crate) ident: Ident,
    /// The module of `sockety` for generated code.
    pub(crate) private: TokenStream,
    pub(crate) variants: Vec<Variant>,
    pub(crate) display: Display,
    /// Stand-ins are only written for types without parameters.
    pub(crate) is_generic: bool,
}

pub(crate) struct Variant {
    pub(crate) ident: Ident,
    pub(crate) name: String,
    pub(crate) code: u16,
    pub(crate) code_tokens: LitInt,
    pub(crate) has_details: bool,
    /// What `Display` writes.
    pub(crate) text: String,
}

/// Who writes `Display` and `Error`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Display {
    Generated,
    /// Another derive, known by its `#[error(…)]`.
    Foreign,
}
