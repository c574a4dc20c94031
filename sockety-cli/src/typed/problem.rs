//! Why a value does not have its type, and where.

use std::fmt;

use serde_json::{Map, Value as Json};
use sockety_schema::Type;

use crate::shown::cut;

/// The known name of which this one is a misspelling, if there is one: it differs in a letter or
/// two behind the prefix, or in case.
pub fn misspelt<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    const MOST: usize = 2;
    let last = name.rsplit('.').next().unwrap_or_default();
    let most = (last.chars().count() / 3).min(MOST);
    let distance = |known: &str| match known.eq_ignore_ascii_case(name) {
        true => 0,
        false => strsim::osa_distance(known, name),
    };
    // Names come from peers, and may be long.
    let similar = |known: &&&str| known.len().abs_diff(name.len()) <= 4 * MOST;
    let near = known.iter().filter(similar);
    let near = near.map(|known| (distance(known), *known));
    let near = near.filter(|(distance, _)| *distance <= most);
    near.min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Why a value does not have its type: the path to it, and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    path: String,
    reason: String,
}

impl Problem {
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            path: String::new(),
            reason: reason.into(),
        }
    }

    /// There is something else than what is expected.
    pub fn expected(expected: impl fmt::Display, got: &Json) -> Self {
        const LONGEST: usize = 60;
        let got = match got {
            Json::Array(_) => "an array".to_owned(),
            Json::Object(_) => "an object".to_owned(),
            Json::String(text) => {
                let (start, more) = cut(text, LONGEST);
                format!("{}{more}", Json::from(start))
            }
            got => got.to_string(),
        };
        Self::new(format!("expected {expected}, got {got}"))
    }

    /// Fields or parameters are missing.
    pub fn missing(what: &str, fields: &[(&str, &Type)]) -> Self {
        let texts = fields.iter().map(|(name, ty)| format!("{name:?} ({ty})"));
        let texts: Vec<_> = texts.collect();
        let plural = if texts.len() == 1 { "" } else { "s" };
        Self::new(format!("missing {what}{plural} {}", texts.join(", ")))
    }

    /// There is no field or variant of this name.
    pub fn unknown(what: &str, name: &str, known: &[&str]) -> Self {
        const MOST: usize = 12;
        let (start, more) = cut(name, 60);
        let mut reason = format!("unknown {what} {start:?}{more}");
        let near = known
            .iter()
            .map(|known| (strsim::jaro_winkler(known, name), *known))
            .filter(|(similar, _)| *similar > 0.75)
            .max_by(|(one, _), (other, _)| one.total_cmp(other));
        match (near, known.len()) {
            (Some((_, near)), _) => reason += &format!("; the nearest is {near:?}"),
            (None, 0) => reason += "; there is none",
            (None, 1..=MOST) => {
                let known: Vec<_> = known.iter().map(|known| format!("{known:?}")).collect();
                reason += &format!("; known are {}", known.join(", "));
            }
            (None, count) => reason += &format!("; there are {count} others"),
        }
        Self::new(reason)
    }

    /// The same, of a value inside of what is at hand.
    pub fn at(mut self, name: &str) -> Self {
        let dot = match self.path.starts_with('[') || self.path.is_empty() {
            true => "",
            false => ".",
        };
        self.path = format!("{name}{dot}{}", self.path);
        self
    }

    pub fn at_index(self, index: usize) -> Self {
        self.at(&format!("[{index}]"))
    }

    /// The only parameter is sent without its name, which is easily forgotten.
    pub fn hint_of_name(mut self, json: &Json, name: &str) -> Self {
        let is_named = |object: &Map<String, Json>| object.len() == 1 && object.contains_key(name);
        if self.path.is_empty() && json.as_object().is_some_and(is_named) {
            self.reason += &format!("; the only parameter is written without its name {name:?}");
        }
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.is_empty() {
            true => f.write_str(&self.reason),
            false => write!(f, "{}: {}", self.path, self.reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::misspelt;

    #[test]
    fn a_misspelling_differs_little() {
        let known = ["media.find", "media.upload", "lab.a"];
        for name in ["media.fnd", "mdia.find", "media.Find", "MEDIA.FIND"] {
            assert_eq!(misspelt(name, &known), Some("media.find"), "{name}");
        }
        for name in ["upload", "media.list", "lab.b", "ping", "", "find"] {
            assert_eq!(misspelt(name, &known), None, "{name}");
        }
    }
}
