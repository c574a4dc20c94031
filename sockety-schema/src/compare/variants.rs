//! Variants of enums.

use super::{
    Rule,
    types::{Definitions, View, Walk, view},
};
use crate::model::{Content, Enum, Tagging, Variant};

fn reads(variant: &Variant, name: &str) -> bool {
    variant.name == name || variant.aliases.iter().any(|alias| alias == name)
}

/// Variants with a name, each with its place among all, and those without.
fn split(of: &Enum) -> (Vec<(usize, &Variant)>, Vec<&Variant>) {
    let is_untagged = |variant: &Variant| variant.untagged || of.tagging == Tagging::Untagged;
    let variants = of.variants.iter().enumerate();
    let tagged = variants
        .filter(|(_, variant)| !is_untagged(variant))
        .collect();
    let untagged = of
        .variants
        .iter()
        .filter(|variant| is_untagged(variant))
        .collect();
    (tagged, untagged)
}

/// Takes the pairs of old and new variants that are the same.
fn pairs<'a>(
    gone: &mut Vec<(usize, &'a Variant)>,
    added: &mut Vec<(usize, &'a Variant)>,
    are_same: impl Fn(&Variant, &Variant) -> bool,
) -> Vec<(&'a Variant, &'a Variant)> {
    let mut pairs = Vec::new();
    added.retain(|(_, new)| {
        let Some(index) = gone.iter().position(|(_, old)| are_same(old, new)) else {
            return true;
        };
        pairs.push((gone.remove(index).1, *new));
        false
    });
    pairs
}

impl<'a> Walk<'a> {
    pub(super) fn enums(&mut self, old: &'a Enum, new: &'a Enum) {
        self.variants(old, new, true);
    }

    /// Variants of an error of a service are judged by their codes: here only those that both have.
    pub(super) fn errors(&mut self, old: &'a Enum, new: &'a Enum) {
        self.variants(old, new, false);
    }

    fn variants(&mut self, old: &'a Enum, new: &'a Enum, all: bool) {
        if old.tagging != new.tagging {
            return self.breaks(
                Rule::EnumForm,
                "says in another way which variant a value is",
            );
        }
        let ((mut gone, old_untagged), (mut added, new_untagged)) = (split(old), split(new));
        // Each is looked for among all others.
        if !self.budget.take(gone.len() * added.len() / 64) {
            return;
        }
        // By name first: a variant that has the name of another one of the old ones is that one.
        let is_same = |old: &Variant, new: &Variant| old.name == new.name;
        let is_alias =
            |old: &Variant, new: &Variant| reads(new, &old.name) || reads(old, &new.name);
        let mut pairs = pairs(&mut gone, &mut added, is_same);
        pairs.extend(self::pairs(&mut gone, &mut added, is_alias));
        for (before, after) in pairs {
            self.at(&format!(".{}", after.name), |it| {
                it.variant((before, old), (after, new));
            });
        }
        if all {
            // What had no name that was known may be read as a variant that is new.
            let is_mistaken = !old_untagged.is_empty() && !added.is_empty();
            self.gone_and_added(old, new, gone, added);
            if is_mistaken {
                let text = "values without a tag may be read as variants that are new";
                self.differ(Rule::VariantNew, text, true, false);
            }
        }
        self.untagged((&old_untagged, old), (&new_untagged, new));
    }

    fn gone_and_added(
        &mut self,
        old: &'a Enum,
        new: &'a Enum,
        gone: Vec<(usize, &'a Variant)>,
        mut added: Vec<(usize, &'a Variant)>,
    ) {
        for (place, variant) in gone {
            // Of the same content at the same place, it is rather renamed than removed and added.
            let renamed = added.iter().position(|(new_place, new_variant)| {
                !self.is_exact
                    && place == *new_place
                    && self.is_content_equal((variant, old), (new_variant, new))
            });
            self.at(&format!(".{}", variant.name), |it| match renamed {
                Some(index) => {
                    let (_, renamed) = added.remove(index);
                    let text = format!("is {:?} now, without an alias", renamed.name);
                    it.breaks(Rule::EnumForm, text);
                }
                None => {
                    let is_read = has_other(new, variant);
                    it.differ(Rule::VariantGone, "is gone", true, is_read);
                }
            });
        }
        for (_, variant) in added {
            self.at(&format!(".{}", variant.name), |it| {
                let is_read = has_other(old, variant);
                it.differ(Rule::VariantNew, "is new", is_read, true);
            });
        }
    }

    fn variant(
        &mut self,
        (before, old): (&'a Variant, &'a Enum),
        (after, new): (&'a Variant, &'a Enum),
    ) {
        let old_reads_new = reads(before, &after.name);
        let new_reads_old = reads(after, &before.name);
        if !(old_reads_new && new_reads_old) {
            let text = format!("was {:?}", before.name);
            self.differ(Rule::EnumForm, text, old_reads_new, new_reads_old);
        }
        if self.is_exact && before.aliases != after.aliases {
            self.warn(Rule::EnumForm, "has other aliases");
        }
        if before.other != after.other {
            self.warn(
                Rule::EnumForm,
                "unknown variants are read as it, or not any more",
            );
        }
        self.contents((before, old), (after, new));
    }

    fn contents(
        &mut self,
        (before, old): (&'a Variant, &'a Enum),
        (after, new): (&'a Variant, &'a Enum),
    ) {
        let tag = match &new.tagging {
            Tagging::Internal { tag } => tag.as_str(),
            _ => "",
        };
        match (&before.content, &after.content) {
            (Content::Unit, Content::Unit) => {}
            (Content::Newtype(old), Content::Newtype(new)) => self.types(old, new),
            (Content::Struct(old_fields), Content::Struct(new_fields)) => {
                self.fields((old_fields, old.strict), (new_fields, new.strict), tag);
            }
            (Content::Unit, _) | (_, Content::Unit) => {
                self.breaks(Rule::EnumForm, "has content now, or none any more");
            }
            _ => {
                let before = content(self.old, before, old);
                let after = content(self.new, after, new);
                // A struct in a variant of one value travels like the fields of a variant.
                match (&before, &after) {
                    (View::Struct(..), View::Struct(..)) | (View::Tuple(_), View::Tuple(_)) => {
                        self.views(&before, &after);
                    }
                    _ => self.breaks(
                        Rule::EnumForm,
                        format!("{} became {}", before.name(), after.name()),
                    ),
                }
            }
        }
    }

    fn is_content_equal(
        &self,
        before: (&'a Variant, &'a Enum),
        after: (&'a Variant, &'a Enum),
    ) -> bool {
        let mut walk = self.exact();
        walk.contents(before, after);
        walk.finds_nothing()
    }

    /// Variants without a name are tried one after the other, so any change of one can change what the next one gets.
    fn untagged(
        &mut self,
        (before, old): (&[&'a Variant], &'a Enum),
        (after, new): (&[&'a Variant], &'a Enum),
    ) {
        let mut pairs = before.iter().zip(after);
        // In an exact comparison, what they contain is compared in that one: they may contain themselves.
        if self.is_exact {
            for (before, after) in pairs {
                self.contents((before, old), (after, new));
            }
            if before.len() != after.len() {
                self.breaks(Rule::EnumForm, "has other variants without a tag");
            }
            return;
        }
        let is_equal =
            pairs.all(|(before, after)| self.is_content_equal((before, old), (after, new)));
        if !is_equal {
            return self.breaks(Rule::EnumForm, "variants without a tag have changed");
        }
        for variant in after.iter().skip(before.len()) {
            self.at(&format!(".{}", variant.name), |it| {
                it.differ(Rule::VariantNew, "is new", false, true);
            });
        }
        for variant in before.iter().skip(after.len()) {
            self.at(&format!(".{}", variant.name), |it| {
                it.differ(Rule::VariantGone, "is gone", true, false);
            });
        }
    }
}

fn content<'a>(types: &'a Definitions, variant: &'a Variant, of: &'a Enum) -> View<'a> {
    match &variant.content {
        Content::Unit => View::Unit,
        Content::Newtype(ty) => view(types, ty).0,
        Content::Tuple(items) => View::Tuple(items),
        Content::Struct(fields) => View::Struct(fields, of.strict),
    }
}

/// Whether a reader takes a variant that it does not know for another one.
fn has_other(reader: &Enum, written: &Variant) -> bool {
    let has_other = reader.variants.iter().any(|variant| variant.other);
    let is_ignored = match &reader.tagging {
        // Its content would be read as nothing, which fails.
        Tagging::External | Tagging::Adjacent { .. } => written.content == Content::Unit,
        Tagging::Internal { .. } => !written.untagged,
        Tagging::Untagged => false,
    };
    // Another variant may have the name as an alias, and other content.
    let is_known = reader.variants.iter().any(|it| reads(it, &written.name));
    has_other && is_ignored && !is_known
}
