//! Messages of the peer: which are admitted, and how their handlers begin.

use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
};

use sockety_codec::{ChannelId, MessageHead};

use super::{Inbound, Verdict};
use crate::{
    action::Action,
    config::budgets::Share,
    engine::{
        attempt::Attempt,
        early_end::{Number, Steering},
        health,
        holders::Holder,
        inherited::{self, Inherited, Inheriting},
        lease::Lease,
        payload_reservation::{PayloadReservation, Purpose},
        pending_reply::PendingReply,
        receive::{
            parts::ReceivedParts,
            payload::Assembly,
            request_queue::QueuedRequest,
            slot::{Open, Progress, Role},
        },
        serve::{Dispatch, Handler, ReceivedPayload, Route, Serve, Target, Unrouted},
        shared::Shared,
        start::{Reached, Start},
        warnings::{Warning, text_of},
    },
    error::refusal::reads_reasons,
    fast_reply::{FastReply, FrameworkCode, PRESENT_ACTION},
    sync::spawn,
};

/// How many requests of the queue begin before other tasks of the thread get their turn.
const QUEUED_AT_A_TIME: usize = 64;

/// Why a message of the peer is not handled.
pub(super) struct Refused {
    pub(super) code: FastReply,
    /// For callers that read it.
    pub(super) reason: Option<String>,
}

impl From<FastReply> for Refused {
    fn from(code: FastReply) -> Self {
        Self { code, reason: None }
    }
}

impl<S: Serve> Inbound<S> {
    /// Most messages: there is nothing to keep until more of it comes.
    pub(super) fn on_whole_message(
        &mut self,
        number: u64,
        head: &MessageHead<'_>,
        payload: &[u8],
        cx: &mut Context<'_>,
    ) -> Verdict {
        let steering = self.steering(number, head);
        if self.looks && self.look_at(number, head) {
            return Verdict::Keep;
        }
        if head.action == health::ACTION {
            return self.answer_health(head, payload);
        }
        if self.has_to_wait() && self.keep_unjudged(&steering, head, payload) {
            return Verdict::Keep;
        }
        if !self.overflow.is_empty() && self.keep_overflowing(&steering, head, payload) {
            return Verdict::Keep;
        }
        self.handle_whole(steering, head, payload, cx)
    }

    /// Looks at the first message, and at those that may not be taken. Returns whether this one is
    /// not: it is neither executed nor answered, and its sender knows that.
    #[cold]
    fn look_at(&mut self, number: u64, head: &MessageHead<'_>) -> bool {
        self.has_served = true;
        // A caller that reads reasons is one of this framework, and so sends heartbeats.
        self.has_heartbeats |= reads_reasons(&head.id);
        self.looks = self.taken != u64::MAX;
        self.is_left_out(number)
    }

    /// Says whether this side serves: before authorization, and without a slot.
    #[cold]
    fn answer_health(&mut self, head: &MessageHead<'_>, payload: &[u8]) -> Verdict {
        let is_known = |name: &str| self.serve.has_service(name);
        let code = health::answer(self.shared.health.as_ref(), payload, is_known);
        self.refuse_whole(head, payload, &code.into())
    }

    #[inline]
    pub(super) fn handle_whole(
        &mut self,
        steering: Steering,
        head: &MessageHead<'_>,
        payload: &[u8],
        cx: &mut Context<'_>,
    ) -> Verdict {
        let route = match self.route(head) {
            Ok(route) => route,
            Err(refused) => return self.refuse_whole(head, payload, &refused),
        };
        let is_plain = !head.expects_response && steering.described.is_none();
        if is_plain && self.run_one_way(&route, payload, cx) {
            return Verdict::Keep;
        }
        let Some((lease, reservation)) = self.admit_whole(head, payload) else {
            if self.keep_overflowing(&steering, head, payload) {
                return Verdict::Keep;
            }
            self.queue.on_refused(head.action, &self.shared);
            let overloaded = FrameworkCode::Overloaded.reply().into();
            return self.refuse_whole(head, payload, &overloaded);
        };
        let expects_response = head.expects_response;
        let mut reply = PendingReply::new(lease, head.id, expects_response, reservation, None);
        reply.steer(&steering);
        let payload = ReceivedPayload::Borrowed(payload);
        self.dispatch(
            steering,
            route,
            payload,
            ReceivedParts::default(),
            reply,
            cx,
        );
        Verdict::Keep
    }

    #[cold]
    fn refuse_whole(
        &mut self,
        head: &MessageHead<'_>,
        payload: &[u8],
        refused: &Refused,
    ) -> Verdict {
        self.refuse(head, refused);
        self.abuse.on_dropped(payload.len() as u64);
        Verdict::Keep
    }

    #[inline]
    fn admit_whole(
        &mut self,
        head: &MessageHead<'_>,
        payload: &[u8],
    ) -> Option<(Lease, Option<Box<PayloadReservation>>)> {
        let lease = self.admit_request(head, Holder::Executing)?;
        let mut reservation = self.reserve(payload.len() as u64)?;
        if let Some(reservation) = &mut reservation {
            reservation.grow(payload.len()).ok()?;
        }
        Some((lease, reservation))
    }

    /// Room for the payload of a request that has a slot.
    #[inline]
    fn reserve(&self, size: u64) -> Option<Option<Box<PayloadReservation>>> {
        let shared = &self.shared;
        let reserved = PayloadReservation::reserve(shared, size, Purpose::Message);
        reserved.ok().or_else(|| {
            let is_last = self.may_pause(1);
            is_last.then(|| PayloadReservation::reserve(shared, size, Purpose::LastMessage).ok())?
        })
    }

    /// A slot for a request: it will be executed at once, or wait for its turn.
    #[inline]
    fn admit_request(&mut self, head: &MessageHead<'_>, holder: Holder) -> Option<Lease> {
        let kept = match holder {
            Holder::Executing => self.following.take_lease(),
            Holder::Handle | Holder::Arriving => None,
        };
        let (lease, before) = match kept {
            Some(lease) => (lease, self.shared.holders.requests() - 1),
            None => Lease::of_request(&self.shared, holder)?,
        };
        let has_turn = self.queue.is_empty() && self.shared.may_execute(before);
        (has_turn || self.has_queue_room(head.expects_response)).then_some(lease)
    }

    fn has_queue_room(&self, expects_response: bool) -> bool {
        let options = &self.shared.options;
        if !self.queue.is_full(options) {
            return true;
        }
        let is_refused = expects_response && self.queue.has_many(options);
        !is_refused && self.may_pause(1)
    }

    /// Whether nothing is read until requests that wait have had their turn, or payloads are gone.
    pub(super) fn holds_back(&mut self) -> bool {
        let is_over = self.queue.is_overfull(&self.shared.options)
            || !self.overflow.is_empty()
            || self.shared.account.awaits_payload_room();
        if !is_over {
            return false;
        }
        // Set before the count is read: a request that ends after that wakes the driver.
        self.shared.has_queue.store(true, Ordering::SeqCst);
        self.may_pause(0)
    }

    /// Whether what this side waits for comes about without reading. Not while a call of this side
    /// waits: a handler may have made it, and its reply must be read for the handler to end. And
    /// only while a request is executed that does not wait for content. `new` is how many requests
    /// have a slot, but no handler yet.
    fn may_pause(&self, new: usize) -> bool {
        let without_handler = self.queue.len() + self.slots.len() + new;
        self.shared.holders.requests() > without_handler
            && !self.shared.lock().pending.has_unanswered()
    }

    /// Keeps a one-way message that finds no room. Its sender could not be told that it is lost.
    /// Returns whether it is kept.
    #[cold]
    fn keep_overflowing(
        &mut self,
        steering: &Steering,
        head: &MessageHead<'_>,
        payload: &[u8],
    ) -> bool {
        let options = &self.shared.options;
        !head.expects_response && self.overflow.keep(steering, head, payload, options)
    }

    /// Handles one-way messages that found no room, as far as there is room now.
    #[cold]
    pub(super) fn run_overflow(&mut self, cx: &mut Context<'_>) {
        for _ in 0..QUEUED_AT_A_TIME {
            let Some(first) = self.overflow.first() else {
                return;
            };
            let is_room = !self.queue.is_full(&self.shared.options)
                && self.shared.has_slot(self.shared.holders.requests())
                && (self.shared.account).has_payload_room(first.payload.len() as u64);
            if !is_room {
                return;
            }
            let before = self.overflow.len();
            if let Some(message) = self.overflow.pop() {
                let steering = message.steering.clone();
                let _ = self.handle_whole(steering, &message.head(), &message.payload, cx);
                self.end_read();
            }
            if self.overflow.len() >= before {
                // The budget of all connections has no room: it is looked at every second.
                return;
            }
        }
        // The rest after other tasks of the thread have had their turn.
        cx.waker().wake_by_ref();
    }

    /// Begins requests whose turn has come.
    #[cold]
    pub(super) fn run_queued(&mut self, cx: &mut Context<'_>) {
        for _ in 0..QUEUED_AT_A_TIME {
            // Set before the count is read: a request that ends after that wakes the driver.
            self.shared.has_queue.store(true, Ordering::SeqCst);
            let executing = self.shared.holders.requests() - self.queue.len();
            if !self.shared.may_execute(executing) {
                return;
            }
            let Some(request) = self.queue.pop() else {
                self.shared.has_queue.store(false, Ordering::SeqCst);
                return;
            };
            let steering = request.steering();
            let payload = ReceivedPayload::Owned(request.payload);
            self.run(
                &steering,
                request.route,
                payload,
                request.parts,
                request.reply,
                cx,
            );
            self.end_read();
        }
        // The rest after other tasks of the thread have had their turn.
        cx.waker().wake_by_ref();
    }

    pub(super) fn on_message(
        &mut self,
        channel: ChannelId,
        number: u64,
        head: &MessageHead<'_>,
        cx: &mut Context<'_>,
    ) -> Verdict {
        let mut steering = self.steering(number, head);
        // While it arrives, its time passes.
        steering.fix_deadline();
        self.begin_content(channel, number, head.has_stream, head.files);
        if self.looks && self.look_at(number, head) {
            return match head.has_content() {
                true => Verdict::Refuse(channel),
                false => Verdict::Keep,
            };
        }
        let route = if self.has_to_wait() && self.may_keep_arriving() {
            None
        } else {
            match self.route(head) {
                Ok(route) => Some(route),
                Err(refused) => return self.refuse_message(channel, head, &refused),
            }
        };
        let Some((lease, payload)) = self.admit(head) else {
            self.queue.on_refused(head.action, &self.shared);
            let overloaded = FrameworkCode::Overloaded.reply().into();
            return self.refuse_message(channel, head, &overloaded);
        };
        let carried = self.arriving(
            number,
            head.has_stream,
            head.files.count,
            head.id,
            head.expects_response.then_some(head.id),
            false,
        );
        if let (Some(route), Some(arriving)) = (&route, &carried) {
            if let Some(limit) = route.stream_limit() {
                // Nothing of it has come yet.
                let _ = arriving.rest.intake.limit_stream(limit);
            }
        }
        let open = Open {
            role: match route {
                Some(route) => Role::Message { route, lease },
                None => Role::Unjudged {
                    action: head.action.into(),
                    lease,
                },
            },
            id: head.id,
            expects_response: head.expects_response,
            payload,
            carried,
            progress: Progress::default(),
            steering,
        };
        self.begin(channel, open, cx)
    }

    pub(super) fn route(&mut self, head: &MessageHead<'_>) -> Result<Route, Refused> {
        if head.action == PRESENT_ACTION {
            return Err(FrameworkCode::NotBegun.reply().into());
        }
        if head.action == health::ACTION {
            // It arrives in pieces, and its payload is not here yet.
            let action = Action::Known(health::ACTION);
            return Ok(Route::to_handler(action, Handler::Health));
        }
        let counters = &self.shared.counters;
        if self.refuses_new {
            counters.count(|all| &all.going_away);
            return Err(FrameworkCode::GoingAway.reply().into());
        }
        if !self.shared.auth.is_open() {
            return match Attempt::begin(&self.shared, head) {
                Some(attempt) => Ok(Route::to_authorization(head.action, attempt)),
                None => Err(FastReply::UNAUTHORIZED.into()),
            };
        }
        let files = head.files;
        if let Some((served, route)) = self.following.route(head.action) {
            if served.description.limits.allow(head.payload_size, files) {
                return Ok(route);
            }
        }
        let unrouted = match self.serve.route(head.action, head.payload_size, files) {
            Ok(route) => {
                self.following.note(&route);
                return Ok(route);
            }
            Err(unrouted) => unrouted,
        };
        let code = unrouted.code();
        match unrouted {
            Unrouted::NotImplemented => {
                let reason = "no service and no handler has it";
                self.shared.note_not_implemented(head.action, &reason);
                Err(code.into())
            }
            Unrouted::TooLarge(limits) => {
                let reason = limits.excess(head.payload_size, files).unwrap_or_default();
                self.shared.warn(Warning::TooLarge, head.action, &reason);
                self.abuse.on_refused();
                Err(Refused {
                    code,
                    reason: Some(reason),
                })
            }
        }
    }

    fn admit(&mut self, head: &MessageHead<'_>) -> Option<(Lease, Assembly)> {
        let lease = self.admit_request(head, Holder::Arriving)?;
        let reservation = self.reserve(head.payload_size)?;
        let files = head.files.count as usize;
        let is_room = files == 0 || self.shared.account.has_room_for_files(files);
        is_room.then(|| (lease, Assembly::new(head.payload_size, reservation)))
    }

    fn refuse_message(
        &self,
        channel: ChannelId,
        head: &MessageHead<'_>,
        refused: &Refused,
    ) -> Verdict {
        self.refuse(head, refused);
        if head.has_content() {
            Verdict::Refuse(channel)
        } else {
            Verdict::Keep
        }
    }

    pub(super) fn refuse(&self, head: &MessageHead<'_>, refused: &Refused) {
        // r[impl reply.only-when-expected]
        if !head.expects_response {
            return;
        }
        match &refused.reason {
            Some(reason) => self.shared.refuse(head.id, refused.code, reason),
            None => self.shared.fast_reply(head.id, refused.code),
        }
    }

    /// Refuses a message that nobody has seen yet.
    pub(super) fn refuse_open(
        &mut self,
        channel: ChannelId,
        code: FastReply,
        reason: &str,
    ) -> Verdict {
        if let Some(id) = self.slots.open_mut(channel).and_then(|open| open.owed()) {
            self.shared.refuse(id, code, reason);
        }
        self.free(channel);
        Verdict::Refuse(channel)
    }

    /// Handles a request that has arrived, now or when its turn comes.
    #[inline]
    pub(super) fn dispatch(
        &mut self,
        mut steering: Steering,
        route: Route,
        payload: ReceivedPayload<'_>,
        parts: ReceivedParts,
        mut reply: PendingReply,
        cx: &mut Context<'_>,
    ) {
        let executing = self.shared.holders.requests() - 1;
        if self.queue.is_empty() && self.shared.may_execute(executing) {
            return self.run(&steering, route, payload, parts, reply, cx);
        }
        let payload = payload.into_bytes();
        // While it waits, its time passes.
        steering.fix_deadline();
        reply.described = steering.described;
        let request = QueuedRequest {
            route,
            payload,
            parts,
            reply,
        };
        self.queue.push(request, &self.shared.options);
        self.run_queued(cx);
    }

    /// Runs the handler as far as it goes without waiting; one that has to wait becomes a task.
    ///
    /// Most handlers end at once, and cost no task and no wake-up this way. A service may want a
    /// task from the beginning all the same.
    #[inline]
    fn run(
        &mut self,
        steering: &Steering,
        route: Route,
        payload: ReceivedPayload<'_>,
        parts: ReceivedParts,
        mut reply: PendingReply,
        cx: &mut Context<'_>,
    ) {
        if let Target::Authorize(_) = route.target {
            self.shared.auth.judge();
        }
        if steering.is_over() {
            // Nobody waits for it any longer, and it has not begun.
            return self.end_unbegun(steering.number, (reply, parts));
        }
        let (action, is_spawned) = (route.action.clone(), route.is_spawned());
        let inherited = steering.inherited();
        let is_no_cancel = route.is_no_cancel();
        if is_no_cancel {
            reply.number = Number::NONE;
        }
        let begin = || {
            let start = Start::in_place(self.following.memory.take(), cx);
            let begin = || self.serve.dispatch(route, payload, parts, reply, start);
            match inherited::with(inherited, begin).0 {
                Reached::Ended(lease) => Ok(lease),
                Reached::Waits(handler) => Err(handler),
                Reached::Later(handler) if is_spawned => Err(handler),
                Reached::Later(mut handler) => {
                    let polled = inherited::with(inherited, || handler.as_mut().poll(cx));
                    match polled.is_pending() {
                        true => Err(handler),
                        false => Ok(None),
                    }
                }
            }
        };
        match catch_unwind(AssertUnwindSafe(begin)) {
            Ok(Ok(lease)) => self.following.keep_lease(lease),
            Ok(Err(handler)) => {
                let handler = match is_no_cancel {
                    true if inherited == Inherited::default() => handler,
                    true => Box::pin(Inheriting::new(inherited, handler)),
                    false => self.cancellable(steering, handler),
                };
                self.spawn(action, handler);
            }
            Err(panic) => on_panic(&self.shared, &action, &*panic),
        }
    }

    /// The slot of the request is inside the handler, so the number of such tasks is bounded.
    pub(super) fn spawn(&self, action: Action, handler: Dispatch) {
        let tasks = Arc::clone(self.shared.budgets.waiting());
        let share = Share::none(tasks).charge(1);
        let shared = Arc::clone(&self.shared);
        spawn(async move {
            if let Err(panic) = caught(handler).await {
                on_panic(&shared, &action, &*panic);
            }
            drop(share);
        });
    }
}

/// Runs a handler, and returns what it panics with. What it holds is dropped while it panics, so
/// that its reply is known to be lost by a panic.
async fn caught(handler: Dispatch) -> Result<(), Box<dyn Any + Send>> {
    let mut handler = Some(handler);
    poll_fn(|cx| {
        let Some(mut running) = handler.take() else {
            return Poll::Ready(Ok(()));
        };
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let polled = running.as_mut().poll(cx);
            polled.is_pending().then_some(running)
        }));
        match polled {
            Ok(Some(pending)) => {
                handler = Some(pending);
                Poll::Pending
            }
            Ok(None) => Poll::Ready(Ok(())),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}

/// The reply went out when the message was dropped.
#[cold]
pub(super) fn on_panic(shared: &Shared, action: &Action, panic: &(dyn Any + Send)) {
    shared.warn(Warning::HandlerPanicked, action, &text_of(panic));
}
