//! What a method returns.

use proc_macro2::Ident;
use syn::{ReturnType, Signature, Type};

use crate::errors::Errors;
use crate::model::{Element, Output, Part, Parts, Reply};
use crate::types::parts::{Direction, check_nested, has_content, part};
use crate::types::{bare, check_form, check_owned, is_unit, last_segment, text, type_arguments};

use super::parts::{check_one_payload, check_parts};

/// The reply of a one-way action.
pub(super) fn no_reply(one_way: &Ident, sig: &Signature, errors: &mut Errors) -> Reply {
    if let ReturnType::Type(_, ty) = &sig.output {
        if !is_unit(ty) {
            errors.at(ty, format!("a one-way action cannot return a value: remove the return type, or remove `{one_way}`"));
        }
    }
    Reply::OneWay
}

/// The reply of an action whose caller waits for one.
pub(super) fn reply(sig: &Signature, errors: &mut Errors) -> Reply {
    let ReturnType::Type(_, ty) = &sig.output else {
        return Reply::Response {
            output: Output::Unit,
            error: None,
        };
    };
    check_owned(ty, errors);
    check_form(ty, errors);
    let Some(segment) = last_segment(ty).filter(|segment| segment.ident == "Result") else {
        return Reply::Response {
            output: output(ty, &sig.ident, errors),
            error: None,
        };
    };
    let [value, error] = type_arguments(segment)[..] else {
        errors.at(ty, RESULT_MESSAGE);
        return Reply::Response {
            output: Output::Unit,
            error: None,
        };
    };
    check_error(error, errors);
    Reply::Response {
        output: output(value, &sig.ident, errors),
        error: Some(Box::new(error.clone())),
    }
}

fn check_error(ty: &Type, errors: &mut Errors) {
    if has_content(ty) {
        let name = text(ty);
        errors.at(
            ty,
            format!(
                "`{name}` cannot be an error type: write an enum with `#[derive(ServiceError)]`"
            ),
        );
    }
}

fn output(ty: &Type, method: &Ident, errors: &mut Errors) -> Output {
    if is_unit(ty) {
        return Output::Unit;
    }
    let Some((elements, is_tuple)) = elements(ty) else {
        check_nested(ty, Direction::Reply, errors);
        return Output::Value(Box::new(ty.clone()));
    };
    check_elements(&elements, method, errors);
    Output::Parts(Box::new(Parts {
        ty: ty.clone(),
        is_tuple,
        elements,
    }))
}

/// The elements of the type and whether it is a tuple, or `None` if it is nothing but a payload.
fn elements(ty: &Type) -> Option<(Vec<Element>, bool)> {
    let (types, is_tuple) = match bare(ty) {
        Type::Tuple(tuple) => (tuple.elems.iter().collect(), true),
        ty => (vec![ty], false),
    };
    let elements: Vec<_> = types.into_iter().map(element).collect();
    let is_content = |element: &Element| element.part != Part::Payload;
    elements
        .iter()
        .any(is_content)
        .then_some((elements, is_tuple))
}

fn element(ty: &Type) -> Element {
    Element {
        ty: ty.clone(),
        part: part(ty),
    }
}

fn check_elements(elements: &[Element], method: &Ident, errors: &mut Errors) {
    for element in elements {
        check_nested(&element.ty, Direction::Reply, errors);
    }
    let parts = elements.iter().map(|element| (element.part, &element.ty));
    let parts: Vec<_> = parts.collect();
    check_one_payload(&parts, errors);
    check_parts(&parts, Direction::Reply, method, errors);
}

/// Also the message for aliases of `Result`, which only the compiler recognizes.
pub(crate) const RESULT_MESSAGE: &str =
    "the error type must be explicit: write `Result<T, E>` with both types";
