use std::{error::Error, io, process::ExitCode, time::Duration};

use serde_json::{Value as Json, json};
use sockety::{
    FastReply, Outcome,
    error::{ConnectError, ConnectProblem, RequestError, SendError, SourceError, chain},
};

/// Exit codes of the program. `--help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// The command did what it was asked to do.
    Done = 0,
    /// The peer answered with a code other than 0, or with an error.
    Refused = 1,
    /// The arguments are invalid.
    Usage = 2,
    /// There is no answer, and nothing ran: safe to repeat.
    NotSent = 3,
    /// Sent, but it is unknown whether it was executed.
    Unknown = 4,
    /// Executed, but the reply or part of it was lost.
    ReplyLost = 5,
    /// Something failed locally: a file, the output.
    Local = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// The exit code of a call that was answered with this code.
    pub fn of(code: FastReply) -> Self {
        match code {
            FastReply::ACCEPT => Self::Done,
            _ => Self::Refused,
        }
    }
}

/// Why the program ends before it is done.
#[derive(Debug)]
pub enum Failure {
    /// What is said about it.
    Said(Box<Said>),
    /// The reader of our output is gone, as with `| head`. That is no error.
    OutputClosed,
}

/// Why the program ends, as text and in parts.
#[derive(Debug)]
pub struct Said {
    exit: Exit,
    /// It may quote a peer: printing escapes it.
    text: String,
    action: Option<String>,
    code: Option<FastReply>,
    reason: Option<String>,
    outcome: Option<Outcome>,
}

impl Said {
    pub fn exit(&self) -> Exit {
        self.exit
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// All parts, those without a value too.
    pub fn json(&self) -> Json {
        json!({
            "type": "error",
            "action": self.action,
            "code": self.code.map(FastReply::code),
            "name": self.code.and_then(|code| code.name()),
            "reason": self.reason,
            "outcome": self.outcome.map(|outcome| outcome.to_string()),
            "exit": self.exit as u8,
            "text": self.text,
        })
    }
}

impl Failure {
    /// Creates a failure with a message, which may quote a peer.
    pub fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self::Said(Box::new(Said {
            exit,
            text: text.into(),
            action: None,
            code: None,
            reason: None,
            outcome: None,
        }))
    }

    fn with(mut self, change: impl FnOnce(&mut Said)) -> Self {
        if let Self::Said(said) = &mut self {
            change(said);
        }
        self
    }

    /// The same, with what it is about in front.
    pub fn about(self, what: &str) -> Self {
        self.with(|said| said.text = format!("{what}: {}", said.text))
    }

    /// The same, of a message with this action, unless it is known of which.
    pub fn of(self, action: &str) -> Self {
        self.with(|said| {
            said.action.get_or_insert_with(|| action.to_owned());
        })
    }

    /// The same, of a message with this outcome.
    pub fn outcome(self, outcome: Outcome) -> Self {
        self.with(|said| said.outcome = Some(outcome))
    }

    /// The peer refused a message. The text says so, too.
    pub fn refused(text: impl Into<String>, code: FastReply, reason: Option<&str>) -> Self {
        Self::new(Exit::Refused, text).with(|said| {
            said.code = Some(code);
            said.reason = reason.map(str::to_owned);
            said.outcome = Some(code.outcome());
        })
    }

    /// What it says, for code that passes it on.
    pub fn into_text(self) -> String {
        match self {
            Self::Said(said) => said.text,
            Self::OutputClosed => "the output is closed".into(),
        }
    }

    /// Something failed locally.
    pub fn local(text: impl Into<String>) -> Self {
        Self::new(Exit::Local, text)
    }

    /// The arguments are invalid.
    pub fn usage(text: impl Into<String>) -> Self {
        Self::new(Exit::Usage, text)
    }

    /// Writing to standard output failed.
    pub fn output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::local(format!("cannot write the output: {error}")),
        }
    }

    /// Something did not happen in time, to the message that `what` names; it may still happen at
    /// the peer.
    pub fn timed_out(what: &str, problem: &str, limit: Duration) -> Self {
        let limit = humantime::format_duration(limit);
        let text = format!("{what}: {problem} within {limit} ({})", Outcome::Unknown);
        Self::new(Exit::Unknown, text).outcome(Outcome::Unknown)
    }

    /// The program was asked to end before the message that `what` names was done.
    pub fn interrupted(what: &str, outcome: Outcome) -> Self {
        Self::new(exit_of(outcome), format!("{what}: interrupted ({outcome})")).outcome(outcome)
    }

    /// The message that `what` names has no reply; its outcome decides the exit code.
    pub fn request(what: &str, error: &RequestError) -> Self {
        let outcome = error.outcome();
        let text = format!("{what}: {} ({outcome})", explain(error));
        match error {
            RequestError::Source(SourceError::Read { .. } | SourceError::SizeChanged { .. }) => {
                Self::local(text)
            }
            _ => Self::new(exit_of(outcome), text),
        }
        .outcome(outcome)
    }

    /// The message that `what` names was not sent.
    pub fn unsent(what: &str, error: SendError) -> Self {
        Self::request(what, &RequestError::Send(error))
    }

    /// No connection could be made.
    pub fn connect(error: &ConnectError) -> Self {
        let exit = match error.problem() {
            ConnectProblem::Address(_) | ConnectProblem::TlsConfig(_) => Exit::Usage,
            _ => Exit::NotSent,
        };
        Self::new(exit, explain(error)).outcome(Outcome::NotSent)
    }
}

/// The exit code of a request with this outcome and without a reply.
pub fn exit_of(outcome: Outcome) -> Exit {
    match outcome {
        Outcome::NotSent | Outcome::NotExecuted => Exit::NotSent,
        Outcome::Unknown => Exit::Unknown,
        Outcome::Executed | Outcome::Replied => Exit::ReplyLost,
    }
}

/// The text of an error and of its causes.
pub fn explain(error: &dyn Error) -> String {
    chain(error).to_string()
}
