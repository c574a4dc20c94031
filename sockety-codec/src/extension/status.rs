use super::malformed;
use crate::{ReplyCode, Violation, reader::Reader};

/// Why the stream that ends next ended early, or why the message that is aborted next is dropped
/// (`ext.status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status<'a> {
    /// A code like that of a fast reply; 0 if the stream ended well.
    pub code: ReplyCode,
    /// The error of the service as one MessagePack value, or nothing; at most 4,096 bytes.
    pub error: &'a [u8],
}

impl<'a> Status<'a> {
    /// The greatest length of [`error`](Self::error), in bytes.
    pub const MAX_ERROR: usize = 4_096;

    // r[impl ext.status.content]
    pub(crate) fn decode(content: &'a [u8]) -> Result<Self, Violation> {
        let mut reader = Reader::new(content);
        let code = reader.array().map(u16::from_le_bytes);
        match code.and_then(ReplyCode::new) {
            Some(code) if reader.rest().len() <= Self::MAX_ERROR => Ok(Self {
                code,
                error: reader.rest(),
            }),
            _ => Err(malformed("Status")),
        }
    }

    pub(crate) fn encode(&self, dst: &mut Vec<u8>) {
        dst.extend_from_slice(&self.code.get().to_le_bytes());
        dst.extend_from_slice(self.error);
    }
}
