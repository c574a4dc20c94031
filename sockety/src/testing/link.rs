use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep_until},
};

use super::{
    direction::{Direction, Step},
    faults::Faults,
};

/// Makes a link in memory, and returns the end of the client and that of the server.
///
/// Each is a pair of byte streams, for [`Connection::over`](crate::Connection::over) or anything
/// else. [`LinkEnd::link`] controls the link.
///
/// ```
/// use sockety::{Connection, Options, Router, testing::{Faults, link}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (client, server) = link(Faults::new(), Faults::new().corrupt(0));
/// let (client, _server) = tokio::join!(
///     Connection::over(client, Router::new(), Options::default()),
///     Connection::over(server, Router::new(), Options::default()),
/// );
/// assert!(client.is_err(), "the first byte of the server was not what it wrote");
/// # }
/// ```
pub fn link(to_server: Faults, to_client: Faults) -> (LinkEnd, LinkEnd) {
    let link = Link {
        to_server: Direction::new(to_server),
        to_client: Direction::new(to_client),
    };
    if link.to_server.is_cut_at_once() || link.to_client.is_cut_at_once() {
        link.cut();
    }
    let end = |incoming: &Direction, outgoing: &Direction| LinkEnd {
        link: link.clone(),
        incoming: incoming.clone(),
        outgoing: outgoing.clone(),
        timer: None,
    };
    let client = end(&link.to_client, &link.to_server);
    let server = end(&link.to_server, &link.to_client);
    (client, server)
}

/// Controls a link in memory while a test runs. Clones control the same link; dropping them does
/// nothing.
#[derive(Debug, Clone)]
pub struct Link {
    to_server: Direction,
    to_client: Direction,
}

impl Link {
    /// What goes from the client to the server.
    pub fn to_server(&self) -> &Direction {
        &self.to_server
    }

    /// What goes from the server to the client.
    pub fn to_client(&self) -> &Direction {
        &self.to_client
    }

    /// Cuts the link in both directions: what was carried before still arrives, unless that direction
    /// is paused. Then reads fail, and writes fail at once, with
    /// [`ConnectionReset`](io::ErrorKind::ConnectionReset).
    pub fn cut(&self) {
        self.to_server.cut();
        self.to_client.cut();
    }
}

/// One end of a link in memory, made by [`link`]. When it is dropped, the other end reads the end of
/// the input, and its writes fail with [`BrokenPipe`](io::ErrorKind::BrokenPipe).
#[derive(Debug)]
pub struct LinkEnd {
    link: Link,
    incoming: Direction,
    outgoing: Direction,
    /// Until the next bytes arrive.
    timer: Option<Pin<Box<Sleep>>>,
}

impl LinkEnd {
    /// Controls the link of this end.
    pub fn link(&self) -> Link {
        self.link.clone()
    }
}

impl AsyncRead for LinkEnd {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let at = match self.incoming.poll_read(cx, into) {
                Step::Until(at) => at,
                step => return step.into_poll(),
            };
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
            if timer.deadline() != at {
                timer.as_mut().reset(at);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl AsyncWrite for LinkEnd {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let step = self.outgoing.poll_write(cx, bytes);
        if let Step::Cuts(_) = step {
            self.link.cut();
        }
        step.into_poll()
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.end();
        Poll::Ready(Ok(()))
    }
}

impl Drop for LinkEnd {
    fn drop(&mut self) {
        self.outgoing.end();
        self.incoming.drop_reader();
    }
}
