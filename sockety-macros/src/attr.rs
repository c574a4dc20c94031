//! The arguments of attributes.

use proc_macro2::{Ident, TokenStream};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta, Path, Token};

use crate::errors::Errors;
use crate::names::default_crate;

mod action;
mod limits;
mod units;

pub(crate) use action::ActionArguments;
pub(crate) use limits::Limits;

/// An attribute, with its arguments as they are written.
struct Known {
    attribute: &'static str,
    arguments: &'static [(&'static str, &'static str)],
}

const SERVICE: Known = Known {
    attribute: "#[service(…)]",
    arguments: &[("prefix", "prefix = \"…\""), ("crate", "crate = \"…\"")],
};

const SERVICE_ERROR: Known = Known {
    attribute: "#[service_error(…)]",
    arguments: &[("crate", "crate = \"…\"")],
};

/// The arguments of `#[service]`.
pub(crate) struct ServiceArguments {
    pub(crate) prefix: Option<LitStr>,
    pub(crate) krate: Path,
}

impl ServiceArguments {
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut arguments = Self {
            prefix: None,
            krate: default_crate(),
        };
        for argument in SERVICE.read(tokens, errors) {
            match argument.name.as_str() {
                "prefix" => arguments.prefix = argument.text(errors),
                _ => arguments.krate = argument.path(errors).unwrap_or(arguments.krate),
            }
        }
        arguments
    }
}

/// The path of the crate that `#[service_error(crate = "…")]` names, or the default.
pub(crate) fn service_error_crate(attributes: &[Attribute], errors: &mut Errors) -> Path {
    let is_ours = |attribute: &&Attribute| attribute.path().is_ident("service_error");
    let attributes: Vec<_> = attributes.iter().filter(is_ours).cloned().collect();
    let arguments = SERVICE_ERROR.read_all(&attributes, errors);
    let paths = arguments
        .into_iter()
        .filter_map(|argument| argument.path(errors));
    paths.last().unwrap_or_else(default_crate)
}

impl Known {
    fn read(&self, tokens: TokenStream, errors: &mut Errors) -> Vec<Argument> {
        let mut arguments = Vec::new();
        let metas = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(tokens);
        self.keep_known(metas, &mut arguments, errors);
        arguments
    }

    /// The arguments of an attribute that may be given in several parts.
    fn read_all(&self, attributes: &[Attribute], errors: &mut Errors) -> Vec<Argument> {
        let mut arguments = Vec::new();
        for attribute in attributes {
            let metas = match &attribute.meta {
                Meta::Path(_) => continue,
                Meta::List(list) => list.parse_args_with(Punctuated::parse_terminated),
                Meta::NameValue(meta) => {
                    Err(syn::Error::new_spanned(meta, self.answer("unknown form")))
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
                errors.at(meta.path(), self.answer("unknown argument"));
            } else if arguments.iter().any(|argument| argument.name == name) {
                errors.at(meta.path(), format!("`{name}` is given twice: keep one"));
            } else {
                arguments.push(Argument { name, meta });
            }
        }
    }

    fn answer(&self, mistake: &str) -> String {
        let arguments = self.arguments.iter();
        let forms: Vec<_> = arguments.map(|(_, form)| format!("`{form}`")).collect();
        let (forms, attribute) = (forms.join(", "), self.attribute);
        format!("{mistake}: `{attribute}` takes {forms}")
    }
}

/// One known argument.
struct Argument {
    name: String,
    meta: Meta,
}

impl Argument {
    fn text(&self, errors: &mut Errors) -> Option<LitStr> {
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

    fn texts(&self, errors: &mut Errors) -> Vec<LitStr> {
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

    fn path(&self, errors: &mut Errors) -> Option<Path> {
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

    fn flag(&self, errors: &mut Errors) -> Option<Ident> {
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
