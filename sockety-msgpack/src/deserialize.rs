//! Reads values into types. A type asks for what it wants, and gets what is there in a form that
//! it takes: this is where the leniency described at [`crate`] is.

use std::any::type_name;

use serde::de::value::MapDeserializer;
use serde::de::{Deserializer, Error as _, Unexpected, Visitor};

use crate::{
    access::{Elements, Fields, node_of_list, node_of_map},
    addresses,
    error::Error,
    extension::EXTENSION_STRUCT,
    numbers::{is_decimal, is_integer, visit_float_as_integer},
    parts::{Bytes, ExtensionParts},
    reader::Reader,
    timestamp::{self, Timestamp},
    variant::{Name, UnitVariant, Variant},
};

/// Kinds of values that serde buffers for flattened, tagged and untagged types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Buffered(u8);

impl Buffered {
    pub(crate) const NOTHING: Self = Self(0);
    /// Whole floats, which may be integers.
    const FLOATS: Self = Self(1);
    /// Timestamps, which may be texts.
    const TIMESTAMPS: Self = Self(2);
    /// Texts as keys, which may be integers and booleans.
    pub(crate) const KEYS: Self = Self(4);
    /// Bins, which may be lists of `u8`.
    const BINS: Self = Self(8);

    const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn among(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// What is converted when a value did not fit as it is, one set after another.
pub(crate) const CONVERSIONS: [Buffered; 5] = {
    let floats = Buffered::FLOATS;
    let times = floats.and(Buffered::TIMESTAMPS);
    let keys = times.and(Buffered::KEYS);
    let bins = times.and(Buffered::BINS);
    [floats, times, keys, bins, keys.and(Buffered::BINS)]
};

/// Whether a visitor buffers values for a flattened, tagged or untagged type. Serde's name for it
/// may change; then such types read fewer forms, which tests notice.
#[inline]
pub(crate) fn buffers<V>() -> bool {
    let name = type_name::<V>();
    let name = name.strip_suffix("<'_>").unwrap_or(name);
    name.starts_with("serde")
        && (name.ends_with("::ContentVisitor") || name.ends_with("::TagOrContentVisitor"))
}

/// Whether this is a date and time of the crate `time`, or a visitor for one. They are read from
/// their parts, or from text in a form of that crate.
#[inline]
fn is_of_time<T>() -> bool {
    let name = type_name::<T>();
    name.starts_with("time::") && (name.ends_with("DateTime") || name.ends_with("DateTime>"))
}

impl<'de> Reader<'de> {
    /// Notes that serde buffers a value of this kind, and returns whether it is converted.
    #[inline]
    pub(crate) fn converts(&mut self, kind: Buffered) -> bool {
        self.seen = self.seen.and(kind);
        self.converted.among(kind) != Buffered::NOTHING
    }

    #[inline(always)]
    pub(crate) fn unsigned(&mut self, marker: u8) -> Result<u64, Error> {
        Ok(match marker {
            0x00..=0x7F => {
                self.take_marker();
                u64::from(marker)
            }
            0xCC => u64::from(u8::from_be_bytes(self.number()?)),
            0xCD => u64::from(u16::from_be_bytes(self.number()?)),
            0xCE => u64::from(u32::from_be_bytes(self.number()?)),
            _ => u64::from_be_bytes(self.number()?),
        })
    }

    #[inline(always)]
    fn signed(&mut self, marker: u8) -> Result<i64, Error> {
        Ok(match marker {
            0xD0 => i64::from(i8::from_be_bytes(self.number()?)),
            0xD1 => i64::from(i16::from_be_bytes(self.number()?)),
            0xD2 => i64::from(i32::from_be_bytes(self.number()?)),
            _ => i64::from_be_bytes(self.number()?),
        })
    }

    /// A float of 4 or 8 bytes, with this marker.
    fn float(&mut self, marker: u8) -> Result<f64, Error> {
        Ok(match marker {
            0xCA => f64::from(f32::from_be_bytes(self.number()?)),
            _ => f64::from_be_bytes(self.number()?),
        })
    }

    #[inline]
    pub(crate) fn visit_integer<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        let marker = self.marker()?;
        match marker {
            0x00..=0x7F => {
                self.take_marker();
                visitor.visit_u64(u64::from(marker))
            }
            0xCC..=0xCF => visitor.visit_u64(self.unsigned(marker)?),
            0xD0..=0xD3 => visitor.visit_i64(self.signed(marker)?),
            0xE0..=0xFF => {
                self.take_marker();
                visitor.visit_i64(i64::from(marker as i8))
            }
            _ => self.visit_other_as_integer(visitor),
        }
    }

    #[cold]
    #[inline(never)]
    fn visit_other_as_integer<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        match self.marker()? {
            marker @ (0xCA | 0xCB) => visit_float_as_integer(visitor, self.float(marker)?),
            _ => self.visit_other(visitor),
        }
    }

    /// A value of a kind that was not asked for. The visitor may take it all the same, or says
    /// what it expected.
    #[cold]
    #[inline(never)]
    pub(crate) fn visit_other<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        let marker = self.marker()?;
        if self.take_nil(marker) {
            return visitor.visit_unit();
        }
        match self.extension(marker)? {
            Some((tag, data)) => Err(Error::unexpected(
                &extension_name(tag, data.len()),
                &visitor,
            )),
            None => self.visit_any::<V, false>(visitor),
        }
    }

    /// Passes on what is there. `BUFFERED` values may be converted.
    #[inline]
    pub(crate) fn visit_any<V: Visitor<'de>, const BUFFERED: bool>(
        &mut self,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let marker = self.marker()?;
        match marker {
            0x00..=0x7F => {
                self.take_marker();
                visitor.visit_u64(u64::from(marker))
            }
            0xCC..=0xCF => visitor.visit_u64(self.unsigned(marker)?),
            0xD0..=0xD3 => visitor.visit_i64(self.signed(marker)?),
            0xE0..=0xFF => {
                self.take_marker();
                visitor.visit_i64(i64::from(marker as i8))
            }
            0xA0..=0xBF | 0xD9..=0xDB => {
                visitor.visit_borrowed_str(self.text(marker)?.unwrap_or_default())
            }
            0x90..=0x9F | 0xDC | 0xDD => {
                let count = self.enter_array(marker)?.unwrap_or_default();
                self.visit_elements::<V, true>(count, visitor)
            }
            0x80..=0x8F | 0xDE | 0xDF => {
                let count = self.enter_map(marker)?.unwrap_or_default();
                self.visit_entries::<V, false>(count, visitor)
            }
            0xC0 => {
                self.take_marker();
                visitor.visit_unit()
            }
            0xC2 | 0xC3 => {
                self.take_marker();
                visitor.visit_bool(marker == 0xC3)
            }
            0xCA => {
                let float = f32::from_be_bytes(self.number()?);
                if BUFFERED && is_integer(f64::from(float)) && self.converts(Buffered::FLOATS) {
                    return visit_float_as_integer(visitor, f64::from(float));
                }
                visitor.visit_f32(float)
            }
            0xCB => {
                let float = f64::from_be_bytes(self.number()?);
                if BUFFERED && is_integer(float) && self.converts(Buffered::FLOATS) {
                    return visit_float_as_integer(visitor, float);
                }
                visitor.visit_f64(float)
            }
            0xC4..=0xC6 => {
                let bin = self.bin(marker)?.unwrap_or_default();
                if BUFFERED && self.converts(Buffered::BINS) {
                    self.charge_values(bin.len())?;
                    return visitor.visit_seq(&mut Bytes::buffered(self, bin));
                }
                visitor.visit_borrowed_bytes(bin)
            }
            0xC1 => {
                self.skip()?;
                visitor.visit_unit()
            }
            0xC7..=0xC9 | 0xD4..=0xD8 => self.visit_extension::<V, BUFFERED>(marker, visitor),
        }
    }

    #[cold]
    #[inline(never)]
    fn visit_extension<V: Visitor<'de>, const BUFFERED: bool>(
        &mut self,
        marker: u8,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.at_undefined() {
            self.take_undefined();
            return visitor.visit_unit();
        }
        let (tag, data) = self.extension(marker)?.unwrap_or_default();
        if BUFFERED && tag == timestamp::TAG && self.converts(Buffered::TIMESTAMPS) {
            return visitor.visit_string(Timestamp::from_data(data)?.to_string());
        }
        // The error of a visitor that takes no extensions says "newtype struct".
        visitor
            .visit_newtype_struct(ExtensionParts::new(tag, data))
            .map_err(|error| match error.is_of_newtype_struct() {
                true => error.found(&extension_name(tag, data.len())),
                false => error,
            })
    }

    /// Takes `undefined`, which is the next value.
    #[inline]
    pub(crate) fn take_undefined(&mut self) {
        self.rest = self.rest.get(3..).unwrap_or_default();
    }

    /// Takes nil or `undefined` if it is the next value, and returns whether it was.
    #[inline]
    pub(crate) fn take_nil(&mut self, marker: u8) -> bool {
        if marker == 0xC0 {
            self.take_marker();
            return true;
        }
        if marker == 0xD4 && self.at_undefined() {
            self.take_undefined();
            return true;
        }
        false
    }

    /// Passes on the elements of an array that was entered. `COLLECTED` elements go into
    /// memory that is charged for.
    #[inline]
    fn visit_elements<V: Visitor<'de>, const COLLECTED: bool>(
        &mut self,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let mut elements = Elements::<COLLECTED>::new(self, count, node_of_list::<V::Value>());
        let value = visitor.visit_seq(&mut elements)?;
        let left = elements.end();
        if left > 0 {
            return Err(too_many(count - left));
        }
        self.leave();
        Ok(value)
    }

    /// Passes on the elements of an array that was entered, and ignores those that the visitor
    /// does not take.
    #[inline]
    fn visit_elements_as_fields<V: Visitor<'de>>(
        &mut self,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let mut elements = Elements::<false>::new(self, count, 0);
        let value = visitor.visit_seq(&mut elements)?;
        for _ in 0..elements.end() {
            self.skip()?;
        }
        self.leave();
        Ok(value)
    }

    /// Passes on the entries of a map that was entered, as fields of a struct or as entries of a
    /// collection.
    #[inline]
    fn visit_entries<V: Visitor<'de>, const FIELDS: bool>(
        &mut self,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let node = node_of_map::<V::Value>();
        let mut entries = Fields::<FIELDS>::new(self, count, node);
        let value = visitor.visit_map(&mut entries)?;
        let left = entries.end();
        if left > 0 {
            return Err(too_many(count - left));
        }
        self.leave();
        Ok(value)
    }

    /// The name of a variant without data.
    fn visit_variant_name<V: Visitor<'de>>(
        &mut self,
        marker: u8,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match marker {
            0xA0..=0xBF | 0xD9..=0xDB => visitor.visit_enum(UnitVariant(self)),
            _ => self.visit_other_enum(visitor),
        }
    }

    #[cold]
    #[inline(never)]
    fn visit_other_enum<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        let marker = self.marker()?;
        if let Some(name) = self.bin(marker)? {
            if let Ok(name) = std::str::from_utf8(name) {
                return visitor.visit_enum(Name(name));
            }
        }
        let expected = EnumExpected(&visitor);
        if let Some(entries) = self.enter_map(marker)? {
            return match self.go_to_defined_entry(entries)? {
                Some(after) => {
                    let value = visitor.visit_enum(Variant::new(self))?;
                    for _ in 0..after {
                        self.skip()?;
                        self.skip()?;
                    }
                    self.leave();
                    Ok(value)
                }
                None => Err(Error::invalid_length(entries, &expected)),
            };
        }
        if let Some((tag, data)) = self.extension(marker)? {
            return Err(Error::unexpected(
                &extension_name(tag, data.len()),
                &expected,
            ));
        }
        Err(Error::invalid_type(self.unexpected()?, &expected))
    }

    /// Skips entries up to the only one whose value is not `undefined`, and returns how many are
    /// after it. `None` if there are several, or none.
    fn go_to_defined_entry(&mut self, entries: usize) -> Result<Option<usize>, Error> {
        if entries == 1 {
            return Ok(Some(0));
        }
        let mut found = None;
        for after in (0..entries).rev() {
            let here = self.rest;
            self.skip()?;
            if !self.at_undefined() && found.replace((here, after)).is_some() {
                return Ok(None);
            }
            self.skip()?;
        }
        Ok(found.map(|(rest, after)| {
            self.rest = rest;
            after
        }))
    }

    /// What the next value is, for an error.
    pub(crate) fn unexpected(&mut self) -> Result<Unexpected<'de>, Error> {
        let marker = self.marker()?;
        Ok(match marker {
            0x00..=0x7F => Unexpected::Unsigned(u64::from(marker)),
            0xCC..=0xCF => Unexpected::Unsigned(self.unsigned(marker)?),
            0xD0..=0xD3 => Unexpected::Signed(self.signed(marker)?),
            0xE0..=0xFF => Unexpected::Signed(i64::from(marker as i8)),
            0xA0..=0xBF | 0xD9..=0xDB => Unexpected::Str(self.text(marker)?.unwrap_or_default()),
            0x90..=0x9F | 0xDC | 0xDD => Unexpected::Seq,
            0x80..=0x8F | 0xDE | 0xDF => Unexpected::Map,
            0xC2 | 0xC3 => Unexpected::Bool(marker == 0xC3),
            0xCA | 0xCB => Unexpected::Float(self.float(marker)?),
            0xC4..=0xC6 => Unexpected::Bytes(self.bin(marker)?.unwrap_or_default()),
            0xC7..=0xC9 | 0xD4..=0xD8 if !self.at_undefined() => Unexpected::Other("extension"),
            0xC0 | 0xC7..=0xC9 | 0xD4..=0xD8 => Unexpected::Unit,
            0xC1 => {
                self.skip()?;
                Unexpected::Unit
            }
        })
    }

    /// Passes on a text of at most 255 bytes, of a type that copies it. A `String` is checked after
    /// the copy: its memory is aligned, so that the check begins with words and not with bytes.
    #[inline]
    fn visit_copied_text<V: Visitor<'de>>(
        &mut self,
        text: &'de [u8],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if type_name::<V::Value>() == type_name::<String>() {
            return match String::from_utf8(text.to_vec()) {
                Ok(text) => visitor.visit_string(text),
                Err(_) => Err(self.not_utf8_before_here(text)),
            };
        }
        match std::str::from_utf8(text) {
            Ok(text) => visitor.visit_borrowed_str(text),
            Err(_) => Err(self.not_utf8_before_here(text)),
        }
    }

    #[inline(never)]
    fn visit_long_text<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        let marker = self.marker()?;
        match self.text(marker)? {
            Some(text) => visitor.visit_borrowed_str(text),
            None => self.visit_other(visitor),
        }
    }

    /// A text that something else means: a timestamp, or an address in the form of other formats.
    #[cold]
    #[inline(never)]
    fn visit_other_as_text<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        let marker = self.marker()?;
        let before = self.rest;
        if let Some((timestamp::TAG, data)) = self.extension(marker)? {
            return visitor.visit_string(Timestamp::from_data(data)?.to_string());
        }
        self.rest = before;
        if type_name::<V::Value>().contains("::net::") {
            if let Some(address) = addresses::read(self)? {
                return visitor.visit_string(address);
            }
        }
        self.visit_other(visitor)
    }

    /// Something else than an array for a list or a tuple.
    #[cold]
    #[inline(never)]
    fn visit_other_as_elements<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        let marker = self.marker()?;
        if let Some(bin) = self.bin(marker)? {
            return self.visit_bytes_as_elements(bin, "bin", visitor);
        }
        let wanted = type_name::<V::Value>();
        if wanted.contains("u8") {
            if let Some(text) = self.text(marker)? {
                return self.visit_bytes_as_elements(text.as_bytes(), "string", visitor);
            }
        }
        if is_of_time::<V::Value>() {
            if let Some(time) = self.take_time()? {
                return visitor.visit_seq(time.into_parts_of_time());
            }
        }
        self.visit_other(visitor)
    }

    /// The bytes of a bin or a string, for a list or a tuple of `u8`.
    fn visit_bytes_as_elements<V: Visitor<'de>>(
        &mut self,
        bytes: &'de [u8],
        of: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let mut elements = Bytes::new(self, bytes, of);
        let value = visitor.visit_seq(&mut elements)?;
        match elements.left() {
            0 => Ok(value),
            left => Err(too_many(bytes.len() - left)),
        }
    }

    /// A timestamp, also as text, if it is the next value.
    fn take_time(&mut self) -> Result<Option<Timestamp>, Error> {
        let marker = self.marker()?;
        let before = self.rest;
        if let Some(text) = self.text(marker)? {
            if let Ok(time) = text.parse() {
                return Ok(Some(time));
            }
        }
        self.rest = before;
        if let Some((timestamp::TAG, data)) = self.extension(marker)? {
            return Timestamp::from_data(data).map(Some);
        }
        self.rest = before;
        Ok(None)
    }

    /// Something else than a map or an array for a struct.
    #[cold]
    #[inline(never)]
    fn visit_other_as_struct<V: Visitor<'de>>(
        &mut self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == "SystemTime" {
            if let Some(time) = self.take_time()? {
                let fields = [
                    ("secs_since_epoch", time.seconds()),
                    ("nanos_since_epoch", i64::from(time.nanoseconds())),
                ];
                return visitor.visit_map(MapDeserializer::new(fields.into_iter()));
            }
        }
        self.visit_other(visitor)
    }
}

/// Says of an enum what it is read from.
struct EnumExpected<'a, V>(&'a V);

impl<'de, V: Visitor<'de>> serde::de::Expected for EnumExpected<'_, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.expecting(f)?;
        f.write_str(" (a string or a map of one entry)")
    }
}

#[cold]
fn too_many(taken: usize) -> Error {
    Error::custom(format_args!(
        "array or map has more entries than the type takes: maximum is {taken}"
    ))
}

/// An extension, for an error.
pub(crate) fn extension_name(tag: i8, len: usize) -> String {
    let meaning = match tag {
        timestamp::TAG => " (timestamp)",
        0x72 => " (a record of msgpackr: write with `useRecords: false`)",
        _ => "",
    };
    format!("extension type {tag}{meaning} of {len} bytes")
}

macro_rules! integers {
    ($($method:ident,)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.visit_integer(visitor)
        }
    )*};
}

/// Integers of 128 bits are written as bins of 16 bytes, and read from decimal texts too.
macro_rules! large_integers {
    ($($method:ident $visit:ident $integer:ty,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let marker = self.marker()?;
            if let Some(bin) = self.bin(marker)? {
                return match bin.try_into() {
                    Ok(bytes) => visitor.$visit(<$integer>::from_be_bytes(bytes)),
                    Err(_) => visitor.visit_borrowed_bytes(bin),
                };
            }
            if let Some(text) = self.text(marker)? {
                return match text.parse() {
                    Ok(number) if is_decimal(text) => visitor.$visit(number),
                    _ => visitor.visit_borrowed_str(text),
                };
            }
            self.visit_integer(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Error;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if buffers::<V>() {
            return self.visit_any::<V, true>(visitor);
        }
        if is_of_time::<V>() {
            if let Some(time) = self.take_time()? {
                return visitor.visit_seq(time.into_parts_of_time());
            }
        }
        self.visit_any::<V, false>(visitor)
    }

    integers! {
        deserialize_u8,
        deserialize_u16,
        deserialize_u32,
        deserialize_u64,
        deserialize_i8,
        deserialize_i16,
        deserialize_i32,
        deserialize_i64,
    }

    large_integers! {
        deserialize_u128 visit_u128 u128,
        deserialize_i128 visit_i128 i128,
    }

    #[inline]
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.marker()? {
            marker @ (0xC2 | 0xC3) => {
                self.take_marker();
                visitor.visit_bool(marker == 0xC3)
            }
            _ => self.visit_other(visitor),
        }
    }

    #[inline]
    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    #[inline]
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.marker()? {
            0xCB => visitor.visit_f64(f64::from_be_bytes(self.number()?)),
            0xCA => visitor.visit_f32(f32::from_be_bytes(self.number()?)),
            _ => self.visit_other(visitor),
        }
    }

    #[inline]
    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let marker = self.marker()?;
        match self.text(marker)? {
            Some(text) => visitor.visit_borrowed_str(text),
            None => self.visit_other_as_text(visitor),
        }
    }

    /// A type that asks like this copies the text.
    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if let Some(text) = self.short_text() {
            return self.visit_copied_text(text, visitor);
        }
        self.visit_long_text(visitor)
    }

    #[inline]
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let marker = self.marker()?;
        if let Some(bin) = self.bin(marker)? {
            return visitor.visit_borrowed_bytes(bin);
        }
        match self.text(marker)? {
            Some(text) => visitor.visit_borrowed_bytes(text.as_bytes()),
            None => self.visit_other(visitor),
        }
    }

    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let marker = self.marker()?;
        if self.take_nil(marker) {
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let marker = self.marker()?;
        if self.take_nil(marker) {
            return visitor.visit_unit();
        }
        self.visit_other(visitor)
    }

    /// A unit struct is written as an array without elements.
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.marker()? == 0x90 {
            self.take_marker();
            return visitor.visit_unit();
        }
        self.deserialize_unit(visitor)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == EXTENSION_STRUCT {
            let marker = self.marker()?;
            return match self.extension(marker)? {
                Some((tag, data)) => visitor.visit_newtype_struct(ExtensionParts::new(tag, data)),
                None => self.visit_other(visitor),
            };
        }
        visitor.visit_newtype_struct(self)
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let marker = self.marker()?;
        match self.enter_array(marker)? {
            Some(count) => self.visit_elements::<V, true>(count, visitor),
            None => self.visit_other_as_elements(visitor),
        }
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.charge_value::<V::Value>()?;
        let marker = self.marker()?;
        match self.enter_array(marker)? {
            Some(count) => self.visit_elements::<V, false>(count, visitor),
            None => self.visit_other_as_elements(visitor),
        }
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(len, visitor)
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.charge_value::<V::Value>()?;
        let marker = self.marker()?;
        match self.enter_map(marker)? {
            Some(count) => self.visit_entries::<V, false>(count, visitor),
            None => self.visit_other(visitor),
        }
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.charge_value::<V::Value>()?;
        let marker = self.marker()?;
        if let Some(count) = self.enter_map(marker)? {
            return self.visit_entries::<V, true>(count, visitor);
        }
        match self.enter_array(marker)? {
            Some(count) => self.visit_elements_as_fields(count, visitor),
            None => self.visit_other_as_struct(name, visitor),
        }
    }

    /// A string is a variant without data, a map of one entry a variant with its data. Not by
    /// index, which depends on the order of the variants.
    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.charge_value::<V::Value>()?;
        let marker = self.marker()?;
        if marker == 0x81 {
            self.enter_map(marker)?;
            let value = visitor.visit_enum(Variant::new(self))?;
            self.leave();
            return Ok(value);
        }
        self.visit_variant_name(marker, visitor)
    }

    #[inline]
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.visit_long_text(visitor)
    }

    #[inline]
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.skip()?;
        visitor.visit_unit()
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        true
    }
}
