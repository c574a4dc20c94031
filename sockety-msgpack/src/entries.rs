//! Reads a map whose keys are known without a struct: from a map, or from an array of all values in
//! order.

use std::fmt;

use rmp_serde::decode::Error;
use serde::de::{self, Deserialize, DeserializeOwned, Deserializer, IgnoredAny, Visitor};
use serde::forward_to_deserialize_any;

use crate::{
    bounds::Bounds,
    decode::{self, Reader},
    error::DecodeError,
    lenient::Lenient,
    token::{Kind, Token},
};

/// The entries of a map, in the order that they have in an array.
pub trait Entries {
    /// Their values.
    type Values;
    /// How many there are.
    const COUNT: usize;

    /// Reads the value of a key if it is a known key that was not read yet, and returns whether it
    /// was.
    ///
    /// # Errors
    ///
    /// When the value is of another type.
    fn read_named(&mut self, name: &[u8], reader: &mut Reader<'_>) -> Result<bool, Error>;

    /// Checks a key that [`read_named`](Self::read_named) did not read.
    ///
    /// # Errors
    ///
    /// When it was read before.
    fn check_unknown(&self, name: &[u8]) -> Result<(), Error>;

    /// Reads the value at a position in the order, and returns whether there is such a position.
    ///
    /// # Errors
    ///
    /// When the value is of another type, or was read before.
    fn read_at(&mut self, index: usize, reader: &mut Reader<'_>) -> Result<bool, Error>;

    /// Returns the values that were read, and the defaults of optional keys.
    ///
    /// # Errors
    ///
    /// When a key is missing.
    fn into_values(self) -> Result<Self::Values, Error>;
}

/// An entry: its key, how its value is read, and the value once it was read.
pub struct Entry<T> {
    name: &'static str,
    read: fn(&mut Reader<'_>) -> Result<T, Error>,
    missing: fn(&'static str) -> Result<T, Error>,
    value: Option<T>,
}

impl<T> Entry<T> {
    /// Creates an entry whose value was not read yet. `missing` is called if it never is.
    #[inline]
    pub fn new(
        name: &'static str,
        read: fn(&mut Reader<'_>) -> Result<T, Error>,
        missing: fn(&'static str) -> Result<T, Error>,
    ) -> Self {
        Self {
            name,
            read,
            missing,
            value: None,
        }
    }

    #[inline]
    fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        if self.value.is_some() {
            return Err(de::Error::duplicate_field(self.name));
        }
        self.value = Some((self.read)(reader).map_err(|error| within(self.name, error))?);
        Ok(())
    }
}

/// The error of one of the entries, which it names.
#[cold]
fn within(name: &str, error: Error) -> Error {
    de::Error::custom(format_args!("{name}: {}", decode::text(error)))
}

impl Entries for () {
    type Values = ();
    const COUNT: usize = 0;

    #[inline]
    fn read_named(&mut self, _: &[u8], _: &mut Reader<'_>) -> Result<bool, Error> {
        Ok(false)
    }

    fn check_unknown(&self, _: &[u8]) -> Result<(), Error> {
        Ok(())
    }

    #[inline]
    fn read_at(&mut self, _: usize, _: &mut Reader<'_>) -> Result<bool, Error> {
        Ok(false)
    }

    #[inline]
    fn into_values(self) -> Result<(), Error> {
        Ok(())
    }
}

/// A list of entries: the first one, and the list of the others.
impl<T, Rest: Entries> Entries for (Entry<T>, Rest) {
    type Values = (T, Rest::Values);
    const COUNT: usize = 1 + Rest::COUNT;

    #[inline]
    fn read_named(&mut self, name: &[u8], reader: &mut Reader<'_>) -> Result<bool, Error> {
        let (first, rest) = self;
        // Keys mostly arrive in order: the entries before were read and need no comparison.
        if first.value.is_some() || name != first.name.as_bytes() {
            return rest.read_named(name, reader);
        }
        first.read(reader)?;
        Ok(true)
    }

    fn check_unknown(&self, name: &[u8]) -> Result<(), Error> {
        let (first, rest) = self;
        if name == first.name.as_bytes() {
            return Err(de::Error::duplicate_field(first.name));
        }
        rest.check_unknown(name)
    }

    #[inline]
    fn read_at(&mut self, index: usize, reader: &mut Reader<'_>) -> Result<bool, Error> {
        let (first, rest) = self;
        if let Some(index) = index.checked_sub(1) {
            return rest.read_at(index, reader);
        }
        first.read(reader)?;
        Ok(true)
    }

    #[inline]
    fn into_values(self) -> Result<Self::Values, Error> {
        let (entry, rest) = self;
        let value = match entry.value {
            Some(value) => value,
            None => (entry.missing)(entry.name)?,
        };
        Ok((value, rest.into_values()?))
    }
}

/// Reads `bytes` into `entries`, and returns their values.
///
/// # Errors
///
/// Any [`DecodeError`].
#[inline]
pub fn read_entries<E: Entries>(bytes: &[u8], mut entries: E) -> Result<E::Values, DecodeError> {
    let bounds = Bounds::default();
    decode::checked(bytes, &bounds, |bytes| {
        let head = Token::read(bytes, 0)?;
        let mut reader = decode::reader(&bytes[head.len..], &bounds);
        match head.kind {
            Kind::Container { map: true, items } => read_map(&mut reader, items / 2, &mut entries),
            Kind::Container { map: false, items } => read_array(&mut reader, items, &mut entries),
            Kind::Plain | Kind::Str(_) | Kind::Ext { .. } => Err(no_entries(bytes)),
        }
        .and_then(|()| entries.into_values())
        .map_err(decode::invalid)
    })
}

#[cold]
fn no_entries(bytes: &[u8]) -> Error {
    let found = decode::kind_of(bytes[0]);
    de::Error::custom(format_args!(
        "invalid type: {found}, expected a map of parameters"
    ))
}

#[inline]
fn read_map<E: Entries>(reader: &mut Reader<'_>, count: u64, entries: &mut E) -> Result<(), Error> {
    for _ in 0..count {
        let is_read = match read_key(reader)? {
            Key::Name(name) if entries.read_named(name, reader)? => true,
            Key::Name(name) => {
                entries.check_unknown(name)?;
                false
            }
            Key::Index(index) => {
                let index = usize::try_from(index).unwrap_or(usize::MAX);
                entries.read_at(index, reader)?
            }
        };
        if !is_read {
            IgnoredAny::deserialize(Lenient::value(&mut *reader))?;
        }
    }
    Ok(())
}

#[inline]
fn read_array<E: Entries>(
    reader: &mut Reader<'_>,
    count: u64,
    entries: &mut E,
) -> Result<(), Error> {
    let count = count as usize;
    if count < E::COUNT {
        return Err(de::Error::invalid_length(count, &"all parameters"));
    }
    for index in 0..count {
        if !entries.read_at(index, reader)? {
            return Err(Error::LengthMismatch(index as u32));
        }
    }
    Ok(())
}

#[inline]
fn read_key<'de>(reader: &mut Reader<'de>) -> Result<Key<'de>, Error> {
    Key::deserialize(Lenient::key(reader))
}

enum Key<'de> {
    /// The name of a parameter.
    Name(&'de [u8]),
    /// Its position among them.
    Index(u64),
}

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(KeyVisitor)
    }
}

struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = Key<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of a parameter")
    }

    fn visit_borrowed_str<E: de::Error>(self, name: &'de str) -> Result<Key<'de>, E> {
        Ok(Key::Name(name.as_bytes()))
    }

    fn visit_borrowed_bytes<E: de::Error>(self, name: &'de [u8]) -> Result<Key<'de>, E> {
        Ok(Key::Name(name))
    }

    fn visit_u64<E: de::Error>(self, index: u64) -> Result<Key<'de>, E> {
        Ok(Key::Index(index))
    }
}

/// Returns the value of a key that is missing: `None` if the type is an `Option`.
///
/// # Errors
///
/// When the key is required.
pub fn missing<T: DeserializeOwned>(name: &'static str) -> Result<T, Error> {
    T::deserialize(Missing(name))
}

struct Missing(&'static str);

impl<'de> Deserializer<'de> for Missing {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(de::Error::missing_field(self.0))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_none()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
