use super::{Connection, middleware::CallMiddleware};

/// A generated client: typed methods for the actions of a service, on a connection.
pub trait ServiceClient: Clone {
    /// The client on this connection.
    fn new(connection: Connection) -> Self;

    /// Its connection.
    fn connection(&self) -> &Connection;

    /// A client on the same connection whose calls go through this middleware, and that of this client before
    /// it; see [`Connection::with`].
    fn with(&self, middleware: impl CallMiddleware) -> Self {
        Self::new(self.connection().with(middleware))
    }
}
