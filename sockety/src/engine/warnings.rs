//! Warnings about single messages, connections and peers: at most one in a second of each kind.
//!
//! A peer that sends bad messages all day must not fill the log, and the first of them must be in
//! it. How many were not logged is said with the next one.

use std::{
    any::Any,
    fmt,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tracing::{error, warn};

use crate::shown::{self, Shown};

/// What a warning is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Warning {
    ReplyTooLarge,
    ReplyUnencodable,
    ReplyUnsent,
    BadRequest,
    TooLarge,
    BadHeader,
    NotImplemented,
    Overloaded,
    RateLimited,
    AccessDenied,
    HandlerPanicked,
    HandlerFailed,
    HandshakeFailed,
    ConnectionRefused,
    Full,
    /// The peer broke a rule or a limit.
    Ended,
    /// The peer, or the way to it, has vanished.
    TimedOut,
    NotAuthorized,
    NoTemporaryFile,
}

impl Warning {
    const COUNT: usize = 19;

    fn text(self) -> &'static str {
        match self {
            Self::ReplyTooLarge => "reply not sent: it is too large",
            Self::ReplyUnencodable => "reply not sent: it cannot be encoded",
            Self::ReplyUnsent => "reply not sent",
            Self::BadRequest => "request refused: its parameters cannot be read",
            Self::TooLarge => "request refused: too large",
            Self::BadHeader => "request refused: its header is invalid",
            Self::NotImplemented => "request refused: nothing serves its action",
            Self::Overloaded => "request refused: too many are executing or waiting",
            Self::RateLimited => "request refused: its action is called too often",
            Self::AccessDenied => "request refused: its caller may not call the action",
            Self::HandlerPanicked => "handler panicked",
            Self::HandlerFailed => "message handler failed",
            Self::HandshakeFailed => "handshake failed",
            Self::ConnectionRefused => "connection refused",
            Self::Full => "no further connection is accepted until one ends",
            Self::Ended | Self::TimedOut => "connection ended",
            Self::NotAuthorized => "connection closed: not authorized",
            Self::NoTemporaryFile => {
                "no temporary file: set TMPDIR to a folder that can be written to"
            }
        }
    }

    /// Whether this side is to blame.
    fn is_fault(self) -> bool {
        match self {
            Self::ReplyTooLarge
            | Self::ReplyUnencodable
            | Self::ReplyUnsent
            | Self::HandlerPanicked
            | Self::HandlerFailed => true,
            Self::BadRequest
            | Self::TooLarge
            | Self::BadHeader
            | Self::NotImplemented
            | Self::Overloaded
            | Self::RateLimited
            | Self::AccessDenied
            | Self::HandshakeFailed
            | Self::ConnectionRefused
            | Self::Full
            | Self::Ended
            | Self::TimedOut
            | Self::NotAuthorized
            | Self::NoTemporaryFile => false,
        }
    }
}

/// What a panic says.
pub(crate) fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a value that is not a text")
}

/// The time between two warnings of one kind.
const PAUSE: Duration = Duration::from_secs(1);

/// When each kind was logged last. One for each server, and for each client.
#[derive(Debug, Default)]
pub(crate) struct Warnings(Mutex<[Kind; Warning::COUNT]>);

#[derive(Debug, Default)]
struct Kind {
    logged: Option<Instant>,
    suppressed: u64,
}

impl Warnings {
    /// Logs what is wrong with a message, or with its answer.
    #[cold]
    pub(crate) fn of_message(
        &self,
        warning: Warning,
        action: &str,
        peer: Option<SocketAddr>,
        reason: &dyn fmt::Display,
    ) {
        if let Some(suppressed) = self.begin(warning) {
            let (action, text) = (Shown::new(action), warning.text());
            if warning.is_fault() {
                error!(%action, peer = shown::address(peer), %reason, suppressed, "{text}");
            } else {
                warn!(%action, peer = shown::address(peer), %reason, suppressed, "{text}");
            }
        }
    }

    /// Logs what is wrong with a connection, or with its peer.
    #[cold]
    pub(crate) fn of_peer(
        &self,
        warning: Warning,
        peer: Option<SocketAddr>,
        reason: &dyn fmt::Display,
    ) {
        if let Some(suppressed) = self.begin(warning) {
            warn!(peer = shown::address(peer), %reason, suppressed, "{}", warning.text());
        }
    }

    /// How many were suppressed since the last one, if this one is to be logged.
    fn begin(&self, warning: Warning) -> Option<u64> {
        let now = Instant::now();
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = &mut kinds[warning as usize];
        let is_early = |at: Instant| now.saturating_duration_since(at) < PAUSE;
        if kind.logged.is_some_and(is_early) {
            kind.suppressed += 1;
            return None;
        }
        kind.logged = Some(now);
        Some(std::mem::take(&mut kind.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_kind_is_logged_once_a_second_with_the_number_of_those_between() {
        let warnings = Warnings::default();
        assert_eq!(warnings.begin(Warning::BadRequest), Some(0));
        assert_eq!(warnings.begin(Warning::HandshakeFailed), Some(0));
        for _ in 0..3 {
            assert_eq!(warnings.begin(Warning::BadRequest), None);
        }
        advance(PAUSE - Duration::from_millis(1)).await;
        assert_eq!(warnings.begin(Warning::BadRequest), None);
        advance(Duration::from_millis(1)).await;
        assert_eq!(warnings.begin(Warning::BadRequest), Some(4));
        assert_eq!(warnings.begin(Warning::BadRequest), None);
        advance(PAUSE).await;
        assert_eq!(warnings.begin(Warning::BadRequest), Some(1));
        assert_eq!(warnings.begin(Warning::HandshakeFailed), Some(0));
    }
}
