use uuid::Uuid;

use super::FilesSummary;

/// What a response announces before its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// Whether a payload, files or a stream follow, so that the response keeps its channel.
    #[inline]
    pub const fn has_content(&self) -> bool {
        self.has_stream || self.payload_size != 0 || self.files.count != 0
    }
}
