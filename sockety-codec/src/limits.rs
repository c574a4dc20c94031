use crate::ChannelCount;
use crate::uint::U48_MAX;

/// What is accepted from a peer.
///
/// The defaults are safe for an anonymous peer on a small machine. A message above one of the
/// limits is [refused](crate::Event::Refused): its content is read and dropped, and the connection
/// continues.
///
/// Each `max_` method changes a limit; the method of the same name without `max_` returns it.
///
/// # Examples
///
/// ```
/// use sockety_codec::Limits;
///
/// let limits = Limits::default().max_payload(64 * 1024).max_files(8);
/// assert_eq!(limits.payload(), 64 * 1024);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    channels: ChannelCount,
    action_bytes: usize,
    header_bytes: usize,
    header_pieces: u32,
    held_header_bytes: usize,
    payload: u64,
    files: u32,
    file_name_bytes: usize,
    file_size: u64,
    total_file_size: u64,
    metadata_bytes: u32,
    strict: bool,
}

impl Limits {
    /// Refuses nothing that the wire can express. For tools and tests; never for unknown peers.
    pub const WIRE: Self = Self {
        channels: ChannelCount::MAX,
        action_bytes: usize::MAX,
        header_bytes: usize::MAX,
        header_pieces: u32::MAX,
        held_header_bytes: usize::MAX,
        payload: U48_MAX,
        files: u32::MAX,
        file_name_bytes: usize::MAX,
        file_size: U48_MAX,
        total_file_size: U48_MAX,
        metadata_bytes: 65_536,
        strict: false,
    };

    /// Higher limits for trusted peers, such as other services of the same owner: payloads of up to
    /// 256 MiB, 65,536 files, and headers of 16 MiB in 65,536 packets.
    ///
    /// Memory still grows only with what arrives: a peer has to send what it wants held.
    pub fn trusted() -> Self {
        Self::default()
            .max_header_bytes(16 * 1024 * 1024)
            .max_header_pieces(65_536)
            .max_held_header_bytes(16 * 1024 * 1024)
            .max_payload(256 * 1024 * 1024)
            .max_files(65_536)
    }

    /// Limits the channels that we receive on, which our connection header announces. A peer that
    /// switches to another channel breaks `packet.switch.range`.
    ///
    /// Default 256: a channel is occupied only while content is in transit, and costs 24 bytes.
    #[must_use]
    pub const fn max_channels(mut self, channels: ChannelCount) -> Self {
        self.channels = channels;
        self
    }

    /// Limits the length of an action, in bytes.
    ///
    /// Default 1,024 (the wire allows 65,535): real names are shorter than 100 bytes, and this
    /// leaves room for paths. 0 counts as 1.
    #[must_use]
    pub const fn max_action_bytes(mut self, bytes: usize) -> Self {
        self.action_bytes = at_least_one(bytes);
        self
    }

    /// Limits the bytes of one message or response header, including file headers. A refused
    /// header that continues to four times the limit ends the connection.
    ///
    /// Default 64 KiB, which holds 1,024 files with names of 55 bytes. 0 counts as 1.
    #[must_use]
    pub const fn max_header_bytes(mut self, bytes: usize) -> Self {
        self.header_bytes = at_least_one(bytes);
        self
    }

    /// Limits the number of packets that one header may be split into. A refused header that
    /// continues to four times the limit ends the connection.
    ///
    /// Default 256: 64 KiB in pieces of 256 bytes. 0 counts as 1.
    #[must_use]
    pub const fn max_header_pieces(mut self, pieces: u32) -> Self {
        self.header_pieces = if pieces == 0 { 1 } else { pieces };
        self
    }

    /// Limits the bytes of incomplete headers held for all channels together; exceeding it ends
    /// the connection. Only the part being received is held: an action, or the header of one file.
    ///
    /// A part that arrives in one piece is not held, so whether a peer exceeds this limit depends on
    /// how its bytes arrive. An incomplete packet of the [extension](crate::extension) does not
    /// count: there is only one, of at most 8 KiB or
    /// [`max_metadata_bytes`](Self::max_metadata_bytes).
    ///
    /// Default 1 MiB: with the other defaults 256 channels cannot reach 300 KiB, so this takes
    /// effect only where the other limits were raised.
    #[must_use]
    pub const fn max_held_header_bytes(mut self, bytes: usize) -> Self {
        self.held_header_bytes = bytes;
        self
    }

    /// Limits the size of a payload, in bytes.
    ///
    /// Default 4 MiB, as in other RPC systems: a payload is usually collected in memory.
    #[must_use]
    pub const fn max_payload(mut self, bytes: u64) -> Self {
        self.payload = bytes;
        self
    }

    /// Limits the number of files in one message.
    ///
    /// Default 1,024 (the wire allows 16,777,215): each costs 24 bytes until the message ends.
    #[must_use]
    pub const fn max_files(mut self, files: u32) -> Self {
        self.files = files;
        self
    }

    /// Limits the length of a file name, in bytes.
    ///
    /// Default 255, the longest that file systems allow.
    #[must_use]
    pub const fn max_file_name_bytes(mut self, bytes: usize) -> Self {
        self.file_name_bytes = bytes;
        self
    }

    /// Limits the size of one file, in bytes.
    ///
    /// Default 2^48 - 1, the maximum of the wire: files are not collected in memory.
    #[must_use]
    pub const fn max_file_size(mut self, bytes: u64) -> Self {
        self.file_size = bytes;
        self
    }

    /// Limits the size of all files of one message together, in bytes.
    ///
    /// Default 2^48 - 1, the maximum of the wire: files are not collected in memory.
    #[must_use]
    pub const fn max_total_file_size(mut self, bytes: u64) -> Self {
        self.total_file_size = bytes;
        self
    }

    /// Limits the content of a Metadata packet of the [extension](crate::extension), in bytes; it is
    /// one of the [settings](crate::extension::Settings::metadata_bytes). From 1,024 to 65,536: what
    /// is beyond is brought into this range. A peer that exceeds it breaks `ext.packet.bound`.
    ///
    /// Default 8,192.
    #[must_use]
    pub const fn max_metadata_bytes(mut self, bytes: u32) -> Self {
        self.metadata_bytes = match bytes {
            0..=1_024 => 1_024,
            1_025..=65_536 => bytes,
            _ => 65_536,
        };
        self
    }

    /// Sets whether harmless oddities (reserved bits, empty packets, an abort where nothing is in
    /// progress) end the connection instead of being counted.
    ///
    /// Default no: other implementations send some of them.
    #[must_use]
    pub const fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// The channels that we receive on.
    #[inline]
    pub const fn channels(&self) -> ChannelCount {
        self.channels
    }

    /// The maximum content of a Metadata packet, in bytes.
    #[inline]
    pub const fn metadata_bytes(&self) -> u32 {
        self.metadata_bytes
    }

    /// The maximum length of an action, in bytes.
    #[inline]
    pub const fn action_bytes(&self) -> usize {
        self.action_bytes
    }

    /// The maximum bytes of one header.
    #[inline]
    pub const fn header_bytes(&self) -> usize {
        self.header_bytes
    }

    /// The maximum number of packets of one header.
    #[inline]
    pub const fn header_pieces(&self) -> u32 {
        self.header_pieces
    }

    /// The maximum bytes held of the incomplete headers on all channels.
    #[inline]
    pub const fn held_header_bytes(&self) -> usize {
        self.held_header_bytes
    }

    /// The maximum bytes of one payload.
    #[inline]
    pub const fn payload(&self) -> u64 {
        self.payload
    }

    /// The maximum number of files in one message.
    #[inline]
    pub const fn files(&self) -> u32 {
        self.files
    }

    /// The maximum length of a file name, in bytes.
    #[inline]
    pub const fn file_name_bytes(&self) -> usize {
        self.file_name_bytes
    }

    /// The maximum bytes of one file.
    #[inline]
    pub const fn file_size(&self) -> u64 {
        self.file_size
    }

    /// The maximum bytes of all files of one message together.
    #[inline]
    pub const fn total_file_size(&self) -> u64 {
        self.total_file_size
    }

    /// Whether harmless oddities end the connection.
    #[inline]
    pub const fn is_strict(&self) -> bool {
        self.strict
    }
}

/// `Ord::max` is not constant.
const fn at_least_one(bytes: usize) -> usize {
    if bytes == 0 { 1 } else { bytes }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            channels: ChannelCount::new(256).unwrap_or(ChannelCount::MAX),
            action_bytes: 1024,
            header_bytes: 64 * 1024,
            header_pieces: 256,
            held_header_bytes: 1024 * 1024,
            payload: 4 * 1024 * 1024,
            files: 1024,
            file_name_bytes: 255,
            file_size: U48_MAX,
            total_file_size: U48_MAX,
            metadata_bytes: 8_192,
            strict: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nothing_could_be_done_with_counts_as_one() {
        let limits = Limits::default()
            .max_action_bytes(0)
            .max_header_bytes(0)
            .max_header_pieces(0);
        let least = (
            limits.action_bytes(),
            limits.header_bytes(),
            limits.header_pieces(),
        );
        assert_eq!(least, (1, 1, 1));
    }

    #[test]
    fn each_limit_is_read_as_it_was_set() {
        let channels = ChannelCount::new(1).unwrap();
        let limits = Limits::default()
            .max_channels(channels)
            .max_action_bytes(2)
            .max_header_bytes(3)
            .max_header_pieces(4)
            .max_held_header_bytes(5)
            .max_payload(6)
            .max_files(7)
            .max_file_name_bytes(8)
            .max_file_size(9)
            .max_total_file_size(10)
            .strict(true);
        assert_eq!(limits.channels(), channels);
        assert_eq!(limits.action_bytes(), 2);
        assert_eq!(limits.header_bytes(), 3);
        assert_eq!(limits.header_pieces(), 4);
        assert_eq!(limits.held_header_bytes(), 5);
        assert_eq!(limits.payload(), 6);
        assert_eq!(limits.files(), 7);
        assert_eq!(limits.file_name_bytes(), 8);
        assert_eq!(limits.file_size(), 9);
        assert_eq!(limits.total_file_size(), 10);
        assert!(limits.is_strict());
    }
}
