//! Runs the handlers of typed services.

use std::sync::Arc;

use super::answer::Answer;
use crate::engine::{
    memory::handlers::Ran,
    pending_reply::PendingReply,
    start::{Begun, Reached, Start},
};

impl PendingReply {
    /// Runs the handler of its message, which returns the reference to the service, and sends what
    /// `answer` makes of the output.
    ///
    /// The reply is not part of the handler's future, so that it is not moved with it.
    #[inline]
    pub fn run<T, F, O, A>(
        self,
        start: Start<'_, '_>,
        service: &Arc<T>,
        handler: impl FnOnce(Arc<T>) -> F,
        answer: A,
    ) -> Begun
    where
        T: Send + Sync + 'static,
        F: Future<Output = (Arc<T>, O)> + Send + 'static,
        O: 'static,
        A: FnOnce(&Self, O) -> Answer + Send + 'static,
    {
        Begun(match start.run(service, handler) {
            Ok(Ran::Ended(output)) => {
                let answer = answer(&self, output);
                match self.send_now(answer) {
                    Ok(lease) => Reached::Ended(lease),
                    Err(sending) => Reached::Later(sending),
                }
            }
            Ok(Ran::Waits(handler)) => Reached::Waits(Box::pin(answered(self, handler, answer))),
            Err(handler) => {
                let handler = async move { handler.await.1 };
                Reached::Later(Box::pin(answered(self, handler, answer)))
            }
        })
    }
}

/// Whatever ends it early, the handler is dropped before the reply is.
async fn answered<O>(
    reply: PendingReply,
    handler: impl Future<Output = O>,
    answer: impl FnOnce(&PendingReply, O) -> Answer,
) {
    let output = handler.await;
    let answer = answer(&reply, output);
    reply.send(answer).await;
}
