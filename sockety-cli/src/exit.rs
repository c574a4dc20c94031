use std::{error::Error, io, process::ExitCode, time::Duration};

use sockety::{
    FastReply, Outcome,
    error::{ConnectError, ConnectProblem, RequestError, SendError, SourceError, chain},
};

use crate::shown::escaped;

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
    /// An exit code, and a message for standard error.
    Said(Exit, String),
    /// The reader of our output is gone, as with `| head`. That is no error.
    OutputClosed,
}

impl Failure {
    /// Creates a failure with a message, which is escaped because it may quote a peer.
    pub fn new(exit: Exit, text: impl AsRef<str>) -> Self {
        Self::Said(exit, escaped(text.as_ref()))
    }

    /// The same, with what it is about in front.
    pub fn about(self, what: &str) -> Self {
        match self {
            Self::Said(exit, text) => Self::Said(exit, format!("{}: {text}", escaped(what))),
            Self::OutputClosed => Self::OutputClosed,
        }
    }

    /// What it says, for code that passes it on.
    pub fn into_text(self) -> String {
        match self {
            Self::Said(_, text) => text,
            Self::OutputClosed => "the output is closed".into(),
        }
    }

    /// Something failed locally.
    pub fn local(text: impl AsRef<str>) -> Self {
        Self::new(Exit::Local, text)
    }

    /// The arguments are invalid.
    pub fn usage(text: impl AsRef<str>) -> Self {
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
        Self::new(Exit::Unknown, text)
    }

    /// The program was asked to end before the message that `what` names was done.
    pub fn interrupted(what: &str, outcome: Outcome) -> Self {
        Self::new(exit_of(outcome), format!("{what}: interrupted ({outcome})"))
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
        Self::new(exit, explain(error))
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
