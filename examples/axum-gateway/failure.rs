//! Converts failed calls to HTTP responses.

use std::sync::Arc;

use axum::{
    Json,
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use sockety::{
    CallError, Outcome, ServiceError,
    error::{ConnectError, RequestError, SendError, chain},
};

use crate::service::ArchiveError;

/// An error as an HTTP response: a status, and the reason as JSON.
#[derive(Debug)]
pub struct Failure {
    pub status: StatusCode,
    problem: Problem,
}

#[derive(Debug, Serialize)]
struct Problem {
    error: String,
    message: String,
}

impl Failure {
    pub fn new(status: StatusCode, error: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status,
            problem: Problem {
                error: error.into(),
                message: message.into(),
            },
        }
    }

    /// The archive cannot be reached, so nothing was sent to it.
    pub fn unreachable(message: impl Into<String>) -> Self {
        Self::new(status(Outcome::NotSent), "Unreachable", message)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let problem = Json(self.problem);
        match self.status {
            // It did not run, so it is safe to retry.
            StatusCode::SERVICE_UNAVAILABLE => {
                (self.status, [(RETRY_AFTER, "1")], problem).into_response()
            }
            status => (status, problem).into_response(),
        }
    }
}

impl From<Arc<ConnectError>> for Failure {
    fn from(error: Arc<ConnectError>) -> Self {
        Self::unreachable(chain(&*error).to_string())
    }
}

/// The framework's code for a payload or file over a limit.
const TOO_LARGE: u16 = 3842;

impl<E: ToStatus> From<CallError<E>> for Failure {
    fn from(error: CallError<E>) -> Self {
        let message = chain(&error).to_string();
        match error {
            CallError::Service(error) => {
                let message = error.to_string();
                Self::new(error.to_status(), error.variant().name.clone(), message)
            }
            CallError::Refused { code, .. } if code.code() == TOO_LARGE => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "TooLarge", message)
            }
            CallError::Request {
                error: RequestError::Send(SendError::OverActionLimit { .. }),
                ..
            } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "TooLarge", message),
            // The body from the HTTP client was incomplete.
            CallError::Request {
                error: RequestError::Source(_),
                ..
            } => Self::new(StatusCode::BAD_REQUEST, "NotWhole", message),
            error => {
                let outcome = error.outcome();
                Self::new(status(outcome), format!("{outcome:?}"), message)
            }
        }
    }
}

/// What matters to the client is whether the call may have run.
fn status(outcome: Outcome) -> StatusCode {
    match outcome {
        Outcome::NotSent | Outcome::NotExecuted => StatusCode::SERVICE_UNAVAILABLE,
        Outcome::Unknown => StatusCode::GATEWAY_TIMEOUT,
        Outcome::Executed | Outcome::Replied => StatusCode::BAD_GATEWAY,
    }
}

/// The status for each error of a service.
pub trait ToStatus: ServiceError {
    fn to_status(&self) -> StatusCode;
}

impl ToStatus for ArchiveError {
    fn to_status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Exists => StatusCode::CONFLICT,
            Self::BadName { .. } | Self::NotWhole => StatusCode::BAD_REQUEST,
            Self::DiskFailed => StatusCode::INSUFFICIENT_STORAGE,
        }
    }
}

impl ToStatus for sockety::error::NoError {
    fn to_status(&self) -> StatusCode {
        match *self {}
    }
}
