//! Links that are accepted elsewhere.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    task::JoinHandle,
};

use super::{
    handle::ServerHandle,
    serving::{Owner, Serving},
};
use crate::{
    connection::Connection,
    engine::peer::Peer,
    error::connect::{ConnectError, ConnectProblem},
    transport::first_byte::Rewind,
};

/// Whether a server takes links.
#[derive(Debug, Clone, Default)]
pub(super) enum State {
    /// It does not serve yet.
    #[default]
    Before,
    Serving(Arc<Serving>),
    Ended,
}

/// The server serves, until this is dropped. Then its router is no longer kept.
#[derive(Debug)]
pub(super) struct TakesLinks(watch::Sender<State>);

impl TakesLinks {
    pub(super) fn new(state: watch::Sender<State>) -> Self {
        Self(state)
    }

    pub(super) fn begin(&self, serving: &Arc<Serving>) {
        self.0.send_replace(State::Serving(Arc::clone(serving)));
    }
}

impl Drop for TakesLinks {
    fn drop(&mut self) {
        self.0.send_replace(State::Ended);
    }
}

impl ServerHandle {
    /// Serves a link that was accepted elsewhere, like one that the server accepts: with its router,
    /// options, limits, TLS and statistics, among [`connections`](Self::connections), until its
    /// peer closes it or the server stops.
    ///
    /// `peer_addr` is the address of the peer, if it has one: what
    /// [`Context::peer_addr`](crate::serve::context::Context::peer_addr) returns, what is logged, and
    /// what [`Server::max_connections_per_host`](crate::server::Server::max_connections_per_host)
    /// counts. [`TcpOptions`](crate::config::tcp::TcpOptions) are not applied, because a link may be
    /// no socket.
    ///
    /// A server with `Server::proxy_protocol` reads a header from the link too, if this is the address
    /// of a proxy.
    ///
    /// Completes as soon as there is room for another connection and another handshake. A loop that
    /// awaits it before it accepts the next link therefore leaves further ones in the queue of the
    /// operating system, and no slow peer holds up the loop: the handshake runs in a separate task.
    /// Connections that the server's listeners have accepted count; an accept that waits for the next one does not.
    /// Before [`Server::serve`](crate::server::Server::serve) has begun, it waits for that.
    ///
    /// ```no_run
    /// # use sockety::{Router, Server};
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Server::new();
    /// let handle = server.handle();
    /// tokio::spawn(server.serve(Router::new()));
    ///
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:9000").await?;
    /// loop {
    ///     let (stream, peer_addr) = listener.accept().await?;
    ///     stream.set_nodelay(true)?;
    ///     handle.serve_link(stream, peer_addr).await?;
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ConnectProblem::ServerStopped`] if the server was stopped, or was dropped before it served.
    /// Failures of the link come from [`Handshaking`].
    ///
    /// # Cancel safety
    /// Dropping the future closes `io`.
    pub async fn serve_link<IO>(
        &self,
        io: IO,
        peer_addr: impl Into<Option<SocketAddr>> + Send,
    ) -> Result<Handshaking, ConnectError>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let peer = Peer {
            peer_addr: peer_addr.into(),
            ..Peer::default()
        };
        let admission = async {
            let serving = self.serving().await?;
            let permits = serving.gate.permits().await;
            Some((serving, permits))
        };
        let admitted = self.or_stopped(admission).await.flatten();
        let (serving, permits) = admitted.ok_or(ConnectProblem::ServerStopped)?;
        let handle = self.clone();
        Ok(Handshaking(tokio::spawn(async move {
            let io = Rewind::new(io);
            let established = serving.establish(&handle, io, peer, permits, Owner::Server);
            Ok(established.await?)
        })))
    }

    /// Waits until the server serves. `None` if it never will.
    async fn serving(&self) -> Option<Arc<Serving>> {
        let mut state = self.state().subscribe();
        let has_begun = state.wait_for(|state| !matches!(state, State::Before));
        match &*has_begun.await.ok()? {
            State::Serving(serving) => Some(Arc::clone(serving)),
            State::Before | State::Ended => None,
        }
    }
}

/// The handshakes of a link that [`ServerHandle::serve_link`] took. Awaiting it returns the
/// connection, which the server keeps open whether or not anybody has a handle.
///
/// # Errors
/// [`ConnectError`] if a handshake failed, the peer's host has too many connections, or the server
/// was stopped meanwhile. If the link panics, the error is a [`ConnectProblem::Io`] with the text of the panic.
/// The server counts and logs it, so the result need not be awaited.
///
/// # Cancel safety
/// Dropping it changes nothing: the handshakes continue.
#[derive(Debug)]
pub struct Handshaking(JoinHandle<Result<Connection, ConnectError>>);

impl Future for Handshaking {
    type Output = Result<Connection, ConnectError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = ready!(Pin::new(&mut self.0).poll(cx));
        // Its runtime was shut down: panics are caught in it.
        Poll::Ready(ended.unwrap_or(Err(ConnectProblem::ServerStopped.into())))
    }
}
