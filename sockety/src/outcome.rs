/// What is known about the execution of a call: whether the peer may have executed it.
///
/// Every error of a call has exactly one, see [`CallError::outcome`](crate::error::call::CallError::outcome) and
/// [`RequestError::outcome`](crate::error::request::RequestError::outcome). In the dynamic layer, a reply may be a code, which has one too:
/// [`FastReply::outcome`](crate::fast_reply::FastReply::outcome). It is a promise. The first row of this table that applies decides:
///
/// | Outcome | When | The peer's handler | Safe to call again |
/// | --- | --- | --- | --- |
/// | [`Replied`](Self::Replied) | a complete reply came: a response, an error of the service, a code not named below | as the reply says | – |
/// | [`Executed`](Self::Executed) | a response began, but was lost or cannot be read; code 5, Internal Error; this framework's 3,843, Deadline Exceeded, 3,844, Cancelled, 3,845, Slow Consumer | began, once | no |
/// | [`NotExecuted`](Self::NotExecuted) | the peer says so: code 2, Not Implemented; this framework's 3,840, Overloaded, 3,841, Going Away, 3,842, Too Large, 3,846, Bad Header, 3,847, Not Begun; [`RequestError::PeerGoingAway`](crate::error::request::RequestError::PeerGoingAway) | did not begin, and will not | yes |
/// | [`NotSent`](Self::NotSent) | no byte of the message was handed to the socket, and none will be: [`SendError`](crate::error::send::SendError); the connection ended, or the call's own time, while the message still waited | did not begin, and will not | yes |
/// | [`Unknown`](Self::Unknown) | anything else: the connection ended, time ran out or the call was dropped after a byte may have left; a file or stream of the message failed | began once or not at all, perhaps still runs | only if twice does no harm |
///
/// A message counts as sent once any byte of it may have reached the socket, because the system may deliver what it has accepted. Nothing
/// is sent while connecting.
///
/// A call that may have run is sent again only by a client that [reconnects](crate::client::Reconnecting::client) or a fleet, and only if
/// its action is idempotent. A received message is never handed to a handler twice. No message is remembered after its connection has
/// ended, so a message that is sent again counts as another one.
///
/// # What a reply says
///
/// A reply is made by the peer's application. Codes 1, 3 and 4 are [`Replied`](Self::Replied) too, as handlers may choose
/// them after they have begun. Where this framework sends them itself, no handler ran: 3, Unauthorized, for a connection that is
/// not [authorized](crate::serve::authorize::Authorize); 4, Bad Request, for parameters that cannot be read. In the same way a handler that itself answers
/// with code 2 says that it did nothing, and [middleware](crate::serve::middleware::ServeMiddleware) that answers in the place of a handler, or drops a
/// message, speaks for it.
///
/// # Calling again
///
/// - [`NotSent`](Self::NotSent): at once, on another connection if this one has ended.
/// - [`NotExecuted`](Self::NotExecuted): after pauses that grow, a limited number of times. Not Implemented and Too Large are the same next
///   time, on any connection to the same peer.
/// - [`Unknown`](Self::Unknown): only actions that may run twice, [`Call::is_idempotent`](crate::client::call::Call::is_idempotent).
/// - [`Executed`](Self::Executed) and [`Replied`](Self::Replied): do not repeat it because of the failure.
///
/// A one-way message is never answered. If [`Connection::pass`](crate::connection::Connection::pass) succeeds, the message was handed to the
/// socket; whether it arrives is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// No byte of the message was handed to the socket, nor will be.
    NotSent,
    /// The peer refused the message before running a handler.
    NotExecuted,
    /// A byte may have left, and no reply began.
    Unknown,
    /// The handler began, but its answer was lost or cannot be read, or it was ended early.
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

/// What became of a call that its caller has [cancelled](crate::client::Call::cancel). Each variant says what the
/// [`Outcome`] of the same name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled<R> {
    /// No byte of it was handed to the socket, nor will be.
    NotSent,
    /// Its handler did not begin, and will not.
    NotExecuted,
    /// Its handler began. It was dropped where it waited, unless it had ended, and its answer is lost.
    Executed,
    /// It had its reply before the peer read that it is cancelled.
    Replied(R),
    /// A byte of it may have left, and the peer does not say what became of it: it does not use the extension, or it
    /// is gone, or it was silent for 30 s.
    Unknown,
}

impl<R> Cancelled<R> {
    /// What is known, without the reply.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::NotSent => Outcome::NotSent,
            Self::NotExecuted => Outcome::NotExecuted,
            Self::Executed => Outcome::Executed,
            Self::Replied(_) => Outcome::Replied,
            Self::Unknown => Outcome::Unknown,
        }
    }

    /// The reply, if it had one.
    pub fn reply(self) -> Option<R> {
        match self {
            Self::Replied(reply) => Some(reply),
            Self::NotSent | Self::NotExecuted | Self::Executed | Self::Unknown => None,
        }
    }

    /// Without a reply. A reply that was lost says that the handler began.
    pub(crate) fn without_reply(outcome: Outcome) -> Self {
        match outcome {
            Outcome::NotSent => Self::NotSent,
            Outcome::NotExecuted => Self::NotExecuted,
            Outcome::Executed | Outcome::Replied => Self::Executed,
            Outcome::Unknown => Self::Unknown,
        }
    }
}
