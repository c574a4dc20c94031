//! The actions of the endpoint under test: what they take, and what they answer.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sockety_conformance::wire::{Id, hex, message::Message};

use crate::{
    outcome::{Outcome, equal, failed, skip},
    peer::Peer,
    received::Incoming,
};

/// The code of an action that nobody serves.
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

/// What `everything` answers.
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

/// Content that shows where it was cut or put together wrongly.
pub fn content(size: usize) -> Vec<u8> {
    (0..size).map(|index| (index % 251) as u8).collect()
}

pub fn msgpack<T: Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("it can be written")
}

/// The payload of a response as a MessagePack value.
pub fn value_of<'a, T: Deserialize<'a>>(response: &'a Incoming) -> Outcome<T> {
    rmp_serde::from_slice(&response.payload)
        .map_err(|error| failed(format!("the response's payload: {error}")))
}

/// Asks for a download of files of these names and sizes.
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

/// What the endpoint is asked to do with `relay`: to send a message of that action back over the same connection, and
/// to tell what it was answered with.
#[derive(Serialize)]
pub struct Relay {
    pub action: &'static str,
    /// How many replies to wait for. None: the call is given up at once.
    pub replies: usize,
    /// With which code to answer responses that expect a reply.
    pub answer: Option<u16>,
    /// How many bytes of a stream the message carries.
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

/// What one reply to the endpoint's message was, as the endpoint tells.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Told {
    pub code: Option<u16>,
    pub data: Option<Digest>,
    pub files: Vec<FileDigest>,
    pub stream: Option<Digest>,
    /// Why there was none.
    pub error: Option<String>,
}

impl Told {
    pub fn code(code: u16) -> Self {
        Self {
            code: Some(code),
            ..Self::default()
        }
    }

    /// A response with that payload alone.
    pub fn response(payload: &[u8]) -> Self {
        Self {
            data: Some(digest(payload)),
            ..Self::default()
        }
    }
}

/// A message that the endpoint was made to send.
pub struct Relayed {
    /// Of the request that made it.
    request: Id,
    /// Of the message.
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
            None => skip("the endpoint has no action `relay`"),
        }
    }
}

fn calls(all: &crate::received::Received) -> usize {
    all.messages.iter().filter(|each| !each.is_response).count()
}

impl Relayed {
    /// The endpoint must tell that it was answered so.
    pub async fn expect(&self, peer: &Peer, expected: &[Told]) -> Outcome {
        let response = peer.expect_response(&self.request).await?;
        let found: Vec<Told> = value_of(&response)?;
        equal("what the endpoint was answered", &found[..], expected)
    }
}

/// Asks the endpoint to take a message for so many milliseconds, and to read nothing of it: `hold`.
pub fn hold(milliseconds: u64) -> Message {
    Message::ask("hold").payload(msgpack(&milliseconds))
}
