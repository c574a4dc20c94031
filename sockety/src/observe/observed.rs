//! The attributes that spans and metrics have for a call: names and values of OpenTelemetry's
//! semantic conventions for RPC, version 1.45.0.

use std::{borrow::Cow, collections::HashSet, sync::Arc};

use crate::{
    action::Action,
    connection::{
        middleware::{CallReply, CallResult},
        outgoing_call::OutgoingCall,
    },
    engine::{answered::Answered, record::Record, transfer::TransferEnd},
    error::{request::RequestError, send::SendError},
    fast_reply::FastReply,
    msgpack::__private::escaped,
    outcome::Outcome,
    serve::{
        incoming::Incoming,
        middleware::ServeNext,
        transfer::{Transfer, Transferred},
    },
    shown::prefix,
};

/// `rpc.system.name`.
pub(crate) const SYSTEM: &str = "sockety";

/// `rpc.method` of an action that is not named.
pub(crate) const OTHER: &str = "_OTHER";

/// Actions that are recorded by name although no typed service has them. All others are not: peers
/// could choose any number of names, and each would stay in the memory of the metrics collector.
#[derive(Debug, Clone, Default)]
pub(crate) struct Named(Arc<HashSet<Arc<str>>>);

impl Named {
    pub(crate) fn add<A: Into<Arc<str>>>(&mut self, actions: impl IntoIterator<Item = A>) {
        Arc::make_mut(&mut self.0).extend(actions.into_iter().map(Into::into));
    }

    /// The action of a served message, if it is named.
    pub(crate) fn of_served(&self, incoming: &Incoming, next: &ServeNext) -> Option<Action> {
        let action = incoming.action_name();
        self.of(action)
            .or_else(|| next.is_known(action).then(|| action.clone()))
    }

    /// The action of a call, if it is named.
    pub(crate) fn of_call(&self, call: &OutgoingCall) -> Option<Action> {
        self.of(&call.message().action)
    }

    fn of(&self, action: &Action) -> Option<Action> {
        match action {
            Action::Known(_) => Some(action.clone()),
            Action::Named(name) => self.0.get(name).cloned().map(Action::Named),
        }
    }
}

/// `rpc.method_original`: the name that a peer chose, escaped, and shortened if it is long.
pub(crate) fn original(action: &str) -> String {
    const LONGEST: usize = 128;
    escaped(prefix(action, LONGEST))
}

/// The result of a call without the reply itself, which goes on to the caller.
pub(crate) fn summary(result: &CallResult) -> Result<Answered, RequestError> {
    let answered = result.as_ref().map(CallReply::answered);
    answered.map_err(Clone::clone)
}

/// How a call ended, as this end knows it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// `rpc.status_code`, if there was a reply.
    pub(crate) status: Option<Cow<'static, str>>,
    /// `error.type`, if it failed.
    pub(crate) error: Option<Cow<'static, str>>,
    /// `sockety.outcome`.
    pub(crate) outcome: &'static str,
}

const SUCCESS: &str = "0";

impl Ended {
    pub(crate) fn of_call(result: &Result<Answered, RequestError>) -> Self {
        match result {
            Ok(answered) => {
                let status = status(*answered);
                let error = status.clone().filter(|status| status != SUCCESS);
                let outcome = outcome(*answered).unwrap_or("one_way");
                Self {
                    status,
                    error,
                    outcome,
                }
            }
            Err(error) => Self {
                status: None,
                error: Some(error_type(error).into()),
                outcome: outcome_name(error.outcome()),
            },
        }
    }

    fn of_served(answered: Answered, expects_response: bool, is_done: bool) -> Self {
        let status = status(answered);
        let error = match answered {
            Answered::Code(code) if is_fault(code) => status.clone(),
            _ if !is_done => Some("unfinished".into()),
            _ => None,
        };
        let unanswered = if expects_response { "kept" } else { "one_way" };
        let outcome = outcome(answered).unwrap_or(unanswered);
        Self {
            status,
            error,
            outcome,
        }
    }
}

/// A served message, until its handling has ended or was dropped.
pub(crate) struct Served {
    record: Record,
    expects_response: bool,
    /// Its handler neither panicked nor was dropped.
    is_done: bool,
    transfer: Option<Transfer>,
    /// What came of that.
    pub(crate) transferred: Option<Transferred>,
}

impl Served {
    pub(crate) fn new(incoming: &Incoming) -> Self {
        Self {
            record: incoming.begin_record(),
            expects_response: incoming.expects_response(),
            is_done: false,
            transfer: Some(incoming.transfer()),
            transferred: None,
        }
    }

    pub(crate) fn answered(&self) -> Answered {
        self.record.answered()
    }

    pub(crate) fn ended(&self) -> Ended {
        let mut ended = Ended::of_served(self.answered(), self.expects_response, self.is_done);
        let transferred = self.transferred.map(|it| it.end);
        if ended.error.is_none() && transferred == Some(TransferEnd::SourceFailed) {
            ended.error = Some("content_failed".into());
        }
        ended
    }

    /// Its handler has ended. Whether its reply has files or a stream, which are being sent.
    pub(crate) fn finish(&mut self) -> bool {
        self.is_done = true;
        self.transfer.as_ref().is_some_and(Transfer::is_sending)
    }

    /// Waits until the files and the stream of the reply have been sent.
    pub(crate) async fn transferred(&mut self) {
        if let Some(transfer) = self.transfer.take() {
            self.transferred = Some(transfer.ended().await);
        }
    }
}

fn status(answered: Answered) -> Option<Cow<'static, str>> {
    match answered {
        Answered::Nothing => None,
        Answered::Response { .. } | Answered::Code(FastReply::ACCEPT) => Some(SUCCESS.into()),
        Answered::Error { .. } => Some("error".into()),
        Answered::Code(code) => Some(code.code().to_string().into()),
    }
}

/// Whether this side is to blame. It is not for errors that a service returns, nor for messages
/// that were refused because of what they ask for.
fn is_fault(code: FastReply) -> bool {
    code.outcome() != Outcome::Replied
}

fn outcome(answered: Answered) -> Option<&'static str> {
    let outcome = match answered {
        Answered::Nothing => return None,
        Answered::Code(code) => code.outcome(),
        Answered::Response { .. } | Answered::Error { .. } => Outcome::Replied,
    };
    Some(outcome_name(outcome))
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::NotSent => "not_sent",
        Outcome::NotExecuted => "not_executed",
        Outcome::Unknown => "unknown",
        Outcome::Executed => "executed",
        Outcome::Replied => "replied",
    }
}

/// The `error.type` of a call without a reply.
fn error_type(error: &RequestError) -> &'static str {
    match error {
        RequestError::Send(error) => unsent_type(error),
        RequestError::Disconnected { .. } => "disconnected",
        RequestError::PeerGoingAway { .. } => "peer_going_away",
        RequestError::TimedOut { .. } => "timed_out",
        RequestError::ResponseLost(_) => "response_lost",
        RequestError::Source(_) => "source",
        RequestError::GivenUp { .. } => "given_up",
        RequestError::Overrun { .. } => "overrun",
    }
}

fn unsent_type(error: &SendError) -> &'static str {
    match error {
        SendError::Encode(_) => "encode",
        SendError::PayloadTooLarge { .. } => "payload_too_large",
        SendError::ActionTooLong { .. } => "action_too_long",
        SendError::TooManyFiles { .. } => "too_many_files",
        SendError::HeaderTooLarge { .. } => "header_too_large",
        SendError::TooDeep { .. } => "too_deep",
        SendError::TooManyValues { .. } => "too_many_values",
        SendError::OverActionLimit { .. } => "over_action_limit",
        SendError::Usage(_) => "usage",
        SendError::Busy { .. } => "busy",
        SendError::NoTime => "no_time",
        SendError::MetadataNotSupported { .. } => "metadata_not_supported",
        SendError::ChannelsExhausted { .. } => "channels_exhausted",
        SendError::ContentTaken => "content_taken",
        SendError::RejectedByMiddleware(_) => "rejected_by_middleware",
        SendError::Full => "full",
        SendError::NotExpected => "not_expected",
        SendError::CutOff => "cut_off",
        SendError::PeerGoingAway => "peer_going_away",
        SendError::NotConnected(_) => "not_connected",
        SendError::Disconnected { .. } => "disconnected",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(code: u16) -> Answered {
        Answered::Code(FastReply::new(code).expect("a code"))
    }

    /// Status, error on this side, outcome.
    type Said = (Option<&'static str>, Option<&'static str>, &'static str);

    #[track_caller]
    fn says(ended: &Ended, (status, error, outcome): Said) {
        assert_eq!(ended.status.as_deref(), status);
        assert_eq!(ended.error.as_deref(), error);
        assert_eq!(ended.outcome, outcome);
    }

    #[test]
    fn every_answer_has_a_status_and_an_outcome() {
        let value = Answered::Response { payload: 3 };
        let error = Answered::Error { payload: 3 };
        let called = |answered| Ended::of_call(&Ok(answered));
        says(&called(value), (Some("0"), None, "replied"));
        says(&called(code(0)), (Some("0"), None, "replied"));
        says(&called(error), (Some("error"), Some("error"), "replied"));
        says(&called(code(16)), (Some("16"), Some("16"), "replied"));
        says(&called(code(5)), (Some("5"), Some("5"), "executed"));
        let overloaded = called(code(3840));
        says(&overloaded, (Some("3840"), Some("3840"), "not_executed"));
        says(&called(Answered::Nothing), (None, None, "one_way"));
    }

    #[test]
    fn a_server_is_not_to_blame_for_what_its_callers_ask() {
        let served = |answered| Ended::of_served(answered, true, true);
        for harmless in [0, 1, 3, 4, 16, 3839] {
            assert_eq!(served(code(harmless)).error, None, "{harmless}");
        }
        for fault in [2, 5, 3840, 3841, 3842, 3845, 3846] {
            let status = Some(fault.to_string().into());
            assert_eq!(served(code(fault)).error, status, "{fault}");
        }
        let error = served(Answered::Error { payload: 3 });
        says(&error, (Some("error"), None, "replied"));
        says(&served(Answered::Nothing), (None, None, "kept"));
    }

    #[test]
    fn a_handler_that_came_to_no_end_is_an_error() {
        let one_way = Ended::of_served(Answered::Nothing, false, false);
        says(&one_way, (None, Some("unfinished"), "one_way"));
        let dropped = Ended::of_served(code(5), true, false);
        says(&dropped, (Some("5"), Some("5"), "executed"));
    }

    #[test]
    fn a_call_without_a_reply_says_why() {
        let failed = |error: RequestError| Ended::of_call(&Err(error));
        let outcome = Outcome::Unknown;
        let timed_out = failed(RequestError::TimedOut {
            peer: None,
            after: std::time::Duration::from_secs(30),
            outcome,
        });
        says(&timed_out, (None, Some("timed_out"), "unknown"));
        let full = failed(SendError::Full.into());
        says(&full, (None, Some("full"), "not_sent"));
    }
}
