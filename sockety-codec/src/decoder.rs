mod body;
mod channels;
mod cut;
mod files;
mod header;
mod machine;
mod partial_head;
#[cfg(test)]
mod tests;

use self::machine::Machine;
use crate::{ChannelId, Event, Limits, Tolerated, Truncated, Violation};

/// Turns the bytes of a peer into [events](Event), and enforces every rule on the way.
///
/// It takes its input in pieces of any size. What it hands on is borrowed from the input; only
/// the parts of a header that were cut apart are put together in memory of its own.
///
/// Memory grows with the bytes received and never with a number that the peer declares. A channel
/// costs 24 bytes from the first message on it or on a higher one.
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
    /// The part of a header that the last event is borrowed from, when it was cut apart.
    held: Vec<u8>,
}

impl Decoder {
    /// A decoder at the begin of a connection.
    pub fn new(limits: Limits) -> Self {
        Self {
            machine: Machine::new(limits),
            held: Vec::new(),
        }
    }

    /// Gives messages and responses that are whole in the input, with nothing but a payload, as one event:
    /// [`WholeMessage`](Event::WholeMessage) and [`WholeResponse`](Event::WholeResponse). Others come as ever.
    ///
    /// Which ones are whole depends on how the input is cut, so who does not ask for it has the same events for the
    /// same bytes.
    #[must_use]
    pub fn whole_messages(mut self) -> Self {
        self.machine.gives_whole = true;
        self
    }

    /// Takes the next event out of `input` and advances it past the bytes used.
    ///
    /// `Ok(None)` means that the input is used up: all of it, for the decoder keeps the incomplete
    /// parts itself. No byte may be presented twice. Call it until then, also when the input is
    /// empty already: the end of a message is an event without bytes of its own.
    ///
    /// # Errors
    ///
    /// The peer broke a rule. There is no way to go on: every further call gives the same error.
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
            if input.is_empty() && self.machine.awaits_input() {
                return Ok(None);
            }
        }
    }

    /// The channel of the payload in whose packet the input stands, and how many bytes of that packet are left.
    ///
    /// So many bytes of the payload come next, whatever they are: they may be read from the peer to where they are
    /// to lie, and be presented to [`decode`](Self::decode) from there. Up to the last of them, all that it is given is
    /// one [`Data`](Event::Data).
    ///
    /// `None` between packets and in all others, and also while file headers of the message are to come, or when it
    /// was refused.
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
    /// // The begin of a message whose payload is "large".
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

    /// Drops what is still to come of the message open on `channel`, silently, until its
    /// [`End`](Event::End) or [`Abort`](Event::Abort).
    ///
    /// False when no announced message is in progress there. That is so as soon as its last
    /// content was handed on, with its end as the next event.
    pub fn refuse(&mut self, channel: ChannelId) -> bool {
        self.machine.refuse(channel)
    }

    /// Whether the input may end here.
    ///
    /// # Errors
    ///
    /// What is incomplete.
    pub fn finish(&self) -> Result<(), Truncated> {
        self.machine.finish()
    }

    /// What was tolerated so far.
    #[inline]
    pub fn tolerated(&self) -> &Tolerated {
        self.machine.tolerated()
    }

    /// Bytes of content dropped so far because their messages were refused.
    #[inline]
    pub fn drained(&self) -> u64 {
        self.machine.drained()
    }

    /// Bytes of incomplete packets and headers held in memory.
    #[inline]
    pub fn buffered(&self) -> usize {
        self.machine.buffered()
    }

    /// Whether the connection header is there and nothing else is incomplete.
    #[inline]
    pub fn is_between_messages(&self) -> bool {
        self.machine.is_between_messages()
    }

    /// Counts a unit of time for every header that is incomplete, and for a packet that was cut before its content.
    /// Gives for how many units the oldest of them has been arriving; 0 when there is none.
    ///
    /// The decoder has no clock: who calls it says how long a unit is.
    pub fn age_headers(&mut self) -> u32 {
        self.machine.age_headers()
    }
}
