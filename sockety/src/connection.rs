use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use sockety_codec::{ConnectionHeader, Decoder, Event, FilesSummary, MessageHead, Uuid};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

pub(crate) mod extensions;
pub(crate) mod middleware;
pub(crate) mod outgoing_call;
pub(crate) mod passage;
pub(crate) mod server_stats;
pub(crate) mod service_client;
pub(crate) mod stats;
pub(crate) mod traffic;

use self::{
    extensions::Extensions,
    middleware::{CallMiddleware, Chain},
    outgoing_call::{Departure, Terms},
    stats::Stats,
    traffic::Traffic,
};
use crate::{
    config::options::Options,
    content::carrying::{Sending, Unwritten},
    engine::{
        driver::Driver,
        holders::Holder,
        pending::ReplyClock,
        send::{
            outbox::Payload,
            queue::{self, Entry, Queued, Room},
        },
        shared::{Peer, ServerName, Shared, State},
    },
    error::dynamic::{ClosedBy, ConnectError, ConnectionError, RequestError, SendError},
    message::{
        outgoing::{Content, Outgoing},
        request::Request,
        sent::Sent,
    },
    payload::encoding::Encoding,
    serve::router::{IntoRouter, Router},
    transport::{Setup, start, within},
};

/// A connection to a peer. Both sides may send messages on it, many at a time.
///
/// Cloning gives another handle on the same connection. When the last handle is dropped, what was accepted is
/// written and the connection is closed. Messages being handled and the clients made of a connection hold
/// handles too.
pub struct Connection {
    pub(crate) shared: Arc<Shared>,
    /// What calls of this handle go through.
    pub(crate) middleware: Option<Chain>,
    holder: Holder,
}

impl Connection {
    /// Speaks Sockety over any pair of byte streams, such as one of TLS, a Unix socket or a pipe.
    ///
    /// The two sides have no different roles: both serve what they are given. Ready when the peer's connection
    /// header has arrived.
    ///
    /// # Errors
    /// [`ConnectError`] when the peer does not speak Sockety, says nothing in time, or is gone.
    ///
    /// # Cancel safety
    /// Dropping the future drops `io`.
    ///
    /// ```
    /// # use sockety::{Connection, Options, Router};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), sockety::ConnectError> {
    /// let (here, there) = tokio::io::duplex(64 * 1024);
    /// let (here, there) = tokio::try_join!(
    ///     Connection::over(here, Router::new(), Options::default()),
    ///     Connection::over(there, Router::new(), Options::default()),
    /// )?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn over<IO>(
        io: IO,
        serve: impl IntoRouter,
        options: Options,
    ) -> Result<Self, ConnectError>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let router = Arc::new(serve.into_router());
        let setup = Setup::new(router, Arc::new(options), drop);
        within(
            setup.options.handshake_timeout,
            start(io, Peer::default(), setup),
        )
        .await
    }

    /// Exchanges connection headers. The clock is the caller's.
    pub(crate) async fn establish<IO>(
        io: IO,
        router: Arc<Router>,
        options: Arc<Options>,
        peer: Peer,
    ) -> Result<(Self, Box<Driver<IO>>), ConnectError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let (io, decoder, header) = handshake(io, &options).await?;
        let shared = Arc::new(Shared::new(options, peer, header.channels));
        let driver = Driver::new(io, Arc::clone(&shared), decoder, router);
        Ok((Self::new(shared), driver))
    }

    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        shared.holders.add(Holder::Handle);
        Self {
            shared,
            middleware: None,
            holder: Holder::Handle,
        }
    }

    /// For a request of the peer, which has its slot as long as this lives; `None` when all are taken.
    pub(crate) fn of_request(shared: &Arc<Shared>, holder: Holder) -> Option<Self> {
        let taken = shared.holders.add(holder);
        let connection = Self {
            shared: Arc::clone(shared),
            middleware: None,
            holder,
        };
        shared.has_slot(taken).then_some(connection)
    }

    /// A request that was arriving is there.
    pub(crate) fn begin_executing(&mut self) {
        if self.holder == Holder::Arriving {
            self.shared.holders.begin_executing();
            self.holder = Holder::Executing;
        }
    }

    /// A handle on the same connection whose messages go through this middleware, after that of this handle.
    ///
    /// ```
    /// # use sockety::{CallNext, Connection, OutgoingCall};
    /// # fn example(connection: Connection) -> Connection {
    /// connection.with(|call: OutgoingCall, next: CallNext| async move {
    ///     let action = call.action().to_owned();
    ///     match next.run(call).await {
    ///         Ok(answered) => println!("{action:?}: {answered:?}"),
    ///         Err(error) => println!("{action:?} failed, {}: {error}", error.outcome()),
    ///     }
    /// })
    /// # }
    /// ```
    pub fn with(&self, middleware: impl CallMiddleware) -> Self {
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
    /// Dropped before it is ready, the message is not sent.
    ///
    /// ```no_run
    /// # async fn example(connection: sockety::Connection) -> Result<(), Box<dyn std::error::Error>> {
    /// let ping = sockety::Draft::new("ping");
    /// let reply = connection.send(&ping).await?.response().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send(&self, message: impl Into<Outgoing>) -> Result<Request, SendError> {
        // r[impl head.id.version]
        let id = Uuid::new_v4();
        let terms = Terms::new(Unwritten::Waits);
        self.request(id, message.into(), terms).await
    }

    pub(crate) async fn request(
        &self,
        id: Uuid,
        message: Outgoing,
        terms: Terms,
    ) -> Result<Request, SendError> {
        if self.middleware.is_some() {
            let departure = Departure::new(self, id, message, terms);
            return Box::pin(departure.request()).await;
        }
        Ok(Request::new(
            id,
            self.queue(&message, id, true, terms).await?,
        ))
    }

    /// Sends a message that expects no reply.
    ///
    /// Ready when it was handed to the socket, with its files and its stream. That says nothing about
    /// its arrival. A stream that the sender was to write ends at once: see
    /// [`Connection::pass_stream`].
    ///
    /// # Errors
    /// [`RequestError::Send`] when nothing was sent, [`RequestError::Disconnected`] when the
    /// connection ended before all of it was, [`RequestError::Source`] when a file or a stream could
    /// not be sent to its end.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the message may go out or not; with files or a stream, it is given
    /// up.
    pub async fn pass(&self, message: impl Into<Outgoing>) -> Result<(), RequestError> {
        let (id, message) = (Uuid::new_v4(), message.into());
        if self.middleware.is_some() {
            return Box::pin(outgoing_call::pass(self, id, message)).await;
        }
        let terms = Terms::new(Unwritten::Ends);
        let mut passed = self.queue(&message, id, false, terms).await?;
        passed.queued.sent().await
    }

    /// Sends a message that expects no reply, and whose stream the caller writes: [`Sent::stream`].
    ///
    /// # Errors
    /// [`SendError`]: nothing was sent.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the message is not sent.
    pub async fn pass_stream(&self, message: impl Into<Outgoing>) -> Result<Sent, SendError> {
        let (id, message) = (Uuid::new_v4(), message.into().stream());
        if self.middleware.is_some() {
            return Box::pin(outgoing_call::pass_stream(self, id, message)).await;
        }
        let terms = Terms::new(Unwritten::Waits);
        Ok(Sent::new(id, self.queue(&message, id, false, terms).await?))
    }

    /// Sends several messages that expect no reply, in order, back to back: nothing stands between them
    /// unless one carries files or a stream.
    ///
    /// Ready when all were handed to the socket.
    ///
    /// # Errors
    /// As [`Connection::pass`]. When one of them cannot be sent, none after it is. The outcome is that of this one; those
    /// before it may have been sent.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, some of them may go out.
    pub async fn pass_all<M: Into<Outgoing>>(
        &self,
        messages: impl IntoIterator<Item = M>,
    ) -> Result<(), RequestError> {
        let mut bytes = Vec::new();
        for message in messages {
            let message = message.into();
            if message.content().carrying.is_none() && self.middleware.is_none() {
                self.encode(&message, &mut bytes)?;
            } else {
                self.pass_prepared(&std::mem::take(&mut bytes)).await?;
                self.pass(message).await?;
            }
        }
        self.pass_prepared(&bytes).await
    }

    async fn pass_prepared(&self, bytes: &[u8]) -> Result<(), RequestError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let put = |state: &mut State| Ok(state.send_prepared(bytes)?);
        let span = queue::put(&self.shared, Entry::Message, put).await?;
        Queued::whole(self.clone(), span).sent().await
    }

    /// Ends the connection when its work is done, for which it has so long, in whole seconds.
    ///
    /// The peer is told to send nothing new (Go Away). Everything accepted before is finished, on both sides: handlers
    /// run to their end, and calls of this side get their replies; handlers may still call the peer. What the peer
    /// sends within 2 s, as it could not know, is executed too; what it sends later is answered with code 3,841,
    /// Going Away, and not executed. Ready when the connection is closed, which takes 2 s
    /// unless it has less time.
    ///
    /// What is not done in time fails: calls of this side with an [`Outcome`](crate::error::outcome::Outcome) of their own, and the replies of
    /// handlers that still run are not sent.
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
        self.shared.drain(deadline);
        self.shared.until_gone().await;
    }

    /// What of the peer was tolerated, refused or cut off so far.
    pub fn stats(&self) -> Stats {
        self.shared.counters.read()
    }

    /// What goes over it, and how much is under way.
    pub fn traffic(&self) -> Traffic {
        self.shared.traffic()
    }

    /// Closes the connection in order: nothing new is sent, calls that wait for replies fail, replies that are
    /// owed and everything accepted before are written, within 5 s. Ready when the socket is closed, for which the peer
    /// has another second: one that has not read everything yet would lose it.
    ///
    /// [`Connection::shutdown`] lets calls finish.
    ///
    /// # Cancel safety
    /// Dropping the future does not stop the closing.
    pub async fn close(&self) {
        self.shared.close(ClosedBy::Local);
        self.shared.until_gone().await;
    }

    /// Waits until the connection has ended, and says why.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub async fn closed(&self) -> ConnectionError {
        loop {
            let mut notified = std::pin::pin!(self.shared.ended.notified());
            notified.as_mut().enable();
            if let Some(error) = self.shared.lock().ended() {
                return error;
            }
            notified.await;
        }
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.shared.lock().ended().is_some()
    }

    /// Whether new messages of any kind may be sent on it, now or when there is room.
    pub(crate) fn takes_calls(&self) -> bool {
        self.shared.lock().takes_calls()
    }

    /// The address of the peer, if the connection is one of TCP.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.shared.peer.peer_addr
    }

    /// What this side connected to, if it did.
    pub(crate) fn server_name(&self) -> Option<&ServerName> {
        self.shared.peer.server.as_ref()
    }

    /// The address of this side, if the connection is one of TCP.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.shared.peer.local_addr
    }

    /// Who the peer is by its TLS certificate, if it showed one. It was checked during the handshake.
    #[cfg(feature = "_tls")]
    pub fn peer_identity(&self) -> Option<&crate::tls::PeerIdentity> {
        self.shared.peer.identity.as_ref()
    }

    /// The user and process of the peer, if the connection is one of a Unix socket: those that connected or
    /// listened, as the operating system knows them.
    #[cfg(unix)]
    pub fn peer_credentials(&self) -> Option<tokio::net::unix::UCred> {
        self.shared.peer.credentials
    }

    /// Values attached to the connection.
    pub fn extensions(&self) -> &Extensions {
        &self.shared.extensions
    }

    /// Whether the peer may call: always, unless what is served asks for
    /// [authorization](crate::serve::router::Router::authorize). This side may call a peer that may not.
    pub fn is_authorized(&self) -> bool {
        self.shared.gate.is_open()
    }

    pub(crate) async fn queue(
        &self,
        message: &Outgoing,
        id: Uuid,
        expects_response: bool,
        terms: Terms,
    ) -> Result<Sending, SendError> {
        let Terms { unwritten, clock } = terms;
        let payload = self.checked_payload(message.content())?;
        let head = message_head(id, message, expects_response);
        let Some(carrying) = &message.content().carrying else {
            let put =
                |state: &mut State| state.send_message(&head, Payload::of(payload), clock, None);
            let span = queue::put(&self.shared, Entry::Message, put).await?;
            return Ok(Sending::whole(self.clone(), span));
        };
        let cargo = carrying.take()?;
        let mut plan = cargo.plan(unwritten);
        let put = |state: &mut State| {
            state.begin_message(&head, Payload::of(payload), &mut plan, clock, None)
        };
        let (key, span) = queue::put(&self.shared, Entry::CarryingMessage, put).await?;
        Ok(Sending::carrying(self.clone(), span, key, cargo, unwritten))
    }

    /// Appends a one-way message to what is sent at once by [`State::send_prepared`].
    pub(crate) fn encode(&self, message: &Outgoing, into: &mut Vec<u8>) -> Result<(), SendError> {
        let payload = self.checked_payload(message.content())?;
        let head = message_head(Uuid::new_v4(), message, false);
        Ok(sockety_codec::encode_message(into, &head, payload.whole())?)
    }

    /// Queues one-way messages that were encoded before, if that needs no waiting.
    pub(crate) fn try_queue_prepared(&self, bytes: &[u8]) -> Result<(), SendError> {
        self.shared.change(|state| {
            state.try_message_room()?;
            Ok(state.send_prepared(bytes).map(drop)?)
        })
    }

    /// Sends a one-way message with files or a stream, if it can begin without waiting.
    pub(crate) fn try_carry(&self, message: &Outgoing) -> Result<(), SendError> {
        let payload = self.checked_payload(message.content())?;
        let head = message_head(Uuid::new_v4(), message, false);
        let Some(carrying) = &message.content().carrying else {
            return Ok(());
        };
        let cargo = carrying.take()?;
        let mut plan = cargo.plan(Unwritten::Ends);
        let (key, span) =
            self.shared
                .change(|state| match state.room(Entry::CarryingMessage)? {
                    Room::Full => Err(SendError::Full),
                    Room::Free => {
                        let payload = Payload::of(payload);
                        state.begin_message(&head, payload, &mut plan, ReplyClock::Default, None)
                    }
                })?;
        Sending::carrying(self.clone(), span, key, cargo, Unwritten::Ends)
            .pump
            .detach();
        Ok(())
    }

    /// The largest payload, and item of a stream, in either direction.
    pub(crate) fn payload_limit(&self) -> usize {
        usize::try_from(self.shared.options.limits.payload).unwrap_or(usize::MAX)
    }

    pub(crate) fn checked_payload<'a>(
        &self,
        content: &'a Content,
    ) -> Result<&'a Encoding, SendError> {
        let payload = content.payload()?;
        queue::check_size(&self.shared, payload.len())?;
        Ok(payload)
    }
}

pub(crate) fn message_head(
    id: Uuid,
    message: &Outgoing,
    expects_response: bool,
) -> MessageHead<'_> {
    MessageHead {
        id,
        action: &message.action,
        expects_response,
        has_stream: false,
        payload_size: 0,
        files: FilesSummary::default(),
    }
}

/// Sends our connection header and reads the peer's.
// r[impl header.immediate]
// r[impl header.wait]
async fn handshake<IO>(
    mut io: IO,
    options: &Options,
) -> Result<(IO, Decoder, ConnectionHeader), ConnectError>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let mut header = Vec::new();
    ConnectionHeader {
        channels: options.limits.channels,
    }
    .encode(&mut header);
    io.write_all(&header).await?;
    io.flush().await?;
    let mut decoder = Decoder::new(options.limits).whole_messages();
    loop {
        // Byte by byte, as what follows the header is for the driver to read.
        let mut byte = [0; 1];
        if io.read(&mut byte).await? == 0 {
            return Err(ConnectError::Closed);
        }
        if let Some(Event::Header(header)) = decoder
            .decode(&mut &byte[..])
            .map_err(ConnectError::Handshake)?
        {
            return Ok((io, decoder, header));
        }
    }
}

/// Two ends of a connection in memory, for tests: each serves what it is given.
///
/// # Errors
/// None in practice; the type is that of [`Connection::over`].
pub async fn pair(
    here: impl IntoRouter,
    there: impl IntoRouter,
) -> Result<(Connection, Connection), ConnectError> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    tokio::try_join!(
        Connection::over(near, here, Options::default()),
        Connection::over(far, there, Options::default()),
    )
}

impl Clone for Connection {
    fn clone(&self) -> Self {
        let mut handle = Self::new(Arc::clone(&self.shared));
        handle.middleware.clone_from(&self.middleware);
        handle
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.leave(self.holder);
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
