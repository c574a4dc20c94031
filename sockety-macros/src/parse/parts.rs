//! What one message can carry: rules that concern several parts of a call or a response.

use proc_macro2::Ident;
use syn::Type;

use crate::errors::Errors;
use crate::model::Part;
use crate::types::parts::Direction;
use crate::types::text;

pub(super) fn check_parts(
    parts: &[(Part, &Type)],
    direction: Direction,
    method: &Ident,
    errors: &mut Errors,
) {
    check_one_stream(parts, direction, method, errors);
    check_files(parts, errors);
}

/// A response has one payload. Parameters need no such rule: several of them are sent as one map.
pub(super) fn check_one_payload(parts: &[(Part, &Type)], errors: &mut Errors) {
    let payload = parts.iter().filter(|(part, _)| *part == Part::Payload);
    let payload: Vec<_> = payload.map(|(_, ty)| *ty).collect();
    let Some(second) = payload.get(1) else {
        return;
    };
    let types: Vec<_> = payload.iter().map(|ty| text(ty)).collect();
    let tuple = types.join(", ");
    errors.at(
        second,
        format!("a response can carry only one payload: combine `{tuple}` into one element `({tuple})`, or into a struct"),
    );
}

fn check_one_stream(
    parts: &[(Part, &Type)],
    direction: Direction,
    method: &Ident,
    errors: &mut Errors,
) {
    let (whole, place) = match direction {
        Direction::Call => ("a call", "in the parameters of"),
        Direction::Reply => ("a response", "in the return type of"),
    };
    let streams = parts.iter().filter(|(part, _)| part.is_stream());
    for (_, ty) in streams.skip(1) {
        errors.at(
            ty,
            format!(
                "{whole} can carry only one stream: keep one `Streaming` or `ByteStream` {place} `{method}`"
            ),
        );
    }
}

/// Files are matched to parameters by their order alone, so only the last parameter can take any
/// number of them.
fn check_files(parts: &[(Part, &Type)], errors: &mut Errors) {
    let mut many = parts.iter().enumerate();
    let Some((first, (_, ty))) = many.find(|(_, (part, _))| *part == Part::Files) else {
        return;
    };
    let after = &parts[first + 1..];
    if after.iter().any(|(part, _)| *part == Part::File) {
        let name = text(ty);
        errors.at(
            ty,
            format!("`{name}` takes all remaining files: write it after the other files"),
        );
    }
    for (_, ty) in after.iter().filter(|(part, _)| *part == Part::Files) {
        let name = text(ty);
        errors.at(
            ty,
            format!("`{name}` takes all remaining files: keep only one `{name}`"),
        );
    }
}
