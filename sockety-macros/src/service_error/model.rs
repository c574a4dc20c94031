//! The model of an error enum.

use proc_macro2::{Ident, TokenStream};
use syn::LitInt;

/// An enum whose values are errors of a service.
pub(crate) struct ServiceError {
    pub(crate) ident: Ident,
    /// The module of `sockety` that generated code uses.
    pub(crate) private: TokenStream,
    pub(crate) variants: Vec<Variant>,
    pub(crate) display: Display,
    /// Whether the enum has parameters. This is a mistake, and no stand-ins are generated for it.
    pub(crate) is_generic: bool,
}

pub(crate) struct Variant {
    pub(crate) ident: Ident,
    pub(crate) name: String,
    pub(crate) code: u16,
    pub(crate) code_tokens: LitInt,
    pub(crate) has_details: bool,
    /// The text that `Display` writes.
    pub(crate) text: String,
}

/// Who implements `Display` and `Error`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Display {
    /// This derive.
    Generated,
    /// The user, who says so with `#[service_error(display = false)]`, or another derive, recognized
    /// by its attributes: thiserror's `#[error]`, derive_more's `#[display]`, snafu's `#[snafu]`.
    Foreign,
}
