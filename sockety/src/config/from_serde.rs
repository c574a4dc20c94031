//! [`Options`] from configuration, in any format of serde.
//!
//! Each table is read into optional values first, by the names of the setters. They are applied to
//! the defaults afterwards, so that the order of the keys does not matter.

use std::{fmt, marker::PhantomData, time::Duration};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, Unexpected, Visitor},
};
use sockety_codec::{ChannelCount, Limits};

use super::{
    extension::Extension,
    options::Options,
    rate::Rate,
    tcp::{Keepalive, TcpOptions},
    units::{SIZES, TIMES, Unread, parse},
};
use crate::msgpack::Bounds;

/// Declares a table by its keys, which are setters, and what is written there. Keys of further
/// tables are fields.
macro_rules! table {
    ($table:ident of $target:ident $([$other:literal])? { $($key:ident: $form:ty,)* }
     $({ $($inner:ident: $inner_table:ident,)* })?) => {
        #[derive(Default)]
        struct $table {
            $($key: Option<<$form as Form>::Value>,)*
            $($($inner: Option<$inner_table>,)*)?
        }

        impl $table {
            const KEYS: &'static [&'static str] =
                &[$($other,)? $($(stringify!($inner),)*)? $(stringify!($key),)*];

            fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
                match key {
                    $(stringify!($key) => put::<$form, A>(&mut self.$key, Key::of(stringify!($key)), map),)*
                    $($(stringify!($inner) => {
                        put::<$inner_table, A>(&mut self.$inner, Key::of(stringify!($inner)), map)
                    })*)?
                    unknown => Err(A::Error::unknown_field(unknown, Self::KEYS)),
                }
            }

            fn apply(self, mut target: $target) -> $target {
                $(if let Some(value) = self.$key {
                    target = target.$key(value);
                })*
                $($(if let Some(table) = self.$inner {
                    target.$inner = table.apply(target.$inner);
                })*)?
                target
            }
        }

        impl Form for $table {
            type Value = Self;
            const EXPECTED: &'static str = "a table";

            fn table<'de, A: MapAccess<'de>>(_: Key, mut map: A) -> Option<Result<Self, A::Error>> {
                let mut read = || {
                    let mut table = Self::default();
                    while let Some(key) = map.next_key::<String>()? {
                        table.read(&key, &mut map)?;
                    }
                    Ok(table)
                };
                Some(read())
            }
        }
    };
}

table! {
    OptionsTable of Options ["base"] {
        heartbeat: Time,
        idle_timeout: OrNone<Time>,
        header_timeout: Time,
        progress_timeout: OrNone<Time>,
        authorization_timeout: Time,
        max_useless_packets: RateOf<Count<u64>>,
        max_refused_messages: RateOf<Count<u64>>,
        max_aborted_messages: RateOf<Count<u64>>,
        max_dropped_content: RateOf<Size<u64>>,
        max_waiting_requests: Count<u64>,
        max_received_bytes: Positive<Size<u64>>,
        connect_timeout: Time,
        handshake_timeout: Time,
        call_timeout: OrNone<Time>,
        max_requests_in_flight: Positive<Count<usize>>,
        max_requests_executing: Positive<Count<usize>>,
        max_queued_requests: Count<usize>,
        max_outbox_bytes: Positive<Size<usize>>,
        write_stall: Time,
        reader_timeout: Time,
        blocking_reader_timeout: Time,
        max_unread_per_message: Positive<Size<usize>>,
        max_message_window: Size<usize>,
        max_unread_bytes: Size<usize>,
        max_payload_bytes: Size<u64>,
        max_open_files: Count<usize>,
        max_spill_bytes: Size<u64>,
        extension: Mode,
    } {
        limits: LimitsTable,
        bounds: BoundsTable,
        tcp: TcpTable,
    }
}

table! {
    LimitsTable of Limits {
        max_channels: Channels,
        max_action_bytes: Positive<Size<usize>>,
        max_header_bytes: Positive<Size<usize>>,
        max_header_pieces: Positive<Count<u32>>,
        max_held_header_bytes: Size<usize>,
        max_payload: Size<u64>,
        max_files: Count<u32>,
        max_file_name_bytes: Size<usize>,
        max_file_size: Size<u64>,
        max_total_file_size: Size<u64>,
        max_metadata_bytes: Size<u32>,
        strict: Switch,
    }
}

table! {
    BoundsTable of Bounds {
        max_depth: Count<usize>,
        max_items: Positive<Count<usize>>,
    }
}

table! {
    TcpTable of TcpOptions {
        nodelay: Switch,
        keepalive: OrNone<Probes>,
        user_timeout: OrNone<Time>,
        not_sent_bytes: OrNone<Positive<Size<u32>>>,
        receive_buffer: OrNone<Positive<Size<u32>>>,
    }
}

impl<'de> Deserialize<'de> for Options {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OptionsVisitor)
    }
}

struct OptionsVisitor;

impl<'de> Visitor<'de> for OptionsVisitor {
    type Value = Options;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of options")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Options, A::Error> {
        let (mut base, mut table) = (None, OptionsTable::default());
        while let Some(key) = map.next_key::<String>()? {
            match &*key {
                "base" => put::<Base, A>(&mut base, Key::of("base"), &mut map)?,
                key => table.read(key, &mut map)?,
            }
        }
        Ok(table.apply(base.unwrap_or_default()))
    }
}

/// A key, as errors name it, because most formats say at best in which line it is.
#[derive(Clone, Copy)]
struct Key {
    /// The key of the table that it is in, of the small tables that are values.
    table: Option<&'static str>,
    name: &'static str,
}

impl Key {
    fn of(name: &'static str) -> Self {
        let table = None;
        Self { table, name }
    }

    /// A key of the table that this is the key of.
    fn inner(self, name: &'static str) -> Self {
        let table = Some(self.name);
        Self { table, name }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(table) = self.table {
            write!(f, "{table}.")?;
        }
        f.write_str(self.name)
    }
}

/// Reads the value of a key.
fn put<'de, F: Form, A: MapAccess<'de>>(
    into: &mut Option<F::Value>,
    key: Key,
    map: &mut A,
) -> Result<(), A::Error> {
    if into.is_some() {
        return Err(match key.table {
            None => A::Error::duplicate_field(key.name),
            Some(_) => A::Error::custom(format_args!("duplicate field `{key}`")),
        });
    }
    let form = PhantomData;
    *into = Some(map.next_value_seed(FormSeed::<F> { key, form })?);
    Ok(())
}

/// Reads a small table that is a value: `read` puts the value of each of `names`.
fn read_all<'de, A: MapAccess<'de>>(
    mut map: A,
    table: Key,
    names: &'static [&'static str],
    mut read: impl FnMut(Key, &mut A) -> Result<(), A::Error>,
) -> Result<(), A::Error> {
    let mut missing = names.to_vec();
    while let Some(found) = map.next_key::<String>()? {
        let Some(name) = names.iter().find(|name| **name == found) else {
            let names = names.join("`, `");
            return Err(A::Error::custom(format_args!(
                "unknown field `{table}.{found}`, expected one of `{names}`"
            )));
        };
        missing.retain(|missing| missing != name);
        read(table.inner(name), &mut map)?;
    }
    match missing.first() {
        None => Ok(()),
        Some(name) => Err(A::Error::custom(format_args!(
            "missing field `{table}.{name}`"
        ))),
    }
}

/// A form in which people write a value.
trait Form {
    type Value;

    /// What is expected, for errors.
    const EXPECTED: &'static str;

    fn text(_text: &str) -> Result<Self::Value, Mistake> {
        Err(Mistake::Type)
    }

    fn number(_number: u64) -> Result<Self::Value, Mistake> {
        Err(Mistake::Type)
    }

    fn boolean(_value: bool) -> Result<Self::Value, Mistake> {
        Err(Mistake::Type)
    }

    /// `None` if it is not written as a table.
    fn table<'de, A: MapAccess<'de>>(_key: Key, _map: A) -> Option<Result<Self::Value, A::Error>> {
        None
    }
}

enum Mistake {
    Type,
    Value(String),
}

/// Reads a value in this form.
struct FormSeed<F> {
    key: Key,
    form: PhantomData<F>,
}

impl<F: Form> FormSeed<F> {
    fn error<E: Error>(&self, mistake: Mistake, found: Unexpected<'_>) -> E {
        match mistake {
            Mistake::Type => E::invalid_type(found, self),
            Mistake::Value(text) => E::custom(format_args!("{}: {text}", self.key)),
        }
    }
}

impl<'de, F: Form> DeserializeSeed<'de> for FormSeed<F> {
    type Value = F::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<F::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: Form> Visitor<'de> for FormSeed<F> {
    type Value = F::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for `{}`", F::EXPECTED, self.key)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<F::Value, E> {
        F::boolean(value).map_err(|mistake| self.error(mistake, Unexpected::Bool(value)))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<F::Value, E> {
        F::number(value).map_err(|mistake| self.error(mistake, Unexpected::Unsigned(value)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<F::Value, E> {
        match u64::try_from(value) {
            Ok(value) => self.visit_u64(value),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(value), &self)),
        }
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<F::Value, E> {
        F::text(value).map_err(|mistake| self.error(mistake, Unexpected::Str(value)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<F::Value, A::Error> {
        match F::table(self.key, map) {
            Some(table) => table,
            None => Err(A::Error::invalid_type(Unexpected::Map, &self)),
        }
    }
}

/// Whose values hold where a table says nothing.
struct Base;

impl Form for Base {
    type Value = Options;
    const EXPECTED: &'static str = r#""default" or "trusted""#;

    fn text(text: &str) -> Result<Options, Mistake> {
        match text {
            "default" => Ok(Options::default()),
            "trusted" => Ok(Options::trusted()),
            other => Err(Mistake::Value(format!(
                r#"invalid base {other:?}: write "default" or "trusted""#
            ))),
        }
    }
}

struct Time;

impl Form for Time {
    type Value = Duration;
    const EXPECTED: &'static str = r#"a duration such as "30s""#;

    fn text(text: &str) -> Result<Duration, Mistake> {
        let instead = r#"write a number and a unit, such as "500ms", "30s", "5m", "1h" or "1m30s""#;
        match parse(text, TIMES) {
            // It would end at once whatever it is the timeout of.
            Ok(0) => Err(Mistake::Value(format!(
                "duration must not be zero: {instead}"
            ))),
            Ok(milliseconds) => Ok(Duration::from_millis(milliseconds)),
            Err(Unread::Malformed) => Err(Mistake::Value(format!(
                "invalid duration {text:?}: {instead}"
            ))),
            Err(Unread::TooLarge) => {
                let days = u64::MAX / (24 * 3_600_000);
                Err(Mistake::Value(format!(
                    "{text:?} is too large: maximum is {days}d"
                )))
            }
        }
    }
}

/// A number of bytes, as an integer or as text with a unit.
struct Size<T>(PhantomData<T>);

impl<T: TryFrom<u64>> Form for Size<T> {
    type Value = T;
    const EXPECTED: &'static str = r#"a size such as "4 MiB", or a number of bytes"#;

    fn text(text: &str) -> Result<T, Mistake> {
        match parse(text, SIZES) {
            Ok(bytes) => fitting(bytes),
            Err(Unread::Malformed) => Err(Mistake::Value(format!(
                "invalid size {text:?}: write a number and a unit, such as \"512 B\" or \"4 MiB\"; units \
                 are B, KB, MB, GB, TB (powers of 1000) and KiB, MiB, GiB, TiB (powers of 1024)"
            ))),
            Err(Unread::TooLarge) => Err(too_large::<T>(&format_args!("{text:?}"))),
        }
    }

    fn number(bytes: u64) -> Result<T, Mistake> {
        fitting(bytes)
    }
}

struct Count<T>(PhantomData<T>);

impl<T: TryFrom<u64>> Form for Count<T> {
    type Value = T;
    const EXPECTED: &'static str = "a whole number";

    fn number(number: u64) -> Result<T, Mistake> {
        fitting(number)
    }
}

fn fitting<T: TryFrom<u64>>(number: u64) -> Result<T, Mistake> {
    // Only types that are narrower fail.
    T::try_from(number).map_err(|_| too_large::<T>(&number))
}

fn too_large<T>(value: &dyn fmt::Display) -> Mistake {
    let maximum = u64::MAX >> (u64::BITS as usize - 8 * size_of::<T>());
    Mistake::Value(format!("{value} is too large: maximum is {maximum}"))
}

/// A value that must not be zero: nothing could be done with so little.
struct Positive<F>(PhantomData<F>);

impl<F: Form<Value: Default + PartialEq>> Positive<F> {
    fn check(value: F::Value) -> Result<F::Value, Mistake> {
        match value == F::Value::default() {
            true => Err(Mistake::Value("must not be 0".into())),
            false => Ok(value),
        }
    }
}

impl<F: Form<Value: Default + PartialEq>> Form for Positive<F> {
    type Value = F::Value;
    const EXPECTED: &'static str = F::EXPECTED;

    fn text(text: &str) -> Result<F::Value, Mistake> {
        F::text(text).and_then(Self::check)
    }

    fn number(number: u64) -> Result<F::Value, Mistake> {
        F::number(number).and_then(Self::check)
    }
}

struct Channels;

impl Form for Channels {
    type Value = ChannelCount;
    const EXPECTED: &'static str = "a number of channels, 1 to 4096";

    fn number(number: u64) -> Result<ChannelCount, Mistake> {
        let count = u16::try_from(number).ok().and_then(ChannelCount::new);
        count.ok_or_else(|| {
            Mistake::Value(format!(
                "invalid number of channels {number}: write 1 to 4096"
            ))
        })
    }
}

struct Mode;

impl Form for Mode {
    type Value = Extension;
    const EXPECTED: &'static str = r#""auto", "off" or "require""#;

    fn text(text: &str) -> Result<Extension, Mistake> {
        match text {
            "auto" => Ok(Extension::Auto),
            "off" => Ok(Extension::Off),
            "require" => Ok(Extension::Require),
            _ => Err(Mistake::Value(format!(
                "invalid mode {text:?}: write {}",
                Self::EXPECTED
            ))),
        }
    }
}

struct Switch;

impl Form for Switch {
    type Value = bool;
    const EXPECTED: &'static str = "true or false";

    fn boolean(value: bool) -> Result<bool, Mistake> {
        Ok(value)
    }
}

/// A value, or `"none"`: some formats have no other way to write that.
struct OrNone<F>(PhantomData<F>);

impl<F: Form> Form for OrNone<F> {
    type Value = Option<F::Value>;
    const EXPECTED: &'static str = F::EXPECTED;

    fn text(text: &str) -> Result<Self::Value, Mistake> {
        match text {
            "none" => Ok(None),
            text => F::text(text).map(Some).map_err(|mistake| match mistake {
                Mistake::Type => Mistake::Type,
                Mistake::Value(text) => Mistake::Value(format!(r#"{text}; or write "none""#)),
            }),
        }
    }

    fn number(number: u64) -> Result<Self::Value, Mistake> {
        F::number(number).map(Some)
    }

    fn table<'de, A: MapAccess<'de>>(key: Key, map: A) -> Option<Result<Self::Value, A::Error>> {
        Some(F::table(key, map)?.map(Some))
    }
}

/// A [`Rate`] of such amounts.
struct RateOf<F>(PhantomData<F>);

impl<F: Form<Value = u64>> Form for RateOf<F> {
    type Value = Rate;
    const EXPECTED: &'static str = r#"a table with burst and per_second, or "unlimited""#;

    fn text(text: &str) -> Result<Rate, Mistake> {
        match text {
            "unlimited" => Ok(Rate::UNLIMITED),
            _ => Err(Mistake::Type),
        }
    }

    fn table<'de, A: MapAccess<'de>>(key: Key, map: A) -> Option<Result<Rate, A::Error>> {
        let (mut burst, mut per_second) = (None, None);
        let read = read_all(map, key, &["burst", "per_second"], |key, map| {
            match key.name {
                "burst" => put::<Positive<F>, A>(&mut burst, key, map),
                _ => put::<F, A>(&mut per_second, key, map),
            }
        });
        let rate = |()| Rate::new(burst.unwrap_or_default(), per_second.unwrap_or_default());
        Some(read.map(rate))
    }
}

/// A [`Keepalive`].
struct Probes;

impl Form for Probes {
    type Value = Keepalive;
    const EXPECTED: &'static str = r#"a table with idle, interval and probes, or "none""#;

    fn table<'de, A: MapAccess<'de>>(key: Key, map: A) -> Option<Result<Keepalive, A::Error>> {
        let (mut idle, mut interval, mut probes) = (None, None, None);
        let names = &["idle", "interval", "probes"];
        let read = read_all(map, key, names, |key, map| match key.name {
            "idle" => put::<Time, A>(&mut idle, key, map),
            "interval" => put::<Time, A>(&mut interval, key, map),
            _ => put::<Positive<Count<u32>>, A>(&mut probes, key, map),
        });
        let keepalive = |()| {
            let (idle, interval) = (idle.unwrap_or_default(), interval.unwrap_or_default());
            Keepalive::new(idle, interval, probes.unwrap_or_default())
        };
        Some(read.map(keepalive))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MIB: u64 = 1024 * 1024;

    /// Every option has a value that is not its default. A new one does not compile here until it
    /// has one too, in both texts.
    fn all() -> Options {
        let limits = Limits::default()
            .max_channels(ChannelCount::new(16).expect("a count"))
            .max_action_bytes(100)
            .max_header_bytes(2 * 1024)
            .max_header_pieces(9)
            .max_held_header_bytes(3000)
            .max_payload(64 * MIB)
            .max_files(7)
            .max_file_name_bytes(99)
            .max_file_size(5 * 1024 * MIB)
            .max_total_file_size(6_000_000_000)
            .max_metadata_bytes(2048)
            .strict(true);
        let tcp = TcpOptions::default()
            .nodelay(false)
            .keepalive(Keepalive::new(30 * SECOND, 5 * SECOND, 2))
            .user_timeout(21 * SECOND)
            .not_sent_bytes(None)
            .receive_buffer(128 * 1024);
        Options {
            limits,
            bounds: Bounds::new().max_depth(20).max_items(1000),
            heartbeat: SECOND,
            idle_timeout: None,
            header_timeout: 2 * SECOND,
            progress_timeout: Some(3 * SECOND),
            authorization_timeout: 4 * SECOND,
            useless_packets: Rate::new(1, 2),
            refused_messages: Rate::new(3, 4),
            aborted_messages: Rate::UNLIMITED,
            dropped_content: Rate::new(MIB, 2000),
            waiting_requests: 5,
            received_bytes: 6 * MIB,
            connect_timeout: 5 * SECOND,
            handshake_timeout: Duration::from_millis(6500),
            call_timeout: Some(7 * 60 * SECOND),
            requests_in_flight: 8,
            requests_executing: 9,
            queued_requests: 10,
            outbox_bytes: 11,
            write_stall: Some(12 * SECOND),
            reader_timeout: 13 * SECOND,
            blocking_reader_timeout: 14 * SECOND,
            window: 15 * 1024,
            message_window_max: 20 * 1024,
            unread_bytes: 16 * 1024,
            payload_bytes: 17_000,
            open_files: 18,
            spill_bytes: 19 * 1_000_000_000,
            extension: Extension::Require,
            tcp,
        }
    }

    const TOML: &str = r#"
        heartbeat = "1s"
        idle_timeout = "none"
        header_timeout = "2s"
        progress_timeout = "3 s"
        authorization_timeout = "4000ms"
        max_useless_packets = { burst = 1, per_second = 2 }
        max_refused_messages = { burst = 3, per_second = 4 }
        max_aborted_messages = "unlimited"
        max_dropped_content = { burst = "1 MiB", per_second = "2 KB" }
        max_waiting_requests = 5
        max_received_bytes = "6 MiB"
        connect_timeout = "5s"
        handshake_timeout = "6500ms"
        call_timeout = "7m"
        max_requests_in_flight = 8
        max_requests_executing = 9
        max_queued_requests = 10
        max_outbox_bytes = 11
        write_stall = "12s"
        reader_timeout = "13s"
        blocking_reader_timeout = "14s"
        max_unread_per_message = "15 KiB"
        max_message_window = "20 KiB"
        max_unread_bytes = "16KiB"
        max_payload_bytes = 17_000
        max_open_files = 18
        max_spill_bytes = "19 GB"
        extension = "require"

        [limits]
        max_channels = 16
        max_action_bytes = "100 B"
        max_header_bytes = "2 KiB"
        max_header_pieces = 9
        max_held_header_bytes = 3000
        max_payload = "64 MiB"
        max_files = 7
        max_file_name_bytes = 99
        max_file_size = "5 GiB"
        max_total_file_size = "6 GB"
        max_metadata_bytes = "2 KiB"
        strict = true

        [bounds]
        max_depth = 20
        max_items = 1000

        [tcp]
        nodelay = false
        keepalive = { idle = "30s", interval = "5s", probes = 2 }
        user_timeout = "21s"
        not_sent_bytes = "none"
        receive_buffer = "128 KiB"
    "#;

    fn toml(text: &str) -> Result<Options, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    fn json(text: &str) -> Result<Options, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn every_option_is_read_from_toml_and_json() {
        assert_eq!(toml(TOML), Ok(all()));
        let table: toml::Table = toml::from_str(TOML).expect("TOML");
        let text = serde_json::to_string(&table).expect("JSON");
        assert_eq!(json(&text), Ok(all()));
        let keys = OptionsTable::KEYS.iter().filter(|key| **key != "base");
        for key in keys {
            assert!(table.contains_key(*key), "{key}");
        }
        for (inner, keys) in [
            ("limits", LimitsTable::KEYS),
            ("bounds", BoundsTable::KEYS),
            ("tcp", TcpTable::KEYS),
        ] {
            let found: Vec<_> = table[inner].as_table().expect("a table").keys().collect();
            assert_eq!(found.len(), keys.len(), "{found:?}");
        }
    }

    #[test]
    fn what_is_not_given_is_as_in_the_base() {
        assert_eq!(toml(""), Ok(Options::default()));
        assert_eq!(json("{}"), Ok(Options::default()));
        assert_eq!(json(r#"{"base": "default"}"#), Ok(Options::default()));
        let trusted = Options::trusted();
        assert_eq!(toml("base = 'trusted'"), Ok(trusted.clone()));
        // Wherever the base is written.
        let text = r#"{"limits": {"max_files": 3}, "heartbeat": "5s", "base": "trusted"}"#;
        let expected = trusted
            .limits(Limits::trusted().max_files(3))
            .heartbeat(5 * SECOND);
        assert_eq!(json(text), Ok(expected));
        let alone = toml("[tcp]\nnodelay = false").expect("options");
        let expected = Options::default().tcp(TcpOptions::default().nodelay(false));
        assert_eq!(alone, expected);
    }

    /// What JSON says about one key.
    fn mistake(text: &str) -> String {
        let error = json(&format!("{{{text}}}")).expect_err(text);
        let position = error.rfind(" at line 1 column ").expect("a position");
        error[..position].to_owned()
    }

    #[test]
    fn mistakes_name_the_key_the_value_and_what_to_write() {
        let time = r#"write a number and a unit, such as "500ms", "30s", "5m", "1h" or "1m30s""#;
        let size = "write a number and a unit, such as \"512 B\" or \"4 MiB\"; units are B, KB, MB, GB, TB \
                    (powers of 1000) and KiB, MiB, GiB, TiB (powers of 1024)";
        let or_none = r#"; or write "none""#;
        let cases = [
            (
                r#""heartbeat": "30 sec""#,
                format!("heartbeat: invalid duration \"30 sec\": {time}"),
            ),
            (
                r#""heartbeat": "0s""#,
                format!("heartbeat: duration must not be zero: {time}"),
            ),
            (
                r#""idle_timeout": "off""#,
                format!("idle_timeout: invalid duration \"off\": {time}{or_none}"),
            ),
            (
                r#""heartbeat": 30"#,
                "invalid type: integer `30`, expected a duration such as \"30s\" for `heartbeat`"
                    .into(),
            ),
            (
                r#""heartbeat": "none""#,
                format!("heartbeat: invalid duration \"none\": {time}"),
            ),
            (
                r#""max_payload_bytes": "4 megs""#,
                format!("max_payload_bytes: invalid size \"4 megs\": {size}"),
            ),
            (
                r#""max_payload_bytes": -1"#,
                "invalid value: integer `-1`, expected a size such as \"4 MiB\", or a \
                 number of bytes for `max_payload_bytes`"
                    .into(),
            ),
            (
                r#""limits": {"max_header_pieces": 5000000000}"#,
                "max_header_pieces: 5000000000 is too large: maximum is 4294967295".into(),
            ),
            (
                r#""limits": {"max_channels": 4097}"#,
                "max_channels: invalid number of channels 4097: write 1 to 4096".into(),
            ),
            (
                r#""limits": {"strict": "yes"}"#,
                "invalid type: string \"yes\", expected true or false for `strict`".into(),
            ),
            (
                r#""max_requests_executing": "8""#,
                "invalid type: string \"8\", expected a whole number for `max_requests_executing`"
                    .into(),
            ),
            (
                r#""max_requests_executing": 0"#,
                "max_requests_executing: must not be 0".into(),
            ),
            (
                r#""max_requests_in_flight": 0"#,
                "max_requests_in_flight: must not be 0".into(),
            ),
            (
                r#""max_received_bytes": 0"#,
                "max_received_bytes: must not be 0".into(),
            ),
            (
                r#""limits": {"max_action_bytes": 0}"#,
                "max_action_bytes: must not be 0".into(),
            ),
            (
                r#""limits": {"max_header_bytes": "0 KiB"}"#,
                "max_header_bytes: must not be 0".into(),
            ),
            (
                r#""limits": {"max_header_pieces": 0}"#,
                "max_header_pieces: must not be 0".into(),
            ),
            (
                r#""bounds": {"max_items": 0}"#,
                "max_items: must not be 0".into(),
            ),
            (
                r#""max_outbox_bytes": "0 B""#,
                "max_outbox_bytes: must not be 0".into(),
            ),
            (
                r#""max_unread_per_message": 0"#,
                "max_unread_per_message: must not be 0".into(),
            ),
            (
                r#""tcp": {"receive_buffer": 0}"#,
                "receive_buffer: must not be 0".into(),
            ),
            (
                r#""tcp": {"receive_buffer": "0 KiB"}"#,
                "receive_buffer: must not be 0; or write \"none\"".into(),
            ),
            (
                r#""tcp": {"not_sent_bytes": 0}"#,
                "not_sent_bytes: must not be 0".into(),
            ),
            (
                r#""tcp": {"keepalive": {"idle": "1s", "interval": "1s", "probes": 0}}"#,
                "keepalive.probes: must not be 0".into(),
            ),
            (
                r#""tcp": {"keepalive": {"idle": "1s", "interval": 1, "probes": 1}}"#,
                "invalid type: integer `1`, expected a duration such as \"30s\" for `keepalive.interval`"
                    .into(),
            ),
            (
                r#""tcp": {"keepalive": {"idle": "0s", "interval": "1s", "probes": 1}}"#,
                format!("keepalive.idle: duration must not be zero: {time}"),
            ),
            (
                r#""max_useless_packets": {"burst": 1}"#,
                "missing field `max_useless_packets.per_second`".into(),
            ),
            (
                r#""max_useless_packets": {"burst": "64 MiB", "per_second": 1}"#,
                "invalid type: string \"64 MiB\", expected a whole number for `max_useless_packets.burst`"
                    .into(),
            ),
            (
                r#""max_dropped_content": {"burst": 0, "per_second": 1}"#,
                "max_dropped_content.burst: must not be 0".into(),
            ),
            (
                r#""max_dropped_content": {"burst": 1, "burst": 1}"#,
                "duplicate field `max_dropped_content.burst`".into(),
            ),
            (
                r#""max_dropped_content": {"burst": 1, "per_second": "17179869184 GiB"}"#,
                "max_dropped_content.per_second: \"17179869184 GiB\" is too large: maximum is 18446744073709551615"
                    .into(),
            ),
            (
                r#""max_spill_bytes": "17179869184 GiB""#,
                "max_spill_bytes: \"17179869184 GiB\" is too large: maximum is 18446744073709551615"
                    .into(),
            ),
            (
                r#""tcp": {"receive_buffer": "16777216 TiB"}"#,
                "receive_buffer: \"16777216 TiB\" is too large: maximum is 4294967295; or write \"none\"".into(),
            ),
            (
                r#""heartbeat": "213503982335d""#,
                "heartbeat: \"213503982335d\" is too large: maximum is 213503982334d".into(),
            ),
            (
                r#""max_useless_packets": 7"#,
                "invalid type: integer `7`, expected a table with burst and per_second, \
                 or \"unlimited\" for `max_useless_packets`"
                    .into(),
            ),
            (
                r#""tcp": {"keepalive": {"idle": "1s", "interval": "1s", "probe": 1}}"#,
                "unknown field `keepalive.probe`, expected one of `idle`, `interval`, `probes`".into(),
            ),
            (
                r#""extension": "on""#,
                "extension: invalid mode \"on\": write \"auto\", \"off\" or \"require\"".into(),
            ),
            (
                r#""base": "none""#,
                "base: invalid base \"none\": write \"default\" or \"trusted\"".into(),
            ),
            (
                r#""heartbeat": "1s", "heartbeat": "2s""#,
                "duplicate field `heartbeat`".into(),
            ),
            (
                r#""limits": 3"#,
                "invalid type: integer `3`, expected a table for `limits`".into(),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(mistake(text), expected);
        }
        let unknown = mistake(r#""max_payload": "1 MiB""#);
        let begin = "unknown field `max_payload`, expected one of `base`, `limits`, `bounds`, `tcp`, `heartbeat`, ";
        assert!(unknown.starts_with(begin), "{unknown}");
        let unknown = mistake(r#""limits": {"payload": 1}"#);
        assert!(unknown.starts_with("unknown field `payload`, expected one of `max_channels`, "));
    }

    #[test]
    fn durations_and_sizes_may_have_several_units() {
        let options =
            json(r#"{"heartbeat": "1m30s", "idle_timeout": "1d", "max_spill_bytes": "2 TiB"}"#);
        let expected = Options::default()
            .heartbeat(90 * SECOND)
            .idle_timeout(24 * 3600 * SECOND)
            .max_spill_bytes(2 << 40);
        assert_eq!(options, Ok(expected));
    }

    #[test]
    fn toml_shows_the_line_too() {
        let error = toml("heartbeat = \"1s\"\ncall_timeout = 5\n").expect_err("no duration");
        let first =
            "invalid type: integer `5`, expected a duration such as \"30s\" for `call_timeout`";
        assert!(error.contains(first), "{error}");
        assert!(error.contains("line 2"), "{error}");
    }
}
