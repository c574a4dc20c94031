//! A received message on its way through middleware.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use sockety_codec::Uuid;

use super::{incoming_message::IncomingMessage, transfer::Transfer};
#[cfg(feature = "metrics")]
use crate::engine::receive::intake::Intake;
use crate::{
    action::Action,
    connection::Connection,
    content::file::File,
    engine::{pending_reply::Unbegun, record::Record, serve::Handler, warnings::Warning},
    extensions::Extensions,
    fast_reply::FastReply,
    metadata::{Metadata, RetryAfter, Trace},
};

/// A received message on its way to its handler. Dropping it while the peer waits answers with code
/// 5, Internal Error.
pub struct Incoming {
    handler: Handler,
    message: IncomingMessage,
    /// Made when somebody asks for it: most middleware does not.
    connection: OnceLock<Connection>,
    /// The trace that middleware has set.
    trace: Option<Trace>,
}

impl Incoming {
    pub(crate) fn new(handler: Handler, message: IncomingMessage) -> Self {
        Self {
            handler,
            message,
            connection: OnceLock::new(),
            trace: None,
        }
    }

    pub(crate) fn into_parts(self) -> (Handler, IncomingMessage, OnceLock<Connection>) {
        (self.handler, self.message, self.connection)
    }

    pub(crate) fn handler(&self) -> Handler {
        self.handler
    }

    pub(crate) fn action_name(&self) -> &Action {
        self.message.action()
    }

    /// Its id.
    pub fn id(&self) -> Uuid {
        self.message.reply.id
    }

    /// The name of its action.
    pub fn action(&self) -> &str {
        self.message.action()
    }

    /// Whether its sender waits for a reply.
    pub fn expects_response(&self) -> bool {
        self.message.reply.expects_response
    }

    /// The connection that brought it.
    pub fn connection(&self) -> &Connection {
        self.connection.get_or_init(|| self.message.connection())
    }

    /// The address of the peer, if the connection has one.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.connection().peer_addr()
    }

    /// Values attached to the connection.
    pub fn extensions(&self) -> &Extensions {
        self.connection().extensions()
    }

    /// Values attached to this message: its handler finds them in
    /// [`Context::request_extensions`](crate::serve::context::Context::request_extensions) or
    /// [`Message::request_extensions`](crate::serve::message::Message::request_extensions).
    pub fn request_extensions(&self) -> &Extensions {
        self.message.reply.record.extensions()
    }

    /// The [metadata](crate::metadata) that travelled with it; `None` if there was none.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.message.reply.described.as_ref()?.metadata.as_ref()
    }

    /// Sets the trace that it belongs to, in place of the one that came with it: the handler finds it in
    /// [`Context::trace`](crate::serve::context::Context::trace), and the calls that the handler makes belong to it. Middleware that makes
    /// a span sets the id of that span as [`parent_id`](Trace::parent_id). It needs no extension.
    // r[impl ext.meta.trace]
    pub fn set_trace(&mut self, trace: Trace) {
        let described = self.message.reply.described.get_or_insert_default();
        let metadata = &mut Arc::make_mut(described).metadata;
        metadata.get_or_insert_default().set_trace(trace);
        self.trace = Some(trace);
    }

    /// The trace of its handler, if middleware has set one.
    pub(super) fn trace_of_handler(&self) -> Option<Trace> {
        self.trace
    }

    /// Its payload; empty when there is none.
    pub fn payload(&self) -> &Bytes {
        &self.message.payload
    }

    /// Its files, in order, with their names and sizes. Their content may still be arriving.
    pub fn files(&self) -> &[File] {
        self.message.carried.files()
    }

    /// Whether it has a stream.
    pub fn has_stream(&self) -> bool {
        self.message.carried.has_stream()
    }

    /// Answers it with this code, if its sender waits for a reply. It goes no further.
    ///
    /// # Cancel safety
    /// If it is dropped before it completes, the message is answered with code 5, Internal Error.
    pub async fn refuse(self, code: FastReply) {
        self.message.reply.answer_with_code(code).await;
    }

    /// Like [`refuse`](Self::refuse), and tells callers of this implementation why: they get the reason in
    /// [`CallError::Refused`](crate::CallError::Refused), shortened to 200 bytes. Everybody else gets the code alone.
    ///
    /// The code says what is known about the execution: [`FastReply::outcome`]. With code 3,840,
    /// Overloaded, callers know that the message was not executed, and may send it again.
    ///
    /// ```
    /// use sockety::{FastReply, serve::{Incoming, ServeNext}};
    ///
    /// async fn by_day(incoming: Incoming, next: ServeNext) {
    ///     let is_night = false; // as the clock says
    ///     if is_night {
    ///         let overloaded = FastReply::new(3840).expect("a code");
    ///         return incoming.refuse_because(overloaded, "closed until 6 o'clock").await;
    ///     }
    ///     next.run(incoming).await;
    /// }
    /// ```
    ///
    /// # Cancel safety
    /// Same as [`refuse`](Self::refuse).
    pub async fn refuse_because(self, code: FastReply, reason: impl fmt::Display) {
        let reason = reason.to_string();
        self.message.reply.refuse(code, &reason).await;
    }

    /// Sets what its answer says about another attempt, if that is a code, a refusal or an error of the service: how long to wait
    /// before it, or [that there should be none](RetryAfter::NEVER). Left out if the connection does not use the extension.
    ///
    /// ```
    /// use std::time::Duration;
    /// use sockety::{FastReply, serve::{Incoming, ServeNext}};
    ///
    /// async fn by_day(incoming: Incoming, next: ServeNext) {
    ///     let is_night = false; // as the clock says
    ///     if is_night {
    ///         let overloaded = FastReply::new(3840).expect("a code");
    ///         incoming.set_retry_after(Duration::from_secs(3600));
    ///         return incoming.refuse_because(overloaded, "closed until 6 o'clock").await;
    ///     }
    ///     next.run(incoming).await;
    /// }
    /// ```
    pub fn set_retry_after(&self, retry: impl Into<RetryAfter>) {
        self.message.reply.set_retry_after(retry.into());
    }

    /// It waits for its turn. If the connection ends meanwhile, its sender learns that it is not executed.
    pub(super) fn begin_waiting(&self) -> Unbegun<'_> {
        self.message.reply.begin_waiting()
    }

    /// Counts and logs that it is refused because there is too much.
    pub(super) fn note_overload(&self, warning: Warning, reason: &str) {
        let shared = self.message.reply.lease().shared();
        shared.counters.count(|all| &all.overloaded);
        shared.warn(warning, self.action(), &reason);
    }

    /// Counts and logs that it is refused because of who sent it.
    pub(super) fn note_access_denied(&self, reason: &str) {
        let shared = self.message.reply.lease().shared();
        shared.counters.count(|all| &all.access_denied);
        shared.warn(Warning::AccessDenied, self.action(), &reason);
    }

    /// Measures its files and its stream, and those of its reply, which may be sent long after
    /// its handler has ended.
    ///
    /// ```
    /// use std::time::Instant;
    /// use sockety::{async_trait, serve::{Incoming, ServeMiddleware, ServeNext}};
    ///
    /// struct Log;
    ///
    /// #[async_trait]
    /// impl ServeMiddleware for Log {
    ///     async fn handle(&self, incoming: Incoming, next: ServeNext) {
    ///         let (action, begin) = (incoming.action().to_owned(), Instant::now());
    ///         let transfer = incoming.transfer();
    ///         next.run(incoming).await;
    ///         let replied = begin.elapsed();
    ///         // As a task: the request counts as executing while its middleware runs.
    ///         tokio::spawn(async move {
    ///             let sent = transfer.ended().await.sent;
    ///             println!("{action:?}: reply after {replied:?}, end after {:?}, {sent:?}", begin.elapsed());
    ///         });
    ///     }
    /// }
    /// ```
    pub fn transfer(&self) -> Transfer {
        Transfer::new(self.begin_record(), self.message.reply.intake())
    }

    /// Where its files and its stream come from, if it has any.
    #[cfg(feature = "metrics")]
    pub(crate) fn intake(&self) -> Option<&Arc<Intake>> {
        self.message.reply.intake()
    }

    /// Keeps a record of what becomes of it.
    pub(crate) fn begin_record(&self) -> Record {
        self.message.reply.record.begin()
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("action", &self.action())
            .field("id", &self.id())
            .field("payload", &self.message.payload.len())
            .field("carried", &self.message.carried)
            .finish_non_exhaustive()
    }
}
