//! Messages and responses that are arriving, by channel, until they are handed on.

mod content;
mod cut_off;
mod extended;
mod leaving;
mod messages;
mod one_way;
mod replies;
mod unjudged;

use std::{sync::Arc, task::Context};

use sockety_codec::{ChannelId, Event, Part, extension::Settings};

use self::{extended::Extended, one_way::Following, unjudged::Unjudged};
use super::{
    abuse::AbuseMeter,
    request_queue::{Overflow, RequestQueue},
    slot::Slots,
    slow_readers::SlowReaders,
};
use crate::{
    engine::{pending::RawReply, serve::Serve, shared::Shared},
    error::{connection::ConnectionError, read::ReadError},
};

/// The receiving side of one connection. It belongs to the driver alone, so nothing here needs a
/// lock. The parts that others see are in [`Shared`], and in the intakes of messages.
pub(crate) struct Inbound<S> {
    shared: Arc<Shared>,
    serve: S,
    slots: Slots,
    has_served: bool,
    /// Whether the next message is looked at before others are: the first, and any that may not be
    /// taken.
    looks: bool,
    /// Messages from this number on are not executed, as their sender was told.
    taken: u64,
    queue: RequestQueue,
    following: Following,
    /// Whether reading pauses until requests that wait have had their turn.
    pub(crate) is_held_back: bool,
    overflow: Overflow,
    unjudged: Unjudged,
    slow: SlowReaders,
    /// Channels of messages that were abandoned, because their content did not arrive.
    stalled: Vec<ChannelId>,
    pub(crate) abuse: AbuseMeter,
    /// Whether a large part of a stream or of a file was among what was read last.
    pub(crate) has_large_content: bool,
    /// Whether the peer is known to send heartbeats: it has sent one, or is of this framework.
    pub(crate) has_heartbeats: bool,
    /// What begins now was sent after the peer could know that we are going away.
    pub(crate) refuses_new: bool,
    /// What a peer with the extension has said about itself: before everything else that it sends.
    settings: Option<Arc<Settings>>,
    /// What only the extension has, from its first use on. `None` is one in which nothing is noted.
    extended: Option<Box<Extended>>,
}

/// What the decoder is to do with the rest of a message.
#[must_use]
pub(crate) enum Verdict {
    Keep,
    Refuse(ChannelId),
    /// The peer has said what it is as a receiver.
    Settings,
    /// The peer broke a rule that the decoder does not know: [`Inbound::violation`] says which.
    Break,
}

impl Verdict {
    pub(crate) fn refused(self) -> Option<ChannelId> {
        match self {
            Self::Keep | Self::Settings | Self::Break => None,
            Self::Refuse(channel) => Some(channel),
        }
    }
}

impl<S> Inbound<S> {
    /// The connection has ended: what is not whole never will be.
    pub(crate) fn end(&mut self, error: &ConnectionError) {
        let error = ReadError::Disconnected {
            peer: self.shared.peer.peer_addr.map(Arc::new),
            error: error.clone(),
        };
        for slot in self.slots.drain() {
            if let Some(rest) = slot.rest() {
                rest.intake.fail(&error);
            }
        }
    }
}

impl<S: Serve> Inbound<S> {
    pub(crate) fn new(shared: Arc<Shared>, serve: S) -> Self {
        if serve.asks_for_authorization() {
            shared.auth.close();
        }
        let slow = SlowReaders::new(&shared);
        let abuse = AbuseMeter::new(&shared);
        let overflow = Overflow::new(shared.budgets.clone());
        Self {
            shared,
            serve,
            slots: Slots::default(),
            has_served: false,
            looks: true,
            taken: u64::MAX,
            queue: RequestQueue::default(),
            following: Following::default(),
            is_held_back: false,
            overflow,
            unjudged: Unjudged::default(),
            slow,
            stalled: Vec::new(),
            abuse,
            has_large_content: false,
            has_heartbeats: false,
            refuses_new: false,
            settings: None,
            extended: None,
        }
    }

    /// Whether the peer has ever sent a request.
    pub(crate) fn has_served(&self) -> bool {
        self.has_served
    }

    /// Looks whether reading has to pause until somebody reads a file or a stream, and moves to
    /// disk what blocks other readers.
    #[inline]
    pub(crate) fn update_pause(&mut self, cx: &mut Context<'_>) -> bool {
        let is_idle = self.unjudged.is_idle()
            && self.queue.is_empty()
            && self.overflow.is_empty()
            && !self.shared.account.awaits_payload_room()
            && self.slow.is_idle()
            && !self.abuse.is_paused();
        self.is_held_back = false;
        !is_idle && self.look_again(cx)
    }

    fn look_again(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.unjudged.is_empty() {
            self.run_unjudged(cx);
        }
        if !self.queue.is_empty() {
            self.run_queued(cx);
        }
        if !self.overflow.is_empty() {
            self.run_overflow(cx);
        }
        self.slow.update(cx);
        let is_slow = self.slow.is_paused();
        self.is_held_back = self.holds_back();
        let is_held_back = self.is_held_back || self.awaits_verdict();
        is_slow || is_held_back || self.abuse.poll_resume(cx).is_pending()
    }

    /// Whether requests wait for their turn. Memory of all connections may be what they wait for,
    /// so that this has to be looked at every second.
    pub(crate) fn has_queue(&self) -> bool {
        !self.queue.is_empty() || !self.overflow.is_empty()
    }

    /// How many bytes may be read at a time.
    pub(crate) fn room(&self) -> usize {
        self.slow.room()
    }

    /// What was read is handled, or what waited for its turn.
    pub(crate) fn end_read(&mut self) {
        self.following.end();
    }

    pub(crate) fn on_event(&mut self, event: &Event<'_>, cx: &mut Context<'_>) -> Verdict {
        if let Event::WholeMessage {
            number,
            ref head,
            payload,
            ..
        } = *event
        {
            return self.on_whole_message(number, head, payload, cx);
        }
        self.following.release();
        match *event {
            Event::WholeResponse {
                number,
                ref head,
                payload,
                ..
            } => self.on_whole_response(number, head, payload),
            Event::Message {
                channel,
                number,
                ref head,
            } => self.on_message(channel, number, head, cx),
            Event::Response {
                channel,
                number,
                ref head,
            } => self.on_response(channel, number, head, cx),
            Event::FileHeader {
                channel,
                ref header,
                ..
            } => self.on_file_header(channel, header, cx),
            Event::Data {
                channel,
                bytes,
                remaining,
            } => self.on_data(channel, bytes, remaining, cx),
            Event::Stream { channel, bytes } => self.on_content(channel, Part::Stream, bytes),
            Event::StreamEnd { channel } => self.on_part_end(channel, Part::Stream, 0),
            Event::File {
                channel,
                index,
                bytes,
            } => self.on_content(channel, Part::File(index), bytes),
            Event::FileEnd {
                channel,
                index,
                missing,
            } => self.on_file_end(channel, index, missing),
            Event::FastReply { id, code } => {
                let retry = self.retry_after();
                self.on_reply(&id, Ok(RawReply::Fast(code.into(), retry)))
            }
            Event::End { channel } => self.on_end(channel),
            Event::Abort { channel } => self.on_abort(channel),
            Event::Refused {
                channel,
                action,
                number,
                ref refusal,
            } => {
                self.on_refused_content(channel, number);
                self.on_refused(channel, number.is_some(), action, refusal)
            }
            Event::GoAway => self.on_go_away(),
            Event::Heartbeat => {
                self.has_heartbeats = true;
                Verdict::Keep
            }
            Event::Metadata { number, content } => self.on_metadata(number, content),
            Event::Unannounced { number } => self.on_unannounced(number),
            Event::Status {
                channel,
                ref status,
            } => self.on_status(channel, status),
            Event::Cancel(numbers) => self.on_cancel(numbers),
            Event::Flow(entries) => self.on_flow(entries),
            Event::Leave(ref leave) => self.on_leave(leave),
            Event::Done => self.on_done(),
            Event::Ping(bytes) => self.on_ping(bytes),
            Event::Pong(bytes) => self.on_pong(bytes),
            Event::Settings(ref settings) => self.on_settings(settings),
            // It was read in the handshake.
            Event::Header(_) => Verdict::Keep,
            // The decoder returns other events only if it is asked to.
            _ => Verdict::Keep,
        }
    }

    /// Nothing more of the message arrives.
    fn on_end(&mut self, channel: ChannelId) -> Verdict {
        self.on_content_over(channel, false);
        self.stalled.retain(|stalled| *stalled != channel);
        self.free(channel);
        Verdict::Keep
    }

    fn free(&mut self, channel: ChannelId) {
        self.slow.finish(channel);
        self.slots.free(channel);
    }
}
