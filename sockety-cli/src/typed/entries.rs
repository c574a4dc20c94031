//! The entries of a JSON object, until fields have taken them.

use serde_json::{Map, Value as Json};
use sockety_schema::{Enum, Type};

use super::{Problem, pack::tagged_variants};

/// What is left of an object, and what was looked for in it.
#[derive(Clone)]
pub struct Entries<'a, 'j> {
    left: Vec<(&'j str, &'j Json)>,
    /// The names that were looked for.
    known: Vec<&'a str>,
    missing: Vec<(&'a str, &'a Type)>,
}

impl<'a, 'j> Entries<'a, 'j> {
    pub fn new(object: &'j Map<String, Json>) -> Self {
        let left = object.iter().map(|(name, json)| (name.as_str(), json));
        Self {
            left: left.collect(),
            known: Vec::new(),
            missing: Vec::new(),
        }
    }

    pub fn count(&self) -> usize {
        self.left.len()
    }

    /// Notes a name for messages about names that are unknown.
    pub fn note(&mut self, name: &'a str) {
        self.known.push(name);
    }

    /// Notes that a field is needed and not there.
    pub fn miss(&mut self, name: &'a str, ty: &'a Type) {
        self.missing.push((name, ty));
    }

    pub fn is_missing_some(&self) -> bool {
        !self.missing.is_empty()
    }

    /// The value of this name or of another one that it has.
    pub fn take(&mut self, name: &str, aliases: &[String]) -> Result<Option<&'j Json>, Problem> {
        let is_named = |key: &str| key == name || aliases.iter().any(|alias| alias == key);
        let Some(index) = self.left.iter().position(|(key, _)| is_named(key)) else {
            return Ok(None);
        };
        let (_, json) = self.left.remove(index);
        match self.left.iter().find(|(key, _)| is_named(key)) {
            None => Ok(Some(json)),
            Some((again, _)) => Err(Problem::new(format!(
                "{again:?} is another name of what is there already"
            ))
            .at(name)),
        }
    }

    pub fn take_all(&mut self) -> Vec<(&'j str, &'j Json)> {
        std::mem::take(&mut self.left)
    }

    /// Checks that nothing is left, and nothing was missing.
    pub fn finish(self, what: &str) -> Result<(), Problem> {
        if let Some((name, _)) = self.left.first() {
            // What is missing is rather meant than what is there.
            let missing: Vec<_> = self.missing.iter().map(|(name, _)| *name).collect();
            let near = if missing.is_empty() {
                self.known
            } else {
                missing
            };
            return Err(Problem::unknown(what, name, &near));
        }
        match self.missing.is_empty() {
            true => Ok(()),
            false => Err(Problem::missing(what, &self.missing)),
        }
    }
}

pub fn names_of_variants(of: &Enum) -> Vec<&str> {
    tagged_variants(of).map(|it| it.name.as_str()).collect()
}
