mod body;
mod channels;
mod cut;
mod extension;
mod files;
mod header;
mod machine;
mod partial_head;
#[cfg(test)]
mod tests;

use self::machine::Machine;
use crate::{ChannelId, Event, Limits, Tolerated, Truncated, Violation};

/// Decodes the bytes of a peer into [events](Event), and enforces every rule.
///
/// The input may come in pieces of any size. Events borrow from the input; only the parts of a
/// header that span several pieces are copied, into the decoder's own memory.
///
/// Memory grows with the bytes received and never with a number that the peer declares. A channel
/// costs 24 bytes from the first message on it, or on a higher channel.
///
/// # Examples
///
/// ```
/// use sockety_codec::{Decoder, Event, Limits};
///
/// let mut decoder = Decoder::new(Limits::default());
/// let mut input: &[u8] = &[0xE2, 0x00, 0x01, 0xA0];
/// while let Some(event) = decoder.decode(&mut input)? {
///     match event {
///         Event::Header(header) => assert_eq!(header.channels.get(), 256),
///         event => assert_eq!(event, Event::Heartbeat),
///     }
/// }
/// assert!(decoder.is_between_messages());
/// # Ok::<(), sockety_codec::Violation>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    machine: Machine,
    /// The part of a header that the last event borrows from, if it spanned several inputs.
    held: Vec<u8>,
}

impl Decoder {
    /// A decoder at the start of a connection.
    pub fn new(limits: Limits) -> Self {
        Self {
            machine: Machine::new(limits),
            held: Vec::new(),
        }
    }

    /// Returns each message or response that is complete in the input, and has no content but a
    /// payload, as one event: [`WholeMessage`](Event::WholeMessage) or
    /// [`WholeResponse`](Event::WholeResponse).
    ///
    /// Which messages are complete depends on how the input is split. Without this option, the same
    /// bytes always result in the same events, except for the pieces of content, and for the limit
    /// of [held headers](Limits::max_held_header_bytes).
    #[must_use]
    pub fn whole_messages(mut self) -> Self {
        self.machine.returns_whole = true;
        self
    }

    /// For a side whose connection header is [`ConnectionHeader::OFFER`](crate::ConnectionHeader):
    /// if the peer's is it as well, packets of the [extension](crate::extension) are legal, and
    /// result in events, and at least 16 channels are received on. If it is not, 238 are, as the
    /// header says, whatever the limits.
    // r[impl ext.settings.channels]
    #[must_use]
    pub fn offering_extension(mut self) -> Self {
        self.machine.offer_extension();
        self
    }

    /// Decodes the next event from `input`, and advances it past the bytes used.
    ///
    /// `Ok(None)` means that all of the input is used: the decoder keeps incomplete parts itself,
    /// so never pass a byte twice. Call this until it returns `Ok(None)`, even when the input is
    /// already empty: the end of a message is an event without bytes.
    ///
    /// # Errors
    ///
    /// The peer broke a rule. The decoder cannot continue: every further call returns the same
    /// error.
    #[inline]
    pub fn decode<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Event<'s>>, Violation> {
        loop {
            match self.machine.step(input) {
                Ok(None) => {}
                found => return found,
            }
            if let Some(part) = self.machine.take_part() {
                self.held = part;
                return self.machine.on_part(&self.held);
            }
            if let Some((kind, content)) = self.machine.take_held() {
                self.held = content;
                return self.machine.on_held(kind, &self.held);
            }
            if input.is_empty() && self.machine.awaits_input() {
                return Ok(None);
            }
        }
    }

    /// Returns the channel and the number of bytes left of the Data packet that the input ended in.
    ///
    /// That many bytes of payload follow, so they can be read from the peer directly into their
    /// final place, and passed to [`decode`](Self::decode) from there. Each piece of them results
    /// in exactly one [`Data`](Event::Data).
    ///
    /// Returns `None` outside of Data packets, while file headers of the message are missing, and
    /// when the message was refused.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sockety_codec::{ChannelCount, Encoder, MessageHead, Uuid};
    /// use sockety_codec::{ChannelId, Decoder, Event, Limits};
    ///
    /// # let mut sent = vec![0xE2, 0x00, 0x01];
    /// # let head = MessageHead::new(Uuid::from_u128(1), "save");
    /// # Encoder::new(ChannelCount::MAX).whole(&mut sent, ChannelId::ZERO, head, b"large")?;
    /// let mut decoder = Decoder::new(Limits::default());
    /// // The start of a message whose payload is "large".
    /// let mut input = &sent[..sent.len() - 3];
    /// while decoder.decode(&mut input)?.is_some() {}
    /// assert_eq!(decoder.open_payload(), Some((ChannelId::ZERO, 3)));
    ///
    /// let mut payload = Vec::from(b"la");
    /// payload.extend(b"rge");
    /// let event = decoder.decode(&mut &payload[2..])?;
    /// assert!(matches!(event, Some(Event::Data { bytes: b"rge", remaining: 0, .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn open_payload(&self) -> Option<(ChannelId, u32)> {
        self.machine.open_payload()
    }

    /// Drops the remaining content of the message on `channel` silently, until its
    /// [`End`](Event::End) or [`Abort`](Event::Abort).
    ///
    /// Returns `false` if no announced message is in progress there. That is already the case when
    /// its last content was returned, and its end is the next event.
    pub fn refuse(&mut self, channel: ChannelId) -> bool {
        self.machine.refuse(channel)
    }

    /// Checks whether the input may end here.
    ///
    /// # Errors
    ///
    /// The connection header, a packet or a message is incomplete.
    pub fn finish(&self) -> Result<(), Truncated> {
        self.machine.finish()
    }

    /// How many messages and responses of the peer have begun, also those that were refused or
    /// aborted: the number of the next one.
    // r[impl ext.number]
    #[inline]
    pub fn begun(&self) -> u64 {
        self.machine.begun
    }

    /// What has been tolerated so far.
    #[inline]
    pub fn tolerated(&self) -> &Tolerated {
        self.machine.tolerated()
    }

    /// Bytes of content that were dropped so far because their messages were refused.
    #[inline]
    pub fn drained(&self) -> u64 {
        self.machine.drained()
    }

    /// Those of the [drained](Self::drained) bytes that count to the credit of the connection: bytes of
    /// files and streams, without payloads.
    #[inline]
    pub fn drained_credit(&self) -> u64 {
        self.machine.drained_credit()
    }

    /// Bytes of incomplete packets and headers that are held in memory.
    #[inline]
    pub fn buffered(&self) -> usize {
        self.machine.buffered()
    }

    /// Whether the connection header has arrived and nothing else is incomplete.
    #[inline]
    pub fn is_between_messages(&self) -> bool {
        self.machine.is_between_messages()
    }

    /// Adds one unit of time to the age of every incomplete header, and of a packet that is
    /// incomplete before its content. Returns the age of the oldest; 0 if there is none.
    ///
    /// The decoder has no clock: the caller decides how long a unit is.
    pub fn age_headers(&mut self) -> u32 {
        self.machine.age_headers()
    }
}
