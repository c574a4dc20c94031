//! Packets of the negotiated extension.

use super::{Encoder, put_sized_content};
use crate::extension::{Kind, Leave, Settings, Status, control, put_entry};
use crate::{ChannelCount, ChannelId, FileHeader, FlowEntry, Head, ReplyCode, UsageError, Uuid};

/// Packets of the [extension](crate::extension). They are legal only if it is active; the first is
/// [`settings`](Self::settings).
impl Encoder {
    /// Says what this side is as a receiver. It must be the first packet.
    // r[impl ext.settings.first]
    pub fn settings(&mut self, dst: &mut Vec<u8>, settings: &Settings) {
        put_control(dst, control::SETTINGS, |dst| settings.encode(dst));
    }

    /// The channels that the peer receives on, once its [settings](Settings::channels) are known.
    /// Until then, an encoder for a peer with the extension may use
    /// [`UNTIL_SETTINGS`](Self::UNTIL_SETTINGS).
    // r[impl ext.settings.channels]
    pub fn set_peer_channels(&mut self, channels: ChannelCount) {
        self.peer_channels = channels;
    }

    /// The channels that may be used before the settings of the peer are known.
    pub const UNTIL_SETTINGS: ChannelCount = ChannelCount::LEAST_EXTENDED;

    /// Writes metadata together with the message, response or fast reply that it belongs to.
    /// `content` comes from a [`Writer`](crate::extension::metadata::Writer); if it is empty, no
    /// packet is written for it.
    // r[impl ext.meta.place]
    pub fn describing<'e>(&'e mut self, content: &'e [u8]) -> Described<'e> {
        Described {
            encoder: self,
            content,
        }
    }

    /// Says that no answer to these requests of this side is wanted any more. At most 2,000 numbers
    /// are written at once: returns the remaining ones.
    // r[impl ext.cancel]
    pub fn cancel<'n>(&mut self, dst: &mut Vec<u8>, numbers: &'n [u64]) -> &'n [u64] {
        let (now, later) = numbers.split_at(numbers.len().min(2_000));
        if !now.is_empty() {
            put_control(dst, control::CANCEL, |dst| {
                for number in now {
                    crate::uint::put(dst, *number, 4);
                }
            });
        }
        later
    }

    /// Writes entries while they fit in one packet, at most 4,096 bytes; returns the first that does
    /// not. Without entries, nothing is written.
    pub fn flow(
        &mut self,
        dst: &mut Vec<u8>,
        entries: impl IntoIterator<Item = FlowEntry>,
    ) -> Option<FlowEntry> {
        let mut content = Vec::new();
        let mut next = None;
        for entry in entries {
            let length = content.len().saturating_add(entry.length());
            if length > crate::uint::index(Kind::FLOW_BYTES) {
                next = Some(entry);
                break;
            }
            put_entry(&mut content, entry);
        }
        if !content.is_empty() {
            put_sized_content(dst, Kind::Flow.first(), &content);
        }
        next
    }

    /// Says that this side is about to close the connection. It takes the place of
    /// [`go_away`](Self::go_away).
    // r[impl ext.leave]
    pub fn leave(&mut self, dst: &mut Vec<u8>, leave: &Leave<'_>) {
        put_control(dst, control::LEAVE, |dst| leave.encode(dst));
    }

    /// Says that no message follows. It may be sent only after the peer said that it leaves.
    pub fn done(&mut self, dst: &mut Vec<u8>) {
        put_control(dst, control::DONE, |_| {});
    }

    /// Asks the peer for a pong with the same bytes.
    pub fn ping(&mut self, dst: &mut Vec<u8>, bytes: [u8; 8]) {
        put_control(dst, control::PING, |dst| dst.extend_from_slice(&bytes));
    }

    /// Answers a ping.
    pub fn pong(&mut self, dst: &mut Vec<u8>, bytes: [u8; 8]) {
        put_control(dst, control::PONG, |dst| dst.extend_from_slice(&bytes));
    }

    /// Ends a stream like [`stream_end`](Self::stream_end), and says why.
    ///
    /// # Errors
    ///
    /// No stream is in progress, or the error of the status is too large.
    // r[impl ext.status]
    pub fn stream_end_with(
        &mut self,
        dst: &mut Vec<u8>,
        channel: ChannelId,
        status: &Status<'_>,
    ) -> Result<(), UsageError> {
        self.ending_with(dst, channel, status, Self::stream_end)
    }

    /// Aborts the message in progress like [`abort`](Self::abort), and says why.
    ///
    /// # Errors
    ///
    /// No message is in progress, or the error of the status is too large.
    // r[impl ext.status]
    pub fn abort_with(
        &mut self,
        dst: &mut Vec<u8>,
        channel: ChannelId,
        status: &Status<'_>,
    ) -> Result<(), UsageError> {
        self.ending_with(dst, channel, status, Self::abort)
    }

    fn ending_with(
        &mut self,
        dst: &mut Vec<u8>,
        channel: ChannelId,
        status: &Status<'_>,
        end: impl FnOnce(&mut Self, &mut Vec<u8>, ChannelId) -> Result<(), UsageError>,
    ) -> Result<(), UsageError> {
        let size = status.error.len();
        if size > Status::MAX_ERROR {
            return Err(UsageError::StatusTooLarge { size });
        }
        // The switch comes before the status, so the end is written first, to see whether it may be.
        let mut rest = Vec::new();
        let before = self.channel;
        end(self, &mut rest, channel)?;
        self.channel = before;
        self.switch(dst, channel);
        put_control(dst, control::STATUS, |dst| status.encode(dst));
        dst.extend(rest.last());
        Ok(())
    }
}

/// What metadata belongs to; made by [`Encoder::describing`].
#[derive(Debug)]
#[must_use = "nothing is written before one of its methods is called"]
pub struct Described<'e> {
    encoder: &'e mut Encoder,
    content: &'e [u8],
}

impl Described<'_> {
    /// Like [`Encoder::begin`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn begin<'a>(
        self,
        dst: &mut Vec<u8>,
        channel: ChannelId,
        head: impl Into<Head<'a>>,
        files: &[FileHeader<'_>],
    ) -> Result<(), UsageError> {
        self.before(dst, |encoder, dst| encoder.begin(dst, channel, head, files))
    }

    /// Like [`Encoder::whole`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn whole<'a>(
        self,
        dst: &mut Vec<u8>,
        channel: ChannelId,
        head: impl Into<Head<'a>>,
        payload: &[u8],
    ) -> Result<(), UsageError> {
        self.before(dst, |encoder, dst| {
            encoder.whole(dst, channel, head, payload)
        })
    }

    /// Like [`Encoder::prepared`], for a single message.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn prepared(
        self,
        dst: &mut Vec<u8>,
        channel: ChannelId,
        bytes: &[u8],
    ) -> Result<(), UsageError> {
        self.before(dst, |encoder, dst| encoder.prepared(dst, channel, 1, bytes))
    }

    /// Like [`Encoder::fast_reply`].
    pub fn fast_reply(self, dst: &mut Vec<u8>, id: Uuid, code: ReplyCode) {
        if !self.content.is_empty() {
            put_sized_content(dst, Kind::Metadata.first(), self.content);
        }
        self.encoder.fast_reply(dst, id, code);
    }

    /// Writes the metadata, and nothing if what follows cannot be written.
    fn before(
        self,
        dst: &mut Vec<u8>,
        write: impl FnOnce(&mut Encoder, &mut Vec<u8>) -> Result<(), UsageError>,
    ) -> Result<(), UsageError> {
        let start = dst.len();
        if !self.content.is_empty() {
            put_sized_content(dst, Kind::Metadata.first(), self.content);
        }
        let written = write(self.encoder, dst);
        if written.is_err() {
            dst.truncate(start);
        }
        written
    }
}

/// A Control packet, in its smallest form.
fn put_control(dst: &mut Vec<u8>, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
    let mut content = vec![kind];
    write(&mut content);
    put_sized_content(dst, Kind::Control.first(), &content);
}
