//! Files and streams, recognized by the names of their types.

use syn::{Path, Type, TypePath};

use super::{bare, last_segment, text, type_arguments};
use crate::errors::Errors;
use crate::model::Part;

/// How a value of the type is sent.
pub(crate) fn part(ty: &Type) -> Part {
    let Some(segment) = last_segment(ty) else {
        return Part::Payload;
    };
    match (&*segment.ident.to_string(), &type_arguments(segment)[..]) {
        ("File", []) if segment.arguments.is_empty() => Part::File,
        ("Vec", [file]) if part(file) == Part::File => Part::Files,
        ("ByteStream", []) if segment.arguments.is_empty() => Part::ByteStream,
        ("Streaming", [_] | [_, _]) => Part::Streaming,
        _ => Part::Payload,
    }
}

/// The item type of a `Streaming`, and its error type if one is written.
pub(crate) fn streamed(ty: &Type) -> (&Type, Option<&Type>) {
    let arguments = last_segment(ty).map(type_arguments);
    match arguments.as_deref() {
        Some([item, error]) => (item, Some(error)),
        Some([item]) => (item, None),
        _ => unreachable!("`part` recognizes a `Streaming` by its one or two type arguments"),
    }
}

/// The element type of a `Vec` of files.
pub(crate) fn element(ty: &Type) -> &Type {
    match last_segment(ty).map(type_arguments).as_deref() {
        Some([file]) => file,
        _ => unreachable!("`part` recognizes files by the type argument of their `Vec`"),
    }
}

/// Whether the type is or contains a file or a stream.
pub(crate) fn has_content(ty: &Type) -> bool {
    part(ty) != Part::Payload || inner(ty).into_iter().any(has_content)
}

/// The direction in which values are sent, which decides the wording of messages.
#[derive(Clone, Copy)]
pub(crate) enum Direction {
    Call,
    Reply,
}

impl Direction {
    fn verb(self) -> &'static str {
        match self {
            Self::Call => "take",
            Self::Reply => "return",
        }
    }
}

/// Reports files and streams inside other types, which cannot be sent there, and file types of
/// `std` and `tokio`.
pub(crate) fn check_nested(ty: &Type, direction: Direction, errors: &mut Errors) {
    let inner = inner(ty);
    match part(ty) {
        Part::File => return check_file(ty, errors),
        Part::Files | Part::ByteStream => {}
        Part::Payload | Part::Streaming => {
            if let Some(found) = inner.iter().find(|ty| part(ty) != Part::Payload) {
                errors.at(ty, misplaced(found, ty, direction));
            }
        }
    }
    for ty in inner {
        check_nested(ty, direction, errors);
    }
}

/// The types that the type directly contains.
fn inner(ty: &Type) -> Vec<&Type> {
    match bare(ty) {
        Type::Tuple(tuple) => tuple.elems.iter().collect(),
        Type::Array(array) => vec![&array.elem],
        Type::Slice(slice) => vec![&slice.elem],
        ty => last_segment(ty).map(type_arguments).unwrap_or_default(),
    }
}

fn check_file(ty: &Type, errors: &mut Errors) {
    if let Type::Path(TypePath { path, .. }) = bare(ty) {
        if is_of_file_system(path) {
            let name = text(ty);
            errors.at(
                ty,
                format!("`{name}` cannot be sent: write `sockety::File`"),
            );
        }
    }
}

/// Whether the path ends in `fs::File`, like those of `std` and `tokio`.
fn is_of_file_system(path: &Path) -> bool {
    let mut segments = path.segments.iter().rev().skip(1);
    segments.next().is_some_and(|segment| segment.ident == "fs")
}

fn misplaced(found: &Type, container: &Type, direction: Direction) -> String {
    let container = container_name(container, direction);
    let instead = instead(found, &container, direction);
    let found = text(found);
    format!("`{found}` cannot be inside {container}: {instead}")
}

fn container_name(ty: &Type, direction: Direction) -> String {
    match (bare(ty), last_segment(ty)) {
        (Type::Tuple(_), _) => match direction {
            Direction::Call => "a tuple".to_owned(),
            Direction::Reply => "an inner tuple".to_owned(),
        },
        (Type::Array(_), _) => "an array".to_owned(),
        (_, Some(segment)) => format!("`{}`", segment.ident),
        (_, None) => "a slice".to_owned(),
    }
}

/// What to write instead of `container`.
fn instead(found: &Type, container: &str, direction: Direction) -> String {
    let (verb, name, part) = (direction.verb(), text(found), part(found));
    let many = if part == Part::File {
        format!("Vec<{name}>")
    } else {
        name.clone()
    };
    match container {
        "`Option`" => format!("{verb} `{many}`, which may be empty"),
        "`Box`" | "`Arc`" | "`Rc`" | "`Pin`" => format!("{verb} `{name}`"),
        "`Vec`" | "an array" | "a slice" if part.is_stream() => {
            format!("{verb} one `{name}`, as each direction of a call can carry only one stream")
        }
        "`Vec`" | "an array" | "a slice" => format!("{verb} `{many}`"),
        _ => own_place(&name, direction),
    }
}

fn own_place(name: &str, direction: Direction) -> String {
    match direction {
        Direction::Call => "take it as a separate parameter".to_owned(),
        Direction::Reply => format!("return it next to the payload, as in `(T, {name})`"),
    }
}

#[cfg(test)]
mod tests {
    use syn::{Type, parse_quote};

    use super::{Part, part};

    #[test]
    fn types_are_recognized_by_their_last_segment() {
        check(parse_quote!(File), Part::File);
        check(parse_quote!((::sockety::File)), Part::File);
        check(parse_quote!(std::vec::Vec<sockety::File>), Part::Files);
        check(parse_quote!(sockety::ByteStream), Part::ByteStream);
        check(parse_quote!(Streaming<Vec<u64>>), Part::Streaming);
        check(parse_quote!(Streaming<u64, LogError>), Part::Streaming);
    }

    #[test]
    fn other_types_are_payload() {
        check(parse_quote!(File<u64>), Part::Payload);
        check(parse_quote!(File::Kind), Part::Payload);
        check(parse_quote!(ByteStream<u8>), Part::Payload);
        check(parse_quote!(Streaming), Part::Payload);
        check(parse_quote!(Streaming<A, B, C>), Part::Payload);
        check(parse_quote!(Vec<u64>), Part::Payload);
        check(parse_quote!((File, u64)), Part::Payload);
        check(parse_quote!(&File), Part::Payload);
    }

    #[expect(clippy::needless_pass_by_value, reason = "reads better at the callers")]
    fn check(ty: Type, expected: Part) {
        assert!(part(&ty) == expected, "{}", super::text(&ty));
    }
}
