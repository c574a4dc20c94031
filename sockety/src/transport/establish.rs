//! Connections over any pair of byte streams.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use super::link::{Setup, start, within};
use crate::{
    config::{budgets::Budgets, options::Options},
    connection::Connection,
    engine::{common::Common, peer::Peer},
    error::connect::ConnectError,
    serve::router::IntoRouter,
};

impl Connection {
    /// Establishes a connection over any pair of byte streams, such as TLS, a Unix socket or a
    /// pipe.
    ///
    /// Both sides have the same role: each serves what it is given. Completes when the peer's
    /// connection header has arrived.
    ///
    /// # Errors
    /// [`ConnectError`] if the peer does not speak Sockety, sends no header within
    /// [`Options::handshake_timeout`], or has closed `io`.
    ///
    /// # Cancel safety
    /// Dropping the future drops `io`.
    ///
    /// ```
    /// # use sockety::{Connection, Options, Router};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), sockety::error::ConnectError> {
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
        run(io, serve, Common::new(options)).await
    }

    /// Like [`Connection::over`], within budgets that other connections share: a server that
    /// accepts links by itself makes one `Budgets` for all of them.
    ///
    /// # Errors
    /// Same as [`Connection::over`].
    ///
    /// # Cancel safety
    /// Dropping the future drops `io`.
    pub async fn over_within<IO>(
        io: IO,
        serve: impl IntoRouter,
        options: Options,
        budgets: Budgets,
    ) -> Result<Self, ConnectError>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut common = Common::new(options);
        common.set_budgets(budgets);
        run(io, serve, common).await
    }
}

async fn run<IO>(io: IO, serve: impl IntoRouter, common: Common) -> Result<Connection, ConnectError>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limit = common.options.handshake_timeout;
    let setup = Setup::new(Arc::new(serve.into_router()), common, drop);
    Ok(within(limit, start(io, Peer::default(), setup)).await?)
}

/// Returns the two ends of a connection in memory, for tests. Each serves what it is given.
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
