//! Generated code names everything by its absolute path, and types as they are written.
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
}

/// Stores clips.
#[::sockety::service]
pub trait Media {
    /// Stores a clip.
    async fn upload(
        &self,
        cx: &::sockety::Context,
        title: String,
        video: ::sockety::File,
        subtitles: ::std::vec::Vec<::sockety::File>,
    ) -> ::std::result::Result<Clip, MediaError>;
    /// Stores what is in the stream.
    #[action(one_way)]
    async fn ingest(&self, source: String, id: u64, clips: ::sockety::Streaming<Clip>);
    /// Finds a clip.
    async fn download(&self, id: u64)
    -> ::std::result::Result<(Clip, ::sockety::File), MediaError>;
    /// Finds clips.
    async fn search(
        &self,
        ids: ::sockety::Streaming<u64, MediaError>,
    ) -> ::sockety::Streaming<Clip, MediaError>;
    /// Runs commands.
    async fn shell(
        &self,
        input: ::sockety::ByteStream,
    ) -> (::sockety::ByteStream, ::std::vec::Vec<::sockety::File>);
}

fn main() {}
