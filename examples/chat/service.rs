//! What server and client of the chat may ask of each other, as the TypeScript chat has it on the wire.

/// What a client asks of the server.
///
/// Only its client and its requests are used. A typed server would answer a name that is taken with an error of its own,
/// and those have codes from 16 on; the TypeScript chat answers with code 4, Bad Request. So the server matches
/// [`ChatRequest`], and chooses the codes itself.
#[sockety::service]
pub trait Chat {
    /// Gives the caller another name.
    async fn name(&self, name: String);

    /// Says something to everybody.
    async fn broadcast(&self, content: String);
}

/// What the server tells its clients. One-way: it waits for nobody.
#[sockety::service]
pub trait Screen {
    /// The name that this client has now.
    #[action(one_way)]
    async fn login(&self, name: String);

    /// The names of all who are there.
    #[action(one_way)]
    async fn users(&self, names: Vec<String>);

    /// Somebody has said something. Several parameters travel as one map, so this is `{ date, author, content }`.
    #[action(one_way)]
    async fn chat(&self, date: String, author: String, content: String);

    /// Something has happened: `{ date, content }`.
    #[action(one_way)]
    async fn system(&self, date: String, content: String);
}

/// A name that somebody may have: 3 to 50 letters, digits, `_` and `-`.
#[derive(Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    pub fn new(name: String) -> Option<Self> {
        let is_allowed = |letter: u8| letter.is_ascii_alphanumeric() || b"_-".contains(&letter);
        let is_name = (3..=50).contains(&name.len()) && name.bytes().all(is_allowed);
        is_name.then_some(Self(name))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}
