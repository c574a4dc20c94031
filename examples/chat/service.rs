//! What server and client of the chat can ask of each other, with the messages of the TypeScript
//! chat.

/// What a client asks of the server.
///
/// Only its client and its requests are used. A typed server would answer a taken name with a
/// service error, and those have codes from 16 on; the TypeScript chat answers with code 4, Bad
/// Request. So the server matches [`ChatRequest`], and chooses the codes itself.
#[sockety::service]
pub trait Chat {
    /// Renames the caller.
    async fn name(&self, name: String);

    /// Says something to everybody.
    async fn broadcast(&self, content: String);
}

/// What the server tells its clients. One-way, so the server waits for no client.
#[sockety::service]
pub trait Screen {
    /// The current name of this client.
    #[action(one_way)]
    async fn login(&self, name: String);

    /// The names of all users.
    #[action(one_way)]
    async fn users(&self, names: Vec<String>);

    /// A user has said something. Several parameters are sent as one map, so this is `{ date,
    /// author, content }`.
    #[action(one_way)]
    async fn chat(&self, date: String, author: String, content: String);

    /// Something has happened: `{ date, content }`.
    #[action(one_way)]
    async fn system(&self, date: String, content: String);
}

/// A valid name: 3 to 50 letters, digits, `_` and `-`.
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
