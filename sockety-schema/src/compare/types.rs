//! Types side by side.

use std::{
    cell::Cell,
    collections::{BTreeMap, HashSet, VecDeque},
};

use super::{Difference, Rule};
use crate::model::{Definition, Enum, Field, Shape, Type};

pub(super) type Definitions = BTreeMap<String, Definition>;

/// How much is compared of two schemas. Those of an unknown origin could have more pairs of types, and more differences.
#[derive(Debug)]
pub(super) struct Budget(Cell<usize>);

impl Budget {
    pub(super) const fn new() -> Self {
        Self(Cell::new(1 << 23))
    }

    /// Takes this much of it, and returns whether there was as much.
    pub(super) fn take(&self, much: usize) -> bool {
        let left = self.0.get().checked_sub(much);
        self.0.set(left.unwrap_or_default());
        left.is_some()
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.get() == 0
    }
}

/// What a difference takes of the budget, as it is kept.
const DIFFERENCE: usize = 256;

/// The most structs around one value that are followed by recursion.
const MOST_AROUND: usize = 32;

/// The most types on the way to a difference.
const LONGEST_PATH: usize = 32;

/// A comparison of types, those that they lead to included.
pub(super) struct Walk<'a> {
    pub(super) old: &'a Definitions,
    pub(super) new: &'a Definitions,
    pub(super) found: Vec<Difference>,
    /// The types on the way, and where in the last one.
    pub(super) path: Vec<String>,
    /// Pairs of named types that were compared, or wait for it.
    seen: HashSet<(&'a Type, &'a Type)>,
    /// Structs around one value in which the value at hand is.
    around: Vec<(&'a Type, &'a Type)>,
    /// Pairs with a named type, which are no recursion, as a schema could make that deep.
    waiting: VecDeque<(Vec<String>, &'a Type, &'a Type)>,
    pub(super) budget: &'a Budget,
    /// Whether any difference counts, also one that changes nothing for old and new peers by itself. It ends with the first.
    pub(super) is_exact: bool,
}

/// A type without its name, and without structs around one value.
#[derive(Debug, Clone)]
pub(super) enum View<'a> {
    /// Anything but a tuple and a named type.
    Type(&'a Type),
    Unit,
    Tuple(&'a [Type]),
    /// The fields, and whether unknown ones are refused.
    Struct(&'a [Field], bool),
    Enum(&'a Enum),
    /// A name that leads nowhere, or to itself.
    Unknown,
}

impl View<'_> {
    pub(super) fn name(&self) -> String {
        match self {
            Self::Type(ty) => ty.to_string(),
            Self::Unit => "a struct without fields".to_owned(),
            Self::Tuple(items) => format!("a tuple of {}", items.len()),
            Self::Struct(..) => "a struct".to_owned(),
            Self::Enum(_) => "an enum".to_owned(),
            Self::Unknown => "an unknown type".to_owned(),
        }
    }
}

/// What a type is, and the name of what has this shape.
pub(super) fn view<'a>(types: &'a Definitions, ty: &'a Type) -> (View<'a>, Option<&'a str>) {
    let mut ty = ty;
    // A type that is a struct around itself has no values, and is refused when it is read.
    for _ in 0..=types.len() {
        let name = match ty {
            Type::Named(name) => name,
            Type::Tuple(items) => return (View::Tuple(items), None),
            _ => return (View::Type(ty), None),
        };
        let Some((name, definition)) = types.get_key_value(name) else {
            break;
        };
        let found = match &definition.shape {
            Shape::Newtype(of) => {
                ty = of;
                continue;
            }
            Shape::Unit => View::Unit,
            Shape::Tuple(items) => View::Tuple(items),
            Shape::Struct(of) => View::Struct(&of.fields, of.strict),
            Shape::Enum(of) => View::Enum(of),
        };
        return (found, Some(name));
    }
    (View::Unknown, None)
}

impl<'a> Walk<'a> {
    pub(super) fn new(old: &'a Definitions, new: &'a Definitions, budget: &'a Budget) -> Self {
        Self {
            old,
            new,
            found: Vec::new(),
            path: vec![String::new()],
            seen: HashSet::new(),
            around: Vec::new(),
            waiting: VecDeque::new(),
            budget,
            is_exact: false,
        }
    }

    /// Compares what waits, until nothing does.
    pub(super) fn finish(&mut self) -> Vec<Difference> {
        while let Some((path, old, new)) = self.waiting.pop_front() {
            if self.is_exact && !self.found.is_empty() {
                break;
            }
            self.path = path;
            self.views_of(old, new);
        }
        std::mem::take(&mut self.found)
    }

    pub(super) fn differ(
        &mut self,
        rule: Rule,
        text: impl Into<String>,
        old_reads_new: bool,
        new_reads_old: bool,
    ) {
        // One is enough to say that two types differ, and when the budget is over, that is said at the end.
        if self.is_exact && !self.found.is_empty() || !self.budget.take(DIFFERENCE) {
            return;
        }
        self.found.push(Difference {
            rule,
            path: self.path.clone(),
            text: text.into(),
            old_reads_new,
            new_reads_old,
            is_warning: false,
        });
    }

    pub(super) fn breaks(&mut self, rule: Rule, text: impl Into<String>) {
        self.differ(rule, text, false, false);
    }

    pub(super) fn warn(&mut self, rule: Rule, text: impl Into<String>) {
        let count = self.found.len();
        self.differ(rule, text, true, true);
        if let Some(added) = self.found.get_mut(count) {
            added.is_warning = true;
        }
    }

    /// Goes on at a part of what is at hand: `.cents`, `[]`.
    pub(super) fn at<T>(&mut self, part: &str, go: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.last().map_or(0, String::len);
        if let Some(last) = self.path.last_mut() {
            last.push_str(part);
        }
        let result = go(self);
        if let Some(last) = self.path.last_mut() {
            last.truncate(length);
        }
        result
    }

    /// A comparison that says whether types travel alike in all respects.
    pub(super) fn exact(&self) -> Self {
        let mut walk = Walk::new(self.old, self.new, self.budget);
        walk.is_exact = true;
        walk
    }

    /// Whether nothing differs after all. What was not compared to the end may.
    pub(super) fn finds_nothing(mut self) -> bool {
        self.finish().is_empty() && !self.budget.is_over()
    }

    /// Whether two types travel alike in all respects.
    pub(super) fn are_equal(&self, old: &'a Type, new: &'a Type) -> bool {
        let mut walk = self.exact();
        walk.types(old, new);
        walk.finds_nothing()
    }

    pub(super) fn types(&mut self, old: &'a Type, new: &'a Type) {
        // Of what is not compared any more, it is said at the end that it was not.
        if !self.budget.take(1) {
            return;
        }
        let is_named = |ty: &Type| matches!(ty, Type::Named(_));
        if !is_named(old) && !is_named(new) {
            return self.views_of(old, new);
        }
        let names = (view(self.old, old).1, view(self.new, new).1);
        if let (Some(_), Some(name)) = names {
            if self.seen.insert((old, new)) {
                let mut path = self.path.clone();
                path.push(name.to_owned());
                // Of a long way, the beginning and the end say enough.
                if path.len() > LONGEST_PATH {
                    "…".clone_into(&mut path[LONGEST_PATH / 2]);
                    path.remove(LONGEST_PATH / 2 + 1);
                }
                self.waiting.push_back((path, old, new));
            }
            return;
        }
        // A struct around one value is that value wherever it is used, and may be around itself.
        if self.around.contains(&(old, new)) {
            return;
        }
        if self.around.len() == MOST_AROUND {
            if self.seen.insert((old, new)) {
                self.waiting.push_back((self.path.clone(), old, new));
            }
            return;
        }
        self.around.push((old, new));
        self.views_of(old, new);
        self.around.pop();
    }

    fn views_of(&mut self, old: &'a Type, new: &'a Type) {
        let ((old_view, _), (new_view, _)) = (view(self.old, old), view(self.new, new));
        match (&old_view, &new_view) {
            (View::Type(Type::Option(old)), View::Type(Type::Option(new))) => self.types(old, new),
            (View::Type(Type::Option(of)), _) => {
                self.differ(Rule::Option, "may not be nothing any more", true, false);
                self.types(of, new);
            }
            (_, View::Type(Type::Option(of))) => {
                self.differ(Rule::Option, "may be nothing now", false, true);
                self.types(old, of);
            }
            _ => self.views(&old_view, &new_view),
        }
    }

    /// Whether a type is an option, whatever is around it.
    pub(super) fn is_option(types: &'a Definitions, ty: &'a Type) -> bool {
        matches!(view(types, ty).0, View::Type(Type::Option(_)))
    }

    pub(super) fn views(&mut self, old: &View<'a>, new: &View<'a>) {
        match (old, new) {
            (View::Type(old), View::Type(new)) => self.plain(old, new),
            (View::Unit, View::Unit) => {}
            (View::Tuple(old), View::Tuple(new)) => self.tuples(old, new),
            (View::Struct(old, old_strict), View::Struct(new, new_strict)) => {
                self.fields((old, *old_strict), (new, *new_strict), "");
            }
            (View::Enum(old), View::Enum(new)) => self.enums(old, new),
            _ => self.breaks(Rule::Type, format!("{} became {}", old.name(), new.name())),
        }
    }

    fn tuples(&mut self, old: &'a [Type], new: &'a [Type]) {
        if old.len() != new.len() {
            return self.breaks(
                Rule::Tuple,
                format!("a tuple of {} items has {} now", old.len(), new.len()),
            );
        }
        let sorted = |items: &[Type]| {
            let mut items: Vec<_> = items.to_vec();
            items.sort();
            items
        };
        if old != new && sorted(old) == sorted(new) {
            return self.breaks(Rule::Tuple, "the items have another order");
        }
        for (index, (old, new)) in old.iter().zip(new).enumerate() {
            self.at(&format!(".{index}"), |it| it.types(old, new));
        }
    }

    /// Types without a name, and neither tuples nor options.
    fn plain(&mut self, old: &'a Type, new: &'a Type) {
        match (old, new) {
            (Type::Sequence(old), Type::Sequence(new)) => self.at("[]", |it| it.types(old, new)),
            (Type::Array(old, old_length), Type::Array(new, new_length)) => {
                if old_length != new_length {
                    return self.breaks(
                        Rule::Tuple,
                        format!("an array of {old_length} items has {new_length} now"),
                    );
                }
                self.at("[]", |it| it.types(old, new));
            }
            (Type::Array(old, length), Type::Sequence(new)) => {
                let text = format!("an array of {length} items may have any number now");
                self.differ(Rule::Tuple, text, false, true);
                self.at("[]", |it| it.types(old, new));
            }
            (Type::Sequence(old), Type::Array(new, length)) => {
                let text = format!("an array of any number of items has {length} now");
                self.differ(Rule::Tuple, text, true, false);
                self.at("[]", |it| it.types(old, new));
            }
            (Type::Map(old_key, old), Type::Map(new_key, new)) => {
                if !self.are_equal(old_key, new_key) {
                    self.breaks(Rule::MapKey, format!("keys of {old_key} are {new_key} now"));
                    if !is_key_of_javascript(self.new, new_key) {
                        self.warn(
                            Rule::MapKey,
                            format!("JavaScript cannot read keys of {new_key}"),
                        );
                    }
                }
                self.at("{}", |it| it.types(old, new));
            }
            _ if old == new => {}
            _ => self.scalars(old, new),
        }
    }

    fn scalars(&mut self, old: &Type, new: &Type) {
        let text = format!("{old} became {new}");
        match (Number::of(old), Number::of(new)) {
            (Some(one), Some(other)) if one.is_float == other.is_float => {
                let (old_reads_new, new_reads_old) = (one.reads(&other), other.reads(&one));
                if !(old_reads_new && new_reads_old) {
                    self.differ(Rule::NumberRange, text, old_reads_new, new_reads_old);
                }
            }
            (Some(_), Some(_)) => self.breaks(Rule::NumberKind, text),
            _ => self.breaks(Rule::Type, text),
        }
    }
}

/// Whether msgpackr reads maps with such keys as objects.
fn is_key_of_javascript(types: &Definitions, key: &Type) -> bool {
    match view(types, key).0 {
        View::Type(Type::String | Type::Char | Type::Text(_) | Type::Bool) => true,
        View::Type(ty) => ty.range().is_some(),
        View::Enum(of) => of
            .variants
            .iter()
            .all(|it| it.content == crate::model::Content::Unit),
        _ => false,
    }
}

/// A type of numbers.
struct Number {
    is_float: bool,
    /// Of 128 bits, which are written as bytes.
    is_large: bool,
    is_signed: bool,
    is_nonzero: bool,
    /// Of integers of up to 64 bits, else as if they were some.
    range: (i128, i128),
}

impl Number {
    fn of(ty: &Type) -> Option<Self> {
        if let Type::Nonzero(of) = ty {
            return Some(Self {
                is_nonzero: true,
                ..Self::of(of)?
            });
        }
        let is_large = matches!(ty, Type::U128 | Type::I128);
        let range = match ty {
            Type::F32 => (0, 32),
            Type::F64 => (0, 64),
            Type::U128 => (0, i128::MAX),
            Type::I128 => (i128::MIN, i128::MAX),
            _ => ty.range()?,
        };
        Some(Self {
            is_float: matches!(ty, Type::F32 | Type::F64),
            is_large,
            is_signed: range.0 < 0,
            is_nonzero: false,
            range,
        })
    }

    /// Whether all values of the other type are read as what they are.
    fn reads(&self, written: &Self) -> bool {
        let (least, most) = self.range;
        let is_within = least <= written.range.0 && written.range.1 <= most;
        let takes_zero = !self.is_nonzero || written.is_nonzero || written.range.0 > 0;
        // Bytes are read as a large integer of the same sign alone.
        let is_form_read = match written.is_large {
            true => self.is_large && self.is_signed == written.is_signed,
            false => true,
        };
        is_within && takes_zero && is_form_read
    }
}
