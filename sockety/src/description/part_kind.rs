use serde::{Deserialize, Serialize};

/// How a value travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PartKind {
    /// As the payload, or an entry of it.
    Payload,
    /// As the next file.
    File,
    /// As all files that follow.
    Files,
    /// As the stream, of MessagePack values.
    Streaming,
    /// As the stream, of bytes.
    ByteStream,
}
