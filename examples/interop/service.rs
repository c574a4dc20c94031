//! What the actions take and answer, as MessagePack values, and which limits this side has.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sockety::{
    Options,
    config::{Extension, Limits},
    msgpack::Bounds,
};

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

/// Limits for MessagePack values.
pub const BOUNDS: Bounds = Bounds::new().max_items(1_000_000);

/// The payload of `relay`.
#[derive(Debug, Deserialize)]
pub struct Relay {
    pub action: String,
    pub replies: usize,
    pub answer: Option<u16>,
    pub stream: Option<u64>,
}

/// What `relay` answers for each reply.
#[derive(Debug, Default, Serialize)]
pub struct Told {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Digest>,
    pub files: Vec<FileDigest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What an endpoint accepts, and how fast its clocks run.
pub struct Profile {
    /// Use the limits for untrusted peers.
    pub has_defaults: bool,
    pub clocks: u32,
    /// Offer the extension.
    pub is_extended: bool,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            has_defaults: false,
            clocks: 1,
            is_extended: false,
        }
    }
}

impl Profile {
    pub fn options(&self) -> Options {
        let options = if self.has_defaults {
            Options::default()
        } else {
            options()
        };
        // On a busy machine, less would be no time at all.
        let least = Duration::from_secs(3);
        let seconds = |seconds| (Duration::from_secs(seconds) / self.clocks).max(least);
        let extension = match self.is_extended {
            true => Extension::Auto,
            false => Extension::Off,
        };
        options
            .extension(extension)
            .heartbeat(seconds(20))
            .idle_timeout(Some(seconds(90)))
            .header_timeout(seconds(15))
            .progress_timeout(Some(seconds(60)))
            .write_stall(seconds(30))
    }
}

/// Both sides accept everything that the tests of the protocol's limits send, so these options are
/// for trusted peers.
pub fn options() -> Options {
    // These include 4,096 channels, and names of any length that can be encoded.
    let limits = Limits::WIRE.max_payload(64 * 1024 * 1024).max_files(1024);
    Options::default()
        .limits(limits)
        .max_requests_executing(4096)
}
