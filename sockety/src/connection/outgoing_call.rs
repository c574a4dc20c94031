use std::{
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, ready},
};

use sockety_codec::Uuid;
use sync_wrapper::SyncWrapper;
use tokio::sync::oneshot;

use super::{
    Connection,
    passage::{Passage, Report, Summary, passage},
};
use crate::{
    content::carrying::{Sending, Unwritten},
    engine::{
        answered::Answered,
        pending::{RawReply, ReplyClock},
    },
    error::{request::RequestError, send::SendError},
    message::{outgoing::Outgoing, request::Request, sent::Sent},
};

/// A call or a one-way message before it is sent, as [`CallMiddleware`](crate::connection::middleware::CallMiddleware) sees it. Dropping it
/// refuses it.
pub struct OutgoingCall {
    connection: Connection,
    id: Uuid,
    message: Outgoing,
    errand: Errand,
}

/// What is to be done, and who waits for it.
enum Errand {
    Request {
        terms: Terms,
        request: oneshot::Sender<Request>,
        report: Report<RawReply>,
    },
    Pass {
        report: Report<()>,
    },
    PassStream {
        sent: oneshot::Sender<Sent>,
        report: Report<()>,
    },
}

/// How a request is sent.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) unwritten: Unwritten,
    pub(crate) clock: ReplyClock,
}

impl Errand {
    /// Ready when nobody waits for it any longer.
    fn poll_unwanted(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Request { report, .. } => report.poll_unwanted(cx),
            Self::Pass { report } | Self::PassStream { report, .. } => report.poll_unwanted(cx),
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
        matches!(self.errand, Errand::Request { .. })
    }

    /// Its payload; empty when there is none, or it could not be encoded.
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

    /// Middleware may run as a task of its own: what nobody waits for any longer is not sent.
    async fn queue(&mut self, terms: Terms) -> Result<Sending, SendError> {
        let expects = self.expects_response();
        let queued = self
            .connection
            .queue(&self.message, self.id, expects, terms);
        let mut queued = std::pin::pin!(queued);
        let errand = &mut self.errand;
        poll_fn(|cx| {
            if errand.poll_unwanted(cx).is_ready() {
                return Poll::Ready(Err(SendError::refused_unsaid()));
            }
            queued.as_mut().poll(cx)
        })
        .await
    }

    /// Does not send it: its caller gets [`SendError::Refused`] with this reason.
    pub fn refuse(self, reason: impl Into<Arc<str>>) {
        self.fail(SendError::Refused(reason.into()));
    }

    fn fail(self, error: SendError) {
        match self.errand {
            Errand::Request { report, .. } => report.fail(error.into()),
            Errand::Pass { report } | Errand::PassStream { report, .. } => {
                report.fail(error.into());
            }
        }
    }

    pub(crate) fn summary(&self) -> Summary {
        match &self.errand {
            Errand::Request { report, .. } => report.summary(),
            Errand::Pass { report } | Errand::PassStream { report, .. } => report.summary(),
        }
    }

    /// The end of its way through middleware.
    pub(crate) async fn depart(mut self) {
        let terms = match &self.errand {
            Errand::Request { terms, .. } => *terms,
            Errand::Pass { .. } => Terms::new(Unwritten::Ends),
            Errand::PassStream { .. } => Terms::new(Unwritten::Waits),
        };
        let sending = match self.queue(terms).await {
            Ok(sending) => sending,
            Err(error) => return self.fail(error),
        };
        let (connection, id) = (self.connection, self.id);
        match self.errand {
            Errand::Request {
                request,
                mut report,
                ..
            } => {
                report.set_sent();
                let is_wanted = request.send(Request::new(id, sending)).is_ok();
                if is_wanted {
                    let reply = poll_fn(|cx| poll_reply(&connection, &id, &mut report, cx)).await;
                    report.tell(reply, Answered::of);
                }
            }
            Errand::Pass { mut report } => {
                report.set_sent();
                report.tell(written(sending).await, |()| Answered::Nothing);
            }
            Errand::PassStream { sent, report } => {
                // Not wanted any more, it is given up here.
                let _ = sent.send(Sent::new(id, sending));
                report.tell(Ok(()), |()| Answered::Nothing);
            }
        }
    }
}

impl Terms {
    /// With the default clock, if any runs.
    pub(crate) fn new(unwritten: Unwritten) -> Self {
        let clock = ReplyClock::Default;
        Self { unwritten, clock }
    }
}

async fn written(mut sending: Sending) -> Result<(), RequestError> {
    sending.queued.sent().await
}

/// The first reply, unless the request is dropped meanwhile: middleware may run as a task of its own.
fn poll_reply(
    connection: &Connection,
    id: &Uuid,
    report: &mut Report<RawReply>,
    cx: &mut Context<'_>,
) -> Poll<Result<RawReply, RequestError>> {
    let is_unwanted = report.poll_unwanted(cx).is_ready();
    let mut state = connection.shared().lock();
    if is_unwanted || !state.waiting.expects(id) {
        return Poll::Ready(Err(RequestError::given_up()));
    }
    state.waiting.poll(id, cx)
}

/// A request on its way through the middleware of a handle, until it is sent.
pub(crate) struct Departure {
    passage: Passage<RawReply>,
    request: oneshot::Receiver<Request>,
}

impl Departure {
    pub(crate) fn new(connection: &Connection, id: Uuid, message: Outgoing, terms: Terms) -> Self {
        let (sender, request) = oneshot::channel();
        let errand = |report| Errand::Request {
            terms,
            request: sender,
            report,
        };
        let passage = begin(connection, id, message, errand);
        Self { passage, request }
    }

    pub(crate) fn summary(&self) -> Summary {
        self.passage.summary()
    }

    pub(crate) async fn request(self) -> Result<Request, SendError> {
        let Self {
            mut passage,
            request,
        } = self;
        match handed_out(&mut passage, request).await {
            Some(request) => Ok(request.through(SyncWrapper::new(Box::pin(async move {
                poll_fn(|cx| passage.poll(cx)).await
            })))),
            None => Err(refusal(passage).await),
        }
    }
}

/// Sends a message through middleware, for [`Connection::pass`].
pub(crate) async fn pass(
    connection: &Connection,
    id: Uuid,
    message: Outgoing,
) -> Result<(), RequestError> {
    let mut passage = begin(connection, id, message, |report| Errand::Pass { report });
    poll_fn(|cx| passage.poll(cx)).await
}

/// As [`pass`], for [`Connection::pass_stream`].
pub(crate) async fn pass_stream(
    connection: &Connection,
    id: Uuid,
    message: Outgoing,
) -> Result<Sent, SendError> {
    let (sent, receiver) = oneshot::channel();
    let errand = |report| Errand::PassStream { sent, report };
    let mut passage = begin(connection, id, message, errand);
    let sent = handed_out(&mut passage, receiver).await;
    // Nobody polls the middleware later: it ends before the stream is written.
    let done = poll_fn(|cx| passage.poll(cx)).await;
    match sent {
        Some(sent) => Ok(sent),
        None => Err(as_refusal(done)),
    }
}

fn begin<T>(
    connection: &Connection,
    id: Uuid,
    message: Outgoing,
    errand: impl FnOnce(Report<T>) -> Errand,
) -> Passage<T> {
    let chain = connection.middleware.clone().unwrap_or_default();
    passage(chain, |report| OutgoingCall {
        connection: Connection::new(Arc::clone(connection.shared())),
        id,
        message,
        errand: errand(report),
    })
}

/// What is handed out on the way; `None` when it never will be.
async fn handed_out<T, H>(
    passage: &mut Passage<T>,
    mut receiver: oneshot::Receiver<H>,
) -> Option<H> {
    poll_fn(|cx| {
        let _ = passage.poll_chain(cx);
        let handed = ready!(std::pin::Pin::new(&mut receiver).poll(cx));
        Poll::Ready(handed.ok())
    })
    .await
}

async fn refusal<T>(mut passage: Passage<T>) -> SendError {
    as_refusal(poll_fn(|cx| passage.poll(cx)).await)
}

/// What was not handed out was not sent.
fn as_refusal<T>(done: Result<T, RequestError>) -> SendError {
    match done {
        Err(RequestError::Send(error)) => error,
        _ => SendError::refused_unsaid(),
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
