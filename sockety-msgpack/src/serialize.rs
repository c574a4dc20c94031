//! Writes values, each in its smallest form, straight into a buffer.

use std::fmt::{self, Display, Write as _};

use serde::ser::{
    self, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use crate::{error::EncodeError, extension::EXTENSION_STRUCT, extension_writer::ExtensionWriter};

/// Appends values to a buffer.
pub(crate) struct Writer<'a> {
    into: &'a mut Vec<u8>,
    /// The number of arrays and maps around the next value.
    depth: usize,
    /// The largest number there was.
    deepest: usize,
}

impl<'a> Writer<'a> {
    #[inline]
    pub(crate) fn new(into: &'a mut Vec<u8>) -> Self {
        Self {
            into,
            depth: 0,
            deepest: 0,
        }
    }

    /// How deep arrays and maps were nested.
    #[inline]
    pub(crate) fn deepest(&self) -> usize {
        self.deepest
    }

    /// Fails before the stack overflows: each level is a call within another.
    #[inline]
    fn enter(&mut self) -> Result<(), EncodeError> {
        if self.depth == DEEPEST {
            return Err(too_deep());
        }
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        Ok(())
    }

    #[inline]
    fn leave(&mut self) {
        self.depth -= 1;
    }

    #[inline]
    fn unsigned(&mut self, value: u64) {
        if value < 0x80 {
            self.into.push(value as u8);
        } else if value <= 0xFF {
            self.into.extend_from_slice(&[0xCC, value as u8]);
        } else if value <= 0xFFFF {
            self.number(0xCD, (value as u16).to_be_bytes());
        } else if value <= 0xFFFF_FFFF {
            self.number(0xCE, (value as u32).to_be_bytes());
        } else {
            self.number(0xCF, value.to_be_bytes());
        }
    }

    #[inline]
    fn signed(&mut self, value: i64) {
        if value >= 0 {
            self.unsigned(value as u64);
        } else if value >= -0x20 {
            self.into.push(value as u8);
        } else if let Ok(value) = i8::try_from(value) {
            self.number(0xD0, value.to_be_bytes());
        } else if let Ok(value) = i16::try_from(value) {
            self.number(0xD1, value.to_be_bytes());
        } else if let Ok(value) = i32::try_from(value) {
            self.number(0xD2, value.to_be_bytes());
        } else {
            self.number(0xD3, value.to_be_bytes());
        }
    }

    /// A marker, and the bytes of a number.
    #[inline]
    fn number<const N: usize>(&mut self, marker: u8, number: [u8; N]) {
        let mut bytes = [0; 9];
        bytes[0] = marker;
        bytes[1..=N].copy_from_slice(&number);
        self.into.extend_from_slice(&bytes[..=N]);
    }

    #[inline]
    fn text(&mut self, text: &str) -> Result<(), EncodeError> {
        TEXT.write(text.len(), self.into)?;
        self.into.extend_from_slice(text.as_bytes());
        Ok(())
    }

    /// The head of an array or a map, which it enters.
    #[inline]
    fn begin(&mut self, kind: &Kind, count: usize) -> Result<(), EncodeError> {
        self.enter()?;
        kind.write(count, self.into)
    }

    /// The head of a map whose only key is the name of a variant, which it enters.
    #[inline]
    fn begin_variant(&mut self, name: &'static str) -> Result<(), EncodeError> {
        self.begin(&MAP, 1)?;
        self.text(name)
    }

    /// Begins an array or a map whose length may be unknown.
    #[inline]
    fn collection(
        &mut self,
        kind: &'static Kind,
        count: Option<usize>,
    ) -> Result<Collection<'_, 'a>, EncodeError> {
        let head = self.into.len();
        self.begin(kind, count.unwrap_or_default())?;
        Ok(Collection {
            writer: self,
            kind,
            announced: count,
            written: 0,
            head,
        })
    }

    /// Replaces a head of one byte, before what was written since, by the right one.
    #[cold]
    fn replace_head(&mut self, at: usize, kind: &Kind, len: usize) -> Result<(), EncodeError> {
        let (fixed, lengths) = kind.fixed;
        if len < lengths {
            self.into[at] = fixed | len as u8;
            return Ok(());
        }
        // It is written at the end, where there is room for it then.
        let end = self.into.len();
        kind.write(len, self.into)?;
        let mut head = [0; 5];
        let head = &mut head[..self.into.len() - end];
        head.copy_from_slice(&self.into[end..]);
        self.into.pop();
        self.into.copy_within(at + 1..end, at + head.len());
        self.into[at..at + head.len()].copy_from_slice(head);
        Ok(())
    }
}

/// The most levels of arrays and maps that are written, like those of rmp-serde. Peers usually
/// accept fewer, which is checked when the value is sent.
const DEEPEST: usize = 1024;

#[cold]
fn too_deep() -> EncodeError {
    ser::Error::custom(format_args!(
        "arrays and maps are nested too deep: maximum is {DEEPEST} levels"
    ))
}

/// The heads of a kind of value whose length is in the head.
pub(crate) struct Kind {
    /// The marker of no length, and how many lengths there are in markers.
    pub(crate) fixed: (u8, usize),
    /// The markers before lengths of 1, 2 and 4 bytes.
    pub(crate) one: Option<u8>,
    pub(crate) two: u8,
    pub(crate) four: u8,
}

const TEXT: Kind = Kind {
    fixed: (0xA0, 0x20),
    one: Some(0xD9),
    two: 0xDA,
    four: 0xDB,
};

const ARRAY: Kind = Kind {
    fixed: (0x90, 0x10),
    one: None,
    two: 0xDC,
    four: 0xDD,
};

const MAP: Kind = Kind {
    fixed: (0x80, 0x10),
    one: None,
    two: 0xDE,
    four: 0xDF,
};

const BIN: Kind = Kind {
    fixed: (0, 0),
    one: Some(0xC4),
    two: 0xC5,
    four: 0xC6,
};

impl Kind {
    /// Appends the head of a value of this length.
    #[inline]
    pub(crate) fn write(&self, len: usize, into: &mut Vec<u8>) -> Result<(), EncodeError> {
        let (fixed, lengths) = self.fixed;
        if len < lengths {
            into.push(fixed | len as u8);
            return Ok(());
        }
        if let Some(one) = self.one {
            if let Ok(len) = u8::try_from(len) {
                into.extend_from_slice(&[one, len]);
                return Ok(());
            }
        }
        self.write_long(len, into)
    }

    fn write_long(&self, len: usize, into: &mut Vec<u8>) -> Result<(), EncodeError> {
        let Ok(long) = u32::try_from(len) else {
            return Err(too_long(len));
        };
        let [a, b, c, d] = long.to_be_bytes();
        match (a, b) {
            (0, 0) => into.extend_from_slice(&[self.two, c, d]),
            _ => into.extend_from_slice(&[self.four, a, b, c, d]),
        }
        Ok(())
    }
}

#[cold]
fn too_long(len: usize) -> EncodeError {
    ser::Error::custom(format_args!(
        "invalid length {len}: maximum is {}",
        u32::MAX
    ))
}

/// A text that is written while its length is unknown.
struct Text<'a>(&'a mut Vec<u8>);

impl fmt::Write for Text<'_> {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

macro_rules! numbers {
    ($($method:ident $number:ty, $write:ident $wide:ty;)*) => {$(
        #[inline]
        fn $method(self, value: $number) -> Result<(), EncodeError> {
            self.$write(<$wide>::from(value));
            Ok(())
        }
    )*};
}

impl<'w, 'a> Serializer for &'w mut Writer<'a> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = Collection<'w, 'a>;
    type SerializeTuple = Compound<'w, 'a>;
    type SerializeTupleStruct = Compound<'w, 'a>;
    type SerializeTupleVariant = Compound<'w, 'a>;
    type SerializeMap = Collection<'w, 'a>;
    type SerializeStruct = Compound<'w, 'a>;
    type SerializeStructVariant = Compound<'w, 'a>;

    numbers! {
        serialize_u8 u8, unsigned u64;
        serialize_u16 u16, unsigned u64;
        serialize_u32 u32, unsigned u64;
        serialize_u64 u64, unsigned u64;
        serialize_i8 i8, signed i64;
        serialize_i16 i16, signed i64;
        serialize_i32 i32, signed i64;
        serialize_i64 i64, signed i64;
    }

    #[inline]
    fn serialize_u128(self, value: u128) -> Result<(), EncodeError> {
        self.serialize_bytes(&value.to_be_bytes())
    }

    #[inline]
    fn serialize_i128(self, value: i128) -> Result<(), EncodeError> {
        self.serialize_bytes(&value.to_be_bytes())
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Result<(), EncodeError> {
        self.number(0xCA, value.to_be_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<(), EncodeError> {
        self.number(0xCB, value.to_be_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<(), EncodeError> {
        self.into.push(0xC2 | u8::from(value));
        Ok(())
    }

    #[inline]
    fn serialize_char(self, value: char) -> Result<(), EncodeError> {
        self.text(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, text: &str) -> Result<(), EncodeError> {
        self.text(text)
    }

    fn collect_str<T: Display + ?Sized>(self, text: &T) -> Result<(), EncodeError> {
        let head = self.into.len();
        self.into.push(0);
        if write!(Text(self.into), "{text}").is_err() {
            return Err(ser::Error::custom("a text cannot be formatted"));
        }
        self.replace_head(head, &TEXT, self.into.len() - head - 1)
    }

    #[inline]
    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), EncodeError> {
        BIN.write(bytes.len(), self.into)?;
        self.into.extend_from_slice(bytes);
        Ok(())
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), EncodeError> {
        self.into.push(0xC0);
        Ok(())
    }

    #[inline]
    fn serialize_none(self) -> Result<(), EncodeError> {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), EncodeError> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), EncodeError> {
        self.begin(&ARRAY, 0)?;
        self.leave();
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), EncodeError> {
        self.text(variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        if name == EXTENSION_STRUCT {
            return value.serialize(ExtensionWriter(self.into));
        }
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        self.begin_variant(variant)?;
        value.serialize(&mut *self)?;
        self.leave();
        Ok(())
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, EncodeError> {
        self.collection(&ARRAY, len)
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, EncodeError> {
        self.collection(&MAP, len)
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, EncodeError> {
        self.begin(&ARRAY, len)?;
        Ok(Compound {
            writer: self,
            levels: 1,
        })
    }

    #[inline]
    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, EncodeError> {
        self.serialize_tuple(len)
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, EncodeError> {
        self.begin_variant(variant)?;
        self.begin(&ARRAY, len)?;
        Ok(Compound {
            writer: self,
            levels: 2,
        })
    }

    #[inline]
    fn serialize_struct(
        self,
        _name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, EncodeError> {
        self.begin(&MAP, len)?;
        Ok(Compound {
            writer: self,
            levels: 1,
        })
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, EncodeError> {
        self.begin_variant(variant)?;
        self.begin(&MAP, len)?;
        Ok(Compound {
            writer: self,
            levels: 2,
        })
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        true
    }
}

/// An array or a map of a known number of values.
pub(crate) struct Compound<'w, 'a> {
    writer: &'w mut Writer<'a>,
    /// How many arrays and maps end with it.
    levels: usize,
}

impl Compound<'_, '_> {
    #[inline]
    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        value.serialize(&mut *self.writer)
    }

    #[inline]
    fn field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        self.writer.text(name)?;
        self.value(value)
    }

    #[inline]
    fn finish(self) -> Result<(), EncodeError> {
        self.writer.depth -= self.levels;
        Ok(())
    }
}

macro_rules! compound {
    ($($of:ident $method:ident $([$name:ident: $type:ty])? by $by:ident;)*) => {$(
        impl $of for Compound<'_, '_> {
            type Ok = ();
            type Error = EncodeError;

            #[inline]
            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($name: $type,)?
                value: &T,
            ) -> Result<(), EncodeError> {
                self.$by($($name,)? value)
            }

            #[inline]
            fn end(self) -> Result<(), EncodeError> {
                self.finish()
            }
        }
    )*};
}

compound! {
    SerializeTuple serialize_element by value;
    SerializeTupleStruct serialize_field by value;
    SerializeTupleVariant serialize_field by value;
    SerializeStruct serialize_field [name: &'static str] by field;
    SerializeStructVariant serialize_field [name: &'static str] by field;
}

/// An array or a map whose length may be unknown, or be another one than was announced.
pub(crate) struct Collection<'w, 'a> {
    writer: &'w mut Writer<'a>,
    kind: &'static Kind,
    announced: Option<usize>,
    written: usize,
    head: usize,
}

impl Collection<'_, '_> {
    #[inline]
    fn finish(self) -> Result<(), EncodeError> {
        self.writer.leave();
        match self.announced {
            Some(count) if count == self.written => Ok(()),
            Some(count) => Err(wrong_count(count, self.written)),
            None => self.writer.replace_head(self.head, self.kind, self.written),
        }
    }
}

#[cold]
fn wrong_count(announced: usize, written: usize) -> EncodeError {
    ser::Error::custom(format_args!(
        "{written} elements or entries were written, {announced} were announced"
    ))
}

impl SerializeSeq for Collection<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.written += 1;
        value.serialize(&mut *self.writer)
    }

    #[inline]
    fn end(self) -> Result<(), EncodeError> {
        self.finish()
    }
}

impl SerializeMap for Collection<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EncodeError> {
        self.written += 1;
        key.serialize(&mut *self.writer)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        value.serialize(&mut *self.writer)
    }

    #[inline]
    fn end(self) -> Result<(), EncodeError> {
        self.finish()
    }
}
