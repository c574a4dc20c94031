//! What the actions take and answer, as MessagePack values.

use serde::{Deserialize, Serialize};
use sockety::{Limits, Options, msgpack::Bounds};

/// The payload of `download` is an array of these.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Wanted {
    pub name: String,
    pub size: u64,
}

/// What `stream-sum` answers.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    pub bytes: u64,
    pub sha256: String,
}

/// What `upload` answers for each file.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct FileDigest {
    pub name: String,
    pub size: u64,
    pub sha256: String,
}

/// What `everything` answers.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Everything {
    pub data: Digest,
    pub files: Vec<FileDigest>,
    pub stream: Digest,
}

/// How large a MessagePack value may be.
pub const BOUNDS: Bounds = Bounds {
    depth: 64,
    items: 1_000_000,
};

/// Both sides take what a test of the protocol's borders sends, so they are for peers that are trusted.
pub fn options() -> Options {
    let limits = Limits {
        payload: 64 * 1024 * 1024,
        files: 1024,
        // Among others 4,096 channels, and names of any length that can be written.
        ..Limits::WIRE
    };
    Options::default().limits(limits).requests_executing(4096)
}
