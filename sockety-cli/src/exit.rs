use std::{error::Error, io, process::ExitCode};

use sockety::{
    CallError, ConnectError, FastReply, NoError, Outcome, RequestError, SendError, SourceError,
};

use crate::shown::escaped;

/// How the program ends, as scripts see it. `--help` lists these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// What was asked for is done.
    Done = 0,
    /// The peer answered with a code other than 0, or with an error.
    Refused = 1,
    /// The arguments make no sense.
    Usage = 2,
    /// Nothing was sent: repeating it is safe.
    NotSent = 3,
    /// Sent, and nobody knows whether it was executed.
    Unknown = 4,
    /// Executed, but the reply, or a part of it, is lost.
    ReplyLost = 5,
    /// Something on this side failed: a file, the output.
    Local = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// How a call that was answered with this code ends.
    pub fn of(code: FastReply) -> Self {
        match code {
            FastReply::ACCEPT => Self::Done,
            _ => Self::Refused,
        }
    }
}

/// Why the program ends before its work is done.
#[derive(Debug)]
pub enum Failure {
    /// Said on standard error.
    Said(Exit, String),
    /// Whoever read our output has gone: nothing to say, and nobody to say it to.
    OutputClosed,
}

impl Failure {
    /// With a message for people, which is escaped: it may quote a peer.
    pub fn new(exit: Exit, text: impl AsRef<str>) -> Self {
        Self::Said(exit, escaped(text.as_ref()))
    }

    /// Something on this side failed.
    pub fn local(text: impl AsRef<str>) -> Self {
        Self::new(Exit::Local, text)
    }

    /// The arguments make no sense.
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

    /// A request that got no reply, with what is known about it.
    pub fn request(error: &RequestError) -> Self {
        let outcome = error.outcome();
        let text = format!("{} ({outcome})", explain(error));
        match error {
            RequestError::Source(SourceError::Read { .. } | SourceError::SizeChanged { .. }) => {
                Self::local(text)
            }
            _ => Self::new(exit_of(outcome), text),
        }
    }
}

fn exit_of(outcome: Outcome) -> Exit {
    match outcome {
        Outcome::NotSent | Outcome::NotExecuted => Exit::NotSent,
        Outcome::Unknown => Exit::Unknown,
        Outcome::Executed | Outcome::Replied => Exit::ReplyLost,
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        let exit = match error {
            ConnectError::Address(_) | ConnectError::TlsConfig(_) => Exit::Usage,
            _ => Exit::NotSent,
        };
        Self::new(exit, explain(&error))
    }
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        Self::request(&error)
    }
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        Self::request(&RequestError::Send(error))
    }
}

impl From<CallError<NoError>> for Failure {
    fn from(error: CallError<NoError>) -> Self {
        let outcome = error.outcome();
        match error {
            CallError::Refused(_) => Self::new(Exit::Refused, explain(&error)),
            _ => Self::new(exit_of(outcome), format!("{} ({outcome})", explain(&error))),
        }
    }
}

/// An error with its causes.
pub fn explain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some errors tell their cause themselves.
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
