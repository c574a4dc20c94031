//! A simulated TCP connection with packets of limited size, one direction of which can be held up.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::TcpStream;

/// Bytes of one packet. With the packets that may be on their way it makes the window of a connection.
const PACKET: usize = 16 * 1024;

/// Packets that may be on their way.
pub(crate) const PACKETS: usize = 16;

/// Holds up what comes to one side, as long as it is shut.
#[derive(Clone, Default)]
pub(crate) struct Valve(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    is_shut: bool,
    reader: Option<Waker>,
}

impl Valve {
    pub(crate) fn shut(&self) {
        self.0.lock().expect("no panic").is_shut = true;
    }

    pub(crate) fn open(&self) {
        let mut state = self.0.lock().expect("no panic");
        state.is_shut = false;
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.0.lock().expect("no panic");
        if state.is_shut {
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

pub(crate) struct Link {
    stream: TcpStream,
    valve: Valve,
}

impl Link {
    pub(crate) fn new(stream: TcpStream, valve: Valve) -> Self {
        Self { stream, valve }
    }
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.valve.poll(cx));
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let packet = &bytes[..bytes.len().min(PACKET)];
        Pin::new(&mut self.stream).poll_write(cx, packet)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
