//! Attributes that accept a fixed set of named arguments.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta, Path, Token};

use crate::errors::Errors;

/// An attribute and the arguments it accepts.
pub(super) struct KnownArguments {
    pub(super) attribute: &'static str,
    /// The name of each argument, and how it is written.
    pub(super) arguments: &'static [(&'static str, &'static str)],
}

impl KnownArguments {
    /// Reads the arguments between the parentheses of an attribute.
    pub(super) fn read(&self, tokens: TokenStream, errors: &mut Errors) -> Vec<Argument> {
        let mut arguments = Vec::new();
        let metas = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(tokens);
        self.keep_known(metas, &mut arguments, errors);
        arguments
    }

    /// Reads the arguments of an attribute that may occur several times on one item.
    pub(super) fn read_all(&self, attributes: &[Attribute], errors: &mut Errors) -> Vec<Argument> {
        let mut arguments = Vec::new();
        for attribute in attributes {
            let metas = match &attribute.meta {
                Meta::Path(_) => continue,
                Meta::List(list) => list.parse_args_with(Punctuated::parse_terminated),
                Meta::NameValue(meta) => Err(syn::Error::new_spanned(
                    meta,
                    self.expected("invalid syntax"),
                )),
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
            let name = path_text(meta.path());
            if self.arguments.iter().all(|(known, _)| *known != name) {
                let mistake = format!("unknown argument `{name}`");
                errors.at(meta.path(), self.expected(&mistake));
            } else if arguments.iter().any(|argument| argument.name == name) {
                let message = format!("duplicate argument `{name}`: keep only one");
                errors.at(meta.path(), message);
            } else {
                arguments.push(Argument { name, meta });
            }
        }
    }

    /// A message that names the mistake and every argument the attribute accepts.
    pub(super) fn expected(&self, mistake: &str) -> String {
        let arguments = self.arguments.iter();
        let forms: Vec<_> = arguments.map(|(_, form)| format!("`{form}`")).collect();
        let (forms, attribute) = (forms.join(", "), self.attribute);
        format!("{mistake}: `{attribute}` accepts {forms}")
    }
}

/// An argument whose name is known. Its value is checked by whichever method reads it.
pub(super) struct Argument {
    pub(super) name: String,
    pub(super) meta: Meta,
}

impl Argument {
    pub(super) fn text(&self, errors: &mut Errors) -> Option<LitStr> {
        if let Meta::NameValue(meta) = &self.meta {
            if let Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) = &meta.value
            {
                return Some(text.clone());
            }
        }
        errors.at(
            &self.meta,
            format!(
                "invalid value for `{0}`: write a string, as in `{0} = \"…\"`",
                self.name
            ),
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
                format!(
                    "invalid value for `{name}`: write a list of strings, as in `{name} = [\"…\"]`"
                ),
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
                    "invalid path {:?}: write the path of a crate or module, as in `{} = \"::sockety\"`",
                    text.value(),
                    self.name
                ),
            );
        }
        path.ok()
    }

    /// The value of a boolean argument, or `false` after a mistake.
    pub(super) fn boolean(&self, errors: &mut Errors) -> bool {
        if let Meta::NameValue(meta) = &self.meta {
            if let Expr::Lit(ExprLit {
                lit: Lit::Bool(value),
                ..
            }) = &meta.value
            {
                return value.value;
            }
        }
        let message = format!("invalid value for `{0}`: write `{0} = false`", self.name);
        errors.at(&self.meta, message);
        false
    }

    pub(super) fn flag(&self, errors: &mut Errors) -> Option<Ident> {
        if let Meta::Path(path) = &self.meta {
            return path.get_ident().cloned();
        }
        let message = format!("`{0}` takes no value: write `{0}`", self.name);
        errors.at(&self.meta, message);
        None
    }
}

/// The name of an argument as it is written: `prefix`, or `a::b`.
fn path_text(path: &Path) -> String {
    path.to_token_stream().to_string().replace(' ', "")
}

/// The elements of `["…", "…"]`, or `None` if `array` is anything else.
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
