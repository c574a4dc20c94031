//! The time to the peer and back.

use std::{sync::Arc, time::Duration};

use super::shared::Shared;
use crate::error::{connection::ConnectionError, round_trip::RoundTripError};

/// Waits for the answer to a ping: the one that is under way, or a new one.
///
/// Cancel safe: the answer is then there for the next.
pub(crate) async fn measure(shared: &Shared) -> Result<Duration, RoundTripError> {
    if !shared.is_extended {
        return Err(RoundTripError::NotSupported);
    }
    let number = shared.change(|state| match state.ended() {
        None => Ok(state.pings.get_or_insert_default().send(&mut state.outbox)),
        Some(error) => Err(disconnected(shared, error)),
    })?;
    loop {
        let mut notified = std::pin::pin!(shared.ended.notified());
        // Registered before the state is read, so that a change in between is not missed.
        notified.as_mut().enable();
        if let Some(result) = result(shared, number) {
            return result;
        }
        notified.await;
    }
}

/// `None` while the peer has not answered this ping.
fn result(shared: &Shared, number: u64) -> Option<Result<Duration, RoundTripError>> {
    let state = shared.lock();
    let measured = state.pings.as_ref();
    if let Some(took) = measured.and_then(|pings| pings.measured(number)) {
        return Some(Ok(took));
    }
    Some(Err(disconnected(shared, state.ended()?)))
}

fn disconnected(shared: &Shared, error: ConnectionError) -> RoundTripError {
    let peer = shared.peer.peer_addr.map(Arc::new);
    RoundTripError::Disconnected { peer, error }
}
