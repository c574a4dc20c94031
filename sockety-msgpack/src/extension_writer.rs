//! Writes extensions.

use serde::ser::{self, Impossible, Serialize, SerializeTuple, Serializer};

use crate::{error::EncodeError, serialize::Kind};

/// Writes an extension: a tuple of its type, an `i8`, and its data, as bytes.
pub(crate) struct ExtensionWriter<'a>(pub(crate) &'a mut Vec<u8>);

/// The parts of an extension.
pub(crate) struct ExtensionTuple<'a> {
    into: &'a mut Vec<u8>,
    tag: Option<i8>,
    is_written: bool,
}

/// Reads one part of an extension.
struct ExtensionPart<'t, 'a>(&'t mut ExtensionTuple<'a>);

impl SerializeTuple for ExtensionTuple<'_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        value.serialize(ExtensionPart(self))
    }

    fn end(self) -> Result<(), EncodeError> {
        match self.is_written {
            true => Ok(()),
            false => Err(no_extension()),
        }
    }
}

#[cold]
fn no_extension() -> EncodeError {
    ser::Error::custom("an extension is a tuple of an i8 and bytes")
}

impl ExtensionTuple<'_> {
    fn write(&mut self, data: &[u8]) -> Result<(), EncodeError> {
        let Some(tag) = self.tag.filter(|_| !self.is_written) else {
            return Err(no_extension());
        };
        self.is_written = true;
        match data.len() {
            len @ (1 | 2 | 4 | 8 | 16) => self.into.push(0xD4 + len.trailing_zeros() as u8),
            len => EXTENSION.write(len, self.into)?,
        }
        self.into.push(tag as u8);
        self.into.extend_from_slice(data);
        Ok(())
    }
}

const EXTENSION: Kind = Kind {
    fixed: (0, 0),
    one: Some(0xC7),
    two: 0xC8,
    four: 0xC9,
};

/// Methods of a serializer that takes only one kind of value.
macro_rules! refuse {
    (all_other_methods) => {
        type Ok = ();
        type Error = EncodeError;
        type SerializeSeq = Impossible<(), EncodeError>;
        type SerializeTupleStruct = Impossible<(), EncodeError>;
        type SerializeTupleVariant = Impossible<(), EncodeError>;
        type SerializeMap = Impossible<(), EncodeError>;
        type SerializeStruct = Impossible<(), EncodeError>;
        type SerializeStructVariant = Impossible<(), EncodeError>;

        refuse! {
            serialize_bool(bool);
            serialize_i16(i16);
            serialize_i32(i32);
            serialize_i64(i64);
            serialize_u8(u8);
            serialize_u16(u16);
            serialize_u32(u32);
            serialize_u64(u64);
            serialize_f32(f32);
            serialize_f64(f64);
            serialize_char(char);
            serialize_str(&str);
            serialize_none();
            serialize_unit();
            serialize_unit_struct(&'static str);
            serialize_unit_variant(&'static str, u32, &'static str);
        }

        fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), EncodeError> {
            Err(no_extension())
        }

        fn serialize_newtype_struct<T: Serialize + ?Sized>(
            self,
            _: &'static str,
            value: &T,
        ) -> Result<(), EncodeError> {
            value.serialize(self)
        }

        fn serialize_newtype_variant<T: Serialize + ?Sized>(
            self,
            _: &'static str,
            _: u32,
            _: &'static str,
            _: &T,
        ) -> Result<(), EncodeError> {
            Err(no_extension())
        }

        fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, EncodeError> {
            Err(no_extension())
        }

        fn serialize_tuple_struct(
            self,
            _: &'static str,
            _: usize,
        ) -> Result<Self::SerializeTupleStruct, EncodeError> {
            Err(no_extension())
        }

        fn serialize_tuple_variant(
            self,
            _: &'static str,
            _: u32,
            _: &'static str,
            _: usize,
        ) -> Result<Self::SerializeTupleVariant, EncodeError> {
            Err(no_extension())
        }

        fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, EncodeError> {
            Err(no_extension())
        }

        fn serialize_struct(
            self,
            _: &'static str,
            _: usize,
        ) -> Result<Self::SerializeStruct, EncodeError> {
            Err(no_extension())
        }

        fn serialize_struct_variant(
            self,
            _: &'static str,
            _: u32,
            _: &'static str,
            _: usize,
        ) -> Result<Self::SerializeStructVariant, EncodeError> {
            Err(no_extension())
        }
    };
    ($($method:ident($($type:ty),*);)*) => {$(
        fn $method(self, $(_: $type),*) -> Result<(), EncodeError> {
            Err(no_extension())
        }
    )*};
}

impl<'a> Serializer for ExtensionWriter<'a> {
    type SerializeTuple = ExtensionTuple<'a>;

    refuse!(all_other_methods);

    fn serialize_i8(self, _: i8) -> Result<(), EncodeError> {
        Err(no_extension())
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), EncodeError> {
        Err(no_extension())
    }

    fn serialize_tuple(self, _: usize) -> Result<ExtensionTuple<'a>, EncodeError> {
        Ok(ExtensionTuple {
            into: self.0,
            tag: None,
            is_written: false,
        })
    }
}

impl Serializer for ExtensionPart<'_, '_> {
    type SerializeTuple = Impossible<(), EncodeError>;

    refuse!(all_other_methods);

    fn serialize_i8(self, tag: i8) -> Result<(), EncodeError> {
        match self.0.tag.replace(tag) {
            None => Ok(()),
            Some(_) => Err(no_extension()),
        }
    }

    fn serialize_bytes(self, data: &[u8]) -> Result<(), EncodeError> {
        self.0.write(data)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, EncodeError> {
        Err(no_extension())
    }
}
