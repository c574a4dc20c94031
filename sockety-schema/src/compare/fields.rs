//! Fields of structs and variants, and parameters, which are fields of a payload.

use std::ops::Deref;

use super::{
    Rule,
    types::{Definitions, View, Walk, view},
};
use crate::model::{Field, Type};

/// Fields, and whether unknown ones are refused.
type Fields<'a> = (&'a [Field], bool);

/// Fields after those of flattened structs were put among them.
struct Flat<'a> {
    fields: Vec<Entry<'a>>,
    /// Flattened fields of other kinds, which take and write entries of any name.
    rest: Vec<Entry<'a>>,
    /// Whether an entry of another name may fail to be read.
    is_strict: bool,
}

/// A field, as it is among the others.
#[derive(Clone, Copy)]
struct Entry<'a> {
    field: &'a Field,
    /// Whether it may be left out when it is written, by itself or with all of a flattened struct.
    is_omitted: bool,
}

impl Deref for Entry<'_> {
    type Target = Field;

    fn deref(&self) -> &Field {
        self.field
    }
}

/// The most levels of flattened structs that are put among the fields.
const MAX_LEVELS: usize = 32;

fn flat<'a>(types: &'a Definitions, (fields, is_strict): Fields<'a>) -> Flat<'a> {
    let mut flat = Flat {
        fields: Vec::new(),
        rest: Vec::new(),
        is_strict,
    };
    add(types, (fields, false), MAX_LEVELS, &mut flat);
    flat.is_strict |= !flat.rest.is_empty();
    flat
}

fn add<'a>(
    types: &'a Definitions,
    (fields, is_omitted): (&'a [Field], bool),
    levels: usize,
    into: &mut Flat<'a>,
) {
    for field in fields {
        let is_omitted = is_omitted || field.omitted;
        let entry = Entry { field, is_omitted };
        if !field.flatten {
            into.fields.push(entry);
            continue;
        }
        match view(types, &field.ty).0 {
            View::Struct(fields, _) if levels > 0 => {
                add(types, (fields, is_omitted), levels - 1, into);
            }
            _ => into.rest.push(entry),
        }
    }
}

/// Takes the pairs of old and new fields that are the same.
fn pairs<'f>(
    gone: &mut Vec<Entry<'f>>,
    added: &mut Vec<Entry<'f>>,
    are_same: impl Fn(&Field, &Field) -> bool,
) -> Vec<(Entry<'f>, Entry<'f>)> {
    let mut pairs = Vec::new();
    added.retain(|new| {
        let Some(index) = gone.iter().position(|old| are_same(old, new)) else {
            return true;
        };
        pairs.push((gone.remove(index), *new));
        false
    });
    pairs
}

fn reads(field: &Field, name: &str) -> bool {
    field.name == name || field.aliases.iter().any(|alias| alias == name)
}

impl<'a> Walk<'a> {
    /// `tag` is an entry that is none of the fields, of variants with an internal tag.
    pub(super) fn fields(&mut self, old: Fields<'a>, new: Fields<'a>, tag: &str) {
        if new.1 && !old.1 {
            self.warn(Rule::Strict, "unknown fields are refused now");
        }
        if self.is_exact && new.1 != old.1 {
            self.warn(Rule::Strict, "unknown fields are not refused any more");
        }
        let (old, new) = (flat(self.old, old), flat(self.new, new));
        self.rest(&old, &new);
        // Each is looked for among all others.
        if !self.budget.take(old.fields.len() * new.fields.len() / 64) {
            return;
        }
        let (mut gone, mut added) = (old.fields.clone(), new.fields.clone());
        // By name first: a field that has the name of another one of the old ones is that one.
        let is_same = |old: &Field, new: &Field| old.name == new.name;
        let is_alias = |old: &Field, new: &Field| reads(new, &old.name) || reads(old, &new.name);
        let mut pairs = pairs(&mut gone, &mut added, is_same);
        pairs.extend(self::pairs(&mut gone, &mut added, is_alias));
        for (before, after) in pairs {
            self.at(&format!(".{}", after.name), |it| {
                it.field(before, after);
                it.aliases((&before, &old), (&after, &new));
            });
        }
        self.twice(&old, &new);
        for old in gone {
            // A field of the same type is rather renamed than removed and added.
            let renamed = added.iter().position(|new| {
                let (old, new) = (&old.field.ty, &new.field.ty);
                !self.is_exact && (old == new || self.are_equal(old, new))
            });
            let part = format!(".{}", old.name);
            match renamed {
                Some(index) => {
                    let name = &added.remove(index).field.name;
                    self.at(&part, |it| {
                        it.breaks(
                            Rule::FieldName,
                            format!("is {name:?} now, without an alias"),
                        );
                    });
                }
                None => self.at(&part, |it| {
                    it.differ(Rule::FieldGone, "is gone", old.optional, true);
                    if new.is_strict || old.name == tag {
                        it.differ(Rule::Strict, "is refused", true, false);
                    }
                }),
            }
        }
        for field in added {
            self.at(&format!(".{}", field.name), |it| {
                // An old peer that writes entries of any name may write one of this name.
                let is_read = field.optional && old.rest.is_empty();
                it.differ(Rule::FieldNew, "is new", true, is_read);
                if old.is_strict || field.name == tag {
                    it.differ(Rule::Strict, "is refused by old peers", false, true);
                }
            });
        }
    }

    /// Flattened fields that are no structs.
    fn rest(&mut self, old: &Flat<'a>, new: &Flat<'a>) {
        if old.rest.len() != new.rest.len() {
            return self.breaks(
                Rule::Type,
                "entries of any name are flattened into it, or not any more",
            );
        }
        for (old, new) in old.rest.iter().zip(&new.rest) {
            self.at(".*", |it| {
                if new.is_omitted && !old.is_omitted && !takes_nothing(it.old, &old.field.ty) {
                    it.differ(Rule::FieldGone, "may be left out now", false, true);
                }
                it.types(&old.field.ty, &new.field.ty);
            });
        }
    }

    /// Entries that a peer writes for two fields, and that the other one reads as one field.
    fn twice(&mut self, old: &Flat<'a>, new: &Flat<'a>) {
        let is_twice = |reader: &Field, written: &[Entry<'_>]| {
            written
                .iter()
                .filter(|field| reads(reader, &field.name))
                .count()
                > 1
        };
        for reader in &new.fields {
            if is_twice(reader, &old.fields) {
                self.at(&format!(".{}", reader.name), |it| {
                    it.differ(Rule::FieldName, "is two fields of old peers", true, false);
                });
            }
        }
        for reader in &old.fields {
            if is_twice(reader, &new.fields) {
                self.at(&format!(".{}", reader.name), |it| {
                    it.differ(Rule::FieldName, "is two fields now", false, true);
                });
            }
        }
    }

    /// An entry of any name may have one that only one side knows as an alias, and that it then reads as the field.
    fn aliases(&mut self, (before, old): (&Field, &Flat<'a>), (after, new): (&Field, &Flat<'a>)) {
        let is_more = |of: &Field, other: &Field| of.aliases.iter().any(|it| !reads(other, it));
        if !old.rest.is_empty() && is_more(after, before) {
            let text = "has an alias that may be the name of another entry";
            self.differ(Rule::FieldName, text, true, false);
        }
        if !new.rest.is_empty() && is_more(before, after) {
            let text = "had an alias that may be the name of another entry";
            self.differ(Rule::FieldName, text, false, true);
        }
    }

    fn field(&mut self, old: Entry<'a>, new: Entry<'a>) {
        let old_reads_new = reads(&old, &new.name);
        let new_reads_old = reads(&new, &old.name);
        if !(old_reads_new && new_reads_old) {
            let text = format!("was {:?}", old.name);
            self.differ(Rule::FieldName, text, old_reads_new, new_reads_old);
        }
        // That it may not be nothing any more says the same.
        let (old_type, new_type) = (&old.field.ty, &new.field.ty);
        let is_said = Self::is_option(self.old, old_type) && !Self::is_option(self.new, new_type);
        if old.optional && !new.optional && !is_said {
            self.differ(Rule::FieldNew, "must be there now", true, false);
        }
        if self.is_exact && (&old.aliases, old.optional) != (&new.aliases, new.optional) {
            self.warn(Rule::FieldName, "is read otherwise");
        }
        if new.is_omitted && !old.is_omitted && !old.optional {
            self.differ(Rule::FieldGone, "may be left out now", false, true);
        }
        self.types(old_type, new_type);
    }
}

/// Whether a flattened value may have no entries at all.
fn takes_nothing(types: &Definitions, ty: &Type) -> bool {
    matches!(
        view(types, ty).0,
        View::Type(Type::Option(_) | Type::Map(..))
    )
}
