use crate::Connection;

/// A generated client: typed methods for the actions of a service, on a connection.
pub trait ServiceClient: Clone {
    /// The client on this connection.
    fn new(connection: Connection) -> Self;

    /// Its connection.
    fn connection(&self) -> &Connection;
}
