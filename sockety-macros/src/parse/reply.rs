//! What a method returns.

use proc_macro2::Ident;
use syn::{ReturnType, Signature, Type};

use crate::errors::Errors;
use crate::model::{Output, Reply};
use crate::types::{check_owned, is_unit, last_segment, type_arguments};

/// A one-way action has nothing to return.
pub(super) fn no_reply(one_way: &Ident, sig: &Signature, errors: &mut Errors) -> Reply {
    if let ReturnType::Type(_, ty) = &sig.output
        && !is_unit(ty)
    {
        errors.at(ty, format!("the caller of a one-way action hears nothing: write no return type, or no `{one_way}`"));
    }
    Reply::OneWay
}

pub(super) fn reply(sig: &Signature, errors: &mut Errors) -> Reply {
    let ReturnType::Type(_, ty) = &sig.output else {
        return Reply::Response {
            output: Output::Unit,
            error: None,
        };
    };
    check_owned(ty, errors);
    let Some(segment) = last_segment(ty).filter(|segment| segment.ident == "Result") else {
        return Reply::Response {
            output: output(ty),
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
    Reply::Response {
        output: output(value),
        error: Some(Box::new(error.clone())),
    }
}

fn output(ty: &Type) -> Output {
    if is_unit(ty) {
        Output::Unit
    } else {
        Output::Value(Box::new(ty.clone()))
    }
}

/// Also the answer to aliases, which only the compiler recognises.
pub(crate) const RESULT_MESSAGE: &str =
    "both sides must know the error: write `Result<T, E>` with both types";
