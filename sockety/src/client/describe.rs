use super::call_draft::CallDraft;
use crate::{
    connection::Connection,
    description::{ACTION, ServiceDescription},
    error::{call::CallError, service::NoError},
    message::typed::Content,
    payload::format::payload,
};

/// Asks the peer which services it serves.
///
/// A peer answers only if its router was set up to, with
/// [`Router::describe`](crate::serve::router::Router::describe).
///
/// # Errors
/// [`CallError::Refused`] with code 2, Not Implemented, if it was not. Otherwise the errors of any
/// call.
///
/// # Cancel safety
/// Dropping the future cancels the call.
///
/// ```no_run
/// # async fn example(connection: sockety::Connection) -> Result<(), Box<dyn std::error::Error>> {
/// for service in sockety::describe::describe(&connection).await? {
///     for action in &*service.actions {
///         tracing::info!("{}: {}", action.name, action.docs);
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub async fn describe(
    connection: &Connection,
) -> Result<Vec<ServiceDescription>, CallError<NoError>> {
    let draft = CallDraft::new(ACTION, Content::new(), |received| {
        received.payload(payload())
    });
    connection.call(draft).await
}
