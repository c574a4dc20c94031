//! Messages and responses that are arriving, by channel, until they are handed on.

mod content;
mod cut_off;
mod messages;
mod replies;
mod unjudged;

use std::{sync::Arc, task::Context};

use sockety_codec::{ChannelId, Event};
use tracing::debug;

use self::unjudged::Unjudged;
use super::{
    abuse::AbuseMeter,
    request_queue::{Overflow, RequestQueue},
    slot::{Rest, Slots},
    slow_readers::SlowReaders,
};
use crate::{
    engine::{pending::RawReply, serve::Serve, shared::Shared, state::State},
    error::{connection::ConnectionError, read::ReadError},
};

/// The receiving side of one connection. It belongs to the driver alone, so nothing here needs a
/// lock. The parts that others see are in [`Shared`], and in the intakes of messages.
pub(crate) struct Inbound<S> {
    shared: Arc<Shared>,
    serve: S,
    slots: Slots,
    has_served: bool,
    queue: RequestQueue,
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
}

/// What the decoder is to do with the rest of a message.
#[must_use]
pub(crate) enum Verdict {
    Keep,
    Refuse(ChannelId),
}

impl Verdict {
    pub(crate) fn refused(self) -> Option<ChannelId> {
        match self {
            Self::Keep => None,
            Self::Refuse(channel) => Some(channel),
        }
    }
}

impl<S> Inbound<S> {
    /// The connection has ended: what is not whole never will be.
    pub(crate) fn end(&mut self, error: &ConnectionError) {
        let error = ReadError::Disconnected(error.clone());
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
            queue: RequestQueue::default(),
            is_held_back: false,
            overflow,
            unjudged: Unjudged::default(),
            slow,
            stalled: Vec::new(),
            abuse,
            has_large_content: false,
            has_heartbeats: false,
            refuses_new: false,
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

    pub(crate) fn on_event(&mut self, event: &Event<'_>, cx: &mut Context<'_>) -> Verdict {
        match *event {
            Event::WholeMessage {
                ref head, payload, ..
            } => self.on_whole_message(head, payload, cx),
            Event::WholeResponse {
                ref head, payload, ..
            } => self.on_whole_response(head, payload),
            Event::Message { channel, ref head } => self.on_message(channel, head, cx),
            Event::Response { channel, ref head } => self.on_response(channel, head, cx),
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
            Event::Stream { channel, bytes } => self.on_content(channel, |_| Rest::STREAM, bytes),
            Event::StreamEnd { channel } => self.on_part_end(channel, |_| Rest::STREAM, 0),
            Event::File {
                channel,
                index,
                bytes,
            } => self.on_content(channel, |rest| rest.file(index), bytes),
            Event::FileEnd {
                channel,
                index,
                missing,
            } => self.on_file_end(channel, index, missing),
            Event::FastReply { id, code } => self.on_reply(&id, Ok(RawReply::Fast(code.into()))),
            Event::End { channel } => self.on_end(channel),
            Event::Abort { channel } => self.on_abort(channel),
            Event::Refused {
                channel,
                action,
                ref refusal,
            } => self.on_refused(channel, action, refusal),
            Event::GoAway => self.on_go_away(),
            Event::Heartbeat => {
                self.has_heartbeats = true;
                Verdict::Keep
            }
            // It was read in the handshake.
            Event::Header(_) => Verdict::Keep,
            // The decoder returns other events only if it is asked to.
            _ => Verdict::Keep,
        }
    }

    #[cold]
    fn on_go_away(&self) -> Verdict {
        if self.shared.change(State::on_go_away) {
            debug!(peer = ?self.shared.peer.peer_addr, "peer is going away");
            self.shared.ended.notify_waiters();
        }
        Verdict::Keep
    }

    /// Nothing more of the message arrives.
    fn on_end(&mut self, channel: ChannelId) -> Verdict {
        self.stalled.retain(|stalled| *stalled != channel);
        self.free(channel);
        Verdict::Keep
    }

    fn free(&mut self, channel: ChannelId) {
        self.slow.finish(channel);
        self.slots.free(channel);
    }
}
