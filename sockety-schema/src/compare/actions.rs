//! Actions side by side.

use std::collections::BTreeMap;

use super::{
    Change, Difference, Direction, Rule, Verdict,
    types::{Budget, Definitions, View, Walk, view},
};
use crate::model::{
    Action, Enum, ErrorVariant, Field, Form, Limits, Parameter, Part, PartKind, Schema, Tagging,
    Type, Variant,
};

/// An action and the types that it names.
#[derive(Clone, Copy)]
struct Served<'a> {
    name: &'a str,
    action: &'a Action,
    types: &'a Definitions,
}

pub(super) fn compare(old: &Schema, new: &Schema) -> Vec<Change> {
    let (served_before, served) = (by_name(old), by_name(new));
    let budget = Budget::new();
    let mut changes = Vec::new();
    for (name, before) in &served_before {
        // An alias of an action that is another action now is one that has changed.
        let is_compared = |after: &Served<'_>| {
            let main = served.get(before.name);
            *name != before.name && main.is_some_and(|main| std::ptr::eq(main.action, after.action))
        };
        match served.get(name) {
            Some(after) if is_compared(after) => {}
            Some(after) => {
                let before = Served { name, ..*before };
                action(before, *after, &budget, &mut changes);
            }
            None => changes.push(change(
                Rule::ActionGone,
                Verdict::Breaking,
                name,
                "is not served any more",
            )),
        }
    }
    for (name, after) in &served {
        if !served_before.contains_key(name) {
            let text = match *name == after.name {
                true => "is new".to_owned(),
                false => format!("is a new name of {}", after.name),
            };
            changes.push(change(Rule::ActionNew, Verdict::ServersFirst, name, text));
        }
    }
    if budget.is_over() {
        let text = "the schemas are too large to be compared to the end";
        changes.push(change(Rule::Type, Verdict::Breaking, "services", text));
    }
    changes
}

fn by_name(schema: &Schema) -> BTreeMap<&str, Served<'_>> {
    let mut served = BTreeMap::new();
    for service in schema.services.values() {
        for (name, action) in &service.actions {
            let this = Served {
                name,
                action,
                types: &service.types,
            };
            served.extend(action.names(name).map(|name| (name, this)));
        }
    }
    served
}

/// How long callers wait if neither the action nor they say.
const TIMEOUT_MS: u64 = 30_000;

fn change(rule: Rule, verdict: Verdict, path: &str, text: impl Into<String>) -> Change {
    Change {
        rule,
        verdict,
        direction: None,
        path: path.to_owned(),
        also: Vec::new(),
        text: text.into(),
        is_allowed: false,
    }
}

fn action(old: Served<'_>, new: Served<'_>, budget: &Budget, changes: &mut Vec<Change>) {
    let (name, before, after) = (old.name, old.action, new.action);
    let mut say = |rule, verdict, text: String| changes.push(change(rule, verdict, name, text));
    if before.one_way != after.one_way {
        let text = match after.one_way {
            true => "callers get no reply any more",
            false => "callers wait for a reply now",
        };
        say(Rule::ReplyForm, Verdict::Breaking, text.to_owned());
    }
    if before.idempotent && !after.idempotent {
        let text = "is not idempotent any more, and old clients repeat it";
        say(Rule::IdempotentGone, Verdict::Breaking, text.to_owned());
    }
    if after.idempotent && !before.idempotent {
        let text = "is idempotent now, and new clients repeat it";
        say(Rule::IdempotentNew, Verdict::ServersFirst, text.to_owned());
    }
    let text = match (before.timeout_ms, after.timeout_ms) {
        (Some(before), Some(after)) if after < before => {
            Some(format!("callers wait {after} ms, before {before} ms"))
        }
        (None, Some(after)) => Some(format!("callers wait {after} ms, before their own timeout")),
        (Some(before), None) if before > TIMEOUT_MS => Some(format!(
            "callers wait their own timeout, by default {TIMEOUT_MS} ms, before {before} ms"
        )),
        _ => None,
    };
    if let Some(text) = text {
        say(Rule::Timeout, Verdict::Warning, text);
    }
    for text in lower_limits(&before.limits, &after.limits) {
        say(Rule::Limit, Verdict::Warning, text);
    }
    let kinds = |parameters: &[Parameter]| contents(parameters.iter().map(|it| it.kind));
    let (sent_before, sent) = (kinds(&before.parameters), kinds(&after.parameters));
    if sent_before != sent {
        let text = format!("callers send {sent}, before {sent_before}");
        let mut change = change(Rule::ContentForm, Verdict::Breaking, name, text);
        change.direction = Some(Direction::Request);
        changes.push(change);
    }
    let kinds = |parts: &[Part]| contents(parts.iter().map(|it| it.kind));
    let (got_before, got) = (kinds(&before.returns), kinds(&after.returns));
    if got_before != got {
        let text = format!("callers get {got}, before {got_before}");
        let mut change = change(Rule::ContentForm, Verdict::Breaking, name, text);
        change.direction = Some(Direction::Reply);
        changes.push(change);
    }
    if have_another_order(&before.parameters, &after.parameters) {
        let text = "callers send the files in another order";
        let mut change = change(Rule::ContentForm, Verdict::Breaking, name, text);
        change.direction = Some(Direction::Request);
        changes.push(change);
    }
    request(old, new, budget, changes);
    reply(old, new, budget, changes);
    errors(old, new, budget, changes);
}

/// Files and streams, as text.
fn contents(kinds: impl Iterator<Item = PartKind>) -> String {
    let mut kinds: Vec<_> = kinds.filter(|kind| *kind != PartKind::Payload).collect();
    // They travel in this order, wherever they are in the method.
    kinds.sort_by_key(|kind| *kind as u8);
    let texts: Vec<_> = kinds.iter().map(ToString::to_string).collect();
    match texts.is_empty() {
        true => "no files and no stream".to_owned(),
        false => texts.join(", "),
    }
}

/// Whether the same files are in another order, by which they are told apart.
fn have_another_order(before: &[Parameter], after: &[Parameter]) -> bool {
    let names = |parameters: &'_ [Parameter]| -> Vec<String> {
        let files = parameters.iter().filter(|it| it.kind == PartKind::File);
        files.map(|it| it.name.clone()).collect()
    };
    let (mut before, mut after) = (names(before), names(after));
    let is_changed = before != after;
    before.sort();
    after.sort();
    is_changed && before == after
}

fn lower_limits(before: &Limits, after: &Limits) -> Vec<String> {
    let limits = [
        ("bytes of the payload", before.payload, after.payload),
        (
            "files",
            before.files.map(u64::from),
            after.files.map(u64::from),
        ),
        ("bytes of a file", before.file, after.file),
        ("bytes of all files", before.all_files, after.all_files),
        ("bytes of the stream", before.stream, after.stream),
    ];
    let lower = limits.into_iter().filter_map(|(what, before, after)| {
        let after = after?;
        match before {
            Some(before) if before <= after => None,
            Some(before) => Some(format!("at most {after} {what}, before {before}")),
            None => Some(format!("at most {after} {what}, before any number")),
        }
    });
    lower.collect()
}

/// What differs on the way to servers or to clients, with the name of the part in front.
fn add(
    changes: &mut Vec<Change>,
    (name, direction, part): (&str, Direction, &str),
    found: Vec<Difference>,
) {
    for difference in found {
        let verdict = difference.verdict(direction);
        let mut path = format!("{name}/{direction}");
        let mut parts = difference.path.iter();
        // In front is what is at the part itself, and behind it types with their fields.
        let first = parts.next().map_or("", String::as_str);
        let part = format!("{part}{first}");
        let part = part.strip_prefix('.').unwrap_or(&part);
        for part in std::iter::once(part).chain(parts.map(String::as_str)) {
            if !part.is_empty() {
                path.push('/');
                path.push_str(part);
            }
        }
        changes.push(Change {
            rule: difference.rule,
            verdict,
            direction: Some(direction),
            path,
            also: Vec::new(),
            text: difference.text,
            is_allowed: false,
        });
    }
}

fn request(old: Served<'_>, new: Served<'_>, budget: &Budget, changes: &mut Vec<Change>) {
    let (before, after) = (old.action, new.action);
    let direction = Direction::Request;
    let place = |part| (old.name, direction, part);
    let mut walk = Walk::new(old.types, new.types, budget);
    match (before.form(), after.form()) {
        (Form::Empty, Form::Empty) => {}
        (Form::Value, Form::Value) => {
            let types = (
                value(before.payload().next()),
                value(after.payload().next()),
            );
            if let (Some(old), Some(new)) = types {
                let name = after.payload().next().map_or("", |it| it.name.as_str());
                walk.types(old, new);
                add(changes, place(name), walk.finish());
            }
        }
        (Form::Map, Form::Map) => {
            let (old, new) = (fields(before), fields(after));
            // The fields are made here, so they live shorter than the schemas.
            let mut walk = Walk::new(walk.old, walk.new, budget);
            walk.fields((&old, false), (&new, false), "");
            add(changes, place(""), walk.finish());
        }
        // Nothing is sent, which is read as nil.
        (Form::Empty, Form::Value) => {
            let parameter = after.payload().next();
            let is_read = parameter.is_some_and(|it| it.optional);
            walk.differ(Rule::FieldNew, "is new", true, is_read);
            add(
                changes,
                place(parameter.map_or("", |it| &it.name)),
                walk.finish(),
            );
        }
        (Form::Value, Form::Empty) => {
            let parameter = before.payload().next();
            let is_read = parameter.is_some_and(|it| it.optional);
            walk.differ(Rule::FieldGone, "is gone", is_read, true);
            add(
                changes,
                place(parameter.map_or("", |it| &it.name)),
                walk.finish(),
            );
        }
        (Form::Empty, Form::Map) => {
            walk.differ(Rule::FieldNew, "parameters are new", true, false);
            add(changes, place(""), walk.finish());
        }
        (Form::Map, Form::Empty) => {
            walk.differ(Rule::FieldGone, "all parameters are gone", false, true);
            add(changes, place(""), walk.finish());
        }
        (before, after) => {
            walk.breaks(
                Rule::ParametersForm,
                format!("the payload was {before}, and is {after} now"),
            );
            add(changes, place(""), walk.finish());
        }
    }
    let stream = |action: &'_ Action| {
        let mut parameters = action.parameters.iter();
        let stream = parameters.find(|it| it.kind == PartKind::Streaming);
        stream.cloned()
    };
    if let (Some(before), Some(after)) = (stream(before), stream(after)) {
        if let (Some(before), Some(now)) = (&before.ty, &after.ty) {
            let mut walk = Walk::new(old.types, new.types, budget);
            walk.at("[]", |it| it.types(before, now));
            add(changes, place(&after.name), walk.finish());
        }
        let part = format!("{}.error", after.name);
        let errors = (
            (&before.error, &before.errors[..]),
            (&after.error, &after.errors[..]),
        );
        stream_errors((old, new), errors, place(&part), budget, changes);
    }
}

fn value(parameter: Option<&Parameter>) -> Option<&Type> {
    parameter.and_then(|parameter| parameter.ty.as_ref())
}

/// The parameters as the fields that they travel like.
fn fields(action: &Action) -> Vec<Field> {
    let fields = action.payload().filter_map(|parameter| {
        let mut field = Field::new(&parameter.name, parameter.ty.clone()?);
        field.aliases.clone_from(&parameter.aliases);
        field.optional = parameter.optional;
        Some(field)
    });
    fields.collect()
}

fn reply(old: Served<'_>, new: Served<'_>, budget: &Budget, changes: &mut Vec<Change>) {
    let direction = Direction::Reply;
    for kind in [PartKind::Payload, PartKind::Streaming] {
        let part = |action: &'_ Action| {
            let mut parts = action.returns.iter();
            parts.find(|part| part.kind == kind).cloned()
        };
        let (before, after) = (part(old.action), part(new.action));
        if let (PartKind::Streaming, Some(before), Some(after)) = (kind, &before, &after) {
            let errors = (
                (&before.error, &before.errors[..]),
                (&after.error, &after.errors[..]),
            );
            let place = (old.name, direction, "items.error");
            stream_errors((old, new), errors, place, budget, changes);
        }
        let ty = |part: &Option<Part>| part.as_ref().and_then(|part| part.ty.clone());
        let (before, after) = (ty(&before), ty(&after));
        let mut walk = Walk::new(old.types, new.types, budget);
        let part = match kind {
            PartKind::Payload => "value",
            _ => "items",
        };
        match (&before, &after) {
            (Some(before), Some(after)) => walk.types(before, after),
            // Streams are compared by their number, with files.
            (None, Some(after)) if kind == PartKind::Payload => {
                walk.breaks(Rule::Type, format!("nothing became {after}"));
            }
            (Some(before), None) if kind == PartKind::Payload => {
                walk.breaks(Rule::Type, format!("{before} became nothing"));
            }
            _ => {}
        }
        add(changes, (old.name, direction, part), walk.finish());
    }
}

fn errors(old: Served<'_>, new: Served<'_>, budget: &Budget, changes: &mut Vec<Change>) {
    let (before, after) = (old.action, new.action);
    let sides = (
        (&before.error, &before.errors[..]),
        (&after.error, &after.errors[..]),
    );
    let place = (old.name, Direction::Reply, "error");
    variants((old, new), sides, place, true, changes);
    let types = (&before.error, &after.error);
    details((old, new), types, place, budget, changes);
}

/// An error that may end a stream travels as a value with the name of its variant: its code does not matter.
fn stream_errors(
    served: (Served<'_>, Served<'_>),
    sides: (Errors<'_>, Errors<'_>),
    place: (&str, Direction, &str),
    budget: &Budget,
    changes: &mut Vec<Change>,
) {
    let (before, after) = sides;
    variants(served, sides, place, false, changes);
    details(served, (before.0, after.0), place, budget, changes);
}

/// The type of an error, and its variants.
type Errors<'a> = (&'a Option<Type>, &'a [ErrorVariant]);

fn variants(
    (old, new): (Served<'_>, Served<'_>),
    ((old_type, before), (new_type, after)): (Errors<'_>, Errors<'_>),
    (name, direction, part): (&str, Direction, &str),
    is_coded: bool,
    changes: &mut Vec<Change>,
) {
    let mut say = |rule, verdict, error: &str, text: String| {
        let path = format!("{name}/{direction}/{part}.{error}");
        let mut change = change(rule, verdict, &path, text);
        change.direction = Some(direction);
        changes.push(change);
    };
    let enums = match (old_type, new_type) {
        (Some(old_type), Some(new_type)) => {
            (view(old.types, old_type).0, view(new.types, new_type).0)
        }
        _ => (View::Unknown, View::Unknown),
    };
    for (index, error) in after.iter().enumerate() {
        let same = |it: &&ErrorVariant| it.name == error.name || it.code == error.code;
        let known = before
            .iter()
            .find(|it| it.name == error.name)
            .or_else(|| before.iter().find(same));
        let Some(known) = known else {
            let text = match is_coded {
                true => format!(
                    "is new: old clients see code {} alone, or its text",
                    error.code
                ),
                false => "is new: old readers of the stream see its text".to_owned(),
            };
            say(Rule::ErrorNew, Verdict::Compatible, &error.name, text);
            continue;
        };
        let (code, was) = (error.code, known.code);
        // Without data, an error is its code, and with data its name.
        let is_named = error.details || !is_coded;
        let breaks = if is_coded && error.details != known.details {
            Some("has data now, or none any more".to_owned())
        } else if is_named && error.name != known.name {
            Some(format!("was {:?}", known.name))
        } else if is_named && !are_details_read(known, (before, &enums.0), index, (after, &enums.1))
        {
            Some("has data under another name".to_owned())
        } else if is_coded && code != was {
            Some(format!("has code {code}, before {was}"))
        } else {
            None
        };
        if let Some(text) = breaks {
            say(Rule::ErrorForm, Verdict::Breaking, &error.name, text);
        } else if error.name != known.name {
            // Renamed, or the code of one that is gone.
            let was = &known.name;
            let text = format!("was {was:?}: old clients read code {code} as that");
            say(Rule::ErrorForm, Verdict::Warning, &error.name, text);
        }
    }
}

/// What the values of errors consist of. Of a variant that only one side knows, the other reads the text.
fn details(
    (old, new): (Served<'_>, Served<'_>),
    errors: (&Option<Type>, &Option<Type>),
    place: (&str, Direction, &str),
    budget: &Budget,
    changes: &mut Vec<Change>,
) {
    let (Some(before), Some(after)) = errors else {
        return;
    };
    let mut walk = Walk::new(old.types, new.types, budget);
    match (view(old.types, before), view(new.types, after)) {
        ((View::Enum(before), _), (View::Enum(after), Some(name))) => {
            walk.path.push(name.to_owned());
            walk.errors(before, after);
        }
        _ => walk.types(before, after),
    }
    add(changes, place, walk.finish());
}

/// Whether the data of an error names the variant as old peers read it: that is what serde has for it.
fn are_details_read(
    known: &ErrorVariant,
    (before, old): (&[ErrorVariant], &View<'_>),
    index: usize,
    (after, new): (&[ErrorVariant], &View<'_>),
) -> bool {
    let (View::Enum(old), View::Enum(new)) = (old, new) else {
        // Types that are compared as a whole.
        return true;
    };
    if new.tagging == Tagging::Untagged {
        return true;
    }
    let known = before.iter().position(|it| it == known);
    let known = known.and_then(|index| variant_of(before, index, old));
    match (known, variant_of(after, index, new)) {
        (Some(known), Some(variant)) => {
            known.name == variant.name || known.aliases.contains(&variant.name)
        }
        _ => false,
    }
}

/// The variant that an error is in the type of all errors: at the same place, unless some do not travel.
fn variant_of<'a>(errors: &[ErrorVariant], index: usize, of: &'a Enum) -> Option<&'a Variant> {
    match errors.len() == of.variants.len() {
        true => of.variants.get(index),
        false => {
            let name = &errors.get(index)?.name;
            of.variants.iter().find(|it| it.name == *name)
        }
    }
}
