//! The first byte of a peer, looked at before it is known who reads it.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// A link of a server.
pub(crate) trait Accepted: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Waits for the first byte and leaves it where it is. `None` if the peer has closed.
    #[cfg_attr(
        not(any(feature = "_tls", feature = "proxy-protocol")),
        expect(dead_code, reason = "plain links begin with our own bytes")
    )]
    fn first_byte(&mut self) -> impl Future<Output = io::Result<Option<u8>>> + Send;
}

impl Accepted for TcpStream {
    async fn first_byte(&mut self) -> io::Result<Option<u8>> {
        let mut first = [0];
        let count = self.peek(&mut first).await?;
        Ok((count > 0).then_some(first[0]))
    }
}

#[cfg(unix)]
impl Accepted for tokio::net::UnixStream {
    async fn first_byte(&mut self) -> io::Result<Option<u8>> {
        let mut first = [0];
        let peek = || {
            let flags = rustix::net::RecvFlags::PEEK;
            let (count, _) = rustix::net::recv(&*self, &mut first, flags)?;
            Ok(count)
        };
        let count = self.async_io(tokio::io::Interest::READABLE, peek).await?;
        Ok((count > 0).then_some(first[0]))
    }
}

/// A link that is no socket: the first byte is read, and kept for the next reader.
pub(crate) struct Rewind<IO> {
    io: IO,
    first: Option<u8>,
}

impl<IO> Rewind<IO> {
    pub(crate) fn new(io: IO) -> Self {
        Self { io, first: None }
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> Accepted for Rewind<IO> {
    async fn first_byte(&mut self) -> io::Result<Option<u8>> {
        if self.first.is_none() {
            self.first = poll_fn(|cx| {
                let mut byte = [0];
                let mut buf = ReadBuf::new(&mut byte);
                ready!(Pin::new(&mut self.io).poll_read(cx, &mut buf))?;
                Poll::Ready(io::Result::Ok(buf.filled().first().copied()))
            })
            .await?;
        }
        Ok(self.first)
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Rewind<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() > 0 {
            if let Some(first) = self.first.take() {
                buf.put_slice(&[first]);
                return Poll::Ready(Ok(()));
            }
        }
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Rewind<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
