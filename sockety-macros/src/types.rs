//! Questions about types, answered from their tokens: macros run before types are resolved.

use quote::ToTokens;
use syn::visit_mut::{VisitMut, visit_type_mut};
use syn::{GenericArgument, Lifetime, PathArguments, PathSegment, Type, TypePath};

use crate::errors::Errors;

pub(crate) mod parts;

/// The type without parentheses and without the invisible groups that `macro_rules!` makes.
pub(crate) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        _ => ty,
    }
}

pub(crate) fn is_unit(ty: &Type) -> bool {
    matches!(bare(ty), Type::Tuple(tuple) if tuple.elems.is_empty())
}

/// The last segment of a path: `Result<T, E>` of `std::result::Result<T, E>`.
pub(crate) fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match bare(ty) {
        Type::Path(TypePath {
            qself: None, path, ..
        }) => path.segments.last(),
        _ => None,
    }
}

/// The types between the angle brackets.
pub(crate) fn type_arguments(segment: &PathSegment) -> Vec<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return Vec::new();
    };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    types.collect()
}

/// Whether the type is `&Context`, of whatever lifetime and mutability.
pub(crate) fn is_context(ty: &Type) -> bool {
    match bare(ty) {
        Type::Reference(reference) => {
            last_segment(&reference.elem).is_some_and(|segment| segment.ident == "Context")
        }
        _ => false,
    }
}

/// The type behind a reference, or the type itself.
pub(crate) fn referenced(ty: &Type) -> &Type {
    match bare(ty) {
        Type::Reference(reference) => &reference.elem,
        ty => ty,
    }
}

/// Reports values that would not arrive as they are sent, or not as a peer expects them.
pub(crate) fn check_form(ty: &Type, errors: &mut Errors) {
    FormCheck { errors }.visit_type_mut(&mut ty.clone());
}

struct FormCheck<'a> {
    errors: &'a mut Errors,
}

impl VisitMut for FormCheck<'_> {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if let Some(message) = last_segment(ty).and_then(unfit) {
            self.errors.at(&*ty, message);
        }
        visit_type_mut(self, ty);
    }
}

fn unfit(segment: &PathSegment) -> Option<&'static str> {
    match (&*segment.ident.to_string(), &type_arguments(segment)[..]) {
        ("Vec", [ty]) if is_named(ty, "u8") => {
            Some("`Vec<u8>` is sent as an array of numbers: write `bytes::Bytes`")
        }
        ("Option", [ty]) if is_unit(ty) => {
            Some("`Some(())` is sent as nil, like `None`: write `bool`")
        }
        ("Option", [ty]) if is_named(ty, "Option") => {
            Some("`Some(None)` is sent as nil, like `None`: write an enum")
        }
        _ => None,
    }
}

fn is_named(ty: &Type, name: &str) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == name)
}

/// Reports every part of the type that cannot be sent, or that the client cannot name. Returns
/// whether there was none.
pub(crate) fn check_owned(ty: &Type, errors: &mut Errors) -> bool {
    let mut check = OwnedCheck {
        errors,
        owned: true,
    };
    check.visit_type_mut(&mut ty.clone());
    check.owned
}

struct OwnedCheck<'a> {
    errors: &'a mut Errors,
    owned: bool,
}

impl OwnedCheck<'_> {
    fn refuse(&mut self, tokens: impl ToTokens, message: &str) {
        self.errors.at(tokens, message);
        self.owned = false;
    }
}

impl VisitMut for OwnedCheck<'_> {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        match ty {
            Type::Reference(reference) => {
                let owned = owned_form(&reference.elem);
                self.refuse(
                    ty,
                    &format!("values that are sent must be owned: write `{owned}`"),
                );
            }
            Type::ImplTrait(_) => self.refuse(
                ty,
                "values that are sent must have a concrete type: write it instead of `impl`",
            ),
            Type::Infer(_) => self.refuse(
                ty,
                "types in a service must be explicit: write the type instead of `_`",
            ),
            Type::Path(path) if path.path.segments[0].ident == "Self" => {
                self.refuse(ty, "the client cannot name `Self`: write a concrete type");
            }
            _ => visit_type_mut(self, ty),
        }
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == "_" {
            self.refuse(
                lifetime,
                "values that are sent must be owned: write `'static`, or a type without a lifetime",
            );
        }
    }
}

/// What to write instead of a reference to `ty`.
fn owned_form(ty: &Type) -> String {
    match bare(ty) {
        Type::Slice(slice) if is_named(&slice.elem, "u8") => "bytes::Bytes".to_owned(),
        Type::Slice(slice) => format!("Vec<{}>", text(&slice.elem)),
        ty if last_segment(ty).is_some_and(|segment| segment.ident == "str") => "String".to_owned(),
        ty => text(ty),
    }
}

/// The tokens of a type, spaced as a person would write them.
pub(crate) fn text(ty: &Type) -> String {
    let spaced = ty.to_token_stream().to_string();
    spaced
        .replace(" < ", "<")
        .replace(" >", ">")
        .replace(" :: ", "::")
        .replace(" ,", ",")
}
