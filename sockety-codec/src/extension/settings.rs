use super::malformed;
use crate::{
    ChannelCount, Violation,
    reader::Reader,
    uint::{self, U48_MAX},
};

/// What a side tells its peer about itself as a receiver, in its first packet (`ext.settings.first`).
///
/// Each method that begins with `with_` changes a value; the method of the same name without it
/// returns the value. A value out of its range is brought into it.
///
/// # Examples
///
/// ```
/// use sockety_codec::extension::Settings;
///
/// let settings = Settings::default().with_message_window(1 << 20);
/// assert_eq!(settings.message_window(), 1_048_576);
/// assert_eq!(settings.connection_window(), 8 << 20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    message_window: u32,
    connection_window: u64,
    channels: ChannelCount,
    metadata_bytes: u32,
    payload: u64,
    files: u32,
    action_bytes: u32,
    header_bytes: u32,
    requests: u32,
    idle_millis: u64,
    deadline_millis: u32,
}

const MESSAGE_WINDOW: u8 = 1;
const CONNECTION_WINDOW: u8 = 2;
const CHANNELS: u8 = 3;
const METADATA_BYTES: u8 = 4;
const PAYLOAD: u8 = 5;
const FILES: u8 = 6;
const ACTION_BYTES: u8 = 7;
const HEADER_BYTES: u8 = 8;
const REQUESTS: u8 = 9;
const IDLE_MILLIS: u8 = 10;
const DEADLINE_MILLIS: u8 = 11;

/// All settings, in the order in which they are written.
const IDS: std::ops::RangeInclusive<u8> = MESSAGE_WINDOW..=DEADLINE_MILLIS;

const U32_MAX: u64 = 0xFFFF_FFFF;

/// The smallest and the largest value of a setting; `None` if the id is not known.
// r[impl ext.settings.entries]
pub(crate) const fn range(id: u8) -> Option<(u64, u64)> {
    Some(match id {
        MESSAGE_WINDOW => (4_096, 1 << 31),
        CONNECTION_WINDOW => (16_384, 1 << 40),
        CHANNELS => (16, 4_096),
        METADATA_BYTES => (1_024, 65_536),
        PAYLOAD => (0, U48_MAX),
        FILES | ACTION_BYTES | HEADER_BYTES | REQUESTS | DEADLINE_MILLIS => (0, U32_MAX),
        IDLE_MILLIS => (1_000, U48_MAX),
        _ => return None,
    })
}

/// Whether 0 is a value of the setting though its range begins above: never.
pub(crate) const fn zero_is_allowed(id: u8) -> bool {
    id == IDLE_MILLIS
}

fn is_in_range(id: u8, value: u64) -> bool {
    let is_never = zero_is_allowed(id) && value == 0;
    is_never || range(id).is_none_or(|(least, most)| value >= least && value <= most)
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            message_window: 256 * 1024,
            connection_window: 8 * 1024 * 1024,
            channels: ChannelCount::DEFAULT,
            metadata_bytes: 8_192,
            payload: 4 * 1024 * 1024,
            files: 1_024,
            action_bytes: 1_024,
            header_bytes: 64 * 1024,
            requests: 256,
            idle_millis: 90_000,
            deadline_millis: 0,
        }
    }
}

impl Settings {
    /// Bytes of a message's content that its sender may send before it gets credit: 4,096 to 2^31,
    /// 262,144 by default.
    #[must_use]
    pub fn with_message_window(self, bytes: u32) -> Self {
        self.with(MESSAGE_WINDOW, bytes.into())
    }

    /// Bytes of content on the connection that may be sent and not yet read: 16,384 to 2^40, 8 MiB
    /// by default.
    #[must_use]
    pub fn with_connection_window(self, bytes: u64) -> Self {
        self.with(CONNECTION_WINDOW, bytes)
    }

    /// The channels that it receives on, in place of the count in its connection header: 16 to
    /// 4,096, 256 by default.
    #[must_use]
    pub fn with_channels(self, channels: ChannelCount) -> Self {
        self.with(CHANNELS, channels.get().into())
    }

    /// The largest content of one Metadata packet, in bytes: 1,024 to 65,536, 8,192 by default.
    #[must_use]
    pub fn with_metadata_bytes(self, bytes: u32) -> Self {
        self.with(METADATA_BYTES, bytes.into())
    }

    /// The largest payload that it accepts, in bytes: 4 MiB by default.
    #[must_use]
    pub fn with_payload(self, bytes: u64) -> Self {
        self.with(PAYLOAD, bytes)
    }

    /// The most files of one message that it accepts: 1,024 by default.
    #[must_use]
    pub fn with_files(self, files: u32) -> Self {
        self.with(FILES, files.into())
    }

    /// The longest action that it accepts, in bytes: 1,024 by default.
    #[must_use]
    pub fn with_action_bytes(self, bytes: u32) -> Self {
        self.with(ACTION_BYTES, bytes.into())
    }

    /// The longest header that it accepts, in bytes: 64 KiB by default.
    #[must_use]
    pub fn with_header_bytes(self, bytes: u32) -> Self {
        self.with(HEADER_BYTES, bytes.into())
    }

    /// The requests of this connection that it executes at a time: 256 by default.
    #[must_use]
    pub fn with_requests(self, requests: u32) -> Self {
        self.with(REQUESTS, requests.into())
    }

    /// Milliseconds without a byte after which it considers the connection dead: at least 1,000, or
    /// 0 for never; 90,000 by default.
    #[must_use]
    pub fn with_idle_millis(self, millis: u64) -> Self {
        self.with(IDLE_MILLIS, millis)
    }

    /// The deadline, in milliseconds, of its own requests that carry none, have neither files nor a
    /// stream, and expect a reply; 0, the default, for none.
    #[must_use]
    pub fn with_deadline_millis(self, millis: u32) -> Self {
        self.with(DEADLINE_MILLIS, millis.into())
    }

    /// See [`with_message_window`](Self::with_message_window).
    pub const fn message_window(&self) -> u32 {
        self.message_window
    }

    /// See [`with_connection_window`](Self::with_connection_window).
    pub const fn connection_window(&self) -> u64 {
        self.connection_window
    }

    /// See [`with_channels`](Self::with_channels).
    pub const fn channels(&self) -> ChannelCount {
        self.channels
    }

    /// See [`with_metadata_bytes`](Self::with_metadata_bytes).
    pub const fn metadata_bytes(&self) -> u32 {
        self.metadata_bytes
    }

    /// See [`with_payload`](Self::with_payload).
    pub const fn payload(&self) -> u64 {
        self.payload
    }

    /// See [`with_files`](Self::with_files).
    pub const fn files(&self) -> u32 {
        self.files
    }

    /// See [`with_action_bytes`](Self::with_action_bytes).
    pub const fn action_bytes(&self) -> u32 {
        self.action_bytes
    }

    /// See [`with_header_bytes`](Self::with_header_bytes).
    pub const fn header_bytes(&self) -> u32 {
        self.header_bytes
    }

    /// See [`with_requests`](Self::with_requests).
    pub const fn requests(&self) -> u32 {
        self.requests
    }

    /// See [`with_idle_millis`](Self::with_idle_millis).
    pub const fn idle_millis(&self) -> u64 {
        self.idle_millis
    }

    /// See [`with_deadline_millis`](Self::with_deadline_millis).
    pub const fn deadline_millis(&self) -> u32 {
        self.deadline_millis
    }

    fn with(mut self, id: u8, value: u64) -> Self {
        let (least, most) = range(id).unwrap_or((0, U48_MAX));
        let value = match is_in_range(id, value) {
            true => value,
            false => value.clamp(least, most),
        };
        self.set(id, value);
        self
    }

    /// Sets a value that is in range.
    fn set(&mut self, id: u8, value: u64) {
        let narrow = u32::try_from(value).unwrap_or(u32::MAX);
        match id {
            MESSAGE_WINDOW => self.message_window = narrow,
            CONNECTION_WINDOW => self.connection_window = value,
            CHANNELS => {
                let count = u16::try_from(value).ok().and_then(ChannelCount::new);
                self.channels = count.unwrap_or(self.channels);
            }
            METADATA_BYTES => self.metadata_bytes = narrow,
            PAYLOAD => self.payload = value,
            FILES => self.files = narrow,
            ACTION_BYTES => self.action_bytes = narrow,
            HEADER_BYTES => self.header_bytes = narrow,
            REQUESTS => self.requests = narrow,
            IDLE_MILLIS => self.idle_millis = value,
            DEADLINE_MILLIS => self.deadline_millis = narrow,
            _ => {}
        }
    }

    fn get(&self, id: u8) -> u64 {
        match id {
            MESSAGE_WINDOW => self.message_window.into(),
            CONNECTION_WINDOW => self.connection_window,
            CHANNELS => self.channels.get().into(),
            METADATA_BYTES => self.metadata_bytes.into(),
            PAYLOAD => self.payload,
            FILES => self.files.into(),
            ACTION_BYTES => self.action_bytes.into(),
            HEADER_BYTES => self.header_bytes.into(),
            REQUESTS => self.requests.into(),
            IDLE_MILLIS => self.idle_millis,
            _ => self.deadline_millis.into(),
        }
    }

    /// The values that differ from the defaults, with their ids.
    // r[impl ext.settings.entries]
    fn entries(&self) -> impl Iterator<Item = (u8, u64)> + '_ {
        let default = Self::default();
        IDS.map(|id| (id, self.get(id)))
            .filter(move |(id, value)| *value != default.get(*id))
    }

    /// Appends the content of the packet.
    pub(crate) fn encode(&self, dst: &mut Vec<u8>) {
        for (id, value) in self.entries() {
            dst.push(id);
            uint::put(dst, value, 6);
        }
    }

    pub(crate) fn decode(content: &[u8]) -> Result<Self, Violation> {
        let mut settings = Self::default();
        let mut seen = [false; 256];
        let mut reader = Reader::new(content);
        while let Some(id) = reader.byte() {
            let value = reader.u64(6).ok_or(malformed("Settings"))?;
            if let Some(seen) = seen.get_mut(usize::from(id)) {
                if std::mem::replace(seen, true) {
                    return Err(Violation::SettingRepeated { id });
                }
            }
            if !is_in_range(id, value) {
                return Err(Violation::SettingRange { id, value });
            }
            // One that is not known has no effect.
            settings.set(id, value);
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: u8, value: u64) -> Vec<u8> {
        let mut bytes = vec![id];
        uint::put(&mut bytes, value, 6);
        bytes
    }

    // r[verify ext.settings.entries]
    #[test]
    fn both_ends_of_a_range_are_read_and_what_is_beyond_breaks() {
        for id in IDS {
            let (least, most) = range(id).unwrap();
            for value in [least, most] {
                let settings = Settings::decode(&entry(id, value)).unwrap();
                assert_eq!(settings.get(id), value);
                let mut bytes = Vec::new();
                settings.encode(&mut bytes);
                let is_default = Settings::default().get(id) == value;
                assert_eq!(bytes.is_empty(), is_default, "setting {id}");
                assert_eq!(Settings::decode(&bytes), Ok(settings));
            }
            let below = least.checked_sub(1).filter(|_| id != IDLE_MILLIS);
            let above = Some(most + 1).filter(|value| *value <= U48_MAX);
            for value in [below, above].into_iter().flatten() {
                let violation = Violation::SettingRange { id, value };
                assert_eq!(Settings::decode(&entry(id, value)), Err(violation));
                assert_eq!(violation.rule(), "ext.settings.entries");
            }
        }
        let violation = Violation::SettingRange {
            id: IDLE_MILLIS,
            value: 999,
        };
        assert_eq!(Settings::decode(&entry(IDLE_MILLIS, 999)), Err(violation));
        let text = "setting 10 is 999, must be 0 or 1000 to 281474976710655";
        assert_eq!(violation.to_string(), text);
        let never = Settings::decode(&entry(IDLE_MILLIS, 0)).unwrap();
        assert_eq!(never.idle_millis(), 0);
    }

    // r[verify ext.settings.entries]
    #[test]
    fn an_id_twice_breaks_and_an_unknown_one_has_no_effect() {
        for id in [MESSAGE_WINDOW, 200] {
            let twice = [entry(id, 8_192), entry(id, 8_192)].concat();
            let violation = Violation::SettingRepeated { id };
            assert_eq!(Settings::decode(&twice), Err(violation));
        }
        let unknown = Settings::decode(&entry(12, U48_MAX));
        assert_eq!(unknown, Ok(Settings::default()));
    }

    #[test]
    fn values_are_brought_into_their_range() {
        let settings = Settings::default()
            .with_message_window(1)
            .with_connection_window(u64::MAX)
            .with_channels(ChannelCount::ONE)
            .with_metadata_bytes(1 << 20)
            .with_idle_millis(5);
        assert_eq!(settings.message_window(), 4_096);
        assert_eq!(settings.connection_window(), 1 << 40);
        assert_eq!(settings.channels().get(), 16);
        assert_eq!(settings.metadata_bytes(), 65_536);
        assert_eq!(settings.idle_millis(), 1_000);
        assert_eq!(settings.with_idle_millis(0).idle_millis(), 0);
    }

    // r[verify ext.content.exact]
    #[test]
    fn settings_that_are_cut_break() {
        let bytes = [entry(1, 8_192), entry(2, 16_384)].concat();
        for end in 0..bytes.len() {
            let cut = Settings::decode(&bytes[..end]);
            match end % 7 {
                0 => assert!(cut.is_ok()),
                _ => assert_eq!(cut, Err(malformed("Settings"))),
            }
        }
    }
}
