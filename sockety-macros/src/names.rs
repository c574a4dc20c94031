//! Every identifier that is generated, and the path to `sockety`.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::{Path, parse_quote};

/// Names of what is generated for one service.
pub(crate) struct Names {
    pub(crate) client: Ident,
    pub(crate) server: Ident,
    pub(crate) draft: Ident,
    pub(crate) request: Ident,
    /// Path of everything that generated code may use of `sockety`.
    pub(crate) private: TokenStream,
}

impl Names {
    pub(crate) fn new(service: &Ident, krate: &Path) -> Self {
        let service = generated(&service.unraw());
        Self {
            client: format_ident!("{service}Client"),
            server: format_ident!("{service}Server"),
            draft: format_ident!("{service}Draft"),
            request: format_ident!("{service}Request"),
            private: private(krate),
        }
    }
}

/// What a client has beside its actions; `clone` is that of `Clone`.
pub(crate) const RESERVED: [&str; 6] = [
    "new",
    "connect",
    "local",
    "connection",
    "clone",
    "DESCRIPTION",
];

/// A method as a variant: `ask_back` is `AskBack`.
pub(crate) fn variant(method: &Ident) -> Ident {
    let mut name = String::new();
    for word in method.unraw().to_string().split('_') {
        let mut letters = word.chars();
        name.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        name.push_str(letters.as_str());
    }
    if !name.starts_with(|letter: char| letter.is_alphabetic()) {
        name.insert(0, '_');
    }
    if name == "Self" || name == "_" {
        name.push('_');
    }
    Ident::new(&name, generated_span(method.span()))
}

/// The path of `sockety` unless an attribute names another.
pub(crate) fn default_crate() -> Path {
    parse_quote!(::sockety)
}

/// The module that generated code uses of the crate.
pub(crate) fn private(krate: &Path) -> TokenStream {
    quote!(#krate::__private)
}

/// A local variable that no name of the user can meet.
pub(crate) fn local(name: &str) -> Ident {
    local_at(name, Span::mixed_site())
}

/// The same variable as [`local`], mentioned at a place of the user: mistakes are reported there.
pub(crate) fn local_at(name: &str, span: Span) -> Ident {
    Ident::new(&format!("__{name}"), span.resolved_at(Span::mixed_site()))
}

/// The same identifier at the same place, but made by the macro: lints on names pass over it.
pub(crate) fn generated(ident: &Ident) -> Ident {
    let mut ident = ident.clone();
    ident.set_span(generated_span(ident.span()));
    ident
}

/// As [`generated`], for all tokens of `tokens`.
pub(crate) fn generated_tokens(tokens: impl ToTokens) -> TokenStream {
    tokens
        .into_token_stream()
        .into_iter()
        .map(generated_tree)
        .collect()
}

fn generated_tree(tree: TokenTree) -> TokenTree {
    let span = generated_span(tree.span());
    let mut tree = match tree {
        TokenTree::Group(group) => {
            Group::new(group.delimiter(), generated_tokens(group.stream())).into()
        }
        TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => tree,
    };
    tree.set_span(span);
    tree
}

/// The place of `span`, but for names and lints the macro's own.
pub(crate) fn generated_span(span: Span) -> Span {
    span.resolved_at(Span::call_site())
}
