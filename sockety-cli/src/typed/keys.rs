//! Keys of maps, which are text in JSON.

use rmpv::{Value as Packed, ValueRef};
use serde_json::Value as Json;
use sockety_schema::{Content, Shape, Tagging, Type};

use super::{Problem, Types, pack::Packer, show::Shower};

/// How the text of a key is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyForm {
    /// As the string that the value is in JSON.
    Text,
    /// As the JSON of a number or of a boolean.
    Literal,
    /// There is no text, so that the map is written as pairs.
    None,
}

impl KeyForm {
    pub fn of(types: &Types, ty: &Type) -> Self {
        let mut ty = ty;
        for _ in 0..=types.len() {
            match ty {
                Type::Named(name) => match types.get(name).map(|it| &it.shape) {
                    Some(Shape::Newtype(of)) => ty = of,
                    Some(Shape::Enum(of)) => {
                        let is_name = |content: &Content| *content == Content::Unit;
                        let are_names = of.tagging == Tagging::External
                            && of
                                .variants
                                .iter()
                                .all(|it| is_name(&it.content) && !it.untagged);
                        return if are_names { Self::Text } else { Self::None };
                    }
                    _ => return Self::None,
                },
                Type::Char
                | Type::String
                | Type::Text(_)
                | Type::Bytes
                | Type::Timestamp
                | Type::U128
                | Type::I128 => return Self::Text,
                Type::Bool => return Self::Literal,
                ty if ty.range().is_some() => return Self::Literal,
                _ => return Self::None,
            }
        }
        Self::None
    }
}

impl<'a> Packer<'a> {
    /// The key of this text.
    pub fn key(&mut self, text: &str, ty: &'a Type) -> Result<Packed, Problem> {
        match KeyForm::of(self.types, ty) {
            KeyForm::Text => self.value(&text.into(), ty),
            KeyForm::Literal => {
                let json = serde_json::from_str(text).unwrap_or_else(|_| text.into());
                self.value(&json, ty)
            }
            KeyForm::None => Err(Problem::new(format!(
                r#"keys of {ty} have no text: write {{"$map": [[key, value], …]}}"#
            ))),
        }
    }
}

impl<'a> Shower<'a> {
    /// The text of a key. None if the map is to be written as pairs.
    pub fn key(&mut self, key: &ValueRef<'_>, ty: &'a Type) -> Result<Option<String>, Problem> {
        if KeyForm::of(self.types, ty) == KeyForm::None {
            return Ok(None);
        }
        Ok(match self.value(key, ty)? {
            Json::String(text) => Some(text),
            json @ (Json::Number(_) | Json::Bool(_)) => Some(json.to_string()),
            _ => None,
        })
    }
}
