mod outbound;
mod outline;
#[cfg(test)]
mod tests;

use uuid::Uuid;

use self::outbound::{Due, Outbound};
use self::outline::Outline;
use crate::packet::Packet;
use crate::uint::{self, U24_MAX};
use crate::{
    ChannelCount, ChannelId, FileHeader, FileIndex, Head, MessageHead, ReplyCode, UsageError,
};

/// Writes packets, and allows only those that are legal now.
///
/// Everything is appended to a `Vec<u8>` of the caller, in the smallest form. The methods for
/// content write only what comes before it: the caller puts exactly as many bytes behind.
///
/// The encoder knows which channel is current. So what several calls have appended must reach the
/// peer in the order of the calls, and each piece of content right behind its packet.
///
/// # Errors
///
/// Every method fails with a [`UsageError`] before anything is written or remembered.
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
    /// The channel that packets belong to.
    channel: ChannelId,
    /// Entries up to the highest channel that was ever occupied.
    channels: Vec<Outbound>,
}

impl Encoder {
    /// An encoder at the begin of a connection to a peer that receives on `peer_channels`.
    pub fn new(peer_channels: ChannelCount) -> Self {
        Self {
            peer_channels,
            // r[impl packet.switch.initial]
            channel: ChannelId::ZERO,
            channels: Vec::new(),
        }
    }

    /// Begins a message or response. Its head must announce the given files; afterwards the channel
    /// is in use until everything announced has been sent.
    ///
    /// # Errors
    ///
    /// The channel is not free or not the peer's, or the head cannot be written.
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
        outline.encode_with(dst, files);
        let due = outline.due(files);
        if !due.is_done() {
            self.open(channel, due);
        }
        Ok(())
    }

    /// Writes a message or response with its payload, and leaves the channel free.
    ///
    /// The sizes in `head` are ignored: the payload is the given one, and there are neither files
    /// nor a stream.
    ///
    /// # Errors
    ///
    /// The channel is not free or not the peer's, or the message does not fit two packets.
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
        outline.encode(dst);
        put_payload(dst, size, payload);
        Ok(())
    }

    /// Appends what [`encode_message`] has written, any number of times, and leaves the channel
    /// free.
    ///
    /// # Errors
    ///
    /// The channel is not free or not the peer's.
    pub fn prepared(
        &mut self,
        dst: &mut Vec<u8>,
        channel: ChannelId,
        bytes: &[u8],
    ) -> Result<(), UsageError> {
        self.check_free(channel)?;
        self.switch(dst, channel);
        dst.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes what comes before `size` bytes of the payload.
    ///
    /// # Errors
    ///
    /// No message is in progress, `size` is 0, or that much of the payload is not left.
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

    /// Writes what comes before `size` bytes of the stream.
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

    /// Writes what comes before `size` bytes of a file.
    ///
    /// # Errors
    ///
    /// The file is not in progress, that much of it is not left, or `size` is 0 or more than a
    /// packet of a file may have: 16,777,215.
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

    /// Ends a file, also one that is shorter than announced: the receiver notices.
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

    /// Drops the message in progress. The channel cannot be used any more: the peer may have
    /// ignored the abort.
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

    /// Makes a channel usable again whose message was dropped with [`abort`](Self::abort): only where the peer is known to
    /// take notice of aborts. Does nothing on any other channel.
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

    /// Shows that we are alive.
    pub fn heartbeat(&mut self, dst: &mut Vec<u8>) {
        Packet::Heartbeat.encode(dst);
    }

    /// Announces that we are going to close the connection.
    pub fn go_away(&mut self, dst: &mut Vec<u8>) {
        Packet::GoAway.encode(dst);
    }

    /// Whether a message can begin on this channel.
    #[inline]
    pub fn is_free(&self, channel: ChannelId) -> bool {
        self.check_free(channel).is_ok()
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

    /// Writes a packet of the message in progress, which ends with it when nothing else is due.
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

/// Writes a message with its payload for [`Encoder::prepared`]: once, to be sent to many peers.
///
/// The sizes in `head` are not looked at: the payload is what is given, and there are neither
/// files nor a stream.
///
/// # Errors
///
/// The message does not fit two packets.
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

/// At most the bytes of a message with its payload: a switch and the data packet take 2 and 5.
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
#[inline]
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
