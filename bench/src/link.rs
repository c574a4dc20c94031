use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::{
    Result,
    contender::{Serving, Target},
    tls,
};

/// A socket, plain or under TLS, for contenders that bring none of their own.
pub enum Link {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

pub type Reader = Box<dyn AsyncRead + Send + Sync + Unpin>;
pub type Writer = Box<dyn AsyncWrite + Send + Sync + Unpin>;

impl Link {
    pub async fn connect(target: &Target) -> Result<Self> {
        Self::connect_to(target.address(), target).await
    }

    pub async fn connect_to(address: SocketAddr, target: &Target) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        if !target.tls {
            return Ok(Self::Plain(stream));
        }
        let connector = TlsConnector::from(tls::client(&target.certificate)?);
        let stream = connector.connect(tls::NAME.try_into()?, stream).await?;
        Ok(Self::Tls(Box::new(stream.into())))
    }

    pub fn split(self) -> (Reader, Writer) {
        match self {
            Self::Plain(stream) => {
                let (reader, writer) = stream.into_split();
                (Box::new(reader), Box::new(writer))
            }
            Self::Tls(stream) => {
                let (reader, writer) = tokio::io::split(stream);
                (Box::new(reader), Box::new(writer))
            }
        }
    }

    /// For contenders that do without TLS.
    pub fn into_plain(self) -> Result<TcpStream> {
        match self {
            Self::Plain(stream) => Ok(stream),
            Self::Tls(_) => Err("no TLS here".into()),
        }
    }
}

/// Accepts for ever, and makes a task of each connection.
pub async fn accept_each<F, R>(serving: Serving, handle: F) -> Result<()>
where
    F: Fn(Link) -> R + Clone + Send + 'static,
    R: Future<Output = Result<()>> + Send,
{
    let acceptor = match serving.tls {
        true => Some(TlsAcceptor::from(tls::server(&serving.identity)?)),
        false => None,
    };
    loop {
        let stream = accept(&serving.listener).await?;
        let (acceptor, handle) = (acceptor.clone(), handle.clone());
        tokio::spawn(async move {
            let link = match acceptor {
                Some(acceptor) => Link::Tls(Box::new(acceptor.accept(stream).await?.into())),
                None => Link::Plain(stream),
            };
            handle(link).await
        });
    }
}

pub async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

macro_rules! forward {
    ($link:ident, $stream:ident => $call:expr) => {
        match $link.get_mut() {
            Link::Plain(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
            Link::Tls(stream) => {
                let $stream = Pin::new(stream.as_mut());
                $call
            }
        }
    };
}

impl AsyncRead for Link {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        forward!(self, stream => stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        forward!(self, stream => stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        forward!(self, stream => stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, stream => stream.poll_shutdown(cx))
    }
}
