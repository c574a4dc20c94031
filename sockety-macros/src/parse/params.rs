//! The parameters of a method.

use proc_macro2::Ident;
use quote::format_ident;
use syn::{
    Attribute, FnArg, Pat, PatIdent, PatType, PathSegment, ReceiverKind, Signature, Type, TypePath,
};

use crate::attr::ParamArguments;
use crate::errors::Errors;
use crate::model::{Param, ParamKind, Part};
use crate::types::parts::{Direction, check_nested, part};
use crate::types::{bare, check_form, check_owned, is_context, last_segment};

use super::parts::check_parts;

/// The parameters. Removes their `#[param]` attributes, which nothing would resolve.
pub(super) fn params(sig: &mut Signature, errors: &mut Errors) -> Vec<Param> {
    if sig.receiver().is_none() {
        errors.at(
            &sig.ident,
            format!(
                "a service method needs a receiver: write `async fn {}(&self, …)`",
                sig.ident
            ),
        );
    }
    let mut params: Vec<Param> = Vec::new();
    for (index, input) in sig.inputs.iter_mut().enumerate() {
        let FnArg::Typed(typed) = input else {
            check_receiver(input, errors);
            continue;
        };
        let arguments = ParamArguments::take(&mut typed.attrs, errors);
        refuse_conditions(&typed.attrs, errors);
        let ident = param_ident(typed, errors).unwrap_or_else(|| format_ident!("__{index}"));
        let kind = param_kind(&ident, &typed.ty, errors);
        if kind == ParamKind::Context && params.iter().any(|param| param.kind == kind) {
            errors.at(
                &typed.ty,
                format!("duplicate context in `{}`: keep one `&Context`", sig.ident),
            );
        }
        params.push(Param {
            ident,
            ty: (*typed.ty).clone(),
            kind,
            arguments,
        });
    }
    check_parts(&parts(&params), Direction::Call, &sig.ident, errors);
    params
}

fn parts(params: &[Param]) -> Vec<(Part, &Type)> {
    let part = |param: &Param| match param.kind {
        ParamKind::Context => None,
        ParamKind::Part(part) => Some(part),
    };
    let parts = params.iter().map(|param| Some((part(param)?, &param.ty)));
    parts.flatten().collect()
}

/// A service is shared by all calls that run at the same time, so methods can only borrow it.
fn check_receiver(input: &FnArg, errors: &mut Errors) {
    let FnArg::Receiver(receiver) = input else {
        return;
    };
    let is_shared = matches!(receiver.kind, ReceiverKind::Reference(_, None, None))
        && receiver.mutability.is_none();
    if !is_shared {
        errors.at(
            receiver,
            "a service is shared by concurrent calls: write `&self`",
        );
    }
}

fn refuse_conditions(attributes: &[Attribute], errors: &mut Errors) {
    for attribute in attributes {
        if attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr") {
            errors.at(
                attribute,
                "a parameter cannot be conditional: write two methods, each with its own `#[cfg]`",
            );
        }
    }
}

/// The name of a parameter. The names of several parameters are sent as the keys of a map.
fn param_ident(typed: &PatType, errors: &mut Errors) -> Option<Ident> {
    match &*typed.pat {
        Pat::Ident(PatIdent {
            by_ref: None,
            subpat: None,
            ident,
            ..
        }) => Some(ident.clone()),
        pattern => {
            errors.at(
                pattern,
                "a parameter needs a name, which peers may use as a key: write a name instead of a pattern",
            );
            None
        }
    }
}

fn param_kind(ident: &Ident, ty: &Type, errors: &mut Errors) -> ParamKind {
    if is_context(ty) {
        check_context(ty, errors);
        return ParamKind::Context;
    }
    if is_like_context(ident, ty) {
        errors.at(
            ty,
            format!(
                "the context is recognized by its name and its reference: write `{ident}: &Context`"
            ),
        );
        return ParamKind::Context;
    }
    check_owned(ty, errors);
    check_form(ty, errors);
    check_nested(ty, Direction::Call, errors);
    ParamKind::Part(part(ty))
}

/// Whether the type is meant to be the context: `Context` by value, or `&Cx`.
fn is_like_context(ident: &Ident, ty: &Type) -> bool {
    let is_called = |names: &[&str]| names.iter().any(|name| ident == name);
    match bare(ty) {
        Type::Reference(reference) => {
            let Some(segment) = last_segment(&reference.elem) else {
                return false;
            };
            let is_plain = segment.arguments.is_none();
            is_plain && (is_called(&["cx", "ctx", "context"]) || segment.ident == "Cx")
        }
        Type::Path(TypePath { path, .. }) => {
            let is_ours = path.segments.len() == 2 && path.segments[0].ident == "sockety";
            let is_context = |segment: &PathSegment| segment.ident == "Context";
            let is_plain = |segment: &PathSegment| segment.arguments.is_none();
            let last = last_segment(ty).filter(|segment| is_context(segment) && is_plain(segment));
            last.is_some() && (is_ours || is_called(&["cx"]))
        }
        _ => false,
    }
}

fn check_context(ty: &Type, errors: &mut Errors) {
    if let Type::Reference(reference) = bare(ty) {
        if reference.mutability.is_some() || reference.lifetime.is_some() {
            errors.at(
                ty,
                "the context is borrowed for one call only: write `&Context`",
            );
        }
    }
}
