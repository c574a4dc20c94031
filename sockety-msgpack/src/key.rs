//! Reads the keys of maps.

use serde::de::{Deserializer, Visitor};

use crate::{
    deserialize::{Buffered, buffers},
    error::Error,
    extension::EXTENSION_STRUCT,
    numbers::{Integer, integer},
    reader::Reader,
};

/// What a map's key is read by.
pub(crate) struct Key<'a, 'de>(pub(crate) &'a mut Reader<'de>);

/// Methods of the deserializer that read the same for a key and for a value.
macro_rules! forward_to_value {
    ($($method:ident($($argument:ident: $type:ty),*),)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(
            self,
            $($argument: $type,)*
            visitor: V,
        ) -> Result<V::Value, Error> {
            self.0.$method($($argument,)* visitor)
        }
    )*};
}

macro_rules! integer_keys {
    ($($method:ident,)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.0.marker()? {
                0xA0..=0xBF | 0xC4..=0xC6 | 0xD9..=0xDB => self.visit_digits(visitor),
                _ => self.0.visit_integer(visitor),
            }
        }
    )*};
}

/// The keys of JavaScript objects are texts, so integers and booleans are read from texts too.
impl<'de> Deserializer<'de> for Key<'_, 'de> {
    type Error = Error;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if buffers::<V>() {
            return self.visit_buffered(visitor);
        }
        self.0.visit_any::<V, false>(visitor)
    }

    integer_keys! {
        deserialize_u8,
        deserialize_u16,
        deserialize_u32,
        deserialize_u64,
        deserialize_i8,
        deserialize_i16,
        deserialize_i32,
        deserialize_i64,
    }

    fn deserialize_bool<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        match self.text()? {
            Some("true") => visitor.visit_bool(true),
            Some("false") => visitor.visit_bool(false),
            Some(text) => visitor.visit_borrowed_str(text),
            None => self.0.deserialize_bool(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let marker = self.0.marker()?;
        if self.0.take_nil(marker) {
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == EXTENSION_STRUCT {
            return self.0.deserialize_newtype_struct(name, visitor);
        }
        visitor.visit_newtype_struct(self)
    }

    /// The key of a struct. One with flattened fields passes other keys to serde's buffer.
    #[inline]
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if size_of::<V::Value>() < size_of::<&str>() {
            return self.0.deserialize_identifier(visitor);
        }
        self.visit_buffered(visitor)
    }

    forward_to_value! {
        deserialize_u128(),
        deserialize_i128(),
        deserialize_f32(),
        deserialize_f64(),
        deserialize_char(),
        deserialize_str(),
        deserialize_string(),
        deserialize_bytes(),
        deserialize_byte_buf(),
        deserialize_unit(),
        deserialize_unit_struct(name: &'static str),
        deserialize_seq(),
        deserialize_tuple(len: usize),
        deserialize_tuple_struct(name: &'static str, len: usize),
        deserialize_map(),
        deserialize_struct(name: &'static str, fields: &'static [&'static str]),
        deserialize_enum(name: &'static str, variants: &'static [&'static str]),
        deserialize_ignored_any(),
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        true
    }
}

impl<'de> Key<'_, 'de> {
    /// The text of the key, if it is one. A bin counts as text if it is.
    fn text(&mut self) -> Result<Option<&'de str>, Error> {
        let marker = self.0.marker()?;
        let before = self.0.rest;
        if let Some(bin) = self.0.bin(marker)? {
            let text = std::str::from_utf8(bin).ok();
            if text.is_none() {
                self.0.rest = before;
            }
            return Ok(text);
        }
        self.0.text(marker)
    }

    /// An integer that is written as text. Different texts never become the same number.
    #[cold]
    #[inline(never)]
    fn visit_digits<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        match self.text()? {
            Some(text) => match integer(text) {
                Some(Integer::Unsigned(number)) => visitor.visit_u64(number),
                Some(Integer::Signed(number)) => visitor.visit_i64(number),
                None => visitor.visit_borrowed_str(text),
            },
            None => self.0.visit_other(visitor),
        }
    }

    /// A key that serde buffers. A text may be converted to what it is the text of.
    fn visit_buffered<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let marker = self.0.marker()?;
        let Some(text) = self.0.text(marker)? else {
            return self.0.visit_any::<V, true>(visitor);
        };
        match (integer(text), text) {
            (Some(Integer::Unsigned(number)), _) if self.0.converts(Buffered::KEYS) => {
                visitor.visit_u64(number)
            }
            (Some(Integer::Signed(number)), _) if self.0.converts(Buffered::KEYS) => {
                visitor.visit_i64(number)
            }
            (None, "true" | "false") if self.0.converts(Buffered::KEYS) => {
                visitor.visit_bool(text == "true")
            }
            _ => visitor.visit_borrowed_str(text),
        }
    }
}
