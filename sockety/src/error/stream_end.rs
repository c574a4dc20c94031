use std::{error::Error, fmt, io, sync::Arc};

use bytes::Bytes;
use sockety_codec::{ReplyCode, extension::Status};

use super::{
    read::ReadError,
    remote::{RemoteError, read_remote},
    service::ServiceError,
};
use crate::{
    fast_reply::FastReply,
    msgpack::{
        __private::{decode_service_error, encode_service_error},
        Bounds,
    },
};

/// The error with which a sender has ended a stream of bytes: a code, and the error of the service if
/// it has data.
///
/// The sender ends the stream with
/// [`StreamWriter::end_with`](crate::content::StreamWriter::end_with) or
/// [`PipeWriter::end_with`](crate::content::PipeWriter::end_with). The reader gets all bytes that were
/// written before, and then [`ReadError::Ended`], inside the [`io::Error`]. It takes a connection that
/// [uses the extension](crate::Connection::is_extended): without it, the message is abandoned, and the
/// reader gets [`ReadError::Aborted`].
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use sockety::{ByteStream, ServiceError, error::StreamEnd};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize, ServiceError)]
/// enum ReportError {
///     /// The report was withdrawn.
///     #[code(410)]
///     Gone,
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// // As a method returns it, or as its caller reads it.
/// let (writer, mut stream) = ByteStream::pipe(1024);
/// writer.end_with(ReportError::Gone);
/// let error = stream.next_chunk().await.expect_err("an error instead of the end");
/// let end = StreamEnd::of(&error).expect("an end with an error");
/// assert_eq!(end.code().code(), 410);
/// assert_eq!(end.service::<ReportError>(), Some(ReportError::Gone));
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct StreamEnd {
    code: FastReply,
    error: Bytes,
}

impl StreamEnd {
    /// The end in the error of a reader, if it is one.
    pub fn of(error: &io::Error) -> Option<&Self> {
        match error.get_ref()?.downcast_ref()? {
            ReadError::Ended(end) => Some(end),
            _ => None,
        }
    }

    /// The code.
    pub fn code(&self) -> FastReply {
        self.code
    }

    /// The error of the service, if its type is this one and knows it.
    pub fn service<E: ServiceError>(&self) -> Option<E> {
        match self.error.is_empty() {
            true => E::from_code(self.code.code()),
            false => read_remote(&self.error, &Bounds::default()).ok()?.ok(),
        }
    }

    /// `None` if the stream has ended well.
    // r[impl ext.status.content]
    pub(crate) fn of_status(status: &Status<'_>) -> Option<Arc<Self>> {
        (status.code != ReplyCode::ACCEPT).then(|| {
            Arc::new(Self {
                code: status.code.into(),
                error: Bytes::copy_from_slice(status.error),
            })
        })
    }

    pub(crate) fn status(&self) -> Status<'_> {
        Status {
            code: self.code.reply_code(),
            error: &self.error,
        }
    }

    /// The error as far as this side can read it.
    fn remote(&self) -> Option<RemoteError> {
        if self.error.is_empty() {
            return RemoteError::coded(&[], self.code);
        }
        let parts = decode_service_error(&self.error, &Bounds::default()).ok()?;
        Some(RemoteError::named(&[], parts.name, parts.message))
    }
}

/// With its data, unless that has more than 4,096 bytes or cannot be encoded: then the code alone is
/// sent.
impl<E: ServiceError> From<E> for StreamEnd {
    fn from(error: E) -> Self {
        let variant = error.variant();
        let code = FastReply::new(variant.code).unwrap_or(FastReply::INTERNAL_ERROR);
        let mut encoded = Vec::new();
        if variant.has_details {
            let (name, message) = (&variant.name, error.to_string());
            let written = encode_service_error(name, &message, &error, &mut encoded);
            if written.is_err() || encoded.len() > Status::MAX_ERROR {
                encoded.clear();
            }
        }
        Self {
            code,
            error: encoded.into(),
        }
    }
}

/// Code 0, Accept, is a normal end.
impl From<FastReply> for StreamEnd {
    fn from(code: FastReply) -> Self {
        let error = Bytes::new();
        Self { code, error }
    }
}

impl fmt::Display for StreamEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.remote() {
            Some(error) => error.fmt(f),
            None => write!(f, "code {}", self.code),
        }
    }
}

impl Error for StreamEnd {}
