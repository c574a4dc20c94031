mod attempts;

use std::{
    fmt,
    future::{poll_fn, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use sockety_codec::Uuid;
use sync_wrapper::SyncWrapper;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};

use self::attempts::{Before, connection_of, unconnected};
use super::{
    Connection,
    call_status::{CallStatus, Caller, Tracker},
    middleware::{CallNext, CallReply, CallResult},
    source::{ConnectionSource, Next, Tried, outcome_of},
};
#[cfg(feature = "fleet")]
use crate::engine::{answered::Answered, load::Verdict, loaded::Loaded};
use crate::{
    action::Traits,
    content::carrying::{Sending, Unwritten},
    engine::{
        call_clock::CallTimeout,
        inherited::{self, Along, NoTime},
        later::later,
        lease::Lease,
        pending::{RawReply, ReplyClock},
    },
    error::{request::RequestError, send::SendError},
    message::{outgoing::Outgoing, request::Request, sent::Sent},
    metadata::{Metadata, MetadataKey, Trace},
    outcome::Outcome,
};

/// A call or a one-way message before it is sent, as [`CallMiddleware`](crate::client::CallMiddleware) sees it.
///
/// If it is dropped, it is not sent.
pub struct OutgoingCall {
    connection: Connection,
    id: Uuid,
    message: Outgoing,
    kind: Kind,
    earlier: Option<Box<Earlier>>,
    tracker: Tracker,
}

/// An attempt that was made before the call came here.
pub(crate) struct Earlier {
    pub(crate) result: CallResult,
    /// The connection of the attempt.
    pub(crate) tried: Connection,
    /// How long it took.
    pub(crate) took: Duration,
    /// How long to wait before the next one.
    pub(crate) pause: Duration,
}

impl Earlier {
    /// Whether its peer may have executed it.
    pub(crate) fn may_have_run(&self) -> bool {
        outcome_of(&self.result) == Outcome::Unknown
    }
}

/// What is sent, and what its caller gets before the reply.
enum Kind {
    Call {
        terms: Terms,
        traits: Traits,
    },
    Request(Terms, oneshot::Sender<Request>),
    Pass,
    PassStream(oneshot::Sender<Sent>),
    /// The caller has what it gets before the reply.
    HandedOut,
}

/// How a message is sent.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) unwritten: Unwritten,
    pub(crate) clock: ReplyClock,
    /// What goes before it to a peer that has the extension.
    pub(crate) along: Option<Along>,
}

impl Terms {
    /// With the default clock, if any runs.
    pub(crate) fn new(unwritten: Unwritten) -> Self {
        Self {
            unwritten,
            clock: ReplyClock::Default,
            along: None,
        }
    }

    /// Those of a one-way message.
    pub(crate) fn one_way(unwritten: Unwritten, message: &Outgoing) -> Self {
        Self {
            along: inherited::along_one_way(message.deadline()),
            ..Self::new(unwritten)
        }
    }
}

impl OutgoingCall {
    /// The id of its message.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The name of its action.
    pub fn action(&self) -> &str {
        self.message.action()
    }

    /// Whether it expects a reply.
    pub fn expects_response(&self) -> bool {
        matches!(self.kind, Kind::Call { .. } | Kind::Request(..))
    }

    /// Its payload; empty if there is none, or if it could not be encoded.
    pub fn payload(&self) -> &[u8] {
        let payload = self.message.content().payload();
        payload.map_or(&[], |payload| payload.whole())
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn payload_len(&self) -> usize {
        let payload = self.message.content().payload();
        payload.map_or(0, |payload| payload.len())
    }

    pub(crate) fn message(&self) -> &Outgoing {
        &self.message
    }

    /// How many files it has.
    pub fn file_count(&self) -> usize {
        let carrying = &self.message.content().carrying;
        carrying
            .as_ref()
            .map_or(0, |carrying| carrying.file_count())
    }

    /// Whether it has a stream.
    pub fn has_stream(&self) -> bool {
        let carrying = &self.message.content().carrying;
        carrying
            .as_ref()
            .is_some_and(|carrying| carrying.has_stream())
    }

    /// Its [metadata](crate::metadata); `None` if it has none.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.message.metadata()
    }

    /// Sets an entry of its metadata; see [`Call::metadata`](crate::client::call::Call::metadata).
    pub fn set_metadata(&mut self, key: MetadataKey, value: impl Into<Bytes>) {
        self.message.metadata_mut().insert(key, value.into());
    }

    /// Sets the trace that it belongs to; see [`Call::trace`](crate::client::call::Call::trace).
    pub fn set_trace(&mut self, trace: Trace) {
        self.message.metadata_mut().set_trace(trace);
    }

    /// Whether it is not known that its peer takes nothing that goes before it.
    pub(crate) fn may_describe(&self) -> bool {
        self.connection.source().is_some() || self.connection.is_extended()
    }

    /// The trace that it belongs to: its own, or that of the handler that makes it.
    pub fn trace(&self) -> Option<Trace> {
        let own = self.message.metadata().and_then(Metadata::trace);
        own.or_else(inherited::trace)
    }

    /// Says how often this message was sent before; see [`Outgoing::with_attempt`].
    pub fn set_attempt(&mut self, attempt: u8) {
        self.message.metadata_mut().set_attempt(attempt);
    }

    /// The connection on which it is to be sent. Calls on this handle go through no middleware.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// What is known about it once it was dropped.
    pub fn status(&self) -> CallStatus {
        self.tracker.status.clone()
    }

    /// Does not send it. Returns the result for the caller: [`SendError::RejectedByMiddleware`] with this reason.
    pub fn reject(self, reason: impl Into<Arc<str>>) -> CallResult {
        Err(SendError::RejectedByMiddleware(reason.into()).into())
    }

    /// Sends it, at the end of its way through middleware, unless its caller waits no longer.
    pub(super) async fn send(self) -> CallResult {
        let status = self.status();
        if status.is_cancelled() {
            drop(self);
            return Err(status.given_up());
        }
        tokio::select! {
            biased;
            () = status.caller_gone() => Err(status.given_up()),
            result = self.exchange() => result,
        }
    }

    async fn exchange(mut self) -> CallResult {
        let result = match self.connection.source() {
            None => self.queue_and_wait().await,
            Some(source) => {
                let source = Arc::clone(source);
                self.exchange_over(&*source).await
            }
        };
        if let Err(error) = &result {
            self.tracker.set_failed(error);
        }
        result
    }

    /// Sends it on a connection of the source, and again on another one for as long as the source says so.
    async fn exchange_over(&mut self, source: &dyn ConnectionSource) -> CallResult {
        let handle = self.connection.clone();
        let patience = match self.kind {
            // `call` limits all of it.
            Kind::Call { .. } => None,
            _ => handle.shared().options.call_timeout,
        };
        let deadline = patience.map(|patience| (later(Instant::now(), patience), patience));
        let traits = match self.kind {
            Kind::Call { traits, .. } => traits,
            _ => Traits::default(),
        };
        let (mut before, mut attempts) = (Before::default(), 0);
        let mut tried = None;
        let mut attempt = self.message.metadata().map_or(0, Metadata::attempt);
        if let Some(earlier) = self.earlier.take() {
            let Earlier {
                result,
                tried: connection,
                pause,
                ..
            } = *earlier;
            let outcome = outcome_of(&result);
            self.note(result, outcome, &mut before, (&mut attempt, &mut attempts));
            self.pause(pause).await;
            tried = Some(connection);
        }
        loop {
            match connection_of(source, &handle, deadline, tried.as_ref()).await {
                Ok(connection) => self.connection = connection,
                Err(error) => return before.result(Err(error.into())),
            }
            let on = Arc::clone(self.connection.shared());
            self.tracker.status.set_on(Some(on));
            #[cfg(feature = "fleet")]
            let loaded = {
                let has_content = self.message.content().carrying.is_some();
                // Who sends a request looks at its reply when it likes, and a one-way message has none.
                let is_call = matches!(self.kind, Kind::Call { .. });
                let is_timed = is_call && !has_content && !traits.is_untimed;
                Loaded::begin(self.connection.shared(), is_timed)
            };
            let result = self.queue_and_wait().await;
            #[cfg(feature = "fleet")]
            if let Some(loaded) = loaded {
                let verdict = match &result {
                    Ok(reply) => match reply.answered() {
                        Answered::Code(code) => Verdict::of_code(code),
                        _ => Verdict::Success,
                    },
                    Err(error) => Verdict::of_error(error),
                };
                loaded.end(verdict);
                if verdict == Verdict::Failure {
                    source.on_failure(&self.connection);
                }
            }
            let attempted = Tried {
                result: &result,
                connection: &self.connection,
                is_idempotent: traits.is_idempotent,
                before: attempts,
            };
            // Asked only if it can be sent again, because the answer may take from a budget.
            let next = match self.can_be_repeated() {
                true => source.next(&attempted),
                false => Next::Return,
            };
            let outcome = attempted.outcome();
            let Next::Again(pause) = next else {
                return before.result(result);
            };
            self.tracker.status.set_on(None);
            self.note(result, outcome, &mut before, (&mut attempt, &mut attempts));
            self.pause(pause).await;
            tried = Some(self.connection.clone());
        }
    }

    fn can_be_repeated(&self) -> bool {
        let carrying = self.message.content().carrying.as_ref();
        let is_taken = carrying.is_some_and(|carrying| carrying.is_taken());
        let is_handed_out = matches!(self.kind, Kind::HandedOut);
        !is_taken && !is_handed_out && !self.tracker.status.is_cancelled()
    }

    /// An attempt has failed, and another one follows.
    fn note(
        &mut self,
        result: CallResult,
        outcome: Outcome,
        before: &mut Before,
        (attempt, attempts): (&mut u8, &mut u32),
    ) {
        if outcome != Outcome::NotSent {
            // r[impl ext.meta.attempt]
            (*attempt, *attempts) = (attempt.saturating_add(1), *attempts + 1);
            self.set_attempt(*attempt);
        }
        before.note(result);
        if before.is_unsent() {
            self.tracker.set_unsent();
        }
    }

    async fn pause(&self, pause: Duration) {
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }

    async fn queue_and_wait(&mut self) -> CallResult {
        let (expects, id) = (self.expects_response(), self.id);
        let queued =
            self.connection
                .queue(&self.message, id, expects, self.kind.terms(&self.message));
        let mut sending = match self.kind {
            Kind::Call {
                terms:
                    Terms {
                        clock: ReplyClock::Default,
                        ..
                    },
                ..
            } => self.in_time(queued).await?,
            _ => queued.await?,
        };
        self.tracker.set_sent();
        #[cfg(feature = "metrics")]
        self.tracker.status.set_content(|| sending.queued.content());
        match self.kind {
            Kind::Call { .. } => {
                let mut request = Request::new(id, sending);
                let reply = poll_fn(|cx| request.poll_reply(cx)).await?;
                return Ok(CallReply::new(reply, self.connection.lease().clone()));
            }
            Kind::Pass => {
                sending.queued.sent().await?;
                return Ok(CallReply::NONE);
            }
            Kind::Request(..) | Kind::PassStream(_) | Kind::HandedOut => {}
        }
        match std::mem::replace(&mut self.kind, Kind::HandedOut) {
            Kind::Request(_, caller) => {
                let request = Request::new(id, sending);
                caller.send(request).map_err(|_| RequestError::given_up())?;
                let reply = poll_fn(|cx| self.poll_reply(cx)).await?;
                Ok(CallReply::new(reply, self.connection.lease().clone()))
            }
            Kind::PassStream(caller) => {
                // If the caller has gone, it is abandoned here.
                let _ = caller.send(Sent::new(id, sending));
                Ok(CallReply::NONE)
            }
            Kind::Call { .. } | Kind::Pass | Kind::HandedOut => Ok(CallReply::NONE),
        }
    }

    /// Limits the wait for room by the default timeout, which the clock of calls only counts for
    /// calls that have their place.
    async fn in_time(
        &self,
        queued: impl Future<Output = Result<Sending, SendError>>,
    ) -> Result<Sending, RequestError> {
        let shared = self.connection.shared();
        let limit = shared.options.call_timeout;
        let mut timeout = limit.map(|limit| CallTimeout::new(limit, false));
        let mut queued = std::pin::pin!(queued);
        poll_fn(|cx| {
            if let Poll::Ready(queued) = queued.as_mut().poll(cx) {
                return Poll::Ready(queued.map_err(RequestError::from));
            }
            let Some(timeout) = &mut timeout else {
                return Poll::Pending;
            };
            std::task::ready!(timeout.poll(shared, &self.id, cx));
            shared.counters.add(|all| &all.timed_out_requests, 1);
            Poll::Ready(Err(RequestError::TimedOut {
                peer: shared.peer.peer_addr.map(Arc::new),
                after: timeout.limit(),
                outcome: Outcome::NotSent,
            }))
        })
        .await
    }

    /// The first reply, for as long as the caller keeps its [`Request`].
    fn poll_reply(&self, cx: &mut Context<'_>) -> Poll<Result<RawReply, RequestError>> {
        let mut state = self.connection.shared().lock();
        if !state.pending.expects(&self.id) {
            return Poll::Ready(Err(RequestError::given_up()));
        }
        state.pending.poll(&self.id, cx)
    }
}

impl Kind {
    fn terms(&self, message: &Outgoing) -> Terms {
        match self {
            Self::Call { terms, .. } | Self::Request(terms, _) => *terms,
            Self::Pass | Self::HandedOut => Terms::one_way(Unwritten::Ends, message),
            Self::PassStream(_) => Terms::one_way(Unwritten::Waits, message),
        }
    }
}

/// The way of a message through the middleware of this handle. Dropping the future drops the middleware wherever it
/// waits.
fn layered(
    connection: &Connection,
    id: Uuid,
    message: Outgoing,
    kind: Kind,
    earlier: Option<Box<Earlier>>,
    (tracker, caller): (Tracker, Caller),
) -> impl Future<Output = CallResult> + Send + use<> {
    let call = OutgoingCall {
        connection: connection.without_middleware(),
        id,
        message,
        kind,
        earlier,
        tracker,
    };
    let next = CallNext::new(connection.middleware.clone().unwrap_or_default());
    async move {
        let _caller = caller;
        next.run(call).await
    }
}

/// A typed call through middleware. The caller's own time is for all of it.
pub(crate) async fn call(
    connection: Connection,
    id: Uuid,
    message: Outgoing,
    limit: Option<Duration>,
    traits: Traits,
    earlier: Option<Box<Earlier>>,
    known: (Tracker, Caller),
) -> Result<(RawReply, Lease), RequestError> {
    // Waiting for a connection is part of it, and no clock of a connection can count that.
    let default = || {
        connection
            .source()
            .and(connection.shared().options.call_timeout)
    };
    let limit = limit.or_else(default);
    let has_content = message.content().carrying.is_some();
    let spent = earlier.as_ref().map(|earlier| earlier.took);
    let left = |limit: Duration| limit.saturating_sub(spent.unwrap_or_default());
    let own = limit.filter(|_| !has_content).map(left);
    let along = match inherited::along(own.and_then(inherited::from_now)) {
        Ok(along) => along,
        // What came of an attempt says more than that there is no time for another one.
        Err(NoTime) => {
            return match earlier {
                Some(earlier) => earlier.result?.into_raw(),
                None => Err(SendError::NoTime.into()),
            };
        }
    };
    let terms = Terms {
        along,
        unwritten: Unwritten::Ends,
        clock: limit.map_or(ReplyClock::Default, |_| ReplyClock::Own),
    };
    let kind = Kind::Call { terms, traits };
    let status = known.0.status.clone();
    let result = layered(&connection, id, message, kind, earlier, known);
    let Some(limit) = limit else {
        return result.await?.into_raw();
    };
    let result = {
        let mut result = std::pin::pin!(result);
        let mut timeout = CallTimeout::new(left(limit), has_content);
        let shared = connection.shared();
        let result = poll_fn(|cx| match result.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(Ok(result)),
            Poll::Pending => {
                let on = connection.source().and_then(|_| status.on());
                let shared = on.as_ref().unwrap_or(shared);
                timeout.poll(shared, &id, cx).map(Err)
            }
        });
        let result = result.await;
        if result.is_err() {
            // Before middleware is dropped, which may tell why.
            status.set_timed_out(limit);
            shared.counters.add(|all| &all.timed_out_requests, 1);
        }
        result
    };
    match result {
        Ok(result) => result?.into_raw(),
        Err(()) => {
            Err(unconnected(&connection, &status, limit).unwrap_or_else(|| status.given_up()))
        }
    }
}

/// Sends a request through middleware, for [`Connection::send`].
pub(crate) async fn request(
    connection: &Connection,
    id: Uuid,
    message: Outgoing,
    terms: Terms,
) -> Result<Request, SendError> {
    let (sender, receiver) = oneshot::channel();
    let kind = Kind::Request(terms, sender);
    let result = layered(connection, id, message, kind, None, CallStatus::begin());
    let mut reply = Box::pin(async move {
        let (reply, _) = result.await?.into_raw()?;
        Ok(reply)
    });
    match handed_out(reply.as_mut(), receiver).await {
        (Some(request), None) => Ok(request.through(SyncWrapper::new(reply))),
        (Some(request), Some(reply)) => {
            Ok(request.through(SyncWrapper::new(Box::pin(ready(reply)))))
        }
        (None, reply) => Err(as_refusal(reply)),
    }
}

/// Sends a one-way message through middleware, for [`Connection::pass`].
pub(crate) async fn pass(
    connection: &Connection,
    id: Uuid,
    message: Outgoing,
) -> Result<(), RequestError> {
    let known = CallStatus::begin();
    let result = layered(connection, id, message, Kind::Pass, None, known);
    result.await.map(drop)
}

/// Like [`pass`], for [`Connection::pass_stream`].
pub(crate) async fn pass_stream(
    connection: &Connection,
    id: Uuid,
    message: Outgoing,
) -> Result<Sent, SendError> {
    let (sender, receiver) = oneshot::channel();
    let kind = Kind::PassStream(sender);
    let result = layered(connection, id, message, kind, None, CallStatus::begin());
    let mut result = std::pin::pin!(result);
    match handed_out(result.as_mut(), receiver).await {
        (Some(sent), None) => {
            // Nobody polls the middleware later: it ends before the stream is written.
            let _ = result.await;
            Ok(sent)
        }
        (Some(sent), Some(_)) => Ok(sent),
        (None, result) => Err(as_refusal(result)),
    }
}

/// Runs middleware until the message was sent or middleware has ended: what was handed out, and the result if there is
/// one already. At least one of them is there.
async fn handed_out<H, T>(
    mut middleware: Pin<&mut (impl Future<Output = T> + ?Sized)>,
    receiver: oneshot::Receiver<H>,
) -> (Option<H>, Option<T>) {
    let mut receiver = Some(receiver);
    poll_fn(|cx| {
        let result = match middleware.as_mut().poll(cx) {
            Poll::Ready(result) => Some(result),
            Poll::Pending => None,
        };
        let handed = match receiver
            .as_mut()
            .map(|receiver| Pin::new(receiver).poll(cx))
        {
            Some(Poll::Ready(handed)) => {
                receiver = None;
                handed.ok()
            }
            Some(Poll::Pending) | None => None,
        };
        if result.is_none() && handed.is_none() {
            return Poll::Pending;
        }
        Poll::Ready((handed, result))
    })
    .await
}

/// What was not handed out was not sent.
fn as_refusal<T>(result: Option<Result<T, RequestError>>) -> SendError {
    match result {
        Some(Err(RequestError::Send(error))) => error,
        _ => SendError::rejected_without_reason(),
    }
}

impl fmt::Debug for OutgoingCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingCall")
            .field("action", &self.action())
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::{ClosedBy, ConnectionError, refusal::new_call_id},
        message::Draft,
        pair,
        serve::router::Router,
    };

    #[tokio::test]
    async fn a_call_without_time_for_another_attempt_has_the_result_of_the_first() {
        let (near, _far) = pair(Router::new(), Router::new()).await.expect("a pair");
        let over = inherited::Inherited {
            deadline: Some(Instant::now()),
            trace: None,
        };
        for (earlier, expected) in [(true, Outcome::Unknown), (false, Outcome::NotSent)] {
            let earlier = earlier.then(|| {
                Box::new(Earlier {
                    result: Err(RequestError::Disconnected {
                        peer: None,
                        error: ConnectionError::Closed(ClosedBy::Peer),
                        outcome: Outcome::Unknown,
                    }),
                    tried: near.clone(),
                    took: Duration::ZERO,
                    pause: Duration::ZERO,
                })
            });
            let message = Outgoing::from(&Draft::new("a"));
            let (traits, known) = (Traits::default(), CallStatus::begin());
            let (near, id) = (near.clone(), new_call_id());
            let call = call(near, id, message, None, traits, earlier, known);
            let result = inherited::Inheriting::new(over, call).await;
            assert_eq!(result.map(drop).map_err(|it| it.outcome()), Err(expected));
        }
    }
}
