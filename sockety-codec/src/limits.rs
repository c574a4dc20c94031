use crate::ChannelCount;
use crate::uint::U48_MAX;

/// What is accepted from a peer.
///
/// The defaults are safe for an anonymous peer on a small machine. A message above one of the
/// limits is [refused](crate::Event::Refused) and its content dropped without being kept; the
/// connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Channels that we receive on, as our connection header says. A peer that switches beyond
    /// them breaks `packet.switch.range`.
    ///
    /// Default 256: a channel is held only while content is on its way, and costs 24 bytes.
    pub channels: ChannelCount,
    /// Longest action, in bytes.
    ///
    /// Default 1,024 (the wire has room for 65,535): real names are below 100 bytes, and this
    /// leaves room for paths.
    pub action_bytes: usize,
    /// Bytes of one message or response header, file headers included. A refused header that goes
    /// on to four times as much ends the connection.
    ///
    /// Default 64 KiB: 1,024 files with names of 55 bytes fit.
    pub header_bytes: usize,
    /// Packets that one header may be cut into. A refused header that goes on to four times as
    /// many ends the connection.
    ///
    /// Default 256: 64 KiB in pieces of 256 bytes.
    pub header_pieces: u32,
    /// Bytes of incomplete headers held for all channels together; more end the connection. Only
    /// the part that is being received is held: an action or the header of one file.
    ///
    /// Default 1 MiB: with the other defaults 256 channels cannot reach 300 KiB, so this acts only
    /// where the others were raised.
    pub held_header_bytes: usize,
    /// Bytes of one payload.
    ///
    /// Default 4 MiB, as common RPC systems have it: a payload is usually collected in memory.
    pub payload: u64,
    /// Files of one message.
    ///
    /// Default 1,024 (the wire has room for 16,777,215): each costs 24 bytes while it is open.
    pub files: u32,
    /// Longest name of a file, in bytes.
    ///
    /// Default 255, the longest that file systems hold.
    pub file_name_bytes: usize,
    /// Bytes of one file.
    ///
    /// Default 2^48 - 1, the most the wire can say: files are not collected in memory.
    pub file_size: u64,
    /// Bytes of all files of one message.
    ///
    /// Default 2^48 - 1, the most the wire can say: files are not collected in memory.
    pub files_total: u64,
    /// Whether oddities without consequence (reserved bits, empty packets, an abort of nothing)
    /// end the connection instead of being counted.
    ///
    /// Default no: other implementations send some of them.
    pub strict: bool,
}

impl Limits {
    /// More than the defaults in one step, for peers that are trusted, such as services of one's own: payloads of up to
    /// 256 MiB, 65,536 files, headers of 16 MiB in 65,536 packets.
    ///
    /// Memory grows with what arrives all the same, so a peer has to send what it wants held.
    #[must_use]
    pub fn trusted() -> Self {
        Self {
            header_bytes: 16 * 1024 * 1024,
            header_pieces: 65_536,
            held_header_bytes: 16 * 1024 * 1024,
            payload: 256 * 1024 * 1024,
            files: 65_536,
            ..Self::default()
        }
    }

    /// Nothing is refused that the wire can say. For tools and tests; never for unknown peers.
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
        files_total: U48_MAX,
        strict: false,
    };
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
            files_total: U48_MAX,
            strict: false,
        }
    }
}
