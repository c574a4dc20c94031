//! Headers of messages, responses and files.

mod file_header;
mod files_summary;
pub(crate) mod identity;
pub(crate) mod layout;
mod message_head;
mod response_head;

pub use file_header::FileHeader;
pub use files_summary::FilesSummary;
pub use message_head::MessageHead;
pub use response_head::ResponseHead;

/// The head of a message or of a response, which the [`Encoder`](crate::Encoder) writes in the same
/// way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Head<'a> {
    /// Of a message.
    Message(MessageHead<'a>),
    /// Of a response.
    Response(ResponseHead),
}

impl Head<'_> {
    /// Sets whether a stream follows.
    #[inline]
    #[must_use]
    pub const fn with_stream(self, has: bool) -> Self {
        match self {
            Self::Message(head) => Self::Message(head.with_stream(has)),
            Self::Response(head) => Self::Response(head.with_stream(has)),
        }
    }

    /// Sets the bytes of the payload.
    #[inline]
    #[must_use]
    pub const fn with_payload_size(self, bytes: u64) -> Self {
        match self {
            Self::Message(head) => Self::Message(head.with_payload_size(bytes)),
            Self::Response(head) => Self::Response(head.with_payload_size(bytes)),
        }
    }

    /// Sets the files that follow.
    #[inline]
    #[must_use]
    pub const fn with_files(self, files: FilesSummary) -> Self {
        match self {
            Self::Message(head) => Self::Message(head.with_files(files)),
            Self::Response(head) => Self::Response(head.with_files(files)),
        }
    }
}

impl<'a> From<MessageHead<'a>> for Head<'a> {
    #[inline]
    fn from(head: MessageHead<'a>) -> Self {
        Self::Message(head)
    }
}

impl From<ResponseHead> for Head<'_> {
    #[inline]
    fn from(head: ResponseHead) -> Self {
        Self::Response(head)
    }
}
