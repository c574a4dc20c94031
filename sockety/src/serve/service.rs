use super::delivery::Delivery;
use crate::{description::ServiceDescription, engine::serve::Dispatch};

/// What answers the actions of a connection; `#[sockety::service]` generates implementations, and only those can take a
/// [`Delivery`] apart. What is written by hand is a [`MessageHandler`](crate::serve::handler::MessageHandler).
///
/// Services are put together in a [`Router`](crate::serve::router::Router).
pub trait Service: Send + Sync + 'static {
    /// What it is, and its actions with their names.
    fn description(&self) -> &'static ServiceDescription;

    /// The handling of a message; `action` is an index into [`ServiceDescription::actions`].
    ///
    /// What it needs of the delivery it takes out at once; the future has no part in it.
    fn dispatch(&self, action: usize, delivery: Delivery<'_>) -> Dispatch;
}
