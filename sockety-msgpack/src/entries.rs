//! Reads a map whose keys are known without a struct: from a map, or from an array of all values in
//! order.

use serde::de::{self, DeserializeOwned, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

use crate::{
    access::{FieldKey, Fields},
    bounds::Bounds,
    decode,
    deserialize::extension_name,
    error::{DecodeError, Error, Place},
    reader::Reader,
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

    /// The entry reads as the default of its type if it is missing.
    #[inline]
    pub fn or_default(mut self) -> Self
    where
        T: Default,
    {
        self.missing = |_| Ok(T::default());
        self
    }

    /// The entry is read from these keys too.
    #[inline]
    pub fn or_named(self, aliases: &'static [&'static str]) -> AliasedEntry<T> {
        AliasedEntry {
            entry: self,
            aliases,
        }
    }

    #[inline]
    fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        if self.value.is_some() {
            return Err(de::Error::duplicate_field(self.name));
        }
        let start = reader.offset();
        match (self.read)(reader) {
            Ok(value) => {
                self.value = Some(value);
                Ok(())
            }
            Err(error) => Err(error.at(start).within(&Place::Name(self.name))),
        }
    }
}

/// An entry with several keys. A separate type, so that other entries do not compare more.
pub struct AliasedEntry<T> {
    entry: Entry<T>,
    aliases: &'static [&'static str],
}

impl<T> AliasedEntry<T> {
    #[inline]
    fn is_named(&self, name: &[u8]) -> bool {
        let is_same = |known: &&str| known.as_bytes() == name;
        is_same(&self.entry.name) || self.aliases.iter().any(is_same)
    }
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

impl<T, Rest: Entries> Entries for (AliasedEntry<T>, Rest) {
    type Values = (T, Rest::Values);
    const COUNT: usize = 1 + Rest::COUNT;

    #[inline]
    fn read_named(&mut self, name: &[u8], reader: &mut Reader<'_>) -> Result<bool, Error> {
        let (first, rest) = self;
        if first.entry.value.is_some() || !first.is_named(name) {
            return rest.read_named(name, reader);
        }
        first.entry.read(reader)?;
        Ok(true)
    }

    fn check_unknown(&self, name: &[u8]) -> Result<(), Error> {
        let (first, rest) = self;
        if first.is_named(name) {
            return Err(de::Error::duplicate_field(first.entry.name));
        }
        rest.check_unknown(name)
    }

    #[inline]
    fn read_at(&mut self, index: usize, reader: &mut Reader<'_>) -> Result<bool, Error> {
        let (first, rest) = self;
        if let Some(index) = index.checked_sub(1) {
            return rest.read_at(index, reader);
        }
        first.entry.read(reader)?;
        Ok(true)
    }

    #[inline]
    fn into_values(self) -> Result<Self::Values, Error> {
        let (first, rest) = self;
        (first.entry, rest).into_values()
    }
}

/// Reads `bytes` within `bounds` into `entries`, and returns their values.
///
/// # Errors
///
/// Any [`DecodeError`].
#[inline]
pub fn read_entries<E: Entries>(
    bytes: &[u8],
    bounds: &Bounds,
    mut entries: E,
) -> Result<E::Values, DecodeError> {
    decode::whole(bytes, bounds, |reader| {
        let marker = reader.marker()?;
        if let Some(count) = reader.enter_map(marker)? {
            read_map(reader, count, &mut entries)?;
        } else if let Some(count) = reader.enter_array(marker)? {
            read_array(reader, count, &mut entries)?;
        } else {
            return Err(no_entries(reader));
        }
        entries.into_values()
    })
}

#[cold]
fn no_entries(reader: &mut Reader<'_>) -> Error {
    let expected = "a map of parameters";
    if reader.at_undefined() {
        return de::Error::invalid_type(de::Unexpected::Unit, &expected);
    }
    let extension = reader.marker().and_then(|marker| reader.extension(marker));
    if let Ok(Some((tag, data))) = extension {
        return Error::unexpected(&extension_name(tag, data.len()), &expected);
    }
    match reader.unexpected() {
        Ok(found) => de::Error::invalid_type(found, &expected),
        Err(error) => error,
    }
}

#[inline]
fn read_map<E: Entries>(
    reader: &mut Reader<'_>,
    count: usize,
    entries: &mut E,
) -> Result<(), Error> {
    let mut keys = Fields::<true>::new(reader, count, 0);
    while let Some(key) = keys.next_field()? {
        let reader = keys.reader();
        let is_read = match key {
            FieldKey::Name(name) => {
                let is_read = entries.read_named(name, reader)?;
                if !is_read {
                    entries.check_unknown(name)?;
                }
                is_read
            }
            FieldKey::Index(index) => {
                let index = usize::try_from(index).unwrap_or(usize::MAX);
                entries.read_at(index, reader)?
            }
        };
        if !is_read {
            reader.skip()?;
        }
    }
    Ok(())
}

#[inline]
fn read_array<E: Entries>(
    reader: &mut Reader<'_>,
    count: usize,
    entries: &mut E,
) -> Result<(), Error> {
    if count < E::COUNT {
        return Err(de::Error::invalid_length(count, &"all parameters"));
    }
    for index in 0..count {
        // Newer callers may have more parameters.
        if !entries.read_at(index, reader)? {
            reader.skip()?;
        }
    }
    Ok(())
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
