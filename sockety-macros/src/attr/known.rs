//! Attributes with named arguments.

use proc_macro2::{Ident, TokenStream};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta, Path, Token};

use crate::errors::Errors;

/// An attribute, with its arguments as they are written.
pub(super) struct KnownArguments {
    pub(super) attribute: &'static str,
    pub(super) arguments: &'static [(&'static str, &'static str)],
}

impl KnownArguments {
    pub(super) fn read(&self, tokens: TokenStream, errors: &mut Errors) -> Vec<Argument> {
        let mut arguments = Vec::new();
        let metas = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(tokens);
        self.keep_known(metas, &mut arguments, errors);
        arguments
    }

    /// The arguments of an attribute that may be given in several parts.
    pub(super) fn read_all(&self, attributes: &[Attribute], errors: &mut Errors) -> Vec<Argument> {
        let mut arguments = Vec::new();
        for attribute in attributes {
            let metas = match &attribute.meta {
                Meta::Path(_) => continue,
                Meta::List(list) => list.parse_args_with(Punctuated::parse_terminated),
                Meta::NameValue(meta) => {
                    Err(syn::Error::new_spanned(meta, self.expected("unknown form")))
                }
            };
            self.keep_known(metas, &mut arguments, errors);
        }
        arguments
    }

    fn keep_known(
        &self,
        metas: syn::Result<Punctuated<Meta, Token![,]>>,
        arguments: &mut Vec<Argument>,
        errors: &mut Errors,
    ) {
        for meta in errors.ok(metas).into_iter().flatten() {
            let name = meta
                .path()
                .get_ident()
                .map(ToString::to_string)
                .unwrap_or_default();
            if self.arguments.iter().all(|(known, _)| *known != name) {
                errors.at(meta.path(), self.expected("unknown argument"));
            } else if arguments.iter().any(|argument| argument.name == name) {
                errors.at(meta.path(), format!("`{name}` is given twice: keep one"));
            } else {
                arguments.push(Argument { name, meta });
            }
        }
    }

    pub(super) fn expected(&self, mistake: &str) -> String {
        let arguments = self.arguments.iter();
        let forms: Vec<_> = arguments.map(|(_, form)| format!("`{form}`")).collect();
        let (forms, attribute) = (forms.join(", "), self.attribute);
        format!("{mistake}: `{attribute}` takes {forms}")
    }
}

/// One known argument.
pub(super) struct Argument {
    pub(super) name: String,
    pub(super) meta: Meta,
}

impl Argument {
    pub(super) fn text(&self, errors: &mut Errors) -> Option<LitStr> {
        if let Meta::NameValue(meta) = &self.meta
            && let Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) = &meta.value
        {
            return Some(text.clone());
        }
        errors.at(
            &self.meta,
            format!("write `{} = \"…\"`, with a text in quotes", self.name),
        );
        None
    }

    pub(super) fn texts(&self, errors: &mut Errors) -> Vec<LitStr> {
        let texts = match &self.meta {
            Meta::NameValue(meta) => texts(&meta.value),
            Meta::Path(_) | Meta::List(_) => None,
        };
        if texts.is_none() {
            let name = &self.name;
            errors.at(
                &self.meta,
                format!("write `{name} = [\"…\"]`, with texts in quotes"),
            );
        }
        texts.unwrap_or_default()
    }

    pub(super) fn path(&self, errors: &mut Errors) -> Option<Path> {
        let text = self.text(errors)?;
        let path = text.parse_with(Path::parse_mod_style);
        if path.is_err() {
            errors.at(
                &text,
                format!(
                    "write a path in the quotes, as in `{} = \"::sockety\"`",
                    self.name
                ),
            );
        }
        path.ok()
    }

    pub(super) fn flag(&self, errors: &mut Errors) -> Option<Ident> {
        if let Meta::Path(path) = &self.meta {
            return path.get_ident().cloned();
        }
        errors.at(&self.meta, format!("write `{}` without a value", self.name));
        None
    }
}

/// The elements of `["…", "…"]`.
fn texts(array: &Expr) -> Option<Vec<LitStr>> {
    let Expr::Array(array) = array else {
        return None;
    };
    let text = |element: &Expr| match element {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Some(text.clone()),
        _ => None,
    };
    array.elems.iter().map(text).collect()
}
