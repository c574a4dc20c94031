use super::body::{Body, Content};
use super::channels::{Channel, Channels};
use super::cut::Cut;
use super::extension::{Extension, Switch};
use super::partial_head::PartialHead;
use crate::extension;
use crate::head::layout::{Kind, Prefix, Sizes, Text};
use crate::packet::{Opening, Packet};
use crate::reader::Reader;
use crate::uint;
use crate::{
    ChannelId, ConnectionHeader, Event, FileIndex, Limits, Measure, MessageHead, RefusalReason,
    ResponseHead, Tolerated, Truncated, Violation,
};

/// The decoder without the memory that events borrow from.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) limits: Limits,
    pub(super) reading: Reading,
    /// Whether a message that is complete in the input is one event.
    pub(super) returns_whole: bool,
    /// The current channel, to which packets belong.
    pub(super) channel: ChannelId,
    pub(super) channels: Channels,
    /// Whether the last packet was a switch.
    switched: bool,
    /// Whether the peer has sent Go Away.
    going_away: bool,
    /// The number of bytes held of the incomplete headers on all channels.
    pub(super) held: usize,
    /// Units of time for which the current packet has been incomplete before its content.
    pub(super) cut_age: u32,
    drained: u64,
    /// Those of them that need credit.
    drained_credit: u64,
    pub(super) tolerated: Tolerated,
    pub(super) extension: Extension,
    /// Whether the first packet of a peer with the extension has not come yet.
    pub(super) is_first: bool,
    /// Whether the peer has said that no message follows.
    pub(super) is_done: bool,
    /// How many messages the peer takes before it leaves; all ones while that is open.
    pub(super) taken: u64,
    /// How many messages and responses have begun.
    // r[impl ext.number]
    pub(super) begun: u64,
    /// How many of them expect a response, and how many of those were cancelled.
    pub(super) requests: u64,
    pub(super) cancels: u64,
    /// The number of the message that the last metadata belongs to; `None` if it belongs to a fast
    /// reply.
    pub(super) described: Option<u64>,
    /// The size of that metadata.
    pub(super) described_bytes: usize,
}

/// The position in the input.
#[derive(Debug)]
pub(super) enum Reading {
    /// In the connection header.
    ConnectionHeader(Cut),
    /// At the first byte of a packet.
    Packet,
    /// In a packet before its content.
    CutPacket(Cut),
    /// In a packet with a piece of a header, on the current channel.
    Header { left: u32 },
    /// Likewise, with a part of the header that was split, and is complete and not yet decoded.
    Part { part: Vec<u8>, left: u32 },
    /// In a packet with content, on the current channel.
    Content { content: Content, left: u32 },
    /// At the first byte of a packet; the end of a message has to be reported first.
    Ended(ChannelId),
    /// The peer broke a rule.
    Failed(Violation),
    /// At the first byte of the first packet of a peer with the extension.
    First,
    /// In the size of a packet of the extension.
    ExtensionSize {
        kind: extension::Kind,
        width: u8,
        cut: Cut,
    },
    /// In the content of a packet of the extension that came in several pieces.
    Extension {
        kind: extension::Kind,
        left: u32,
        content: Vec<u8>,
    },
    /// Such content is complete, and is not an event yet.
    Held {
        kind: extension::Kind,
        content: Vec<u8>,
    },
    /// Likewise, of a status.
    HeldStatus { content: Vec<u8> },
    /// After metadata, which has to wait for what it belongs to.
    AfterMetadata { content: Vec<u8>, switch: Switch },
    /// After a status.
    AfterStatus,
}

/// The result of one step: `None` if it did not result in an event.
///
/// All steps return this type, so that an event is written directly to the caller's place.
pub(super) type Found<'i> = Result<Option<Event<'i>>, Violation>;

impl Machine {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            reading: Reading::ConnectionHeader(Cut::default()),
            returns_whole: false,
            // r[impl packet.switch.initial]
            channel: ChannelId::ZERO,
            channels: Channels::default(),
            switched: false,
            going_away: false,
            held: 0,
            cut_age: 0,
            drained: 0,
            drained_credit: 0,
            tolerated: Tolerated::default(),
            extension: Extension::Off,
            is_first: false,
            is_done: false,
            taken: uint::U48_MAX,
            begun: 0,
            requests: 0,
            cancels: 0,
            described: None,
            described_bytes: 0,
        }
    }

    pub(super) fn offer_extension(&mut self) {
        self.extension = Extension::Offered;
        self.is_first = true;
    }

    #[inline]
    pub(super) fn step<'i>(&mut self, input: &mut &'i [u8]) -> Found<'i> {
        let found = match self.reading {
            Reading::Packet => self.packet(input),
            Reading::Content { content, left } => self.content(content, left, input),
            Reading::Header { left } => self.header(left, input),
            Reading::Ended(channel) => self.end(channel),
            Reading::Part { .. } => Ok(None),
            Reading::CutPacket(cut) => self.cut_packet(cut, input),
            Reading::ConnectionHeader(cut) => self.connection_header(cut, input),
            Reading::Failed(violation) => Err(violation),
            Reading::First => self.first(input),
            Reading::ExtensionSize { kind, width, cut } => {
                self.extension_size(kind, width, cut, input)
            }
            Reading::Extension { .. } => self.extension_content(input),
            Reading::AfterMetadata { .. } => self.after_metadata(input),
            Reading::AfterStatus => self.after_status(input),
            Reading::Held { .. } | Reading::HeldStatus { .. } => Ok(None),
        };
        if let Err(violation) = found {
            self.reading = Reading::Failed(violation);
        }
        found
    }

    /// Whether the next step needs more input. The end of a message or of a packet does not.
    #[inline]
    pub(super) fn awaits_input(&self) -> bool {
        !matches!(
            self.reading,
            Reading::Ended(_) | Reading::Header { left: 0 }
        )
    }

    pub(super) fn refuse(&mut self, channel: ChannelId) -> bool {
        let body = self.channels.body_mut(channel);
        body.map(Body::refuse).is_some()
    }

    #[inline]
    pub(super) fn open_payload(&self) -> Option<(ChannelId, u32)> {
        let Reading::Content {
            content: Content::Data,
            left,
        } = self.reading
        else {
            return None;
        };
        let is_wanted = |body: &Body| !body.is_refused();
        let is_wanted = self.channels.body(self.channel).is_some_and(is_wanted);
        is_wanted.then_some((self.channel, left))
    }

    pub(super) fn finish(&self) -> Result<(), Truncated> {
        match &self.reading {
            Reading::ConnectionHeader(_) => Err(Truncated::ConnectionHeader),
            Reading::CutPacket(_)
            | Reading::ExtensionSize { .. }
            | Reading::Extension { .. }
            | Reading::AfterMetadata { .. }
            | Reading::AfterStatus => Err(Truncated::Packet),
            // While a packet is incomplete, its channel is not idle.
            Reading::Packet
            | Reading::Header { .. }
            | Reading::Part { .. }
            | Reading::Content { .. }
            | Reading::Ended(_)
            | Reading::First
            | Reading::Held { .. }
            | Reading::HeldStatus { .. }
            | Reading::Failed(_) => self.channels.finish(),
        }
    }

    #[inline]
    pub(super) fn is_between_messages(&self) -> bool {
        let is_between = matches!(
            self.reading,
            Reading::Packet | Reading::Ended(_) | Reading::First
        );
        is_between && self.channels.are_idle()
    }

    pub(super) fn age_headers(&mut self) -> u32 {
        if let Reading::CutPacket(_)
        | Reading::ExtensionSize { .. }
        | Reading::Extension { .. }
        | Reading::AfterMetadata { .. } = self.reading
        {
            self.cut_age = self.cut_age.saturating_add(1);
        }
        self.channels.age_heads().max(self.cut_age)
    }

    pub(super) fn tolerated(&self) -> &Tolerated {
        &self.tolerated
    }

    pub(super) fn drained(&self) -> u64 {
        self.drained
    }

    #[inline]
    pub(super) fn drained_credit(&self) -> u64 {
        self.drained_credit
    }

    pub(super) fn buffered(&self) -> usize {
        match &self.reading {
            Reading::ConnectionHeader(cut) | Reading::CutPacket(cut) => {
                self.held.saturating_add(cut.length())
            }
            Reading::Packet
            | Reading::Header { .. }
            | Reading::Part { .. }
            | Reading::Content { .. }
            | Reading::Ended(_)
            | Reading::First
            | Reading::Held { .. }
            | Reading::HeldStatus { .. }
            | Reading::AfterStatus
            | Reading::Failed(_) => self.held,
            Reading::Extension { content, .. } | Reading::AfterMetadata { content, .. } => {
                self.held.saturating_add(content.len())
            }
            Reading::ExtensionSize { cut, .. } => self.held.saturating_add(cut.length()),
        }
    }

    // r[impl header.first]
    fn connection_header<'i>(&mut self, mut cut: Cut, input: &mut &'i [u8]) -> Found<'i> {
        cut.fill(input, 1);
        self.reading = Reading::ConnectionHeader(cut);
        let Some(&control) = cut.bytes().first() else {
            return Ok(None);
        };
        cut.fill(input, ConnectionHeader::length(control)?);
        self.reading = Reading::ConnectionHeader(cut);
        let Some(header) = ConnectionHeader::decode(cut.bytes()) else {
            return Ok(None);
        };
        let header = header?;
        if ConnectionHeader::has_reserved_bits(control) {
            self.on_reserved_bits(control)?;
        }
        self.on_connection_header(header);
        Ok(Some(Event::Header(header)))
    }

    #[inline]
    fn packet<'i>(&mut self, input: &mut &'i [u8]) -> Found<'i> {
        let Some(&first) = input.first() else {
            return Ok(None);
        };
        let mut reader = Reader::new(input);
        let Some(packet) = Packet::decode(&mut reader) else {
            return self.cut_packet(Cut::default(), input);
        };
        *input = reader.rest();
        self.on_packet(first, packet, input)
    }

    fn cut_packet<'i>(&mut self, mut cut: Cut, input: &mut &'i [u8]) -> Found<'i> {
        cut.fill(input, 1);
        let Some(&first) = cut.bytes().first() else {
            return Ok(None);
        };
        cut.fill(input, Packet::length(first));
        match Packet::decode(&mut Reader::new(cut.bytes())) {
            Some(packet) => {
                self.reading = Reading::Packet;
                let found = self.on_packet(first, packet, input);
                self.cut_age = 0;
                found
            }
            None => {
                self.reading = Reading::CutPacket(cut);
                Ok(None)
            }
        }
    }

    #[inline]
    fn on_packet<'i>(&mut self, first: u8, packet: Packet, input: &mut &'i [u8]) -> Found<'i> {
        if Packet::has_reserved_bits(first) {
            self.on_reserved_bits(first)?;
        }
        // Only packets of a channel change what is in progress on it.
        // r[impl packet.channelless]
        // r[impl ext.packet.channelless]
        // r[impl content.mixed]
        let switched = core::mem::replace(&mut self.switched, false);
        match packet {
            Packet::Message(opening) => self.on_message(opening, input),
            Packet::Response(opening) => self.on_response(opening, input),
            Packet::Data { size } => self.on_data(size, input),
            Packet::Stream { size } => self.on_stream(size, input),
            Packet::File { index, size } => self.on_file(index, size, input),
            Packet::Switch(channel) => self.on_switch(channel, switched),
            Packet::FastReply { id, code } => Ok(Some(Event::FastReply { id, code })),
            Packet::Continue { size } => self.on_continue(size),
            Packet::StreamEnd => self.on_stream_end(),
            Packet::FileEnd { index } => self.on_file_end(index),
            Packet::Abort => self.on_abort(),
            Packet::Heartbeat => self.on_heartbeat(),
            Packet::GoAway => self.on_go_away(),
            Packet::Unassigned { byte } => self.on_extension(byte, input),
        }
    }

    // r[impl packet.switch.range]
    // r[impl packet.switch.needless]
    #[inline]
    pub(super) fn on_switch<'i>(&mut self, channel: ChannelId, switched: bool) -> Found<'i> {
        let channels = self.limits.channels();
        if !channels.contains(channel) {
            return Err(Violation::ChannelOutOfRange { channel, channels });
        }
        if switched || channel == self.channel {
            count(&mut self.tolerated.needless_switches);
        }
        self.channel = channel;
        self.switched = true;
        Ok(None)
    }

    // Each kind has its own copy of the fast path, in which the kind is a constant.
    fn on_message<'i>(&mut self, opening: Opening, input: &mut &'i [u8]) -> Found<'i> {
        self.on_opening(Kind::Message, opening, input)
    }

    fn on_response<'i>(&mut self, opening: Opening, input: &mut &'i [u8]) -> Found<'i> {
        self.on_opening(Kind::Response, opening, input)
    }

    #[inline(always)]
    fn on_opening<'i>(&mut self, kind: Kind, opening: Opening, input: &mut &'i [u8]) -> Found<'i> {
        let channel = self.channel;
        // r[impl content.busy]
        if !self.channels.is_idle(channel) {
            return Err(Violation::ChannelBusy { channel });
        }
        // r[impl ext.leave.done]
        if kind == Kind::Message && self.is_done {
            return Err(Violation::MessageAfterDone);
        }
        let number = self.begun;
        self.begun = number.wrapping_add(1);
        let is_request = u64::from(opening.expects_response);
        self.requests = self.requests.wrapping_add(is_request);
        match self.open_at_once(kind, opening, number, input) {
            Ok(None) => self.open_in_parts(kind, opening, number),
            found => found,
        }
    }

    /// The fast path for nearly all messages: the header is complete in the input, has no file
    /// headers, and is valid. Otherwise it returns `None`, with the input unchanged.
    #[inline(always)]
    fn open_at_once<'i>(
        &mut self,
        kind: Kind,
        opening: Opening,
        number: u64,
        input: &mut &'i [u8],
    ) -> Found<'i> {
        let Some((header, rest)) = input.split_at_checked(uint::index(opening.size)) else {
            return Ok(None);
        };
        let mut reader = Reader::new(header);
        let Some(prefix) = Prefix::decode(kind, &mut reader, self.limits.action_bytes()) else {
            return Ok(None);
        };
        let Text::Whole(action) = prefix.action else {
            return Ok(None);
        };
        let sizes = prefix.sizes;
        let ordinary = reader.rest().is_empty()
            && !prefix.flags.has_reserved_bits(kind)
            && prefix.flags.count_width() == 0
            && self.excess(sizes, uint::wide(header.len())).is_none();
        if !ordinary {
            return Ok(None);
        }
        let action = match kind {
            Kind::Message => match std::str::from_utf8(action) {
                Ok(action) => action,
                Err(_) => return Ok(None),
            },
            Kind::Response => "",
        };
        *input = rest;
        if self.returns_whole && !opening.has_stream {
            if let Some(payload) = take_payload(sizes.payload, input) {
                let announced = announce(self.channel, number, opening, &prefix, action);
                return Ok(Some(whole(announced, payload)));
            }
        }
        if sizes.payload != 0 || opening.has_stream {
            let body = Body::plain(sizes.payload, opening.has_stream);
            self.channels.put(self.channel, Channel::Body(body));
        }
        Ok(Some(announce(
            self.channel,
            number,
            opening,
            &prefix,
            action,
        )))
    }

    #[cold]
    fn open_in_parts<'i>(&mut self, kind: Kind, opening: Opening, number: u64) -> Found<'i> {
        if opening.size == 0 {
            self.on_empty()?;
        }
        // A header is as old as the packet in which it starts.
        let is_described = self.described.take() == Some(number);
        let metadata = if is_described {
            self.described_bytes
        } else {
            0
        };
        let age = self.cut_age;
        let head = Box::new(PartialHead::new(kind, opening, number, age, metadata));
        self.channels.put(self.channel, Channel::Head(head));
        self.reading = Reading::Header { left: opening.size };
        Ok(None)
    }

    // r[impl head.cut]
    // r[impl head.continue]
    // r[impl head.continue.ended]
    fn on_continue<'i>(&mut self, size: u32) -> Found<'i> {
        if size == 0 {
            self.on_empty()?;
        }
        let channel = self.channel;
        match self.channels.get_mut(channel) {
            Some(Channel::Head(head)) => {
                self.reading = Reading::Header { left: size };
                let refusal = head.on_piece(channel, &self.limits)?;
                Ok(refusal.map(|refusal| Event::Refused {
                    channel,
                    action: None,
                    number: None,
                    refusal,
                }))
            }
            Some(Channel::Idle | Channel::Body(_)) | None if size == 0 => Ok(None),
            Some(Channel::Body(_)) => Err(Violation::ContinueAfterHeader { channel, size }),
            Some(Channel::Idle) | None => Err(self.no_message(size)),
        }
    }

    #[inline]
    fn on_data<'i>(&mut self, size: u32, input: &mut &'i [u8]) -> Found<'i> {
        if size == 0 {
            return self.on_empty();
        }
        let channel = self.channel;
        match self.channels.body_mut(channel) {
            Some(body) => body.on_data(channel, size)?,
            // r[impl content.order]
            None => return Err(Violation::UnexpectedData { channel, size }),
        }
        self.content(Content::Data, size, input)
    }

    #[inline]
    fn on_stream<'i>(&mut self, size: u32, input: &mut &'i [u8]) -> Found<'i> {
        if size == 0 {
            return self.on_empty();
        }
        let channel = self.channel;
        match self.channels.body_mut(channel) {
            Some(body) => body.on_stream(channel)?,
            // r[impl content.order]
            None => return Err(Violation::UnexpectedStream { channel }),
        }
        self.content(Content::Stream, size, input)
    }

    fn on_stream_end<'i>(&mut self) -> Found<'i> {
        let channel = self.channel;
        let Some(body) = self.channels.body_mut(channel) else {
            return Err(Violation::UnexpectedStream { channel });
        };
        body.on_stream_end(channel)?;
        self.after_content(Event::StreamEnd { channel })
    }

    #[inline]
    fn on_file<'i>(&mut self, index: FileIndex, size: u32, input: &mut &'i [u8]) -> Found<'i> {
        if size == 0 {
            return self.on_empty();
        }
        let channel = self.channel;
        let refusal = match self.channels.body_mut(channel) {
            Some(body) => body.on_file(channel, index, size)?,
            None => return Err(no_file(channel, index)),
        };
        let content = Content::File(index);
        let Some(refusal) = refusal else {
            return self.content(content, size, input);
        };
        self.reading = Reading::Content {
            content,
            left: size,
        };
        Ok(Some(Event::Refused {
            channel,
            action: None,
            number: None,
            refusal,
        }))
    }

    fn on_file_end<'i>(&mut self, index: FileIndex) -> Found<'i> {
        let channel = self.channel;
        let Some(body) = self.channels.body_mut(channel) else {
            return Err(no_file(channel, index));
        };
        let missing = body.on_file_end(channel, index)?;
        self.after_content(Event::FileEnd {
            channel,
            index,
            missing,
        })
    }

    // r[impl content.abort]
    fn on_abort<'i>(&mut self) -> Found<'i> {
        let channel = self.channel;
        match self.channels.take(channel) {
            Channel::Idle => self.on_idle_abort(),
            Channel::Head(head) => {
                self.held = self.held.saturating_sub(head.held());
                if head.identity().is_some() {
                    return Ok(Some(Event::Abort { channel }));
                }
                count(&mut self.tolerated.aborted_headers);
                let number = head.number;
                let is_extended = self.extension == Extension::Active;
                Ok(is_extended.then_some(Event::Unannounced { number }))
            }
            Channel::Body(_) => Ok(Some(Event::Abort { channel })),
        }
    }

    fn on_heartbeat<'i>(&mut self) -> Found<'i> {
        count(&mut self.tolerated.heartbeats);
        Ok(Some(Event::Heartbeat))
    }

    fn on_go_away<'i>(&mut self) -> Found<'i> {
        if core::mem::replace(&mut self.going_away, true) {
            count(&mut self.tolerated.repeated_go_aways);
        }
        Ok(Some(Event::GoAway))
    }

    /// Returns what has arrived of a packet's content.
    #[inline]
    fn content<'i>(&mut self, content: Content, left: u32, input: &mut &'i [u8]) -> Found<'i> {
        let channel = self.channel;
        let (bytes, rest) = input.split_at(uint::index(left).min(input.len()));
        *input = rest;
        let left = left.saturating_sub(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        let Some(body) = self.channels.body_mut(channel) else {
            return Err(self.no_message(left));
        };
        body.on_bytes(content, bytes.len());
        let (remaining, refused) = (body.data(), body.is_refused());
        self.reading = match left {
            0 if body.is_done() => {
                self.channels.put(channel, Channel::Idle);
                Reading::Ended(channel)
            }
            0 => Reading::Packet,
            _ => Reading::Content { content, left },
        };
        if bytes.is_empty() {
            return Ok(None);
        }
        if refused {
            let length = uint::wide(bytes.len());
            self.drained = self.drained.saturating_add(length);
            if content != Content::Data {
                self.drained_credit = self.drained_credit.saturating_add(length);
            }
            return Ok(None);
        }
        Ok(Some(match content {
            Content::Data => Event::Data {
                channel,
                bytes,
                remaining,
            },
            Content::Stream => Event::Stream { channel, bytes },
            Content::File(index) => Event::File {
                channel,
                index,
                bytes,
            },
        }))
    }

    /// Returns `event` unless the message is refused, and frees the channel if it is done.
    // r[impl content.end]
    #[inline]
    fn after_content<'i>(&mut self, event: Event<'i>) -> Found<'i> {
        let channel = self.channel;
        let Some(body) = self.channels.body_mut(channel) else {
            return Ok(None);
        };
        let refused = body.is_refused();
        if body.is_done() {
            self.channels.put(channel, Channel::Idle);
            self.reading = Reading::Ended(channel);
        }
        if refused {
            return Ok(None);
        }
        Ok(Some(event))
    }

    #[inline]
    fn end<'i>(&mut self, channel: ChannelId) -> Found<'i> {
        self.reading = Reading::Packet;
        Ok(Some(Event::End { channel }))
    }

    // r[impl packet.reserved]
    // r[impl header.reserved]
    // r[impl head.reserved]
    #[cold]
    pub(super) fn on_reserved_bits(&mut self, byte: u8) -> Result<(), Violation> {
        count(&mut self.tolerated.reserved_bits);
        // r[impl limits.strict]
        self.tolerate(Violation::ReservedBits { byte })
    }

    // r[impl packet.empty.read]
    #[cold]
    pub(super) fn on_empty<'i>(&mut self) -> Found<'i> {
        let channel = self.channel;
        count(&mut self.tolerated.empty_packets);
        self.tolerate(Violation::EmptyPacket { channel })?;
        Ok(None)
    }

    // r[impl content.abort.idle]
    #[cold]
    fn on_idle_abort<'i>(&mut self) -> Found<'i> {
        let channel = self.channel;
        count(&mut self.tolerated.aborts_without_message);
        self.tolerate(Violation::AbortWithoutMessage { channel })?;
        Ok(None)
    }

    fn tolerate(&self, violation: Violation) -> Result<(), Violation> {
        if self.limits.is_strict() {
            return Err(violation);
        }
        Ok(())
    }

    pub(super) fn no_message(&self, size: u32) -> Violation {
        let channel = self.channel;
        Violation::NoMessage { channel, size }
    }

    /// The reason to refuse a head that is invalid or exceeds a limit.
    // r[impl limits.refuse]
    #[inline]
    pub(super) fn excess(&self, sizes: Sizes, header: u64) -> Option<RefusalReason> {
        let limits = &self.limits;
        let files = sizes.files;
        let too_large = match () {
            () if header > uint::wide(limits.header_bytes()) => {
                (Measure::Header, header, uint::wide(limits.header_bytes()))
            }
            () if sizes.payload > limits.payload() => {
                (Measure::Payload, sizes.payload, limits.payload())
            }
            () if files.count > limits.files() => {
                (Measure::Files, files.count.into(), limits.files().into())
            }
            () if files.total_size > limits.total_file_size() => (
                Measure::TotalFileSize,
                files.total_size,
                limits.total_file_size(),
            ),
            () if files.count == 0 && files.total_size > 0 => {
                let declared = files.total_size;
                return Some(RefusalReason::FilesSizeMismatch { declared, sum: 0 });
            }
            () => return None,
        };
        let (what, size, limit) = too_large;
        Some(RefusalReason::TooLarge { what, size, limit })
    }
}

/// Takes the payload if the next packet is complete and brings all of it. An empty payload takes
/// nothing.
// r[impl content.data.exact]
#[inline]
fn take_payload<'i>(size: u64, input: &mut &'i [u8]) -> Option<&'i [u8]> {
    if size == 0 {
        return Some(&[]);
    }
    let first = input.first()?;
    let mut reader = Reader::new(input);
    let is_plain = !Packet::has_reserved_bits(*first);
    match Packet::decode_data(&mut reader)? {
        data if is_plain && u64::from(data) == size => {
            let payload = reader.take(uint::index(data))?;
            *input = reader.rest();
            Some(payload)
        }
        _ => None,
    }
}

/// Joins the event that announced a message or response with its payload.
#[inline]
fn whole<'b>(announced: Event<'b>, payload: &'b [u8]) -> Event<'b> {
    match announced {
        Event::Message {
            channel,
            number,
            head,
        } => Event::WholeMessage {
            channel,
            number,
            head,
            payload,
        },
        Event::Response {
            channel,
            number,
            head,
        } => Event::WholeResponse {
            channel,
            number,
            head,
            payload,
        },
        event => event,
    }
}

/// The event that announces a message or response.
#[inline]
pub(super) fn announce<'b>(
    channel: ChannelId,
    number: u64,
    opening: Opening,
    prefix: &Prefix<'_>,
    action: &'b str,
) -> Event<'b> {
    let Opening {
        has_stream,
        expects_response,
        ..
    } = opening;
    let Sizes { payload, files } = prefix.sizes;
    match prefix.parent {
        None => Event::Message {
            channel,
            number,
            head: MessageHead {
                id: prefix.id,
                action,
                expects_response,
                has_stream,
                payload_size: payload,
                files,
            },
        },
        Some(parent) => Event::Response {
            channel,
            number,
            head: ResponseHead {
                parent,
                id: prefix.id,
                expects_response,
                has_stream,
                payload_size: payload,
                files,
            },
        },
    }
}

// r[impl content.order]
fn no_file(channel: ChannelId, index: FileIndex) -> Violation {
    Violation::FileIndex {
        channel,
        index,
        count: 0,
    }
}

pub(super) fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}
