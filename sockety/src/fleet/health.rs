//! When servers are asked whether they serve.

use std::time::Duration;

use crate::{
    client::health::{HealthStatus, check},
    connection::Connection,
    error::{CallError, NoError, RequestError},
    fast_reply::{FastReply, FrameworkCode},
};

/// When a fleet asks its servers whether they serve: one from which nothing has come for the interval, and one that was
/// ejected before it gets calls again. One that says that it does not serve, or does not answer in time, gets no calls, and is asked
/// again a second later. While no other server is ready, one that has answered gets calls all the same.
///
/// The question is the action `$sockety.health`. A server that does not know it serves.
#[derive(Debug, Clone)]
pub struct Health {
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    pub(super) is_on: bool,
}

impl Default for Health {
    /// Every 10 s, with an answer within 5 s.
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(5),
            is_on: true,
        }
    }
}

impl Health {
    /// Only servers that were ejected are asked.
    pub fn off() -> Self {
        Self {
            is_on: false,
            ..Self::default()
        }
    }

    /// Sets after which time without a byte a server is asked, 10 s by default. It is counted in whole seconds, at least 1.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(Duration::from_secs(1));
        self
    }

    /// Sets how long an answer may take, 5 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

/// What a server says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Serving,
    NotServing,
    /// There was no answer in time.
    Silent,
}

/// Asks a server whether it serves. `None` if that is not known, because its connection ends, or because it answers nothing now.
pub(super) async fn ask(connection: Connection) -> Option<Answer> {
    Answer::of(check(&connection).await)
}

impl Answer {
    fn of(status: Result<HealthStatus, CallError<NoError>>) -> Option<Self> {
        match status {
            Ok(HealthStatus::NotServing) => Some(Self::NotServing),
            Ok(HealthStatus::Serving | HealthStatus::UnknownService) => Some(Self::Serving),
            Err(CallError::Request {
                error: RequestError::TimedOut { .. },
                ..
            }) => Some(Self::Silent),
            Err(CallError::Request { .. }) => None,
            Err(CallError::Refused { code, .. }) if is_for_now(code) => None,
            // It does not know the question, and has answered.
            Err(_) => Some(Self::Serving),
        }
    }
}

/// Whether this code says only that the server answers no message now.
pub(super) fn is_for_now(code: FastReply) -> bool {
    let known = FrameworkCode::of(code);
    matches!(
        known,
        Some(FrameworkCode::Overloaded | FrameworkCode::GoingAway)
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        error::{ClosedBy, ConnectionError},
        outcome::Outcome,
    };

    fn refused(code: FastReply) -> Option<Answer> {
        Answer::of(Err(CallError::Refused {
            action: "a",
            code,
            reason: None,
            retry_after: None,
        }))
    }

    #[test]
    fn only_code_1_says_that_a_server_does_not_serve() {
        let serving = Some(Answer::Serving);
        assert_eq!(Answer::of(Ok(HealthStatus::Serving)), serving);
        let not_serving = Answer::of(Ok(HealthStatus::NotServing));
        assert_eq!(not_serving, Some(Answer::NotServing));
        assert_eq!(refused(FastReply::UNAUTHORIZED), serving);
        assert_eq!(refused(FrameworkCode::Overloaded.reply()), None);
        assert_eq!(refused(FrameworkCode::GoingAway.reply()), None);
    }

    #[test]
    fn a_connection_that_ends_says_nothing_about_its_server() {
        let failed = |error| Answer::of(Err(CallError::Request { action: "a", error }));
        let outcome = Outcome::Unknown;
        let ended = RequestError::Disconnected {
            peer: None,
            error: ConnectionError::Closed(ClosedBy::Peer),
            outcome,
        };
        assert_eq!(failed(ended), None);
        let timed_out = RequestError::TimedOut {
            peer: None,
            after: Duration::from_secs(1),
            outcome,
        };
        assert_eq!(failed(timed_out), Some(Answer::Silent));
    }
}
