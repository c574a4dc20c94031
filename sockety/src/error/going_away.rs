//! Why a peer ends its connection, in its own words.

use std::{fmt, time::Duration};

use sockety_codec::extension::Leave;
pub use sockety_codec::extension::LeaveReason;

/// Why and how a peer ends the connection, as it says itself.
///
/// One without the [extension](crate::config::Extension) says nothing of it: it has the reason
/// [`LeaveReason::Shutdown`], and nothing else.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GoingAway {
    /// Why it goes away.
    pub reason: LeaveReason,
    /// For how long it goes on with what it has accepted, and as a lame duck with everything. In
    /// milliseconds on the wire, at most 49 days.
    pub grace: Duration,
    /// How long it asks to wait before anybody connects to its address again; zero if it does not
    /// ask. In milliseconds on the wire, at most 49 days.
    pub retry_after: Duration,
    /// Details for people, at most 200 bytes; often empty. The peer chose it.
    pub text: Box<str>,
}

impl GoingAway {
    pub(crate) fn new(leave: &Leave<'_>) -> Self {
        Self {
            reason: leave.reason,
            grace: Duration::from_millis(leave.grace_millis.into()),
            retry_after: Duration::from_millis(leave.retry_after_millis.into()),
            text: leave.text.into(),
        }
    }

    /// Whether it does so because something is wrong.
    pub(crate) fn is_failure(&self) -> bool {
        match self.reason {
            LeaveReason::Shutdown
            | LeaveReason::Age
            | LeaveReason::Idle
            | LeaveReason::LameDuck => false,
            LeaveReason::Protocol
            | LeaveReason::Limit
            | LeaveReason::Overloaded
            | LeaveReason::Unauthorized
            | LeaveReason::Internal => true,
            // One of a later version is read as shutdown.
            _ => false,
        }
    }

    /// Whether it ends this connection only, and takes others.
    #[cfg(feature = "fleet")]
    pub(crate) fn is_for_connection(&self) -> bool {
        matches!(self.reason, LeaveReason::Age | LeaveReason::Idle)
    }

    /// Whether another connection may last longer without a change by people.
    pub(crate) fn is_passing(&self) -> bool {
        !matches!(
            self.reason,
            LeaveReason::Protocol | LeaveReason::Limit | LeaveReason::Unauthorized
        )
    }
}

impl fmt::Display for GoingAway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reason {
            LeaveReason::Age => "the connection has reached its greatest age",
            LeaveReason::Idle => "the connection was idle",
            LeaveReason::Protocol => "this side broke the protocol",
            LeaveReason::Limit => "this side exceeded a limit",
            LeaveReason::Overloaded => "the peer is overloaded",
            LeaveReason::Unauthorized => "this side is not authorized",
            LeaveReason::Internal => "the peer failed",
            LeaveReason::LameDuck => "new messages are to go elsewhere",
            _ => "the peer shuts down",
        })?;
        match &*self.text {
            "" => Ok(()),
            text => write!(f, ": {text:?}"),
        }
    }
}

impl std::error::Error for GoingAway {}
