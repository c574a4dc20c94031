//! The variants of enums: their names and their data.

use serde::de::Error as _;
use serde::de::value::BorrowedBytesDeserializer;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Unexpected, VariantAccess, Visitor};
use serde::forward_to_deserialize_any;

use crate::{
    access::{is_derived_name, within_entry},
    error::Error,
    reader::Reader,
};

/// The entry of a map that is a variant with data.
pub(crate) struct Variant<'a, 'de> {
    reader: &'a mut Reader<'de>,
    key: usize,
}

impl<'a, 'de> Variant<'a, 'de> {
    #[inline]
    pub(crate) fn new(reader: &'a mut Reader<'de>) -> Self {
        let key = reader.rest.len();
        Self { reader, key }
    }

    #[inline]
    fn data<T>(self, read: impl FnOnce(&mut Reader<'de>) -> Result<T, Error>) -> Result<T, Error> {
        let start = self.reader.rest.len();
        match read(&mut *self.reader) {
            Ok(value) => Ok(value),
            Err(error) => Err(within_entry(self.reader, error, start, self.key)),
        }
    }
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Error;
    type Variant = Self;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        Ok((variant_name(self.reader, seed)?, self))
    }
}

/// A string that is a variant without data.
pub(crate) struct UnitVariant<'a, 'de>(pub(crate) &'a mut Reader<'de>);

impl<'de> EnumAccess<'de> for UnitVariant<'_, 'de> {
    type Error = Error;
    type Variant = NoData;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, NoData), Error> {
        Ok((variant_name(self.0, seed)?, NoData))
    }
}

/// Reads the name of a variant. Most are known to be UTF-8 by a check that is only for ASCII.
#[inline]
fn variant_name<'de, S: DeserializeSeed<'de>>(
    reader: &mut Reader<'de>,
    seed: S,
) -> Result<S::Value, Error> {
    let start = reader.rest.len();
    let ascii = match is_derived_name::<S::Value>() {
        true => reader.short_ascii(),
        false => None,
    };
    let name = if let Some(name) = ascii {
        seed.deserialize(BorrowedBytesDeserializer::new(name))
    } else {
        let marker = reader.marker()?;
        let name = match reader.text(marker)? {
            Some(name) => name,
            None => name_of_other_key(reader, marker)?,
        };
        seed.deserialize(Name(name))
    };
    match name {
        Ok(name) => Ok(name),
        Err(error) => Err(error.at(reader.offset_of(start))),
    }
}

#[cold]
#[inline(never)]
fn name_of_other_key<'de>(reader: &mut Reader<'de>, marker: u8) -> Result<&'de str, Error> {
    if let Some(name) = reader.bin(marker)? {
        if let Ok(name) = std::str::from_utf8(name) {
            return Ok(name);
        }
    }
    let found = reader.unexpected()?;
    Err(Error::invalid_type(found, &"the name of an enum variant"))
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Error;

    #[inline]
    fn unit_variant(self) -> Result<(), Error> {
        self.data(|reader| serde::Deserialize::deserialize(reader))
    }

    #[inline]
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        self.data(|reader| seed.deserialize(reader))
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.data(|reader| reader.deserialize_tuple(len, visitor))
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.data(|reader| reader.deserialize_struct("", fields, visitor))
    }
}

/// The name of a variant, also of one without data.
#[derive(Clone, Copy)]
pub(crate) struct Name<'de>(pub(crate) &'de str);

impl<'de> Deserializer<'de> for Name<'de> {
    type Error = Error;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.0)
    }

    /// Some types name a variant by an enum.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de> EnumAccess<'de> for Name<'de> {
    type Error = Error;
    type Variant = NoData;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, NoData), Error> {
        Ok((seed.deserialize(self)?, NoData))
    }
}

/// What a variant without data has.
pub(crate) struct NoData;

impl<'de> VariantAccess<'de> for NoData {
    type Error = Error;

    #[inline]
    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    #[cold]
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Error> {
        Err(Error::invalid_type(
            Unexpected::UnitVariant,
            &"newtype variant",
        ))
    }

    #[cold]
    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Error> {
        Err(Error::invalid_type(
            Unexpected::UnitVariant,
            &"tuple variant",
        ))
    }

    #[cold]
    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        Err(Error::invalid_type(
            Unexpected::UnitVariant,
            &"struct variant",
        ))
    }
}
