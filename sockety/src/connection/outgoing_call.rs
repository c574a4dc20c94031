use std::{
    fmt,
    future::{poll_fn, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use sockety_codec::Uuid;
use sync_wrapper::SyncWrapper;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use super::{
    Connection,
    call_status::{CallStatus, Tracker},
    middleware::{CallNext, CallReply, CallResult},
    source::ConnectionSource,
};
use crate::{
    content::carrying::{Sending, Unwritten},
    engine::{
        answered::Answered,
        call_clock::CallTimeout,
        lease::Lease,
        pending::{RawReply, ReplyClock},
    },
    error::{request::RequestError, send::SendError},
    message::{outgoing::Outgoing, request::Request, sent::Sent},
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
    tracker: Tracker,
}

/// What is sent, and what its caller gets before the reply.
enum Kind {
    Call {
        terms: Terms,
        is_idempotent: bool,
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
}

impl Terms {
    /// With the default clock, if any runs.
    pub(crate) fn new(unwritten: Unwritten) -> Self {
        let clock = ReplyClock::Default;
        Self { unwritten, clock }
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

    /// Sends it on a connection of the source. If that ends before a byte of the message was sent, it
    /// is sent on the next one: it is the same message still, which nobody has seen. A call of an
    /// idempotent action is sent again whatever was sent of it.
    async fn exchange_over(&mut self, source: &dyn ConnectionSource) -> CallResult {
        let handle = self.connection.clone();
        let patience = match self.kind {
            // `call` limits all of it.
            Kind::Call { .. } => None,
            _ => handle.shared().options.call_timeout,
        };
        let deadline = patience.map(|patience| (Instant::now() + patience, patience));
        let is_idempotent = matches!(
            self.kind,
            Kind::Call {
                is_idempotent: true,
                ..
            }
        );
        let mut before = Before::default();
        loop {
            match connection_of(source, &handle, deadline).await {
                Ok(connection) => self.connection = connection,
                Err(error) => return before.result(Err(error.into())),
            }
            let on = Arc::clone(self.connection.shared());
            self.tracker.status.set_on(Some(on));
            let error = match self.queue_and_wait().await {
                Err(error) if is_its_end(&error, &self.connection) => error,
                result => return before.result(result),
            };
            let is_handed_out = matches!(self.kind, Kind::HandedOut);
            let is_unsent = error.outcome() == Outcome::NotSent;
            if is_handed_out || !(is_unsent || is_idempotent) {
                return Err(error);
            }
            self.tracker.status.set_on(None);
            before.note(error);
            if before.is_unsent() {
                self.tracker.set_unsent();
            }
        }
    }

    async fn queue_and_wait(&mut self) -> CallResult {
        let (expects, id) = (self.expects_response(), self.id);
        let queued = self
            .connection
            .queue(&self.message, id, expects, self.kind.terms());
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
    fn terms(&self) -> Terms {
        match self {
            Self::Call { terms, .. } | Self::Request(terms, _) => *terms,
            Self::Pass | Self::HandedOut => Terms::new(Unwritten::Ends),
            Self::PassStream(_) => Terms::new(Unwritten::Waits),
        }
    }
}

/// The way of a message through the middleware of this handle, and what is known of it. Dropping the future drops the
/// middleware wherever it waits.
fn layered(
    connection: &Connection,
    id: Uuid,
    message: Outgoing,
    kind: Kind,
) -> (impl Future<Output = CallResult> + Send + use<>, CallStatus) {
    let (tracker, caller) = CallStatus::begin();
    let status = tracker.status.clone();
    let call = OutgoingCall {
        connection: connection.without_middleware(),
        id,
        message,
        kind,
        tracker,
    };
    let next = CallNext::new(connection.middleware.clone().unwrap_or_default());
    let result = async move {
        let _caller = caller;
        next.run(call).await
    };
    (result, status)
}

/// A typed call through middleware. The caller's own time is for all of it.
pub(crate) async fn call(
    connection: Connection,
    id: Uuid,
    message: Outgoing,
    limit: Option<Duration>,
    is_idempotent: bool,
) -> Result<(RawReply, Lease), RequestError> {
    // Waiting for a connection is part of it, and no clock of a connection can count that.
    let default = || {
        connection
            .source()
            .and(connection.shared().options.call_timeout)
    };
    let limit = limit.or_else(default);
    let terms = Terms {
        unwritten: Unwritten::Ends,
        clock: limit.map_or(ReplyClock::Default, |_| ReplyClock::Own),
    };
    let has_content = message.content().carrying.is_some();
    let kind = Kind::Call {
        terms,
        is_idempotent,
    };
    let (result, status) = layered(&connection, id, message, kind);
    let Some(limit) = limit else {
        return result.await?.into_raw();
    };
    let result = {
        let mut result = std::pin::pin!(result);
        let mut timeout = CallTimeout::new(limit, has_content);
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

/// A connection of the source, which the message waits for until the deadline, or until its handle is
/// closed.
async fn connection_of(
    source: &dyn ConnectionSource,
    handle: &Connection,
    deadline: Option<(Instant, Duration)>,
) -> Result<Connection, SendError> {
    handle.shared().lock().check_open()?;
    if let Some(current) = source.current() {
        return Ok(current);
    }
    let waiting = async {
        tokio::select! {
            biased;
            connection = source.connection() => connection.map_err(SendError::NotConnected),
            error = handle.closed() => Err(SendError::Disconnected(error)),
        }
    };
    let Some((deadline, patience)) = deadline else {
        return waiting.await;
    };
    let connection = timeout_at(deadline, waiting).await;
    connection.unwrap_or_else(|_| Err(SendError::NotConnected(source.failure(patience))))
}

/// Whether this connection ended with the message, or takes no messages any longer: the source has
/// another one then.
fn is_its_end(error: &RequestError, connection: &Connection) -> bool {
    let is_end = match error {
        RequestError::Send(error) => matches!(
            error,
            SendError::Disconnected(_) | SendError::PeerGoingAway | SendError::ChannelsExhausted
        ),
        RequestError::Disconnected { .. } => true,
        _ => false,
    };
    is_end && !connection.takes_calls()
}

/// What came of a message on connections that have ended.
#[derive(Default)]
struct Before {
    /// The last error, or the one after which the message may have been executed.
    error: Option<RequestError>,
}

impl Before {
    fn note(&mut self, error: RequestError) {
        if self.is_unsent() {
            self.error = Some(error);
        }
    }

    fn is_unsent(&self) -> bool {
        let error = self.error.as_ref();
        error.is_none_or(|error| error.outcome() == Outcome::NotSent)
    }

    /// The result of the last attempt. It must not say that nothing was executed if something may
    /// have been before.
    fn result(self, last: CallResult) -> CallResult {
        let Some(before) = self.error else {
            return last;
        };
        let is_denied = match &last {
            // Its reader was lost with the connection before.
            Err(RequestError::Send(SendError::ContentTaken)) => true,
            _ if before.outcome() == Outcome::NotSent => false,
            Err(error) => error.outcome().is_retryable(),
            Ok(reply) => match reply.answered() {
                Answered::Code(code) => code.outcome().is_retryable(),
                _ => false,
            },
        };
        if is_denied { Err(before) } else { last }
    }
}

/// Why a call whose time is over has no connection, if it waits for one.
fn unconnected(
    connection: &Connection,
    status: &CallStatus,
    limit: Duration,
) -> Option<RequestError> {
    let source = connection.source()?;
    let is_waiting = status.on().is_none() && status.outcome() == Outcome::NotSent;
    if !is_waiting || source.current().is_some() {
        return None;
    }
    Some(SendError::NotConnected(source.failure(limit)).into())
}

/// Sends a request through middleware, for [`Connection::send`].
pub(crate) async fn request(
    connection: &Connection,
    id: Uuid,
    message: Outgoing,
    terms: Terms,
) -> Result<Request, SendError> {
    let (sender, receiver) = oneshot::channel();
    let (result, _) = layered(connection, id, message, Kind::Request(terms, sender));
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
    let (result, _) = layered(connection, id, message, Kind::Pass);
    result.await.map(drop)
}

/// Like [`pass`], for [`Connection::pass_stream`].
pub(crate) async fn pass_stream(
    connection: &Connection,
    id: Uuid,
    message: Outgoing,
) -> Result<Sent, SendError> {
    let (sender, receiver) = oneshot::channel();
    let (result, _) = layered(connection, id, message, Kind::PassStream(sender));
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
