use bytes::Bytes;

use super::call_draft::CallDraft;
use crate::{
    connection::Connection,
    engine::health::ACTION,
    error::{call::CallError, service::NoError},
    fast_reply::FastReply,
    message::outgoing,
    payload::{encoding::Encoding, payload_bytes::PayloadBytes},
};

/// What a peer says about itself, or about one of its services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HealthStatus {
    /// New calls are welcome. Also a peer that does not know the question: code 2, Not Implemented.
    Serving,
    /// New calls are to go elsewhere: code 1.
    NotServing,
    /// The peer has no service of this name: code 4.
    UnknownService,
}

/// Asks the peer whether it is serving.
///
/// Every peer of this framework answers, before [authorization](crate::serve::router::Router::authorize)
/// and whatever else it has to do; what it says is up to its
/// [`Health`](crate::health::Health).
///
/// # Errors
/// Those of any call; [`CallError::Refused`] with another code, such as 3, Unauthorized, of a peer that
/// does not know the question.
///
/// # Cancel safety
/// Dropping the future cancels the call.
///
/// ```
/// # use sockety::{Router, health::{self, HealthStatus}, pair};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (client, _server) = pair(Router::new(), Router::new()).await?;
/// assert_eq!(health::check(&client).await?, HealthStatus::Serving);
/// assert_eq!(health::check_service(&client, "Bank").await?, HealthStatus::UnknownService);
/// # Ok(())
/// # }
/// ```
pub async fn check(connection: &Connection) -> Result<HealthStatus, CallError<NoError>> {
    ask(connection, "").await
}

/// Asks the peer whether one of its services is serving, by the name of its trait. With an empty name it
/// is the same as [`check`].
///
/// # Errors
/// Those of [`check`].
///
/// # Cancel safety
/// Dropping the future cancels the call.
pub async fn check_service(
    connection: &Connection,
    service: &str,
) -> Result<HealthStatus, CallError<NoError>> {
    ask(connection, service).await
}

async fn ask(connection: &Connection, service: &str) -> Result<HealthStatus, CallError<NoError>> {
    let name = PayloadBytes::from(Bytes::copy_from_slice(service.as_bytes()));
    let content = outgoing::Content::from(Encoding::from(name));
    let draft = CallDraft::new(ACTION, content.into(), |_| Ok(())).idempotent();
    match connection.call(draft).await {
        Ok(()) => Ok(HealthStatus::Serving),
        Err(CallError::Refused { code, .. }) if code == FastReply::NOT_IMPLEMENTED => {
            Ok(HealthStatus::Serving)
        }
        Err(CallError::Refused { code, .. }) if code == FastReply::REJECT => {
            Ok(HealthStatus::NotServing)
        }
        Err(CallError::Refused { code, .. }) if code == FastReply::BAD_REQUEST => {
            Ok(HealthStatus::UnknownService)
        }
        Err(error) => Err(error),
    }
}
