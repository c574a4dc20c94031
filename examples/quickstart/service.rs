//! What the two sides may ask of each other. Both compile this file; nothing else has to agree.

use serde::{Deserialize, Serialize};
use sockety::{Context, ServiceError};

/// What the server does. `#[service]` makes `IndexServer` and `IndexClient` of it.
#[sockety::service(prefix = "index.")]
pub trait Index {
    /// Takes the next part of a text. The first part replaces the text of that name.
    ///
    /// Meanwhile the server calls [`Progress`] on the caller: `cx` tells who that is, and does not travel.
    async fn add(&self, cx: &Context, part: Part) -> Result<Size, IndexError>;

    /// The most frequent words of at least `letters` letters.
    async fn frequent(&self, letters: u32, count: u32) -> Vec<Frequency>;

    /// Lines that have a word, with lines around them.
    async fn search(&self, query: Query) -> Result<Found, IndexError>;

    /// Says something for the server's log. One-way: the caller does not wait for an answer.
    #[action(one_way)]
    async fn note(&self, cx: &Context, text: String);
}

/// What a client does for its server, over the same connection.
#[sockety::service(prefix = "progress.")]
pub trait Progress {
    /// So many further tenths of the text that is being added are indexed.
    async fn indexed(&self, tenths: u32);
}

/// Whole lines of a text. Large texts come in several parts, so that no call is large.
#[derive(Serialize, Deserialize)]
pub struct Part {
    pub name: String,
    pub text: String,
    /// Lines of the text before this part.
    pub lines_before: u32,
    /// Lines of the whole text.
    pub lines: u32,
}

/// What the index holds of one text.
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
    /// Lines to show before and after.
    pub context: u32,
    /// How many places to show at most.
    pub at_most: u32,
}

#[derive(Serialize, Deserialize)]
pub struct Found {
    /// Lines that have the word, shown or not.
    pub total: u32,
    pub hits: Vec<Hit>,
}

#[derive(Serialize, Deserialize)]
pub struct Hit {
    pub name: String,
    /// Number of the first of the lines, from 1.
    pub first: u32,
    /// Which of the lines has the word, from 0.
    pub hit: u32,
    pub lines: Vec<String>,
}

/// Why the server refuses. `#[error]` is thiserror's; without it the doc comment is the text.
#[derive(Debug, Serialize, Deserialize, ServiceError, thiserror::Error)]
pub enum IndexError {
    /// Has no data, so all that travels is the code: 18 bytes.
    #[code(16)]
    #[error("no text has this word")]
    NotFound,
    /// Has data, which travels too.
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
