//! The handle on a connection.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use sockety_codec::{ChannelCount, Uuid, extension::LeaveReason};

pub(crate) mod call_status;
pub(crate) mod middleware;
pub(crate) mod outgoing_call;
pub(crate) mod service_client;
pub(crate) mod source;
pub(crate) mod weak;

pub use self::weak::WeakConnection;
use self::{
    middleware::{CallMiddleware, Chain},
    outgoing_call::Terms,
    source::ConnectionSource,
};
use crate::{
    address::ServerName,
    content::carrying::{Sending, Unwritten, parcel},
    engine::{
        common::Common,
        inherited::{self, NoTime},
        lease::Lease,
        negotiated::Negotiated,
        peer::Peer,
        pending::ReplyClock,
        round_trip,
        send::{
            outbox::Block,
            queue::{self, Queued},
            wait_queue::Line,
        },
        shared::Shared,
        state::{self, State},
    },
    error::{
        connection::{ClosedBy, ConnectionError},
        going_away::GoingAway,
        request::RequestError,
        round_trip::RoundTripError,
        send::SendError,
    },
    message::{outgoing::Outgoing, request::Request, sent::Sent},
};
pub use crate::{
    extensions::Extensions,
    stats::{Stats, traffic::Traffic},
};

/// A connection to a peer. Both sides may send messages on it, many at a time.
///
/// A clone is another handle on the same connection. When the last handle is dropped, what was accepted is
/// written and the connection is closed. Messages that are being handled and the clients of a connection hold
/// handles too; a [`WeakConnection`] does not.
///
/// The handle of a client that [reconnects](crate::client::Reconnecting::client) represents whichever
/// connection is open.
#[derive(Clone)]
pub struct Connection {
    lease: Lease,
    /// What calls of this handle go through.
    pub(crate) middleware: Option<Arc<Chain>>,
}

impl Connection {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Lease::new(shared).into()
    }

    /// A handle that has no fixed connection: each message is sent on one of this source.
    ///
    /// What handles share here belongs to no socket and has no driver. It says whether the handle was
    /// closed, and holds the options.
    pub(crate) fn of_source(source: Arc<dyn ConnectionSource>, common: Common) -> Self {
        let shared = Shared::new(common, Peer::default(), Negotiated::Base(ChannelCount::ONE));
        Self {
            lease: Lease::new(Arc::new(shared)),
            middleware: Some(Arc::new(Chain::of_source(source))),
        }
    }

    /// The source of its connections, if it has no fixed one.
    pub(crate) fn source(&self) -> Option<&Arc<dyn ConnectionSource>> {
        self.middleware.as_ref()?.source()
    }

    /// The fleet that its calls are sent over, if they go through nothing else.
    #[cfg(feature = "fleet")]
    #[inline]
    pub(crate) fn balanced(&self) -> Option<&Arc<dyn ConnectionSource>> {
        self.middleware.as_ref()?.source_alone()
    }

    /// Puts this in the place of what it keeps open. What it goes through stays.
    #[cfg(feature = "fleet")]
    pub(crate) fn replace_lease(&mut self, by: Self) -> Self {
        std::mem::replace(&mut self.lease, by.lease).into()
    }

    /// A handle on the connection that it keeps open, and nothing else.
    #[cfg(feature = "fleet")]
    pub(crate) fn without_source(&self) -> Self {
        self.lease.clone().into()
    }

    /// A handle on the same connection, or with the same source, without middleware.
    fn without_middleware(&self) -> Self {
        let middleware = self.middleware.as_ref();
        Self {
            lease: self.lease.clone(),
            middleware: middleware.and_then(Chain::without_middleware),
        }
    }

    /// Reads from the connection, or from the one that the source has now. Without any, there is
    /// nothing to read but defaults.
    fn read<R>(&self, read: impl FnOnce(&Shared) -> R) -> R {
        match self.source().and_then(|source| source.current()) {
            Some(current) => read(current.shared()),
            None => read(self.lease.shared()),
        }
    }

    /// What it shares with its driver and all other handles.
    #[inline]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        self.lease.shared()
    }

    pub(crate) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// A handle on the same connection whose messages go through this middleware, after that of this handle.
    ///
    /// ```
    /// # use sockety::{Connection, client::{CallNext, OutgoingCall}, error::chain};
    /// # fn example(connection: Connection) -> Connection {
    /// connection.layer(|call: OutgoingCall, next: CallNext| async move {
    ///     let action = call.action().to_owned();
    ///     let result = next.run(call).await;
    ///     match &result {
    ///         Ok(reply) => println!("{action:?}: {:?}", reply.answered()),
    ///         Err(error) => println!("{action:?} failed, {}: {}", error.outcome(), chain(error)),
    ///     }
    ///     result
    /// })
    /// # }
    /// ```
    pub fn layer(&self, middleware: impl CallMiddleware) -> Self {
        let mut chain = self.middleware.as_deref().cloned().unwrap_or_default();
        chain.push(Arc::new(middleware));
        let mut handle = self.clone();
        handle.middleware = Some(Arc::new(chain));
        handle
    }

    /// Sends a message that expects replies.
    ///
    /// Ready when the message has its place among what waits to be written, which is at once unless the peer
    /// takes less than is sent. See [`Request`] for what follows.
    ///
    /// # Errors
    /// [`SendError`]: nothing was sent.
    ///
    /// # Cancel safety
    /// If it is dropped before it completes, the message is not sent.
    ///
    /// ```no_run
    /// # async fn example(connection: sockety::Connection) -> Result<(), Box<dyn std::error::Error>> {
    /// let ping = sockety::message::Draft::new("ping");
    /// let reply = connection.send(&ping).await?.response().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send(&self, message: impl Into<Outgoing>) -> Result<Request, SendError> {
        let message = message.into();
        let mut terms = Terms::new(Unwritten::Waits);
        let along = inherited::along(message.deadline().and_then(inherited::from_now));
        terms.along = along.map_err(|NoTime| SendError::NoTime)?;
        self.request(message.request_id(), message, terms).await
    }

    pub(crate) async fn request(
        &self,
        id: Uuid,
        message: Outgoing,
        terms: Terms,
    ) -> Result<Request, SendError> {
        if self.middleware.is_some() {
            return Box::pin(outgoing_call::request(self, id, message, terms)).await;
        }
        Ok(Request::new(
            id,
            self.queue(&message, id, true, terms).await?,
        ))
    }

    /// Sends a message that expects no reply.
    ///
    /// Completes when the message was handed to the socket, with its files and its stream. Whether it arrives is
    /// not known. A stream that the sender was to write ends at once: see
    /// [`Connection::pass_stream`].
    ///
    /// # Errors
    /// [`RequestError::Send`] when nothing was sent, [`RequestError::Disconnected`] when the
    /// connection ended before all of it was, [`RequestError::Source`] when a file or a stream could
    /// not be sent to its end.
    ///
    /// # Cancel safety
    /// If it is dropped before it completes, the message may be sent or not; with files or a stream, it is
    /// aborted.
    pub async fn pass(&self, message: impl Into<Outgoing>) -> Result<(), RequestError> {
        let (id, message) = (Uuid::new_v4(), message.into());
        if self.middleware.is_some() {
            return Box::pin(outgoing_call::pass(self, id, message)).await;
        }
        let terms = Terms::one_way(Unwritten::Ends, &message);
        let mut passed = self.queue(&message, id, false, terms).await?;
        passed.queued.sent().await
    }

    /// Sends a message that expects no reply, and whose stream the caller writes: [`Sent::take_writer`].
    ///
    /// # Errors
    /// [`SendError`]: nothing was sent.
    ///
    /// # Cancel safety
    /// If it is dropped before it completes, the message is not sent.
    pub async fn pass_stream(&self, message: impl Into<Outgoing>) -> Result<Sent, SendError> {
        let (id, message) = (Uuid::new_v4(), message.into().with_stream());
        if self.middleware.is_some() {
            return Box::pin(outgoing_call::pass_stream(self, id, message)).await;
        }
        let terms = Terms::one_way(Unwritten::Waits, &message);
        Ok(Sent::new(id, self.queue(&message, id, false, terms).await?))
    }

    /// Sends several messages that expect no reply, in order.
    ///
    /// They are encoded in blocks of 64 KiB, each of which waits for room before the next is encoded,
    /// so that neither a long iterator nor a slow peer uses up memory. No other message comes between
    /// those of one block. A message with files, a stream or metadata is sent by itself, as is each
    /// message of a handle with middleware. The others do not belong to the trace of the handler that
    /// sends them.
    ///
    /// Ready when all were handed to the socket.
    ///
    /// # Errors
    /// Those of [`Connection::pass`]. When a message cannot be sent, no message after it is. The outcome
    /// is that of this message, or of its block: messages before it may have been sent.
    ///
    /// # Cancel safety
    /// If it is dropped before it completes, some of the messages may be sent.
    pub async fn pass_all<M: Into<Outgoing>>(
        &self,
        messages: impl IntoIterator<Item = M>,
    ) -> Result<(), RequestError> {
        let mut block = Block::default();
        let mut last = None;
        for message in messages {
            let message = message.into();
            let is_bare = message.content().carrying.is_none() && message.metadata().is_none();
            if is_bare && self.middleware.is_none() {
                self.encode(&message, &mut block)?;
                if block.bytes.len() >= BLOCK_BYTES {
                    last = self.queue_block(&mut block).await?;
                }
            } else {
                self.queue_block(&mut block).await?;
                self.pass(message).await?;
            }
        }
        // Blocks are written in order: the last one is written when all are.
        if let Some(queued) = self.queue_block(&mut block).await? {
            last = Some(queued);
        }
        match last {
            Some(mut queued) => queued.sent().await,
            None => Ok(()),
        }
    }

    /// Queues a block of messages and empties it; `None` when it has none.
    async fn queue_block(&self, block: &mut Block) -> Result<Option<Queued>, SendError> {
        if block.bytes.is_empty() {
            return Ok(None);
        }
        let put = |state: &mut State| state.submit_encoded(block);
        let submitted = queue::put(self.lease.shared(), Line::Message, put).await?;
        block.clear();
        Ok(Some(Queued::new(self.lease.clone(), submitted)))
    }

    /// Shuts down gracefully: waits up to `deadline` for work in flight.
    ///
    /// The peer is told to send nothing new (Go Away). Everything accepted before is finished, on both sides: handlers
    /// run to their end, and calls of this side get their replies; handlers may still call the peer. What the peer
    /// sends within 2 s, as it could not know, is executed too; what it sends later is answered with code 3,841,
    /// Going Away, and not executed. Ready when the connection is closed, which takes 2 s
    /// unless it has less time.
    ///
    /// A peer with the [extension](Self::is_extended) says when nothing of it follows: then this is ready as soon as all
    /// is done. If it does not say so within 2 s, it is told which of its messages were accepted, and what it sends later is
    /// neither executed nor answered: its calls fail with
    /// [`RequestError::PeerGoingAway`], `NotExecuted`.
    ///
    /// What is not done within `deadline` fails: calls of this side, each with its [`Outcome`](crate::outcome::Outcome), and the replies of
    /// handlers that still run are not sent. Then the socket is closed, at once or when the peer has closed its end, which it has a second for.
    ///
    /// # Cancel safety
    /// Dropping the future does not stop the shutdown.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # async fn example(connection: sockety::Connection) {
    /// connection.shutdown(Duration::from_secs(30)).await;
    /// # }
    /// ```
    pub async fn shutdown(&self, deadline: Duration) {
        if let Some(source) = self.source() {
            let all = source.all();
            self.end_without_socket();
            source.on_close();
            // All at once, and then one after another until they are gone.
            for one in &all {
                one.begin_shutdown(deadline);
            }
            for one in all {
                one.lease.shared().until_gone().await;
            }
            return;
        }
        self.begin_shutdown(deadline);
        self.lease.shared().until_gone().await;
    }

    fn begin_shutdown(&self, deadline: Duration) {
        self.lease.shared().drain(deadline, LeaveReason::Shutdown);
    }

    /// Counters of tolerated, refused and cut-off peer behaviour.
    pub fn stats(&self) -> Stats {
        self.read(|shared| shared.counters.read())
    }

    /// Bytes transferred and work in flight.
    pub fn traffic(&self) -> Traffic {
        self.read(Shared::traffic)
    }

    /// Closes the connection in order: nothing new is sent, calls that wait for replies fail, replies that are
    /// owed and everything accepted before are written, within 5 s. Ready when the socket is closed, for which the peer
    /// has another second: one that has not read everything yet would lose it.
    /// A peer with the [extension](Self::is_extended) is told which of its messages were read, and knows that the others are
    /// not executed.
    ///
    /// [`Connection::shutdown`] lets calls finish.
    ///
    /// # Cancel safety
    /// Dropping the future does not stop the closing.
    pub async fn close(&self) {
        if let Some(source) = self.source() {
            let all = source.all();
            self.end_without_socket();
            source.on_close();
            for one in &all {
                one.lease.shared().close(ClosedBy::Local);
            }
            for one in all {
                one.lease.shared().until_gone().await;
            }
            return;
        }
        self.lease.shared().close(ClosedBy::Local);
        self.lease.shared().until_gone().await;
    }

    /// Ends a handle that has a source: nothing is sent through it from now on.
    fn end_without_socket(&self) {
        let shared = self.lease.shared();
        shared.close(ClosedBy::Local);
        let error = ConnectionError::Closed(ClosedBy::Local);
        shared.end(&error, state::Unwritten::Dropped);
        shared.ended.notify_waiters();
        shared.mark_closed();
    }

    /// Waits until the connection has ended, and says why.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub async fn closed(&self) -> ConnectionError {
        self.lease.shared().until_ended().await
    }

    /// Waits until this side has begun to end the connection, or the connection has ended: a server
    /// shuts down, or [`shutdown`](Self::shutdown) or [`close`](Self::close) was called.
    ///
    /// A handler that runs for long, such as one that writes a stream without an end, waits for
    /// this in a `select!` to end in time.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub async fn shutting_down(&self) {
        loop {
            let mut notified = std::pin::pin!(self.lease.shared().ended.notified());
            notified.as_mut().enable();
            if self.lease.shared().is_ending() || self.is_closed() {
                return;
            }
            notified.await;
        }
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.lease.shared().lock().ended().is_some()
    }

    /// Whether new messages of any kind may be sent on it, now or when there is room.
    pub(crate) fn takes_calls(&self) -> bool {
        self.lease.shared().lock().takes_calls()
    }

    /// Whether the connection uses the negotiated extension of the protocol: see
    /// [`Options::extension`](crate::config::Options::extension).
    pub fn is_extended(&self) -> bool {
        self.read(|shared| shared.is_extended)
    }

    /// What the peer says about the end of the connection: `None` unless it has said that it goes away.
    ///
    /// From then on nothing new is sent to it, while replies and what was begun go on in both
    /// directions. This is still here after the end. A client that reconnects by itself does so at once, or after
    /// [`GoingAway::retry_after`].
    ///
    /// A peer whose reason is [`LameDuck`](crate::error::LeaveReason::LameDuck) has only announced that: it
    /// [drains](crate::server::ServerHandle::drain), and takes new messages for [`GoingAway::grace`], before it
    /// goes away with another reason. Clients connect elsewhere meanwhile.
    ///
    /// ```
    /// # use sockety::{Connection, error::LeaveReason};
    /// # fn example(connection: &Connection) {
    /// if let Some(why) = connection.peer_going_away() {
    ///     println!("{why}; again after {:?}", why.retry_after);
    ///     assert_ne!(why.reason, LeaveReason::Unauthorized, "check the token");
    /// }
    /// # }
    /// ```
    pub fn peer_going_away(&self) -> Option<Arc<GoingAway>> {
        self.read(|shared| shared.lock().peer_going_away().cloned())
    }

    /// Measures the time to the peer and back: sends it a ping, and waits for its answer.
    ///
    /// It includes how long either side takes to get to it, such as behind a large message that is being
    /// written. One ping is under way at a time, which several callers share; so those who come later may get a
    /// time that began before they did. It has no time limit: a peer that is gone is noticed by
    /// [`Options::idle_timeout`](crate::config::Options::idle_timeout).
    ///
    /// # Errors
    /// [`RoundTripError::NotSupported`] without the [extension](Self::is_extended),
    /// [`RoundTripError::NotConnected`] while a handle that reconnects has no connection,
    /// [`RoundTripError::Disconnected`] when the connection has ended or ends meanwhile.
    ///
    /// # Cancel safety
    /// May be dropped and called again: a ping that is under way then serves the next caller.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use tokio::time::timeout;
    /// # async fn example(connection: sockety::Connection) -> Result<(), Box<dyn std::error::Error>> {
    /// let took = timeout(Duration::from_secs(1), connection.round_trip()).await??;
    /// println!("{} ms", took.as_millis());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn round_trip(&self) -> Result<Duration, RoundTripError> {
        let Some(source) = self.source() else {
            return round_trip::measure(self.lease.shared()).await;
        };
        match source.current() {
            Some(current) => round_trip::measure(current.shared()).await,
            None => Err(RoundTripError::NotConnected),
        }
    }

    /// The address of the peer, if the connection is one of TCP.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.read(|shared| shared.peer.peer_addr)
    }

    /// What this side connected to, if it did.
    pub(crate) fn server_name(&self) -> Option<ServerName> {
        self.read(|shared| shared.peer.server.clone())
    }

    /// The address of this side, if the connection is one of TCP.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.read(|shared| shared.peer.local_addr)
    }

    /// The identity of the peer by its TLS certificate, if it showed one. It was checked during the handshake.
    #[cfg(feature = "_tls")]
    #[cfg_attr(docsrs, doc(cfg(any(feature = "tls", feature = "tls-ring"))))]
    pub fn peer_identity(&self) -> Option<&crate::tls::PeerIdentity> {
        self.lease.shared().peer.identity.as_ref()
    }

    /// The user and process of the peer, if the connection is one of a Unix socket: those that connected or
    /// listened, as the operating system knows them.
    #[cfg(unix)]
    pub fn peer_credentials(&self) -> Option<tokio::net::unix::UCred> {
        self.read(|shared| shared.peer.credentials)
    }

    /// Values attached to the connection.
    pub fn extensions(&self) -> &Extensions {
        &self.lease.shared().extensions
    }

    /// Whether the peer may call: always, unless what is served asks for
    /// [authorization](crate::serve::router::Router::authorize). This side may call a peer that may not.
    pub fn is_authorized(&self) -> bool {
        self.read(|shared| shared.auth.is_open())
    }

    pub(crate) async fn queue(
        &self,
        message: &Outgoing,
        id: Uuid,
        expects_response: bool,
        terms: Terms,
    ) -> Result<Sending, SendError> {
        let Terms {
            unwritten,
            clock,
            along,
        } = terms;
        let head = message.head(id, expects_response);
        let shared = self.lease.shared();
        let (payload, mut taken) = message.content().prepare(shared, unwritten)?;
        let mut parcel = parcel(head, payload, &mut taken, clock);
        parcel.along = along.as_ref();
        parcel.metadata = message.metadata();
        let submitted = queue::submit(shared, parcel).await?;
        Ok(Sending::start(self.lease.clone(), submitted, taken))
    }

    /// Appends a one-way message to a block.
    pub(crate) fn encode(&self, message: &Outgoing, into: &mut Block) -> Result<(), SendError> {
        let payload = message.content().checked_payload(self.lease.shared())?;
        into.add(message.head(Uuid::new_v4(), false), payload.whole())?;
        Ok(())
    }

    /// Queues one-way messages that are encoded already, unless that would have to wait.
    pub(crate) fn try_pass_encoded(&self, block: &Block) -> Result<(), SendError> {
        let put = |state: &mut State| state.submit_encoded(block).map(drop);
        queue::try_put(self.lease.shared(), Line::Message, put)
    }

    /// Queues a one-way message, with its files and its stream, unless that would have to wait.
    pub(crate) fn try_pass(&self, message: &Outgoing) -> Result<(), SendError> {
        let head = message.head(Uuid::new_v4(), false);
        let shared = self.lease.shared();
        let (payload, mut taken) = message.content().prepare(shared, Unwritten::Ends)?;
        let mut parcel = parcel(head, payload, &mut taken, ReplyClock::Default);
        let along = inherited::along_one_way(message.deadline());
        parcel.along = along.as_ref();
        parcel.metadata = message.metadata();
        let submitted = queue::try_put(shared, parcel.line(), |state| {
            state.submit(&mut parcel, None)
        })?;
        Sending::start(self.lease.clone(), submitted, taken)
            .pump
            .detach();
        Ok(())
    }
}

/// What [`Connection::pass_all`] encodes before it waits for room.
const BLOCK_BYTES: usize = 64 * 1024;

impl From<Lease> for Connection {
    fn from(lease: Lease) -> Self {
        Self {
            lease,
            middleware: None,
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("peer_addr", &self.peer_addr())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
