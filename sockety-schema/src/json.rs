//! Schemas as text: one line for each field, the same text for the same schema.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    fs,
    io::{self, Read as _},
    marker::PhantomData,
    path::Path,
};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::Value;

use crate::{
    error::SchemaError,
    model::{Schema, Service},
    valid::{MAX_TEXT, validate},
};

/// The version of the format that is written.
const FORMAT: u64 = 1;

#[derive(Serialize)]
struct Written<'a> {
    format: u64,
    services: &'a BTreeMap<String, Service>,
}

#[derive(Deserialize)]
struct Read {
    #[serde(deserialize_with = "distinct")]
    services: BTreeMap<String, Service>,
}

#[derive(Deserialize)]
struct Head {
    format: Option<u64>,
}

/// Reads a map whose keys are all different, which one that was merged by hand may not have.
pub(crate) fn distinct<'de, D, T>(deserializer: D) -> Result<BTreeMap<String, T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Distinct<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Distinct<T> {
        type Value = BTreeMap<String, T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut read = BTreeMap::new();
            while let Some(key) = map.next_key::<String>()? {
                if read.contains_key(&key) {
                    return Err(A::Error::custom(format_args!("{key:?} is there twice")));
                }
                read.insert(key, map.next_value()?);
            }
            Ok(read)
        }
    }

    deserializer.deserialize_map(Distinct(PhantomData))
}

impl Schema {
    /// The schema as JSON, with a line for each field, variant and parameter. Equal schemas have equal texts.
    pub fn to_json(&self) -> String {
        let written = Written {
            format: FORMAT,
            services: &self.services,
        };
        let value = serde_json::to_value(&written)
            .expect("maps with keys that are strings, and no values that can fail");
        let mut text = String::new();
        print(&value, 0, &mut text);
        text.push('\n');
        text
    }

    /// Writes [`to_json`](Self::to_json) to a file.
    ///
    /// # Errors
    /// Those of writing.
    pub fn save(&self, path: impl AsRef<Path>) -> io::Result<()> {
        fs::write(path, self.to_json())
    }

    /// Reads a schema that [`save`](Self::save) or `sockety describe --save` has written.
    ///
    /// # Errors
    /// [`SchemaError::File`] if the file cannot be read, else the errors of [`from_json`](Self::from_json).
    pub fn load(path: impl AsRef<Path>) -> Result<Self, SchemaError> {
        let path = path.as_ref();
        let file = |error| SchemaError::File {
            path: path.to_owned(),
            error,
        };
        let opened = fs::File::open(path).map_err(file)?;
        let size = opened.metadata().map_err(file)?.len();
        // What is no file has no size, and more than what is read as a schema says that there is more.
        let mut bytes = Vec::new();
        let mut reader = opened.take(MAX_TEXT as u64 + 1);
        reader.read_to_end(&mut bytes).map_err(file)?;
        if bytes.len() > MAX_TEXT {
            return Err(SchemaError::TooLong {
                bytes: usize::try_from(size).unwrap_or(usize::MAX).max(bytes.len()),
                limit: MAX_TEXT,
            });
        }
        let text = String::from_utf8(bytes)
            .map_err(|error| file(io::Error::new(io::ErrorKind::InvalidData, error)))?;
        Self::from_json(&text)
    }

    /// Adds the services of another schema, instead of those of the same names.
    pub fn merge(&mut self, other: Self) {
        self.services.extend(other.services);
    }

    /// Reads a schema, from whatever source: sizes, numbers and depths are bounded, and names have to lead to types.
    ///
    /// # Errors
    /// [`SchemaError`] says what is wrong.
    pub fn from_json(text: &str) -> Result<Self, SchemaError> {
        if text.len() > MAX_TEXT {
            return Err(SchemaError::TooLong {
                bytes: text.len(),
                limit: MAX_TEXT,
            });
        }
        // What another version writes may not be read at all, so its number is read first.
        let Head { format } = serde_json::from_str(text).map_err(SchemaError::Json)?;
        match format {
            Some(FORMAT) => {}
            Some(format) => {
                return Err(SchemaError::Format {
                    format,
                    known: FORMAT,
                });
            }
            None => {
                return Err(SchemaError::Json(serde_json::Error::missing_field(
                    "format",
                )));
            }
        }
        let Read { services } = serde_json::from_str(text).map_err(SchemaError::Json)?;
        let schema = Self { services };
        validate(&schema)?;
        Ok(schema)
    }
}

/// The services by name, each with its schema as JSON: what `Router::describe_with` of `sockety` takes.
impl IntoIterator for &Schema {
    type Item = (String, String);
    type IntoIter = std::vec::IntoIter<(String, String)>;

    fn into_iter(self) -> Self::IntoIter {
        let texts = self.services.iter().map(|(name, service)| {
            let services = BTreeMap::from([(name.clone(), service.clone())]);
            (name.clone(), Schema { services }.to_json())
        });
        let texts: Vec<_> = texts.collect();
        texts.into_iter()
    }
}

/// What is written with a line for each of its elements.
const SPREAD: [&str; 9] = [
    "actions",
    "errors",
    "fields",
    "parameters",
    "returns",
    "services",
    "struct",
    "types",
    "variants",
];

/// Whether it is written on several lines: a list of what has its own line, or something that such a list is in.
fn is_spread(value: &Value) -> bool {
    match value {
        Value::Object(entries) => entries.iter().any(|(key, value)| {
            let is_filled = match value {
                Value::Object(entries) => !entries.is_empty(),
                Value::Array(items) => !items.is_empty(),
                _ => false,
            };
            is_filled && (SPREAD.contains(&key.as_str()) || is_spread(value))
        }),
        Value::Array(items) => items.iter().any(is_spread),
        _ => false,
    }
}

fn print(value: &Value, indent: usize, into: &mut String) {
    match value {
        Value::Object(entries) if is_spread(value) => {
            let entries = sorted(entries);
            lines(('{', '}'), entries, indent, into, |entry, into| {
                print_entry(entry, indent + 1, into);
            });
        }
        Value::Object(entries) => {
            into.push('{');
            for (index, (key, value)) in sorted(entries).into_iter().enumerate() {
                into.push_str(if index == 0 { "" } else { ", " });
                let _ = write!(into, "{}: ", Value::from(key.as_str()));
                print(value, indent, into);
            }
            into.push('}');
        }
        Value::Array(items) if is_spread(value) => {
            lines(('[', ']'), items, indent, into, |item, into| {
                print(item, indent + 1, into);
            });
        }
        Value::Array(items) => {
            into.push('[');
            for (index, item) in items.iter().enumerate() {
                into.push_str(if index == 0 { "" } else { ", " });
                print(item, indent, into);
            }
            into.push(']');
        }
        _ => {
            let _ = write!(into, "{value}");
        }
    }
}

/// An entry of an object that is written on several lines.
fn print_entry((key, value): (&String, &Value), indent: usize, into: &mut String) {
    let _ = write!(into, "{}: ", Value::from(key.as_str()));
    match value {
        Value::Array(items) if SPREAD.contains(&key.as_str()) && !items.is_empty() => {
            lines(('[', ']'), items, indent, into, |item, into| {
                print(item, indent + 1, into);
            });
        }
        Value::Object(entries) if SPREAD.contains(&key.as_str()) && !entries.is_empty() => {
            lines(('{', '}'), sorted(entries), indent, into, |entry, into| {
                print_entry(entry, indent + 1, into);
            });
        }
        _ => print(value, indent, into),
    }
}

fn lines<T>(
    (open, close): (char, char),
    items: impl IntoIterator<Item = T>,
    indent: usize,
    into: &mut String,
    mut print: impl FnMut(T, &mut String),
) {
    into.push(open);
    for (index, item) in items.into_iter().enumerate() {
        into.push_str(if index == 0 { "\n" } else { ",\n" });
        into.push_str(&"  ".repeat(indent + 1));
        print(item, into);
    }
    into.push('\n');
    into.push_str(&"  ".repeat(indent));
    into.push(close);
}

/// The entries by key, of which the name is first. Sorted here, as a feature of serde_json that any crate may enable
/// decides on the order there.
fn sorted(entries: &serde_json::Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut entries: Vec<_> = entries.iter().collect();
    entries.sort_by_key(|(key, value)| (*key != "name" || !value.is_string(), *key));
    entries
}
