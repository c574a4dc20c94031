//! Wraps the deserializer of rmp-serde, and everything that it passes to a visitor, to add the
//! leniency described at [`crate`].
//!
//! Where it changes nothing, it costs nothing at run time: each part is a generic wrapper, and each
//! [`Want`] is known at compile time.

use std::fmt;
use std::marker::PhantomData;
use std::slice;

use serde::de::value::{BorrowedBytesDeserializer, I8Deserializer, StrDeserializer};
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer,
    MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::timestamp;

/// The deserializer of a value, or of a key of a map (`KEY`).
pub(crate) struct Lenient<D, const KEY: bool>(D);

impl<D> Lenient<D, false> {
    pub(crate) fn value(deserializer: D) -> Self {
        Self(deserializer)
    }
}

impl<D> Lenient<D, true> {
    pub(crate) fn key(deserializer: D) -> Self {
        Self(deserializer)
    }
}

/// Methods that ask for a value, and what each wants.
macro_rules! ask {
    ($($method:ident $want:ty,)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.0.deserialize_any(Lending::<V, $want>::new(visitor))
        }
    )*};
}

/// Methods that ask for an integer.
macro_rules! ask_integer {
    ($($method:ident,)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            let visitor = Lending::<V, Integer<KEY>>::new(visitor);
            if KEY {
                return self.0.deserialize_any(visitor);
            }
            self.0.$method(visitor)
        }
    )*};
}

// Almost everything goes through `deserialize_any`: rmp-serde looks at the bytes in any case, and
// its other methods only have less precise messages and pass a bin as a sequence. Integers use
// their own methods, which take half the time, except as keys, where they may be strings.
impl<'de, D: Deserializer<'de>, const KEY: bool> Deserializer<'de> for Lenient<D, KEY> {
    type Error = D::Error;

    ask! {
        deserialize_any Anything,
        deserialize_bool Exactly,
        deserialize_i128 Signed128,
        deserialize_u128 Unsigned128,
        deserialize_f32 Exactly,
        deserialize_f64 Exactly,
        deserialize_char Exactly,
        deserialize_str Exactly,
        deserialize_string Exactly,
        deserialize_bytes Bytes,
        deserialize_byte_buf Bytes,
        deserialize_unit Exactly,
        deserialize_seq Sequence,
        deserialize_map Exactly,
        deserialize_identifier Exactly,
        deserialize_ignored_any Nothing,
    }

    ask_integer! {
        deserialize_i8,
        deserialize_i16,
        deserialize_i32,
        deserialize_i64,
        deserialize_u8,
        deserialize_u16,
        deserialize_u32,
        deserialize_u64,
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0
            .deserialize_option(Lending::<V, Exactly>::new(visitor))
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0
            .deserialize_unit_struct(name, Lending::<V, Exactly>::new(visitor))
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        if name == rmp_serde::MSGPACK_EXT_STRUCT_NAME {
            return self
                .0
                .deserialize_any(Lending::<V, Extension>::new(visitor));
        }
        visitor.visit_newtype_struct(self)
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.deserialize_seq(visitor)
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.deserialize_seq(visitor)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.deserialize_map(visitor)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(EnumVisitor(visitor))
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }
}

/// What a type asks for. It decides which values are converted.
trait Want {
    /// Whole floats become integers.
    const INTEGER: bool = false;
    /// Decimal digits in a string become an integer.
    const DIGITS: bool = false;
    /// Whole floats outside the range in which msgpackr writes integers become integers.
    const ANYTHING: bool = false;
    /// Strings become bytes.
    const BYTES: bool = false;
    /// A bin becomes a sequence of `u8`.
    const SEQUENCE: bool = false;
    /// 16 bytes become an integer.
    const SIGNED_128: bool = false;
    /// 16 bytes become an unsigned integer.
    const UNSIGNED_128: bool = false;
    /// Extensions are passed on unchanged.
    const EXTENSION: bool = false;
    /// Extensions are skipped.
    const NOTHING: bool = false;
    /// Only a string is accepted: the name of a variant.
    const NAME: bool = false;
}

macro_rules! wants {
    ($($want:ident { $($constant:ident)* })*) => {$(
        struct $want;

        impl Want for $want {
            $(const $constant: bool = true;)*
        }
    )*};
}

wants! {
    Exactly {}
    Anything { ANYTHING }
    Bytes { BYTES }
    Sequence { SEQUENCE }
    Signed128 { INTEGER SIGNED_128 }
    Unsigned128 { INTEGER UNSIGNED_128 }
    Extension { EXTENSION }
    Nothing { NOTHING }
    Name { NAME }
}

struct Integer<const KEY: bool>;

impl<const KEY: bool> Want for Integer<KEY> {
    const INTEGER: bool = true;
    const DIGITS: bool = KEY;
}

/// Passes a value on to a visitor, converted to what it wants.
struct Lending<V, W> {
    visitor: V,
    want: PhantomData<W>,
}

impl<V, W: Want> Lending<V, W> {
    #[inline]
    fn new(visitor: V) -> Self {
        Self {
            visitor,
            want: PhantomData,
        }
    }

    #[inline]
    fn number<'de, N, E>(
        self,
        number: N,
        visit: fn(V, N) -> Result<V::Value, E>,
    ) -> Result<V::Value, E>
    where
        V: Visitor<'de>,
        N: Copy + Into<i128>,
        E: Error,
    {
        if W::NAME {
            return Err(E::custom(format_args!(
                "invalid type: integer `{}`, expected the name of an enum variant",
                number.into()
            )));
        }
        visit(self.visitor, number)
    }

    /// Passes on an extension if the visitor accepts it.
    #[inline]
    fn extension<'de, E: Error>(self, tag: i8, data: &'de [u8]) -> Result<V::Value, E>
    where
        V: Visitor<'de>,
    {
        if W::NOTHING {
            return self.visitor.visit_unit();
        }
        if W::EXTENSION || W::ANYTHING && tag == timestamp::TAG {
            return self
                .visitor
                .visit_newtype_struct(ExtensionParts::new(tag, data));
        }
        Err(unwanted_extension(tag, data.len(), &self.visitor))
    }
}

#[cold]
fn unwanted_extension<E: Error>(tag: i8, len: usize, expected: &dyn de::Expected) -> E {
    let name = match tag {
        timestamp::TAG => " (timestamp)",
        _ => "",
    };
    let what = format!("extension type {tag}{name} of {len} bytes");
    E::invalid_type(Unexpected::Other(&what), expected)
}

macro_rules! pass_numbers {
    ($($visit:ident $number:ty,)*) => {$(
        #[inline]
        fn $visit<E: Error>(self, number: $number) -> Result<V::Value, E> {
            self.number(number, V::$visit)
        }
    )*};
}

impl<'de, V: Visitor<'de>, W: Want> Visitor<'de> for Lending<V, W> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(formatter)
    }

    pass_numbers! {
        visit_i8 i8,
        visit_i16 i16,
        visit_i32 i32,
        visit_i64 i64,
        visit_u8 u8,
        visit_u16 u16,
        visit_u32 u32,
        visit_u64 u64,
    }

    #[inline]
    fn visit_bool<E: Error>(self, value: bool) -> Result<V::Value, E> {
        self.visitor.visit_bool(value)
    }

    #[inline]
    fn visit_f32<E: Error>(self, value: f32) -> Result<V::Value, E> {
        if W::INTEGER {
            return visit_float_as_integer(self.visitor, f64::from(value));
        }
        self.visitor.visit_f32(value)
    }

    #[inline]
    fn visit_f64<E: Error>(self, value: f64) -> Result<V::Value, E> {
        if W::INTEGER || W::ANYTHING && !MSGPACKR_INTEGERS.contains(&value) {
            return visit_float_as_integer(self.visitor, value);
        }
        self.visitor.visit_f64(value)
    }

    #[inline]
    fn visit_str<E: Error>(self, value: &str) -> Result<V::Value, E> {
        if W::BYTES {
            return self.visitor.visit_bytes(value.as_bytes());
        }
        if W::DIGITS {
            return visit_digits(self.visitor, value);
        }
        self.visitor.visit_str(value)
    }

    #[inline]
    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<V::Value, E> {
        if W::BYTES {
            return self.visitor.visit_borrowed_bytes(value.as_bytes());
        }
        if W::DIGITS {
            return visit_digits(self.visitor, value);
        }
        self.visitor.visit_borrowed_str(value)
    }

    #[inline]
    fn visit_borrowed_bytes<E: Error>(self, value: &'de [u8]) -> Result<V::Value, E> {
        if W::SEQUENCE {
            return self.visitor.visit_seq(ByteSeq {
                bytes: value.iter(),
                error: PhantomData,
            });
        }
        if W::SIGNED_128
            && let Ok(bytes) = value.try_into()
        {
            return self.visitor.visit_i128(i128::from_be_bytes(bytes));
        }
        if W::UNSIGNED_128
            && let Ok(bytes) = value.try_into()
        {
            return self.visitor.visit_u128(u128::from_be_bytes(bytes));
        }
        self.visitor.visit_borrowed_bytes(value)
    }

    #[inline]
    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(Lenient::value(deserializer))
    }

    #[inline]
    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    // rmp-serde calls this for an extension, and for nothing else.
    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<V::Value, D::Error> {
        let (tag, data) = <(i8, &'de [u8])>::deserialize(deserializer)?;
        self.extension(tag, data)
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_seq(Values(seq))
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Values(map))
    }
}

/// Passes a whole float on as an integer, and any other float unchanged, so that the visitor names
/// it in its message.
#[inline]
fn visit_float_as_integer<'de, V: Visitor<'de>, E: Error>(
    visitor: V,
    value: f64,
) -> Result<V::Value, E> {
    if value.trunc() != value {
        return visitor.visit_f64(value);
    }
    // The casts are exact within these ranges, whose limits are powers of two and exact too.
    if (0.0..TWO_TO_64).contains(&value) {
        visitor.visit_u64(value as u64)
    } else if (-TWO_TO_63..0.0).contains(&value) {
        visitor.visit_i64(value as i64)
    } else {
        visitor.visit_f64(value)
    }
}

/// Passes a string on as an integer if JavaScript writes a key like that for an integer, and any
/// other string unchanged. Different strings never become the same number.
#[inline]
fn visit_digits<'de, V: Visitor<'de>, E: Error>(visitor: V, text: &str) -> Result<V::Value, E> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if text != "0" && !digits.starts_with(|first| matches!(first, '1'..='9')) {
        return visitor.visit_str(text);
    }
    if let Ok(number) = text.parse() {
        visitor.visit_u64(number)
    } else if let Ok(number) = text.parse() {
        visitor.visit_i64(number)
    } else {
        visitor.visit_str(text)
    }
}

/// The elements of an array, or the entries of a map.
struct Values<A>(A);

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Values<A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, A::Error> {
        self.0.next_element_seed(Seed::<T, false>(seed))
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Values<A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        self.0.next_key_seed(Seed::<K, true>(seed))
    }

    #[inline]
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.0.next_value_seed(Seed::<T, false>(seed))
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

struct Seed<S, const KEY: bool>(S);

impl<'de, S: DeserializeSeed<'de>, const KEY: bool> DeserializeSeed<'de> for Seed<S, KEY> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Lenient::<D, KEY>(deserializer))
    }
}

/// Reads an enum: a string is a variant without data, a map of one entry a variant with its data.
/// rmp-serde would also accept the index of a variant, which depends on the order of the variants.
struct EnumVisitor<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for EnumVisitor<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(formatter)?;
        formatter.write_str(" (a string or a map of one entry)")
    }

    #[inline]
    fn visit_str<E: Error>(self, name: &str) -> Result<V::Value, E> {
        let name: StrDeserializer<'_, E> = name.into_deserializer();
        self.0.visit_enum(name)
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        match map.size_hint() {
            Some(1) | None => self.0.visit_enum(Variant(map)),
            Some(entries) => Err(A::Error::invalid_length(entries, &self)),
        }
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<V::Value, D::Error> {
        let (tag, data) = <(i8, &'de [u8])>::deserialize(deserializer)?;
        Err(unwanted_extension(tag, data.len(), &self))
    }
}

/// The one entry of the map that is a variant with data.
struct Variant<A>(A);

impl<'de, A: MapAccess<'de>> EnumAccess<'de> for Variant<A> {
    type Error = A::Error;
    type Variant = Self;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(
        mut self,
        seed: S,
    ) -> Result<(S::Value, Self), A::Error> {
        match self.0.next_key_seed(NameSeed(seed))? {
            Some(name) => Ok((name, self)),
            None => Err(A::Error::custom(
                "map without entries, expected an enum variant",
            )),
        }
    }
}

impl<'de, A: MapAccess<'de>> VariantAccess<'de> for Variant<A> {
    type Error = A::Error;

    #[inline]
    fn unit_variant(mut self) -> Result<(), A::Error> {
        self.0.next_value_seed(Seed::<_, false>(PhantomData))
    }

    #[inline]
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        mut self,
        seed: T,
    ) -> Result<T::Value, A::Error> {
        self.0.next_value_seed(Seed::<T, false>(seed))
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(
        mut self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.0
            .next_value_seed(VisitSeed(Lending::<V, Sequence>::new(visitor)))
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        mut self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.0
            .next_value_seed(VisitSeed(Lending::<V, Exactly>::new(visitor)))
    }
}

/// Reads any value with a visitor.
struct VisitSeed<V>(V);

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for VisitSeed<V> {
    type Value = V::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        deserializer.deserialize_any(self.0)
    }
}

/// Reads the name of a variant.
struct NameSeed<S>(S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for NameSeed<S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(NameDeserializer(deserializer))
    }
}

struct NameDeserializer<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for NameDeserializer<D> {
    type Error = D::Error;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(Lending::<V, Name>::new(visitor))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

/// The bytes of a bin as elements of a sequence.
///
/// They are read only as `u8`. [`Bounds::items`](crate::Bounds::items) does not count them, so they
/// must not become elements of another type, which may be large.
struct ByteSeq<'de, E> {
    bytes: slice::Iter<'de, u8>,
    error: PhantomData<E>,
}

impl<'de, E: Error> SeqAccess<'de> for ByteSeq<'de, E> {
    type Error = E;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, E> {
        match self.bytes.next() {
            Some(&byte) => seed
                .deserialize(Byte {
                    byte,
                    error: PhantomData,
                })
                .map(Some),
            None => Ok(None),
        }
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.bytes.len())
    }
}

struct Byte<E> {
    byte: u8,
    error: PhantomData<E>,
}

impl<'de, E: Error> Deserializer<'de> for Byte<E> {
    type Error = E;

    #[cold]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        Err(E::invalid_type(
            Unexpected::Other("a byte of a bin"),
            &visitor,
        ))
    }

    #[inline]
    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_u8(self.byte)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, E> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// An extension as rmp-serde passes it to types that accept extensions: its type, then its data.
struct ExtensionParts<'de, E> {
    tag: Option<i8>,
    data: Option<&'de [u8]>,
    error: PhantomData<E>,
}

impl<'de, E> ExtensionParts<'de, E> {
    fn new(tag: i8, data: &'de [u8]) -> Self {
        Self {
            tag: Some(tag),
            data: Some(data),
            error: PhantomData,
        }
    }
}

impl<'de, E: Error> Deserializer<'de> for ExtensionParts<'de, E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_seq(self)
    }

    // The visitor of a value type can call `Timestamp::deserialize` with this.
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, E> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, E: Error> SeqAccess<'de> for ExtensionParts<'de, E> {
    type Error = E;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, E> {
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

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;

/// The range in which msgpackr writes whole numbers as integers. A float in it is meant as a float.
const MSGPACKR_INTEGERS: std::ops::RangeInclusive<f64> = -2_147_483_648.0..=4_294_967_295.0;
