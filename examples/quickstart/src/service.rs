//! What the two sides can ask of each other. Both compile this file; they need to agree on nothing
//! else.

use serde::{Deserialize, Serialize};
use sockety::{Context, ServiceError};

/// What the server does. `#[service]` generates `IndexServer` and `IndexClient` from it.
#[sockety::service(prefix = "index.")]
pub trait Index {
    /// Adds the next part of a text. The first part replaces the text with that name.
    ///
    /// Meanwhile the server calls [`Progress`] on the caller. `cx` identifies the caller, and is
    /// not sent.
    async fn add(&self, cx: &Context, part: Part) -> Result<Size, IndexError>;

    /// Returns the most frequent words with at least `letters` letters.
    async fn frequent(&self, letters: u32, count: u32) -> Vec<Frequency>;

    /// Returns lines that contain a word, with lines around them.
    async fn search(&self, query: Query) -> Result<Found, IndexError>;

    /// Adds a line to the server's log. One-way: the caller does not wait for an answer.
    #[action(one_way)]
    async fn note(&self, cx: &Context, text: String);
}

/// What a client does for its server, over the same connection.
#[sockety::service(prefix = "progress.")]
pub trait Progress {
    /// Reports that this many more tenths of the current text are indexed.
    async fn indexed(&self, tenths: u32);
}

/// Complete lines of a text. Large texts come in several parts, so that no call is large.
#[derive(Serialize, Deserialize)]
pub struct Part {
    pub name: String,
    pub text: String,
    /// Number of lines of the text before this part.
    pub lines_before: u32,
    /// Number of lines of the whole text.
    pub lines: u32,
}

/// What the index stores about one text.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Size {
    pub lines: u32,
    pub words: u32,
}

#[derive(Serialize, Deserialize)]
pub struct Frequency {
    pub word: String,
    pub count: u32,
}

#[derive(Serialize, Deserialize)]
pub struct Query {
    pub word: String,
    /// Number of lines to show before and after.
    pub context: u32,
    /// The most places to show.
    pub at_most: u32,
}

#[derive(Serialize, Deserialize)]
pub struct Found {
    /// Number of lines with the word, shown or not.
    pub total: u32,
    pub hits: Vec<Hit>,
}

#[derive(Serialize, Deserialize)]
pub struct Hit {
    pub name: String,
    /// Number of the first line, from 1.
    pub first: u32,
    /// Which of the lines contains the word, from 0.
    pub hit: u32,
    pub lines: Vec<String>,
}

/// Why the server refuses a call. `#[error]` belongs to thiserror; without it, the doc comment is
/// the text.
#[derive(Debug, Serialize, Deserialize, ServiceError, thiserror::Error)]
pub enum IndexError {
    /// Has no data, so only the code is sent: 18 bytes.
    #[code(16)]
    #[error("no text has this word")]
    NotFound,
    /// Has data, which is sent too.
    #[code(17)]
    #[error("a word has {min} to {max} letters, not {letters}")]
    NotAWord { letters: u32, min: u32, max: u32 },
    #[code(18)]
    #[error("the index has room for {limit} bytes, of which {used} are taken")]
    Full { used: u64, limit: u64 },
    #[code(19)]
    #[error("another client sent a text of this name at the same time")]
    Overtaken,
}
