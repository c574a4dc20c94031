//! The bytes of bins and strings, and the parts of extensions, as sequences.

use serde::de::value::{BorrowedBytesDeserializer, I8Deserializer};
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use crate::{error::Error, reader::Reader};

/// The bytes of a bin or a string as elements of a sequence.
///
/// They are read only as `u8`, which a large type may be made of.
pub(crate) struct Bytes<'a, 'de> {
    reader: &'a mut Reader<'de>,
    bytes: std::slice::Iter<'de, u8>,
    of: &'static str,
    /// Serde buffers them, which is charged for.
    buffered: bool,
}

impl<'a, 'de> Bytes<'a, 'de> {
    pub(crate) fn new(reader: &'a mut Reader<'de>, bytes: &'de [u8], of: &'static str) -> Self {
        Self {
            reader,
            bytes: bytes.iter(),
            of,
            buffered: false,
        }
    }

    /// Those of a bin that serde buffers. They were charged for as values.
    pub(crate) fn buffered(reader: &'a mut Reader<'de>, bytes: &'de [u8]) -> Self {
        Self {
            buffered: true,
            ..Self::new(reader, bytes, "bin")
        }
    }

    /// How many bytes were not taken.
    pub(crate) fn left(&self) -> usize {
        self.bytes.len()
    }
}

impl<'de> SeqAccess<'de> for &mut Bytes<'_, 'de> {
    type Error = Error;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let (of, buffered) = (self.of, self.buffered);
        match self.bytes.next() {
            Some(&byte) => {
                self.reader.charge_byte::<T::Value>()?;
                seed.deserialize(Byte { byte, of, buffered }).map(Some)
            }
            None => Ok(None),
        }
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.bytes.len())
    }
}

struct Byte {
    byte: u8,
    of: &'static str,
    buffered: bool,
}

impl<'de> Deserializer<'de> for Byte {
    type Error = Error;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.buffered {
            return visitor.visit_u8(self.byte);
        }
        Err(Error::unexpected(
            &format!("a byte of a {}", self.of),
            &visitor,
        ))
    }

    #[inline]
    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u8(self.byte)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// An extension as rmp-serde passes it to types that accept extensions: its type, then its data.
pub(crate) struct ExtensionParts<'de> {
    tag: Option<i8>,
    data: Option<&'de [u8]>,
}

impl<'de> ExtensionParts<'de> {
    pub(crate) fn new(tag: i8, data: &'de [u8]) -> Self {
        Self {
            tag: Some(tag),
            data: Some(data),
        }
    }
}

impl<'de> Deserializer<'de> for ExtensionParts<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(self)
    }

    // The visitor of a value type can call `Timestamp::deserialize` with this.
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> SeqAccess<'de> for ExtensionParts<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        if let Some(tag) = self.tag.take() {
            return seed.deserialize(I8Deserializer::new(tag)).map(Some);
        }
        match self.data.take() {
            Some(data) => seed
                .deserialize(BorrowedBytesDeserializer::new(data))
                .map(Some),
            None => Ok(None),
        }
    }
}
