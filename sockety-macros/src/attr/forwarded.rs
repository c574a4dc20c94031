//! The user's attributes that are copied to generated items.

use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token};

/// The attributes of a trait or method that are copied to the items generated for it.
pub(crate) struct ForwardedAttributes {
    /// `cfg`: copied to every item, so that all of them disappear with the original.
    pub(crate) conditions: Vec<Attribute>,
    /// `doc`, `deprecated` and `allow`: copied to public items.
    pub(crate) descriptions: Vec<Attribute>,
}

impl ForwardedAttributes {
    pub(crate) fn of(attributes: &[Attribute]) -> Self {
        let having = |names: &[&str]| {
            let matches = |attribute: &&Attribute| has(&attribute.meta, names);
            attributes.iter().filter(matches).cloned().collect()
        };
        Self {
            conditions: having(&["cfg"]),
            descriptions: having(&["doc", "deprecated", "allow"]),
        }
    }

    pub(crate) fn is_deprecated(&self) -> bool {
        self.deprecated().next().is_some()
    }

    /// The attributes that deprecate the item.
    pub(crate) fn deprecated(&self) -> impl Iterator<Item = &Attribute> {
        let attributes = self.descriptions.iter();
        attributes.filter(|attribute| has(&attribute.meta, &["deprecated"]))
    }

    /// Deprecates the item like the one that it belongs to, unless it has attributes for that.
    pub(crate) fn inherit_deprecated(&mut self, parent: &Self) {
        if !self.is_deprecated() {
            self.descriptions.extend(parent.deprecated().cloned());
        }
    }

    /// Whether there is a documentation comment; `#[doc(hidden)]` is not one.
    pub(crate) fn is_documented(&self) -> bool {
        self.descriptions
            .iter()
            .any(|attribute| match &attribute.meta {
                Meta::NameValue(meta) => meta.path.is_ident("doc"),
                Meta::Path(_) | Meta::List(_) => false,
            })
    }
}

/// The attributes that do not deprecate their item.
pub(crate) fn without_deprecated(attributes: &[Attribute]) -> Vec<Attribute> {
    let is_other = |attribute: &&Attribute| !has(&attribute.meta, &["deprecated"]);
    attributes.iter().filter(is_other).cloned().collect()
}

/// Whether the attribute is one of `names`, or a `cfg_attr` that contains only those.
fn has(meta: &Meta, names: &[&str]) -> bool {
    if meta.path().is_ident("cfg_attr") {
        let inner = conditional(meta);
        return !inner.is_empty() && inner.iter().all(|meta| has(meta, names));
    }
    names.iter().any(|name| meta.path().is_ident(name))
}

/// The attributes inside a `cfg_attr`, after its predicate.
pub(super) fn conditional(meta: &Meta) -> Vec<Meta> {
    let Ok(list) = meta.require_list() else {
        return Vec::new();
    };
    let metas = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
    metas.unwrap_or_default().into_iter().skip(1).collect()
}
