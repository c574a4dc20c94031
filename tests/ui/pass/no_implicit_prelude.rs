//! Generated code names everything by its absolute path.
#![no_implicit_prelude]
#![deny(missing_docs, warnings)]

use ::std::string::String;

/// A clip.
#[derive(::serde::Serialize, ::serde::Deserialize)]
pub struct Clip {
    id: u64,
}

/// What can go wrong.
#[derive(Debug, ::serde::Serialize, ::serde::Deserialize, ::sockety::ServiceError)]
pub enum MediaError {
    /// There is no such clip.
    #[code(16)]
    NotFound,
    /// The clip is too large.
    #[code(17)]
    TooLarge(u64),
}

/// Stores clips.
#[::sockety::service]
pub trait Media {
    /// Notes an event.
    #[action(one_way)]
    async fn track(&self, event: String);
    /// Finds a clip.
    async fn get(&self, id: u64) -> ::std::result::Result<Clip, MediaError>;
    /// Names a clip.
    async fn rename(&self, cx: &::sockety::Context, id: u64, title: String) -> bool;
    /// Removes a clip.
    async fn remove(&self, id: u64) -> ::std::result::Result<(), MediaError>;
    /// Counts the clips.
    async fn count(&self) -> usize {
        0
    }
}

fn main() {}
