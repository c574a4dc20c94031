//! Where a handle that has no fixed connection gets one for each message.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::Connection;
use crate::error::connect::ConnectError;

/// Supplies the connections that the messages of a handle are sent on.
#[async_trait]
pub(crate) trait ConnectionSource: Send + Sync {
    /// The open connection, if there is one. It neither waits nor connects.
    fn current(&self) -> Option<Connection>;

    /// Waits until there is an open connection. Dropping the future disturbs no other caller.
    ///
    /// # Errors
    /// Why there will be none without a change by people, such as to the configuration.
    async fn connection(&self) -> Result<Connection, Arc<ConnectError>>;

    /// A handle was closed: the connection that is being made is closed once it is made, and the open
    /// one is not replaced before a message needs one.
    fn on_close(&self);

    /// Why there is no connection, for a caller that waited for so long.
    fn failure(&self, after: Duration) -> Arc<ConnectError>;
}
