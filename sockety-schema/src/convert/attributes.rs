//! What serde's attributes say of names.

use specta::datatype::Attributes;

use super::{Converter, Result};
use crate::rename::Rule;

impl Converter {
    /// The name that is written, and others that are read.
    pub(super) fn names(
        &self,
        of: &str,
        attributes: &Attributes,
        own: &str,
    ) -> Result<(String, Vec<String>)> {
        let text = |key: &str| {
            let key = format!("serde:{of}:{key}");
            attributes.get_named_as::<String>(&key).cloned()
        };
        let written = text("rename_serialize").unwrap_or_else(|| own.to_owned());
        let read = text("rename_deserialize").unwrap_or_else(|| own.to_owned());
        let aliases = attributes.get_named_as::<Vec<String>>(&format!("serde:{of}:aliases"));
        let mut names: Vec<String> = aliases.cloned().unwrap_or_default();
        names.push(read.clone());
        if !names.contains(&written) {
            return self.refuse(format!("it is written as {written:?} and read as {read:?}"));
        }
        names.retain(|name| *name != written);
        names.sort();
        names.dedup();
        Ok((written, names))
    }

    /// The rule by which names are changed, if it is the same in both directions.
    pub(super) fn rules(&self, rules: Rules) -> Result<Option<Rule>> {
        match rules.written == rules.read {
            false => self.refuse("`rename_all` differs between writing and reading"),
            true => match rules.written {
                None => Ok(None),
                Some(name) => match Rule::of(&name) {
                    Some(rule) => Ok(Some(rule)),
                    None => self.refuse(format!("unknown rule {name:?} for names")),
                },
            },
        }
    }
}

/// The names of rules for writing and for reading.
pub(super) struct Rules {
    written: Option<String>,
    read: Option<String>,
}

impl Rules {
    pub(super) fn of(attributes: &Attributes, key: &str) -> Self {
        let text = |direction: &str| {
            let key = format!("{key}_{direction}");
            attributes.get_named_as::<String>(&key).cloned()
        };
        Self {
            written: text("serialize"),
            read: text("deserialize"),
        }
    }
}

/// Whether a function of the user writes or reads it.
pub(super) fn has_codec(attributes: &Attributes, of: &str) -> bool {
    ["with", "serialize_with", "deserialize_with"]
        .iter()
        .any(|what| attributes.contains_key(&format!("serde:{of}:has_{what}")))
}

/// Lines of documentation without the space that follows the slashes.
pub(super) fn docs(docs: &str) -> String {
    let lines = docs
        .lines()
        .map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end());
    let lines: Vec<_> = lines.collect();
    lines.join("\n").trim().to_owned()
}
