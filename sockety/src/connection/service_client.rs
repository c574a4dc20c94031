use super::{Connection, middleware::CallMiddleware};

/// A generated client: typed methods for the actions of a service, on a connection.
pub trait ServiceClient: Clone {
    /// A client on this connection, with the middleware of the handle.
    fn new(connection: Connection) -> Self;

    /// The connection of this client.
    fn connection(&self) -> &Connection;

    /// A client on the same connection whose calls go through this middleware, after that of this client; see
    /// [`Connection::layer`].
    fn layer(&self, middleware: impl CallMiddleware) -> Self {
        Self::new(self.connection().layer(middleware))
    }
}
