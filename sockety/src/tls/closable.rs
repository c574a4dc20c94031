//! Links that the peer closes at the end of the TLS handshake.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::error::connect::is_gone;

/// A link below TLS. Until [`handshake_is_over`](Self::handshake_is_over), the errors of a link
/// that the peer has closed are kept for later: nothing more comes, and what is written is lost.
///
/// TLS reads and writes beyond the end of the handshake: it reads ahead, and a server writes
/// tickets. A client that resets the link right after its last bytes of the handshake, like
/// HAProxy's `check-ssl`, has still completed it.
pub(crate) struct Closable<IO> {
    io: IO,
    is_handshaking: bool,
    gone: Option<io::Error>,
}

impl<IO> Closable<IO> {
    pub(super) fn new(io: IO) -> Self {
        Self {
            io,
            is_handshaking: true,
            gone: None,
        }
    }

    pub(super) fn handshake_is_over(&mut self) {
        self.is_handshaking = false;
    }

    /// The first error that was kept.
    pub(super) fn into_error(self) -> Option<io::Error> {
        self.gone
    }

    /// Keeps an error, and returns a value instead.
    fn keep<T>(&mut self, result: io::Result<T>, instead: impl FnOnce() -> T) -> io::Result<T> {
        match result {
            Err(error) if self.is_handshaking && is_gone(&error) => {
                self.gone.get_or_insert(error);
                Ok(instead())
            }
            result => result,
        }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Closable<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        // Without a byte: the end.
        read.map(|read| self.keep(read, || ()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Closable<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        written.map(|written| self.keep(written, || buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        flushed.map(|flushed| self.keep(flushed, || ()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        let size = || bufs.iter().map(|buf| buf.len()).sum();
        written.map(|written| self.keep(written, size))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
