//! Generated identifiers, their spans, and the path of `sockety`.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::{Path, parse_quote};

/// The names of the items generated for one service.
pub(crate) struct Names {
    pub(crate) client: Ident,
    pub(crate) server: Ident,
    pub(crate) draft: Ident,
    pub(crate) request: Ident,
    /// The module of `sockety` that generated code uses.
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

/// The functions and constants of a client that are not actions. `clone` is the method of `Clone`,
/// which a method of the client would hide.
pub(crate) const RESERVED: [&str; 8] = [
    "new",
    "connect",
    "reconnecting",
    "fleet",
    "local",
    "connection",
    "clone",
    "DESCRIPTION",
];

/// The name of a method in camel case: `ask_back` becomes `AskBack`.
pub(crate) fn variant(method: &Ident) -> Ident {
    let mut name = String::new();
    for word in method.unraw().to_string().split('_') {
        let mut letters = word.chars();
        name.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        name.push_str(letters.as_str());
    }
    // `_1` has no letter to capitalize, and `1` alone is not an identifier.
    if !name.starts_with(|letter: char| letter.is_alphabetic()) {
        name.insert(0, '_');
    }
    // Neither can be the name of a variant.
    if name == "Self" || name == "_" {
        name.push('_');
    }
    Ident::new(&name, generated_span(method.span()))
}

/// The function that lists the parameters of a method.
pub(crate) fn parameters(method: &Ident) -> Ident {
    let name = format!("__{}", method.unraw());
    Ident::new(&name, generated_span(method.span()))
}

/// The path of `sockety`, unless an attribute names another one.
pub(crate) fn default_crate() -> Path {
    parse_quote!(::sockety)
}

/// The module of the crate that generated code uses.
pub(crate) fn private(krate: &Path) -> TokenStream {
    quote!(#krate::__private)
}

/// A local variable that cannot collide with a name of the user.
pub(crate) fn local(name: &str) -> Ident {
    local_at(name, Span::mixed_site())
}

/// The variable that [`local`] names, with the location of `span`: the compiler reports type errors
/// there.
pub(crate) fn local_at(name: &str, span: Span) -> Ident {
    Ident::new(&format!("__{name}"), span.resolved_at(Span::mixed_site()))
}

/// The same identifier at the same location, but marked as generated: lints on names skip it.
pub(crate) fn generated(ident: &Ident) -> Ident {
    let mut ident = ident.clone();
    ident.set_span(generated_span(ident.span()));
    ident
}

/// Marks all tokens as generated, like [`generated`].
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

/// The location of `span`, but marked as generated: errors are reported at the user's code, while
/// lints skip it.
pub(crate) fn generated_span(span: Span) -> Span {
    span.resolved_at(Span::call_site())
}
