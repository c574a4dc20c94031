use super::incoming_message::IncomingMessage;
use crate::{
    description::ServiceDescription,
    engine::{
        serve::ReceivedPayload,
        start::{Begun, OneWay, Start},
    },
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
    fn dispatch(
        &self,
        action: usize,
        message: IncomingMessage<ReceivedPayload<'_>>,
        start: Start<'_, '_>,
    ) -> Begun;

    /// Handles a one-way message. `None` leaves it to [`dispatch`](Self::dispatch): the action does not
    /// take messages this way, or its parameters could not be read.
    #[doc(hidden)]
    fn one_way(&self, action: usize, message: OneWay<'_, '_>) -> Option<Begun> {
        let _ = (action, message);
        None
    }
}
