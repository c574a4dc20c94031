//! Notes for users only: a token in the first message authorizes a connection, and middleware on
//! both sides logs what is called, by whom, and how long it takes.
//!
//! Server and client run in one process, but communicate over TCP.

use std::{
    collections::HashMap,
    error::Error,
    fmt::Display,
    io::{self, Write},
    sync::{Mutex, PoisonError},
    time::Instant,
};

use sockety::{
    Connection, Context, FastReply, Server, async_trait,
    client::{CallMiddleware, CallNext, CallResult, OutgoingCall, ServiceClient},
    error::chain,
    serve::{
        Authorization, Authorize, FirstMessage, Incoming, IntoRouter, ServeMiddleware, ServeNext,
    },
    service,
};

/// The first call of a client. No service implements it: the hook answers.
#[service]
trait Session {
    async fn auth(&self, token: String);
}

#[service]
trait Notes {
    async fn add(&self, cx: &Context, text: String) -> usize;
    async fn all(&self, cx: &Context) -> Vec<String>;
}

/// The user at the other end of a connection.
#[derive(Clone)]
struct User(String);

/// The known tokens and their users.
struct Tokens(HashMap<&'static str, User>);

#[async_trait]
impl Authorize for Tokens {
    async fn authorize(&self, first: FirstMessage) -> Authorization {
        // A method's only parameter is its payload.
        let token = first.msgpack::<String>().unwrap_or_default();
        match self.0.get(token.as_str()) {
            Some(user) if first.action() == "auth" => {
                first.extensions().insert(user.clone());
                first.accept()
            }
            _ => first.refuse(),
        }
    }
}

/// The notes of each user.
#[derive(Default)]
struct Notebook(Mutex<HashMap<String, Vec<String>>>);

impl Notebook {
    fn with<R>(&self, cx: &Context, change: impl FnOnce(&mut Vec<String>) -> R) -> R {
        let user = cx.extensions().get::<User>();
        let user = user.expect("no method runs before the hook has set the user");
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(notes.entry(user.0.clone()).or_default())
    }
}

impl Notes for Notebook {
    async fn add(&self, cx: &Context, text: String) -> usize {
        self.with(cx, |notes| {
            notes.push(text);
            notes.len()
        })
    }

    async fn all(&self, cx: &Context) -> Vec<String> {
        self.with(cx, |notes| notes.clone())
    }
}

/// Logs each call, and how long it takes.
struct Timing;

#[async_trait]
impl ServeMiddleware for Timing {
    async fn handle(&self, incoming: Incoming, next: ServeNext) {
        let user = incoming.extensions().get::<User>();
        let user = user.map_or_else(String::new, |user| user.0.clone());
        let what = format!("{user} asks {:?}", incoming.action());
        let begin = Instant::now();
        let answered = next.run(incoming).await;
        say(format_args!(
            "  server: {what}, {answered:?} in {:?}",
            begin.elapsed()
        ));
    }
}

#[async_trait]
impl CallMiddleware for Timing {
    async fn handle(&self, call: OutgoingCall, next: CallNext) -> CallResult {
        let what = format!("{:?}", call.action());
        let begin = Instant::now();
        let result = next.run(call).await;
        match &result {
            Ok(_) => say(format_args!("  client: {what} took {:?}", begin.elapsed())),
            Err(error) => say(format_args!(
                "  client: {what}, {}: {}",
                error.outcome(),
                chain(error)
            )),
        }
        result
    }
}

/// Refuses notes that would fill the server.
async fn no_novels(incoming: Incoming, next: ServeNext) {
    if incoming.payload().len() > 1000 {
        return incoming.refuse(FastReply::REJECT).await;
    }
    next.run(incoming).await;
}

/// Refuses, on the client's side, what the server should never receive.
async fn no_passwords(call: OutgoingCall, next: CallNext) -> CallResult {
    let is_secret = |part: &[u8]| part == b"password";
    if call.payload().windows(8).any(is_secret) {
        return call.reject("a note is no place for a password");
    }
    next.run(call).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let tokens = [("t0ken-of-ada", "ada"), ("t0ken-of-bob", "bob")];
    let tokens = tokens.map(|(token, name)| (token, User(name.to_owned())));
    let router = NotesServer::new(Notebook::default())
        .into_router()
        .authorize(Tokens(tokens.into()))
        .layer(Timing)
        .layer(no_novels);
    let server = Server::bind("127.0.0.1:0").await?;
    let address = server.local_addr()?;
    let handle = server.handle();
    let serving = tokio::spawn(server.serve(router));

    let connection = sockety::connect(address).await?;
    let stranger = NotesClient::new(connection.clone());
    say("Without a token:");
    say(outcome(stranger.all().await));
    say("With a wrong one:");
    say(outcome(sign_in(&connection, "t0ken-of-eve").await));

    say("With ada's:");
    say(outcome(sign_in(&connection, "t0ken-of-ada").await));
    let ada = stranger.layer(Timing).layer(no_passwords);
    say(outcome(ada.add("water the plants".into()).await));
    say(outcome(ada.add("my password is plants".into()).await));
    say(outcome(ada.add("x".repeat(2000)).await));
    say(outcome(ada.all().await));

    say("On another connection, with bob's:");
    let connection = sockety::connect(address).await?;
    say(outcome(sign_in(&connection, "t0ken-of-bob").await));
    say(outcome(NotesClient::new(connection).all().await));

    handle.stop();
    serving.await??;
    Ok(())
}

async fn sign_in(
    connection: &Connection,
    token: &str,
) -> Result<(), sockety::CallError<sockety::error::NoError>> {
    SessionClient::new(connection.clone())
        .auth(token.to_owned())
        .await
}

fn outcome<T: std::fmt::Debug, E: std::error::Error + 'static>(result: Result<T, E>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => chain(&error).to_string(),
    }
}

/// Prints a line. Unlike with `println!`, it is not a panic if the reader has gone away (`| head`).
fn say(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}
