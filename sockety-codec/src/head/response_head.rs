use uuid::Uuid;

use super::FilesSummary;

/// What a response announces before its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ResponseHead {
    /// The id of the message or response that is answered.
    pub parent: Uuid,
    /// The id by which replies to this response name it.
    pub id: Uuid,
    /// Whether the sender waits for a reply to this response (`packet.head.flags`).
    pub expects_response: bool,
    /// Whether a stream belongs to the response (`packet.head.flags`).
    pub has_stream: bool,
    /// Bytes of the payload, at most 2^48 - 1 (`head.payload`).
    pub payload_size: u64,
    /// The files that belong to the response.
    pub files: FilesSummary,
}

impl ResponseHead {
    /// The head of a response to `parent` that expects no reply and has no content.
    #[inline]
    pub const fn new(parent: Uuid, id: Uuid) -> Self {
        Self {
            parent,
            id,
            expects_response: false,
            has_stream: false,
            payload_size: 0,
            files: FilesSummary::NONE,
        }
    }

    /// Sets whether the sender waits for a reply.
    #[inline]
    #[must_use]
    pub const fn expecting_response(mut self, expects: bool) -> Self {
        self.expects_response = expects;
        self
    }

    /// Sets whether a stream belongs to the response.
    #[inline]
    #[must_use]
    pub const fn with_stream(mut self, has: bool) -> Self {
        self.has_stream = has;
        self
    }

    /// Sets the bytes of the payload.
    #[inline]
    #[must_use]
    pub const fn with_payload_size(mut self, bytes: u64) -> Self {
        self.payload_size = bytes;
        self
    }

    /// Sets the files that belong to the response.
    #[inline]
    #[must_use]
    pub const fn with_files(mut self, files: FilesSummary) -> Self {
        self.files = files;
        self
    }

    /// Whether a payload, files or a stream follow, so that the response occupies its channel.
    #[inline]
    pub const fn has_content(&self) -> bool {
        self.has_stream || self.payload_size != 0 || self.files.count != 0
    }
}
