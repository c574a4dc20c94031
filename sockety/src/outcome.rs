/// What is known about a request after it failed: whether the peer may have executed it.
///
/// Every error of a call carries exactly one, see [`CallError::outcome`](crate::CallError::outcome)
/// and [`RequestError::outcome`](crate::RequestError::outcome).
///
/// | outcome | the peer's handler | safe to send again |
/// | --- | --- | --- |
/// | `NotSent` | did not run: no byte of the message was handed to the socket | yes |
/// | `NotExecuted` | did not run: the peer said so | yes |
/// | `Unknown` | ran once or not at all, perhaps still runs | only if idempotent |
/// | `Executed` | ran, but its answer was lost or could not be read | no |
/// | `Replied` | ran and answered | – |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// No byte of the message was handed to the socket.
    NotSent,
    /// The peer refused the message before running a handler.
    NotExecuted,
    /// At least one byte left, and no final reply came.
    Unknown,
    /// The handler ran, but what it answered is lost or unreadable.
    Executed,
    /// A complete reply arrived.
    Replied,
}

impl Outcome {
    /// Whether sending the same message again cannot make it run twice.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::NotSent | Self::NotExecuted)
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotSent => "not sent",
            Self::NotExecuted => "not executed",
            Self::Unknown => "unknown whether it was executed",
            Self::Executed => "executed",
            Self::Replied => "replied",
        })
    }
}
