//! Messages that came while another is judged, which may authorize the connection.

use std::{collections::VecDeque, sync::Arc, task::Context};

use bytes::Bytes;
use sockety_codec::{ChannelId, FilesSummary, MessageHead, Uuid};

use super::{Inbound, Verdict, messages::Refused};
use crate::{
    engine::{
        early_end::{Number, Steering},
        lease::Lease,
        payload_reservation::PayloadReservation,
        pending_reply::PendingReply,
        receive::{kept_messages::KeptMessage, parts::ReceivedParts, slot::Role},
        serve::{ReceivedPayload, Serve},
        warnings::Warning,
    },
    fast_reply::{FastReply, FrameworkCode},
};

/// They wait for the verdict: a peer that sends its calls right behind its token loses none.
#[derive(Default)]
pub(super) struct Unjudged {
    messages: VecDeque<Waiting>,
    /// What those take that carry nothing.
    bytes: usize,
    /// Whether any message with content came while another was judged.
    has_content: bool,
}

enum Waiting {
    Whole(KeptMessage),
    Carrying(Box<Carrying>),
}

/// A message with files or a stream, or with a payload in pieces. Its payload and the headers of its
/// files have arrived; its content arrives while it waits.
pub(super) struct Carrying {
    pub(super) action: Arc<str>,
    pub(super) id: Uuid,
    pub(super) expects_response: bool,
    pub(super) payload: Bytes,
    pub(super) parts: ReceivedParts,
    pub(super) reservation: Option<Box<PayloadReservation>>,
    pub(super) lease: Lease,
    pub(super) steering: Steering,
}

/// Reading pauses when as much waits.
const MOST: usize = 256;
const MOST_BYTES: usize = 128 * 1024;

/// What one read brings beyond that is refused.
const EXCESS: usize = 1024;

/// How many messages with content may wait.
const MOST_CARRYING: usize = 16;

/// How many bytes may wait when reading cannot pause: of messages that carry nothing, and of all
/// together where some carry something. Nothing of them goes to disk, because anybody may have sent
/// them.
const EXCESS_BYTES: usize = 512 * 1024;

impl Waiting {
    fn steering(&self) -> &Steering {
        match self {
            Self::Whole(message) => &message.steering,
            Self::Carrying(message) => &message.steering,
        }
    }
}

impl Unjudged {
    /// Whether nothing waits or arrives to be judged.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.is_empty() && !self.has_content
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Whether content waits for a verdict, rather than for a reader.
    pub(super) fn has_content(&self) -> bool {
        self.has_content
    }

    fn carrying(&self) -> impl Iterator<Item = &Carrying> {
        self.messages.iter().filter_map(|message| match message {
            Waiting::Carrying(carrying) => Some(&**carrying),
            Waiting::Whole(_) => None,
        })
    }
}

impl Carrying {
    fn bytes(&self) -> usize {
        self.payload.len() + self.parts.bytes()
    }

    /// Its head, as it came.
    fn head(&self) -> MessageHead<'_> {
        let files = self.parts.files();
        let size = files.iter().map(|file| file.size).sum();
        let files = FilesSummary::new(files.len() as u32, size);
        MessageHead::new(self.id, &self.action)
            .expecting_response(self.expects_response)
            .with_payload_size(self.payload.len() as u64)
            .with_files(files)
            .with_stream(self.parts.has_stream())
    }
}

impl<S: Serve> Inbound<S> {
    /// Whether nothing is read until the hook has judged a message, because enough waits for that.
    /// Not while a call of this side waits: the hook may have made it, and its reply must be read
    /// for the hook to end.
    pub(super) fn awaits_verdict(&mut self) -> bool {
        if self.unjudged.is_idle() {
            return false;
        }
        if !self.shared.auth.is_judging() {
            self.unjudged.has_content &= !self.shared.auth.is_open();
            return false;
        }
        let is_full = self.unjudged.messages.len() >= MOST || self.unjudged_bytes() >= MOST_BYTES;
        if !is_full {
            return false;
        }
        let may_pause = !self.shared.lock().pending.has_unanswered();
        if !may_pause && self.unjudged.has_content {
            self.refuse_excess();
        }
        may_pause
    }

    /// What waits for a verdict, or arrives for that.
    fn unjudged_bytes(&self) -> usize {
        let mut bytes = self.unjudged.bytes;
        if self.unjudged.has_content {
            bytes += self.unjudged.carrying().map(Carrying::bytes).sum::<usize>();
            let arriving = self.slots.unjudged().map(|(_, open)| open.bytes());
            bytes += arriving.sum::<usize>();
        }
        bytes
    }

    /// Whether a message has to wait: for a verdict, or, though that has come, behind others.
    #[inline]
    pub(super) fn has_to_wait(&self) -> bool {
        !self.unjudged.is_empty() || (!self.shared.auth.is_open() && self.shared.auth.is_judging())
    }

    /// Keeps a message until its turn. Returns whether there was room.
    #[cold]
    pub(super) fn keep_unjudged(
        &mut self,
        steering: &Steering,
        head: &MessageHead<'_>,
        payload: &[u8],
    ) -> bool {
        let unjudged = &self.unjudged;
        if unjudged.messages.len() >= EXCESS || unjudged.bytes >= EXCESS_BYTES {
            return false;
        }
        let message = KeptMessage::new(steering, head, payload);
        self.unjudged.bytes += message.bytes();
        self.unjudged.messages.push_back(Waiting::Whole(message));
        true
    }

    /// Whether another message with content may wait.
    #[cold]
    pub(super) fn may_keep_arriving(&mut self) -> bool {
        let carrying = self.unjudged.carrying().count() + self.slots.unjudged().count();
        let is_room = carrying < MOST_CARRYING && self.unjudged.messages.len() < EXCESS;
        self.unjudged.has_content |= is_room;
        is_room
    }

    /// Keeps a message with content until its turn, or handles it now.
    #[cold]
    pub(super) fn on_unjudged(&mut self, message: Carrying, cx: &mut Context<'_>) {
        if self.has_to_wait() {
            let message = Waiting::Carrying(Box::new(message));
            self.unjudged.messages.push_back(message);
        } else {
            self.handle_carrying(message, cx);
        }
    }

    /// Handles what waited for a verdict that has come, in the order in which it arrived: another
    /// of these may be judged next.
    #[cold]
    pub(super) fn run_unjudged(&mut self, cx: &mut Context<'_>) {
        while !self.shared.auth.is_judging() {
            let Some(message) = self.unjudged.messages.pop_front() else {
                break;
            };
            match message {
                Waiting::Whole(message) => {
                    self.unjudged.bytes -= message.bytes();
                    let steering = message.steering.clone();
                    let _ = self.handle_whole(steering, &message.head(), &message.payload, cx);
                    self.end_read();
                }
                Waiting::Carrying(message) => {
                    self.handle_carrying(*message, cx);
                    self.end_read();
                }
            }
        }
    }

    /// Its slot was taken when it began to arrive.
    fn handle_carrying(&mut self, message: Carrying, cx: &mut Context<'_>) {
        let head = message.head();
        let route = match self.route(&head) {
            Ok(route) => route,
            Err(refused) => return self.refuse(&head, &refused),
        };
        let sizes = message.parts.files().iter().map(|file| file.size);
        let mut excess = sizes
            .into_iter()
            .find_map(|size| route.excess_of_file(size));
        if let Some(intake) = message.parts.intake() {
            if let Some(limit) = route.stream_limit() {
                if let Err(limit) = intake.limit_stream(limit) {
                    excess = excess.or_else(|| Some(limit.to_string()));
                }
            }
        }
        if let Some(reason) = excess {
            self.shared.warn(Warning::TooLarge, &route.action, &reason);
            self.abuse.on_refused();
            let code = FrameworkCode::TooLarge.reply();
            let reason = Some(reason);
            return self.refuse(&head, &Refused { code, reason });
        }
        let Carrying {
            id,
            expects_response,
            payload,
            parts,
            reservation,
            mut lease,
            steering,
            ..
        } = message;
        lease.begin_executing();
        let intake = parts.intake().cloned();
        let mut reply = PendingReply::new(lease, id, expects_response, reservation, intake);
        reply.steer(&steering);
        let payload = ReceivedPayload::Owned(payload);
        self.dispatch(steering, route, payload, parts, reply, cx);
    }

    /// A request was cancelled. Returns whether it is one that waits.
    pub(super) fn cancel_unjudged(&mut self, number: Number) -> bool {
        self.end_unjudged(|steering| steering.is_cancellable && steering.number == number)
    }

    /// Ends messages that nobody waits for any longer.
    pub(super) fn end_overdue_unjudged(&mut self) {
        while self.end_unjudged(Steering::is_over) {}
    }

    /// Ends the first of such messages before it has begun. Returns whether there is one.
    #[cold]
    fn end_unjudged(&mut self, is_it: impl Fn(&Steering) -> bool) -> bool {
        let messages = &mut self.unjudged.messages;
        let place = messages.iter().position(|it| is_it(it.steering()));
        let Some(message) = place.and_then(|place| messages.remove(place)) else {
            return false;
        };
        let owed = match &message {
            Waiting::Whole(message) => {
                self.unjudged.bytes -= message.bytes();
                let head = message.head();
                head.expects_response.then_some(head.id)
            }
            Waiting::Carrying(message) => message.expects_response.then_some(message.id),
        };
        if let Some(id) = owed {
            self.shared.fast_reply(id, FrameworkCode::NotBegun.reply());
        }
        true
    }

    /// Requests that wait for a verdict.
    pub(super) fn unjudged_requests(&self) -> impl Iterator<Item = Uuid> {
        let messages = self.unjudged.messages.iter();
        messages.filter_map(|message| {
            let (id, expects_response) = match message {
                Waiting::Whole(message) => {
                    let head = message.head();
                    (head.id, head.expects_response)
                }
                Waiting::Carrying(message) => (message.id, message.expects_response),
            };
            expects_response.then_some(id)
        })
    }

    /// Refuses messages with content, the newest first, until no more waits than may.
    #[cold]
    fn refuse_excess(&mut self) {
        let unauthorized = FastReply::UNAUTHORIZED;
        let reason = format!("messages of {EXCESS_BYTES} bytes wait to be authorized already");
        while self.unjudged_bytes() > EXCESS_BYTES {
            let arriving = self.slots.unjudged().map(|(channel, _)| channel).next();
            if let Some(channel) = arriving {
                self.shared.counters.count(|all| &all.unauthorized);
                self.refuse_arriving(channel, unauthorized, &reason);
                continue;
            }
            let messages = &mut self.unjudged.messages;
            let is_carrying = |message: &Waiting| matches!(message, Waiting::Carrying(_));
            let Some(last) = messages.iter().rposition(is_carrying) else {
                return;
            };
            self.shared.counters.count(|all| &all.unauthorized);
            if let Some(Waiting::Carrying(message)) = messages.remove(last) {
                if message.expects_response {
                    self.shared.refuse(message.id, unauthorized, &reason);
                }
            }
        }
    }

    /// Refuses a message that is arriving. What still comes of it is dropped.
    fn refuse_arriving(&mut self, channel: ChannelId, code: FastReply, reason: &str) {
        // The decoder goes on: nobody reads what it returns for a channel that is not open.
        let _: Verdict = self.refuse_open(channel, code, reason);
        self.stop_message(channel);
    }
}

impl Role {
    pub(crate) fn is_unjudged(&self) -> bool {
        matches!(self, Self::Unjudged { .. })
    }
}
