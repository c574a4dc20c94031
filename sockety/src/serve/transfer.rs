use std::{fmt, sync::Arc};

use crate::engine::{
    receive::intake::Intake,
    record::Record,
    transfer::{ContentBytes, TransferEnd},
};

/// Measures the files and streams of a message and of its reply; see
/// [`Incoming::transfer`](crate::serve::Incoming::transfer).
pub struct Transfer {
    record: Record,
    intake: Option<Arc<Intake>>,
}

impl Transfer {
    pub(crate) fn new(record: Record, intake: Option<&Arc<Intake>>) -> Self {
        record.measure_content();
        let intake = intake.cloned();
        Self { record, intake }
    }

    /// Whether the reply has files or a stream.
    pub(crate) fn is_sending(&self) -> bool {
        self.record.content().is_some()
    }

    /// Waits until the files and the stream of the reply have been sent, or sending them has failed.
    /// Ready at once if it has none.
    ///
    /// Call it when [`ServeNext::run`](crate::serve::ServeNext::run) is done. What handlers receive
    /// counts until then, and of several replies the first.
    ///
    /// # Cancel safety
    /// Dropping the future only ends the measuring.
    pub async fn ended(self) -> Transferred {
        // It is not kept meanwhile, because its files count among those that are open.
        let received = self.intake.map(|intake| intake.received());
        let received = received.unwrap_or_default();
        let (sent, end) = match self.record.content() {
            Some(content) => content.ended().await,
            None => (ContentBytes::default(), TransferEnd::Complete),
        };
        Transferred {
            received,
            sent,
            end,
        }
    }
}

/// What was transferred besides payloads, for one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transferred {
    /// With the message, until its handler had ended.
    pub received: ContentBytes,
    /// With the reply.
    pub sent: ContentBytes,
    /// Whether all of the reply was sent.
    pub end: TransferEnd,
}

impl fmt::Debug for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transfer").finish_non_exhaustive()
    }
}
