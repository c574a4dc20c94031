mod extension;
mod outbound;
mod outline;
#[cfg(test)]
mod tests;

use uuid::Uuid;

pub use self::extension::Described;
use self::outbound::{Due, Outbound};
use self::outline::Outline;
use crate::packet::Packet;
use crate::uint::{self, U24_MAX};
use crate::{
    ChannelCount, ChannelId, FileHeader, FileIndex, Head, MessageHead, ReplyCode, UsageError,
};

/// Encodes packets, and allows only those that are legal in the current state.
///
/// Packets are appended to the caller's `Vec<u8>` in their smallest form. The methods for content
/// write only the start of the packet: the caller appends exactly `size` bytes of content.
///
/// The encoder tracks the current channel. Therefore, the bytes must reach the peer in the order of
/// the calls, with each piece of content right after the start of its packet.
///
/// # Errors
///
/// Every method that fails with a [`UsageError`] has written and changed nothing.
///
/// # Examples
///
/// ```
/// use sockety_codec::{ChannelCount, ChannelId, Encoder, MessageHead, Uuid};
///
/// let mut encoder = Encoder::new(ChannelCount::MAX);
/// let mut dst = Vec::new();
/// let id = Uuid::from_u128(0x8a1f_6f0e_0f5c_4c1e_9d7b_6a3c_55aa_0f21);
/// let head = MessageHead::new(id, "ping").expecting_response(true);
/// encoder.whole(&mut dst, ChannelId::ZERO, head, b"hello")?;
/// assert_eq!(dst.len(), 2 + 22 + 1 + 2 + 5);
/// # Ok::<(), sockety_codec::UsageError>(())
/// ```
#[derive(Debug)]
pub struct Encoder {
    peer_channels: ChannelCount,
    /// The current channel, to which packets belong.
    channel: ChannelId,
    /// Entries up to the highest channel that has ever been in use.
    channels: Vec<Outbound>,
    /// How many messages and responses have begun.
    begun: u64,
}

impl Encoder {
    /// An encoder at the start of a connection to a peer that receives on `peer_channels`.
    pub fn new(peer_channels: ChannelCount) -> Self {
        Self {
            peer_channels,
            // r[impl packet.switch.initial]
            channel: ChannelId::ZERO,
            channels: Vec::new(),
            begun: 0,
        }
    }

    /// How many messages and responses have begun: the number of the next one. Both sides count
    /// alike.
    // r[impl ext.number]
    #[inline]
    pub fn begun(&self) -> u64 {
        self.begun
    }

    /// The size of the header of a message or response with these files, in bytes.
    ///
    /// # Errors
    ///
    /// Those of [`begin`](Self::begin) about the header.
    pub fn header_size<'a>(
        head: impl Into<Head<'a>>,
        files: &[FileHeader<'_>],
    ) -> Result<u32, UsageError> {
        Ok(Outline::new(&head.into(), files)?.size())
    }

    /// Starts a message or response. Its content, if any, is sent by the methods below.
    ///
    /// Its head must announce these files. Afterwards, the channel is in use until everything
    /// announced has been sent.
    ///
    /// # Errors
    ///
    /// The channel is in use or the peer does not receive on it, or the head cannot be encoded.
    pub fn begin<'a>(
        &mut self,
        dst: &mut Vec<u8>,
        channel: ChannelId,
        head: impl Into<Head<'a>>,
        files: &[FileHeader<'_>],
    ) -> Result<(), UsageError> {
        self.check_free(channel)?;
        let head = head.into();
        let outline = Outline::new(&head, files)?;
        dst.reserve(outline.length().saturating_add(2));
        self.switch(dst, channel);
        self.count(1);
        outline.encode_with(dst, files);
        let due = outline.due(files);
        if !due.is_done() {
            self.open(channel, due);
        }
        Ok(())
    }

    /// Writes a whole message or response with its payload, and leaves the channel free.
    ///
    /// What `head` says about content is ignored: the payload is the one that is passed, and there are
    /// neither files nor a stream.
    ///
    /// # Errors
    ///
    /// The channel is in use or the peer does not receive on it, or the header or the payload does
    /// not fit in one packet.
    #[inline]
    pub fn whole<'a>(
        &mut self,
        dst: &mut Vec<u8>,
        channel: ChannelId,
        head: impl Into<Head<'a>>,
        payload: &[u8],
    ) -> Result<(), UsageError> {
        self.check_free(channel)?;
        let size = packet_size(payload)?;
        let outline = Outline::whole(&head.into(), size)?;
        dst.reserve(whole_length(&outline, payload));
        self.switch(dst, channel);
        self.count(1);
        outline.encode(dst);
        put_payload(dst, size, payload);
        Ok(())
    }

    /// Appends messages written by [`encode_message`], of which there are `count`, and leaves the
    /// channel free.
    ///
    /// # Errors
    ///
    /// The channel is in use or the peer does not receive on it.
    pub fn prepared(
        &mut self,
        dst: &mut Vec<u8>,
        channel: ChannelId,
        count: u64,
        bytes: &[u8],
    ) -> Result<(), UsageError> {
        self.check_free(channel)?;
        self.switch(dst, channel);
        self.count(count);
        dst.extend_from_slice(bytes);
        Ok(())
    }

    /// Starts a packet with `size` bytes of the payload.
    ///
    /// # Errors
    ///
    /// No message is in progress, `size` is 0, or less of the payload is left.
    // r[impl content.data.exact]
    #[inline]
    pub fn data(
        &mut self,
        dst: &mut Vec<u8>,
        channel: ChannelId,
        size: u32,
    ) -> Result<(), UsageError> {
        not_empty(size)?;
        self.due(channel)?.on_data(size)?;
        self.put(dst, channel, Packet::Data { size });
        Ok(())
    }

    /// Starts a packet with `size` bytes of the stream.
    ///
    /// # Errors
    ///
    /// No stream is in progress, or `size` is 0.
    #[inline]
    pub fn stream(
        &mut self,
        dst: &mut Vec<u8>,
        channel: ChannelId,
        size: u32,
    ) -> Result<(), UsageError> {
        not_empty(size)?;
        self.due(channel)?.on_stream(channel)?;
        self.put(dst, channel, Packet::Stream { size });
        Ok(())
    }

    /// Ends the stream.
    ///
    /// # Errors
    ///
    /// No stream is in progress.
    pub fn stream_end(&mut self, dst: &mut Vec<u8>, channel: ChannelId) -> Result<(), UsageError> {
        self.due(channel)?.on_stream_end(channel)?;
        self.put(dst, channel, Packet::StreamEnd);
        Ok(())
    }

    /// Starts a packet with `size` bytes of a file.
    ///
    /// # Errors
    ///
    /// The file is not in progress, less of it is left, or `size` is 0 or above 16,777,215, the
    /// maximum of a file packet.
    #[inline]
    pub fn file(
        &mut self,
        dst: &mut Vec<u8>,
        channel: ChannelId,
        index: FileIndex,
        size: u32,
    ) -> Result<(), UsageError> {
        not_empty(size)?;
        // r[impl packet.file.small]
        if size > U24_MAX {
            return Err(UsageError::FilePacketTooLarge { size });
        }
        self.due(channel)?.on_file(channel, index, size)?;
        self.put(dst, channel, Packet::File { index, size });
        Ok(())
    }

    /// Ends a file. It may be shorter than announced: the receiver notices.
    ///
    /// # Errors
    ///
    /// The file is not in progress.
    // r[impl content.file.ends]
    pub fn file_end(
        &mut self,
        dst: &mut Vec<u8>,
        channel: ChannelId,
        index: FileIndex,
    ) -> Result<(), UsageError> {
        self.due(channel)?.on_file_end(channel, index)?;
        self.put(dst, channel, Packet::FileEnd { index });
        Ok(())
    }

    /// Aborts the message in progress. The channel cannot be used again, as the peer may ignore the
    /// abort.
    ///
    /// # Errors
    ///
    /// No message is in progress.
    // r[impl content.abort.retire]
    pub fn abort(&mut self, dst: &mut Vec<u8>, channel: ChannelId) -> Result<(), UsageError> {
        self.due(channel)?;
        self.put(dst, channel, Packet::Abort);
        self.set(channel, Outbound::Retired);
        Ok(())
    }

    /// Makes a channel usable again after [`abort`](Self::abort). Call it only if the peer is known
    /// to handle aborts. Does nothing on a channel without an abort.
    pub fn reuse(&mut self, channel: ChannelId) {
        if self.check_free(channel) == Err(UsageError::ChannelRetired { channel }) {
            self.set(channel, Outbound::Free);
        }
    }

    /// Answers the message or response `id` with a code.
    #[inline]
    pub fn fast_reply(&mut self, dst: &mut Vec<u8>, id: Uuid, code: ReplyCode) {
        Packet::encode_fast_reply(dst, id, code);
    }

    /// Writes a heartbeat.
    pub fn heartbeat(&mut self, dst: &mut Vec<u8>) {
        Packet::Heartbeat.encode(dst);
    }

    /// Announces that we are about to close the connection.
    pub fn go_away(&mut self, dst: &mut Vec<u8>) {
        Packet::GoAway.encode(dst);
    }

    /// Whether a message can start on this channel.
    #[inline]
    pub fn is_free(&self, channel: ChannelId) -> bool {
        self.check_free(channel).is_ok()
    }

    #[inline]
    fn count(&mut self, messages: u64) {
        self.begun = self.begun.wrapping_add(messages);
    }

    // r[impl content.busy]
    #[inline]
    fn check_free(&self, channel: ChannelId) -> Result<(), UsageError> {
        let channels = self.peer_channels;
        // r[impl packet.switch.range]
        if !channels.contains(channel) {
            return Err(UsageError::ChannelOutOfRange { channel, channels });
        }
        match self.channels.get(channel.index()) {
            None | Some(Outbound::Free) => Ok(()),
            Some(Outbound::Open(_)) => Err(UsageError::ChannelBusy { channel }),
            Some(Outbound::Retired) => Err(UsageError::ChannelRetired { channel }),
        }
    }

    #[inline]
    fn due(&mut self, channel: ChannelId) -> Result<&mut Due, UsageError> {
        match self.channels.get_mut(channel.index()) {
            Some(Outbound::Open(due)) => Ok(due),
            Some(Outbound::Retired) => Err(UsageError::ChannelRetired { channel }),
            Some(Outbound::Free) | None => Err(UsageError::NothingOpen { channel }),
        }
    }

    fn open(&mut self, channel: ChannelId, due: Due) {
        let index = channel.index();
        if index >= self.channels.len() {
            self.channels
                .resize_with(index.saturating_add(1), Outbound::default);
        }
        self.set(channel, Outbound::Open(due));
    }

    fn set(&mut self, channel: ChannelId, state: Outbound) {
        if let Some(place) = self.channels.get_mut(channel.index()) {
            *place = state;
        }
    }

    /// Writes a packet of the message in progress, and frees the channel if nothing else is due.
    #[inline]
    fn put(&mut self, dst: &mut Vec<u8>, channel: ChannelId, packet: Packet) {
        self.switch(dst, channel);
        packet.encode(dst);
        // r[impl content.end]
        if self.due(channel).is_ok_and(|due| due.is_done()) {
            self.set(channel, Outbound::Free);
        }
    }

    #[inline]
    fn switch(&mut self, dst: &mut Vec<u8>, channel: ChannelId) {
        if self.channel != channel {
            self.channel = channel;
            Packet::Switch(channel).encode(dst);
        }
    }
}

/// A packet of the extension, whose first byte has no size yet.
// r[impl ext.packet]
fn put_sized_content(dst: &mut Vec<u8>, first: u8, content: &[u8]) {
    let size = u32::try_from(content.len()).unwrap_or(u32::MAX);
    Packet::encode_sized(dst, first, size);
    dst.extend_from_slice(content);
}

/// Encodes a message with its payload once, for sending it to many peers with
/// [`Encoder::prepared`].
///
/// What `head` says about content is ignored: the payload is the given one, and there are neither
/// files nor a stream.
///
/// # Errors
///
/// The header or the payload does not fit in one packet.
pub fn encode_message(
    dst: &mut Vec<u8>,
    head: MessageHead<'_>,
    payload: &[u8],
) -> Result<(), UsageError> {
    let size = packet_size(payload)?;
    let outline = Outline::whole(&head.into(), size)?;
    dst.reserve(whole_length(&outline, payload));
    outline.encode(dst);
    put_payload(dst, size, payload);
    Ok(())
}

/// An upper bound for the bytes of a message with its payload: a switch takes up to 2 bytes, the
/// start of the Data packet up to 5.
#[inline]
fn whole_length(outline: &Outline<'_>, payload: &[u8]) -> usize {
    outline
        .length()
        .saturating_add(payload.len())
        .saturating_add(7)
}

#[inline]
fn packet_size(payload: &[u8]) -> Result<u32, UsageError> {
    u32::try_from(payload.len()).map_err(|_| UsageError::PayloadTooLarge {
        size: uint::wide(payload.len()),
        max: u32::MAX.into(),
    })
}

// r[impl packet.empty.write]
#[inline(always)]
fn put_payload(dst: &mut Vec<u8>, size: u32, payload: &[u8]) {
    if size > 0 {
        Packet::encode_data(dst, size);
        dst.extend_from_slice(payload);
    }
}

// r[impl packet.empty.write]
#[inline]
fn not_empty(size: u32) -> Result<(), UsageError> {
    match size {
        0 => Err(UsageError::EmptyPacket),
        _ => Ok(()),
    }
}
