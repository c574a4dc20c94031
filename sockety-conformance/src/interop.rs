//! The actions of the endpoint under test: their parameters and answers.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sockety_conformance::wire::{Id, hex, message::Message};

use crate::{
    outcome::{Outcome, equal, failed, skip},
    peer::Peer,
    received::Incoming,
};

/// The code for an unknown action.
pub const NOT_IMPLEMENTED: u16 = 2;

#[derive(Debug, PartialEq, Deserialize)]
pub struct Digest {
    pub bytes: u64,
    pub sha256: String,
}

#[derive(Debug, PartialEq, Deserialize)]
pub struct FileDigest {
    pub name: String,
    pub size: u64,
    pub sha256: String,
}

/// The answer of `everything`.
#[derive(Debug, PartialEq, Deserialize)]
pub struct Everything {
    pub data: Digest,
    pub files: Vec<FileDigest>,
    pub stream: Digest,
}

pub fn digest(content: &[u8]) -> Digest {
    Digest {
        bytes: content.len() as u64,
        sha256: hex(&Sha256::digest(content)),
    }
}

pub fn file_digest(name: &str, content: &[u8]) -> FileDigest {
    let Digest { bytes, sha256 } = digest(content);
    let name = name.to_owned();
    FileDigest {
        name,
        size: bytes,
        sha256,
    }
}

/// Content in which lost or misplaced parts are noticed.
pub fn content(size: usize) -> Vec<u8> {
    (0..size).map(|index| (index % 251) as u8).collect()
}

pub fn msgpack<T: Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("the value can be encoded")
}

/// The payload of a response as a MessagePack value.
pub fn value_of<'a, T: Deserialize<'a>>(response: &'a Incoming) -> Outcome<T> {
    rmp_serde::from_slice(&response.payload)
        .map_err(|error| failed(format!("invalid payload of the response: {error}")))
}

/// A request for files with these names and sizes.
pub fn download(files: &[(&str, u64)]) -> Message {
    #[derive(Serialize)]
    struct Wanted<'a> {
        name: &'a str,
        size: u64,
    }
    let wanted = |&(name, size)| Wanted { name, size };
    let wanted: Vec<_> = files.iter().map(wanted).collect();
    Message::ask("download").payload(msgpack(&wanted))
}

/// The answer to an upload must name these files.
pub async fn expect_upload(peer: &Peer, id: &Id, files: &[(&str, &[u8])]) -> Outcome {
    let response = peer.expect_response(id).await?;
    let found: Vec<FileDigest> = value_of(&response)?;
    let expected: Vec<_> = files
        .iter()
        .map(|(name, content)| file_digest(name, content))
        .collect();
    equal("files", found, expected)
}

/// The answer to `stream-sum` must be that of this content.
pub async fn expect_sum(peer: &Peer, id: &Id, content: &[u8]) -> Outcome {
    let response = peer.expect_response(id).await?;
    equal("stream", value_of::<Digest>(&response)?, digest(content))
}

/// The parameters of `relay`, which makes the endpoint send a message back over the same
/// connection, and report its replies.
#[derive(Serialize)]
pub struct Relay {
    pub action: &'static str,
    /// How many replies to wait for. If 0, the call is abandoned immediately.
    pub replies: usize,
    /// The code for answers to responses that expect a reply.
    pub answer: Option<u16>,
    /// The length of the message's stream, if it has one.
    pub stream: Option<u64>,
}

impl Default for Relay {
    fn default() -> Self {
        Self {
            action: "called",
            replies: 1,
            answer: None,
            stream: None,
        }
    }
}

/// The endpoint's report of one reply to its message.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Told {
    pub code: Option<u16>,
    pub data: Option<Digest>,
    pub files: Vec<FileDigest>,
    pub stream: Option<Digest>,
    /// Why there was no reply.
    pub error: Option<String>,
}

impl Told {
    pub fn code(code: u16) -> Self {
        Self {
            code: Some(code),
            ..Self::default()
        }
    }

    /// A response with only that payload.
    pub fn response(payload: &[u8]) -> Self {
        Self {
            data: Some(digest(payload)),
            ..Self::default()
        }
    }
}

/// A message that the endpoint was made to send.
pub struct Relayed {
    /// The id of the request that caused it.
    request: Id,
    /// The id of the message.
    pub id: Id,
}

impl Relay {
    /// Makes the endpoint send its message.
    pub async fn send(&self, peer: &mut Peer) -> Outcome<Relayed> {
        let before = peer.look(calls);
        let request = Message::ask("relay").payload(msgpack(self));
        peer.send(request.bytes()).await?;
        let id = peer
            .until("the endpoint's own message", |all| {
                if all.code_of(&request.id) == Some(NOT_IMPLEMENTED) {
                    return Some(None);
                }
                let call = all
                    .messages
                    .iter()
                    .filter(|each| !each.is_response)
                    .nth(before);
                call.map(|call| Some(call.head.id))
            })
            .await?;
        match id {
            Some(id) => Ok(Relayed {
                request: request.id,
                id,
            }),
            None => skip("the endpoint does not provide the action `relay`"),
        }
    }
}

fn calls(all: &crate::received::Received) -> usize {
    all.messages.iter().filter(|each| !each.is_response).count()
}

impl Relayed {
    /// The endpoint must report these replies.
    pub async fn expect(&self, peer: &Peer, expected: &[Told]) -> Outcome {
        let response = peer.expect_response(&self.request).await?;
        let found: Vec<Told> = value_of(&response)?;
        equal("the replies reported by the endpoint", &found[..], expected)
    }
}

/// A message that makes the endpoint wait for this many milliseconds without reading any of it:
/// `hold`.
pub fn hold(milliseconds: u64) -> Message {
    Message::ask("hold").payload(msgpack(&milliseconds))
}
