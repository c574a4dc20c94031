use uuid::Uuid;

use super::FilesSummary;

/// What a message announces before its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageHead<'a> {
    /// The id by which replies name the message. Version 4 when we send; opaque when received.
    pub id: Uuid,
    /// What the receiver is asked to do, at most 65,535 bytes.
    pub action: &'a str,
    /// Whether the sender waits for a reply (`packet.head.flags`).
    pub expects_response: bool,
    /// Whether a stream belongs to the message (`packet.head.flags`).
    pub has_stream: bool,
    /// Bytes of the payload, at most 2^48 - 1 (`head.payload`).
    pub payload_size: u64,
    /// The files that belong to the message.
    pub files: FilesSummary,
}

impl MessageHead<'_> {
    /// Whether a payload, files or a stream follow, so that the message keeps its channel.
    #[inline]
    pub const fn has_content(&self) -> bool {
        self.has_stream || self.payload_size != 0 || self.files.count != 0
    }
}
