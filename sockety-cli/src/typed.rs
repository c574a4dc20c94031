//! Values of an action as JSON, by the types in its schema: UUIDs and times as text, bytes as
//! base64, keys of maps as text. What is printed can be sent again.
//!
//! | Type | JSON |
//! | --- | --- |
//! | integers of up to 64 bits | a number |
//! | `u128`, `i128` | decimal text; a number is read too |
//! | floats | a number, or `{"$float": "NaN"}`, `"Infinity"`, `"-Infinity"` |
//! | `Bytes` | base64; `hex:` and hexadecimal digits are read too |
//! | `Vec<u8>` | an array of numbers; what `Bytes` are read from is read too |
//! | UUIDs, addresses, dates | text |
//! | `Timestamp`, `SystemTime` | `"2026-01-31T12:00:00Z"` |
//! | `Duration` | `"1m 30s"` |
//! | maps | an object; keys that are not text are written as text |
//! | maps whose keys cannot be text, such as tuples | `{"$map": [[key, value], …]}` |
//! | everything else | as `serde_json` has it |
//!
//! No text is the name of a file that is read: JSON may come from a peer.

mod entries;
mod example;
mod keys;
mod pack;
mod problem;
mod scalars;
mod show;

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use rmpv::Value as Packed;
use serde_json::Value as Json;
use sockety_schema::{Action, Definition, Form, PartKind, Schema, Type};

use self::{pack::Packer, show::Shower};
use crate::{
    out,
    value::{self, Parts, Shown},
};

pub use self::problem::{Problem, misspelt};

/// The named types of a service.
type Types = BTreeMap<String, Definition>;

/// An action with its types.
#[derive(Debug)]
pub struct Typed {
    action: Action,
    types: Types,
    /// Whether it was said that a value does not have its type.
    has_warned: AtomicBool,
}

impl Typed {
    /// The action that is served by this name.
    pub fn of(schema: &Schema, name: &str) -> Option<Self> {
        schema.services.values().find_map(|service| {
            let mut actions = service.actions.iter();
            let (_, action) = actions.find(|(key, it)| it.names(key).any(|it| it == name))?;
            Some(Self {
                action: action.clone(),
                types: service.types.clone(),
                has_warned: AtomicBool::new(false),
            })
        })
    }

    /// The payload of a request, as MessagePack. No JSON is no parameters.
    pub fn payload(&self, json: Option<&Json>) -> Result<Vec<u8>, Problem> {
        let parameters: Vec<_> = self.action.payload().collect();
        let mut packer = Packer::new(&self.types);
        match (self.action.form(), json) {
            (Form::Empty, None | Some(Json::Null)) => Ok(Vec::new()),
            (Form::Empty, Some(_)) => Err(Problem::new("the action has no parameters")),
            (Form::Value, json) => {
                let parameter = parameters[0];
                let ty = type_of(parameter.ty.as_ref())?;
                match json {
                    None if parameter.optional => Ok(Vec::new()),
                    None => Err(Problem::missing("parameter", &[(&parameter.name, ty)])),
                    Some(json) => {
                        let packed = packer.value(json, ty);
                        let packed = packed.map_err(|problem| {
                            problem
                                .hint_of_name(json, &parameter.name)
                                .at(&parameter.name)
                        });
                        packed.map(encoded)
                    }
                }
            }
            (_, json) => {
                let none = Json::Object(serde_json::Map::new());
                let json = json.unwrap_or(&none);
                packer.parameters(json, &parameters).map(encoded)
            }
        }
    }

    /// An item of the stream of a request, as MessagePack. None if the stream is not of values.
    pub fn item(&self, json: &Json) -> Option<Result<Vec<u8>, Problem>> {
        let mut parameters = self.action.parameters.iter();
        let stream = parameters.find(|it| it.kind == PartKind::Streaming)?;
        let ty = stream.ty.as_ref()?;
        let packed = Packer::new(&self.types).value(json, ty);
        Some(
            packed
                .map(encoded)
                .map_err(|problem| problem.at(&stream.name)),
        )
    }

    /// The payload of a reply, which must not be empty.
    pub fn shown(&self, payload: &[u8]) -> Shown {
        self.show(payload, self.returned(PartKind::Payload))
    }

    /// An item of the stream of a reply.
    pub fn shown_item(&self, item: &[u8]) -> Shown {
        self.show(item, self.returned(PartKind::Streaming))
    }

    fn returned(&self, kind: PartKind) -> Option<&Type> {
        let mut parts = self.action.returns.iter();
        parts.find(|part| part.kind == kind)?.ty.as_ref()
    }

    fn show(&self, bytes: &[u8], ty: Option<&Type>) -> Shown {
        let shown = Parts::of(bytes).ok().and_then(|parts| match parts {
            Parts::Value(value) => {
                let typed = Shower::new(&self.types).value(&value, ty?);
                Some(typed.map(Shown::Value))
            }
            Parts::Error([name, message, details]) => {
                let typed = Shower::new(&self.types).value(&details, self.action.error.as_ref()?);
                let (name, message) = (value::to_json(&name), value::to_json(&message));
                Some(typed.map(|it| Shown::Error(value::error_to_json([name, message, it]))))
            }
        });
        match shown {
            Some(Ok(shown)) => shown,
            Some(Err(problem)) => {
                if !self.has_warned.swap(true, Ordering::Relaxed) {
                    out::warn(format_args!(
                        "the peer's reply is not what its schema says, and is shown without: {}",
                        crate::shown::escaped(&problem.to_string())
                    ));
                }
                Shown::of(bytes)
            }
            None => Shown::of(bytes),
        }
    }
}

/// The payload of a request that is as small as one can be, for people to fill in. None if there is none.
pub fn example(action: &Action, types: &Types) -> Option<Json> {
    example::payload(action, types)
}

/// The type of a part that has one, which a valid schema says.
fn type_of(ty: Option<&Type>) -> Result<&Type, Problem> {
    ty.ok_or_else(|| Problem::new("the schema does not say its type"))
}

fn encoded(packed: Packed) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &packed).expect("a vector takes everything");
    bytes
}

/// What one conversion may do. Schemas come from peers, and could make it deep or slow.
struct Budget {
    steps: usize,
    levels: usize,
}

impl Budget {
    /// More than any value has parts that is shown.
    const PARTS: usize = 8_000_000;
    /// The most variants without a tag that are tried for a value.
    const ALTERNATIVES: usize = 1_000_000;
    /// More than the levels of a value, of which each is two with the name of its type.
    const LEVELS: usize = 450;

    const fn new(steps: usize) -> Self {
        Self {
            steps,
            levels: Self::LEVELS,
        }
    }

    /// Goes into a value.
    fn enter(&mut self) -> Result<(), Problem> {
        let levels = self.levels.checked_sub(1).ok_or_else(|| {
            Problem::new(format!(
                "it is nested too deep: maximum is {} levels of types",
                Self::LEVELS
            ))
        });
        self.levels = levels?;
        Ok(())
    }

    fn leave(&mut self) {
        self.levels += 1;
    }

    /// Begins with what a type could have many of.
    fn step(&mut self) -> Result<(), Problem> {
        let steps = self
            .steps
            .checked_sub(1)
            .ok_or_else(|| Problem::new("it has too many parts or alternatives to be followed"));
        self.steps = steps?;
        Ok(())
    }

    /// Whether it is exhausted, so that no other alternative is tried.
    fn is_over(&self) -> bool {
        self.steps == 0
    }
}

#[cfg(test)]
mod tests;
