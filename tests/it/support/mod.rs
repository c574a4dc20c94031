//! What the tests share: a scripted peer, and ends of connections in memory.

mod certificates;
mod hex;
mod log;
mod peer;
mod running;

use std::task::Poll;
use std::time::Duration;

use sockety::{
    Connection, FastReply, Options, Router, Uuid,
    error::{ClosedBy, ConnectionError},
    message::Request,
    serve::{IntoRouter, MessageHandler},
    testing::{Faults, LinkEnd, link},
};
use tokio::{io::duplex, net::TcpStream};

pub(crate) use certificates::{Authority, Issued};
pub(crate) use hex::{bytes, hex};
pub(crate) use log::Log;
pub(crate) use peer::{Link, Peer, Received, message, response};
pub(crate) use running::{Running, ping};

/// What a pipe in memory holds, when a test does not care.
pub(crate) const PIPE: usize = 64 * 1024;

/// The connection header of 256 channels.
pub(crate) const HEADER: &str = "E2 00 01";

/// Options of a side that does not offer the extension: for what is different without it.
pub(crate) fn base() -> Options {
    Options::default().extension(sockety::config::Extension::Off)
}

/// The connection header of ours, which offers the extension.
pub(crate) const OFFER: &str = "E2 EE 00";

/// A version-4 id that a test can tell from others.
pub(crate) fn id(number: u64) -> Uuid {
    Uuid::from_u128(0x5005_0000_0000_4000_8000_0000_0000_0000 | u128::from(number))
}

/// One of our connections, and the scripted peer at its other end.
pub(crate) async fn dialogue(serve: impl IntoRouter) -> (Connection, Peer) {
    dialogue_with(serve, Options::default(), PIPE).await
}

/// Like [`dialogue`], over a pipe that holds this many bytes that the other side has not read.
pub(crate) async fn dialogue_with(
    serve: impl IntoRouter,
    options: Options,
    pipe: usize,
) -> (Connection, Peer) {
    let (near, far) = duplex(pipe);
    let (connection, peer) =
        tokio::join!(Connection::over(near, serve, options), Peer::greeted(far));
    (connection.expect("a connection"), peer)
}

/// Two of our connections over a pipe of this size.
pub(crate) async fn pair_with(
    here: (impl IntoRouter, Options),
    there: (impl IntoRouter, Options),
    pipe: usize,
) -> (Connection, Connection) {
    let (near, far) = duplex(pipe);
    pair_over(near, far, here, there).await
}

/// Two of our connections over these streams.
pub(crate) async fn pair_over(
    near: impl Link + 'static,
    far: impl Link + 'static,
    here: (impl IntoRouter, Options),
    there: (impl IntoRouter, Options),
) -> (Connection, Connection) {
    tokio::try_join!(
        Connection::over(near, here.0, here.1),
        Connection::over(far, there.0, there.1),
    )
    .expect("two connections")
}

/// A link without faults that holds this many bytes, each way, that were not read.
pub(crate) fn sound_link(capacity: usize) -> (LinkEnd, LinkEnd) {
    let sound = Faults::new().capacity(capacity);
    link(sound.clone(), sound)
}

/// Two of our connections; the second serves.
pub(crate) async fn pair_serving(serve: impl IntoRouter) -> (Connection, Connection) {
    sockety::pair(Router::new(), serve)
        .await
        .expect("two connections")
}

/// Answers `ping` with code 0.
pub(crate) fn ping_handler() -> MessageHandler {
    MessageHandler::new().action("ping", |_| async { FastReply::ACCEPT })
}

/// Never answers `wait`.
pub(crate) fn waiting_handler() -> MessageHandler {
    ping_handler().action("wait", |_| std::future::pending::<()>())
}

/// Lets all tasks run until each of them waits. The clock must be paused: it moves only then.
pub(crate) async fn settled() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Whether the future waits when it is polled now.
pub(crate) async fn is_pending<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|cx| Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).is_pending()))
        .await
}

/// Tasks of this runtime that have not ended.
pub(crate) fn tasks() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}

/// Lets the tasks run until no more than this many are left.
pub(crate) async fn tasks_are_back_to(baseline: usize) {
    // Counted, not timed: a paused clock does not advance while anything runs.
    for _ in 0..1_000_000 {
        if tasks() <= baseline {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{} tasks, not {baseline}", tasks());
}

/// The code that answers the request.
pub(crate) async fn code_of(mut request: Request) -> u16 {
    let reply = request.response().await.expect("a reply");
    reply.code().expect("a code").code()
}

/// Whether the connection still does its work.
pub(crate) async fn answers_ping(peer: &mut Peer) {
    peer.ask(id(0xFFFF), "ping", b"").await;
    peer.expect_code(id(0xFFFF), 0).await;
}

/// Closes a link with a reset instead of an end.
pub(crate) fn reset(stream: TcpStream) {
    let socket = socket2::SockRef::from(&stream);
    socket.set_linger(Some(Duration::ZERO)).expect("an option");
}

pub(crate) fn is_closed_by(error: &ConnectionError, by: ClosedBy) -> bool {
    matches!(error, ConnectionError::Closed(who) if *who == by)
}
