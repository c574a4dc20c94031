use super::incoming_message::IncomingMessage;
use crate::{
    description::ServiceDescription,
    engine::serve::{Dispatch, ReceivedPayload},
};

/// A service that `#[sockety::service]` generated from a trait, such as `MediaServer`.
///
/// Code outside generated code cannot implement it, and has no reason to: messages that no trait
/// describes are handled by a [`MessageHandler`](crate::serve::handler::MessageHandler). Several
/// services on one connection make a [`Router`](crate::serve::router::Router).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a generated service",
    note = "pass the generated server, such as `MediaServer::new(implementation)`, or a `MessageHandler`"
)]
pub trait Service: Send + Sync + 'static {
    /// The description of the service: its name, its actions, their parameters and results.
    fn description(&self) -> &'static ServiceDescription;

    /// Handles a message; `action` is an index into [`ServiceDescription::actions`].
    ///
    /// It decodes what it needs before it returns; the future borrows nothing of the message.
    #[doc(hidden)]
    fn dispatch(&self, action: usize, message: IncomingMessage<ReceivedPayload<'_>>) -> Dispatch;
}
