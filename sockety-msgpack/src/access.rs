//! What visitors take values from: elements of arrays, and entries of maps.

use std::any::type_name;

use serde::de::value::BorrowedBytesDeserializer;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess};

use crate::{
    error::{Error, Place},
    extension::UNDEFINED,
    key::Key,
    reader::Reader,
    token::fixed_len,
};

/// The elements of an array. `COLLECTED` ones go into memory for any number of them.
pub(crate) struct Elements<'a, 'de, const COLLECTED: bool> {
    reader: &'a mut Reader<'de>,
    count: usize,
    left: usize,
    reserved: usize,
    /// How many elements the collection reserves with its first one.
    node: usize,
}

impl<'a, 'de, const COLLECTED: bool> Elements<'a, 'de, COLLECTED> {
    #[inline]
    pub(crate) fn new(reader: &'a mut Reader<'de>, count: usize, node: usize) -> Self {
        let reserved = if COLLECTED {
            reader.reserve(count)
        } else {
            count
        };
        Self {
            reader,
            count,
            left: count,
            reserved,
            node,
        }
    }

    /// Returns how many elements were not taken.
    #[inline]
    pub(crate) fn end(self) -> usize {
        if COLLECTED {
            self.reader.give_back(self.reserved);
        }
        self.left
    }
}

impl<'de, const COLLECTED: bool> SeqAccess<'de> for &mut Elements<'_, 'de, COLLECTED> {
    type Error = Error;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        if COLLECTED {
            self.reader.charge_element::<T::Value>()?;
            if self.left + 1 == self.count {
                self.reader.charge_first::<T::Value>(self.node)?;
            }
        }
        let start = self.reader.rest.len();
        match seed.deserialize(&mut *self.reader) {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                let index = self.count - self.left - 1;
                let offset = self.reader.offset_of(start);
                Err(error.at(offset).within(&Place::Index(index)))
            }
        }
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.reserved)
    }
}

/// The entries of a map: `FIELDS` of a struct, or entries of a collection. Entries whose value is
/// `undefined` are left out.
///
/// Functions that are rarely called take parts of it and not all of it, so that the parts can stay
/// in registers.
pub(crate) struct Fields<'a, 'de, const FIELDS: bool> {
    reader: &'a mut Reader<'de>,
    left: usize,
    reserved: usize,
    /// Where the first key is, as the number of bytes from there on.
    first: usize,
    /// Where the current key is.
    key: usize,
    /// How many entries the collection reserves with its first one, until it has it.
    node: usize,
}

impl<'a, 'de, const FIELDS: bool> Fields<'a, 'de, FIELDS> {
    #[inline]
    pub(crate) fn new(reader: &'a mut Reader<'de>, count: usize, node: usize) -> Self {
        let reserved = if FIELDS { count } else { reader.reserve(count) };
        let first = reader.rest.len();
        Self {
            reader,
            left: count,
            reserved,
            first,
            key: first,
            node,
        }
    }

    /// Returns how many entries were not taken.
    #[inline]
    pub(crate) fn end(self) -> usize {
        if !FIELDS {
            self.reader.give_back(self.reserved);
        }
        self.left
    }

    /// Goes to the next entry, and returns the marker of its key.
    #[inline]
    fn go_to_entry(&mut self) -> Result<Option<u8>, Error> {
        loop {
            if self.left == 0 {
                return Ok(None);
            }
            self.left -= 1;
            self.key = self.reader.rest.len();
            let marker = self.reader.marker()?;
            let len = match marker {
                0xA0..=0xBF => 1 + usize::from(marker & 0x1F),
                _ if FIELDS => 0,
                _ => fixed_len(marker),
            };
            // The byte after a usual key says that its value is not `undefined`.
            if len > 0 && self.reader.rest.get(len) != Some(&UNDEFINED[0])
                || !skip_unusual_entry::<FIELDS>(self.reader, marker, self.first)?
            {
                return Ok(Some(marker));
            }
        }
    }

    /// Takes the next key if it is a short string, and its value is not `undefined`. It may be no
    /// UTF-8. There must be an entry left.
    #[inline(always)]
    fn take_short_key(&mut self) -> Option<&'de [u8]> {
        let start = self.reader.rest.len();
        let (&marker, rest) = self.reader.rest.split_first()?;
        let (0xA0..=0xBF) = marker else {
            return None;
        };
        let (key, rest) = rest.split_at_checked(usize::from(marker & 0x1F))?;
        if rest.first() == Some(&UNDEFINED[0]) {
            return None;
        }
        self.left -= 1;
        self.key = start;
        self.reader.rest = rest;
        Some(key)
    }
}

/// Checks that the key at `key` is UTF-8 if it is a short string.
#[cold]
#[inline(never)]
fn check_short_key(reader: &mut Reader<'_>, key: usize) -> Result<(), Error> {
    let after = reader.rest;
    reader.rest = reader.bytes_from(key);
    if let Some(key) = reader.short_text() {
        if std::str::from_utf8(key).is_err() {
            return Err(reader.not_utf8_before_here(key));
        }
    }
    reader.rest = after;
    Ok(())
}

/// Whether serde derives this type of names: of the fields of a struct, unless some are flattened,
/// or of the variants of an enum. Its visitor takes the bytes of a name as it takes the name.
#[inline]
pub(crate) fn is_derived_name<K>() -> bool {
    type_name::<K>().ends_with("::__Field")
}

/// Whether this is the type of keys of a struct that serde derives.
#[inline]
fn is_field<K>() -> bool {
    let name = type_name::<K>();
    name.ends_with("::__Field") || name.ends_with("::__Field<'_>")
}

/// How many elements a list or a set reserves with its first one: a node of a tree has 11.
#[inline]
pub(crate) fn node_of_list<T>() -> usize {
    match type_name::<T>().starts_with("alloc::collections::btree") {
        true => 11,
        false => 4,
    }
}

/// Like [`node_of_list`], for a map. Types for any value mostly have trees.
#[inline]
pub(crate) fn node_of_map<T>() -> usize {
    match type_name::<T>().starts_with("std::collections::hash") {
        true => 4,
        false => 11,
    }
}

/// Skips an entry that is no field, or whose value is `undefined`. Returns whether it did.
#[cold]
#[inline(never)]
fn skip_unusual_entry<const FIELDS: bool>(
    reader: &mut Reader<'_>,
    marker: u8,
    first: usize,
) -> Result<bool, Error> {
    let before = reader.rest;
    let is_field = match marker {
        0xA0..=0xBF | 0xC4..=0xC6 | 0xD9..=0xDB => true,
        // A number is the position of a field, unless the first key is a name.
        0x00..=0x7F | 0xCC..=0xCF => !matches!(
            reader.bytes_from(first).first(),
            Some(0xA0..=0xBF | 0xC4..=0xC6 | 0xD9..=0xDB)
        ),
        _ => false,
    };
    reader.skip()?;
    if FIELDS && !is_field {
        reader.skip()?;
        return Ok(true);
    }
    if reader.at_undefined() {
        reader.take_undefined();
        return Ok(true);
    }
    reader.rest = before;
    Ok(false)
}

/// A key of a struct: the name of a field, or its position.
pub(crate) enum FieldKey<'de> {
    Name(&'de [u8]),
    Index(u64),
}

impl<'de> Fields<'_, 'de, true> {
    /// Reads the next key. The value after it must be read or skipped next.
    #[inline]
    pub(crate) fn next_field(&mut self) -> Result<Option<FieldKey<'de>>, Error> {
        let Some(marker) = self.go_to_entry()? else {
            return Ok(None);
        };
        if let Some(name) = self.reader.text(marker)? {
            return Ok(Some(FieldKey::Name(name.as_bytes())));
        }
        match self.reader.bin(marker)? {
            Some(name) => Ok(Some(FieldKey::Name(name))),
            None => Ok(Some(FieldKey::Index(self.reader.unsigned(marker)?))),
        }
    }

    #[inline]
    pub(crate) fn reader(&mut self) -> &mut Reader<'de> {
        self.reader
    }
}

/// The error of a value that begins where `start` bytes are left, of the entry whose key is at
/// `key`.
#[cold]
#[inline(never)]
pub(crate) fn within_entry(reader: &Reader<'_>, error: Error, start: usize, key: usize) -> Error {
    let error = error.at(reader.offset_of(start));
    let key = reader.bytes_from(key);
    let Some(&marker) = key.first() else {
        return error;
    };
    let head = match marker {
        0x00..=0x7F => return error.within(&Place::Index(usize::from(marker))),
        0xA0..=0xBF => 1,
        0xD9 | 0xC4 => 2,
        0xDA | 0xC5 => 3,
        0xDB | 0xC6 => 5,
        _ => return error.within(&Place::Name("")),
    };
    let len = match head {
        1 => usize::from(marker & 0x1F),
        _ => (key.get(1..head).unwrap_or_default().iter())
            .fold(0, |len, &byte| len << 8 | usize::from(byte)),
    };
    let name = key.get(head..head + len).unwrap_or_default();
    error.within(&Place::Name(&String::from_utf8_lossy(name)))
}

impl<'de, const FIELDS: bool> MapAccess<'de> for &mut Fields<'_, 'de, FIELDS> {
    type Error = Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        if FIELDS && is_derived_name::<K::Value>() {
            if self.left == 0 {
                return Ok(None);
            }
            if let Some(key) = self.take_short_key() {
                let result: Result<K::Value, Error> =
                    seed.deserialize(BorrowedBytesDeserializer::new(key));
                return match result {
                    Ok(key) => Ok(Some(key)),
                    Err(error) => {
                        check_short_key(self.reader, self.key)?;
                        Err(error.at(self.reader.offset_of(self.key)))
                    }
                };
            }
        }
        if self.go_to_entry()?.is_none() {
            return Ok(None);
        }
        if !FIELDS {
            self.reader.charge_element::<K::Value>()?;
            if is_field::<K::Value>() {
                // A struct with flattened fields: serde's buffer for them is dropped with it.
                self.node = 0;
            }
            if self.node > 0 {
                self.reader.charge_first::<K::Value>(self.node)?;
            }
        }
        match seed.deserialize(Key(self.reader)) {
            Ok(key) => Ok(Some(key)),
            Err(error) => Err(error.at(self.reader.offset_of(self.key))),
        }
    }

    #[inline]
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        if !FIELDS {
            self.reader.charge_element::<T::Value>()?;
            if self.node > 0 {
                self.reader.charge_first::<T::Value>(self.node)?;
                self.node = 0;
            }
        } else if size_of::<T::Value>() == 0 {
            // Serde ignores the value of an unknown field by a type without size. The names of
            // known fields are UTF-8.
            check_short_key(self.reader, self.key)?;
        }
        let start = self.reader.rest.len();
        match seed.deserialize(&mut *self.reader) {
            Ok(value) => Ok(value),
            Err(error) => Err(within_entry(self.reader, error, start, self.key)),
        }
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.reserved)
    }
}
