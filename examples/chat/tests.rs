//! Server and clients together, over TCP.

use std::{net::SocketAddr, time::Duration};

use sockety::{
    Connection, FastReply, File, Server,
    message::Draft,
    serve::{Message, MessageHandler},
    server::ServerHandle,
};
use tokio::{io::AsyncWriteExt, net::TcpSocket, sync::mpsc, task::JoinHandle};

use crate::{
    client::{self, Desk, Names},
    server,
    text::Look,
};

async fn start() -> (SocketAddr, ServerHandle, JoinHandle<()>) {
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let (address, handle) = (server.local_addr().unwrap(), server.handle());
    (address, handle, tokio::spawn(server::serve(server)))
}

/// A user at a terminal.
struct Person {
    typed: std::sync::mpsc::Sender<String>,
    shown: mpsc::UnboundedReceiver<String>,
    client: JoinHandle<()>,
    name: String,
}

impl Person {
    async fn join(address: SocketAddr) -> Self {
        let (typed, to_read) = std::sync::mpsc::channel();
        let (show, shown) = mpsc::unbounded_channel();
        let desk = Desk {
            read: Box::new(move |_| to_read.recv().ok()),
            show: Box::new(move |line| drop(show.send(line))),
            look: Look::Plain,
            has_echo: false,
            names: Names::default(),
        };
        let client = tokio::spawn(async move { client::run(address, desk).await.unwrap() });
        let mut person = Self {
            typed,
            shown,
            client,
            name: String::new(),
        };
        let hello = person.reads().await;
        let name = hello
            .strip_prefix("You are ")
            .and_then(|rest| rest.split('.').next());
        person.name = name.expect("a name comes first").to_owned();
        person
    }

    fn types(&self, line: &str) {
        self.typed.send(line.into()).unwrap();
    }

    /// The next line, without its time.
    async fn reads(&mut self) -> String {
        let line = self.shown.recv().await.expect("the client goes on");
        match line.split_once(' ') {
            Some((time, rest)) if time.len() == 8 && time.as_bytes()[2] == b':' => rest.to_owned(),
            _ => line,
        }
    }

    async fn is_called(&mut self, name: &str) {
        self.types(&format!("/name {name}"));
        assert_eq!(self.reads().await, format!("You are {name}."));
    }

    async fn leaves(self) {
        drop(self.typed);
        self.client.await.unwrap();
    }
}

#[tokio::test]
async fn two_people_chat() {
    let (address, handle, serving) = start().await;
    let mut ada = Person::join(address).await;
    ada.is_called("ada").await;

    let mut bob = Person::join(address).await;
    assert_eq!(ada.reads().await, format!("{}: connected", bob.name));
    let anonymous = bob.name.clone();
    bob.is_called("bob").await;
    assert_eq!(
        ada.reads().await,
        format!(r#"{anonymous}: has renamed to "bob""#)
    );

    ada.types("hello @bob");
    assert_eq!(ada.reads().await, "ada: hello @bob");
    assert_eq!(bob.reads().await, "ada: hello @bob");
    bob.types("\u{1b}[2Jboo");
    assert_eq!(ada.reads().await, r"bob: \u{1b}[2Jboo");

    bob.leaves().await;
    assert_eq!(ada.reads().await, "bob: disconnected.");
    ada.types("/users");
    assert_eq!(ada.reads().await, "ada");

    handle.stop();
    assert!(ada.reads().await.starts_with("The connection has ended: "));
    serving.await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_done_is_explained() {
    let (address, _, _) = start().await;
    let mut ada = Person::join(address).await;
    ada.is_called("ada").await;
    let mut bob = Person::join(address).await;

    bob.types("/name ada");
    assert_eq!(bob.reads().await, "ada is taken.");
    bob.types("/name no spaces");
    assert_eq!(
        bob.reads().await,
        "A name has 3 to 50 letters, digits, _ and -."
    );
    bob.types(&"x".repeat(4001));
    assert_eq!(bob.reads().await, "Not said: it is too long.");
    bob.types("/quit");
    assert_eq!(bob.reads().await, "There is no /quit: /help for commands.");
}

/// A peer that knows nothing of Rust: the test sees the bytes of its payloads.
async fn peer(address: SocketAddr) -> (Connection, mpsc::UnboundedReceiver<(String, Vec<u8>)>) {
    let (sender, received) = mpsc::unbounded_channel();
    let handler = MessageHandler::new().fallback(move |message: Message| {
        assert!(!message.expects_response());
        let _ = sender.send((message.action().to_owned(), message.payload().to_vec()));
        async {}
    });
    let connection = sockety::connect(address).serve(handler).await.unwrap();
    (connection, received)
}

async fn code(
    connection: &Connection,
    message: impl Into<sockety::message::Outgoing>,
) -> FastReply {
    let mut request = connection.send(message).await.unwrap();
    let reply = request.response().await.unwrap();
    reply.code().expect("the chat answers with codes")
}

fn text(text: &str) -> Vec<u8> {
    assert!(text.len() < 32);
    [&[0xa0 | text.len() as u8], text.as_bytes()].concat()
}

#[tokio::test]
async fn the_bytes_are_those_of_the_typescript_chat() {
    let (address, _, _) = start().await;
    let (ada, mut told) = peer(address).await;
    let (action, login) = told.recv().await.unwrap();
    let anonymous = String::from_utf8(login[1..].to_vec()).unwrap();
    assert_eq!((action.as_str(), &login), ("login", &text(&anonymous)));
    assert!(anonymous.starts_with("anon_"));
    let users = [vec![0x91], text(&anonymous)].concat();
    assert_eq!(told.recv().await.unwrap(), ("users".into(), users));

    let name = Draft::new("name").data();
    assert_eq!(
        code(&ada, name.create(text("ada"))).await,
        FastReply::ACCEPT
    );
    let users = [vec![0x91], text("ada")].concat();
    assert_eq!(told.recv().await.unwrap(), ("users".into(), users));

    let broadcast = Draft::new("broadcast").data();
    assert_eq!(
        code(&ada, broadcast.create(text("hi"))).await,
        FastReply::ACCEPT
    );
    let (action, chat) = told.recv().await.unwrap();
    // A map of three, in the order of the TypeScript server; the date has 24 characters.
    let date = [&[0x83][..], &text("date"), &[0xa0 | 24]].concat();
    let rest = [text("author"), text("ada"), text("content"), text("hi")].concat();
    assert_eq!(action, "chat");
    assert_eq!(chat[..date.len()], date);
    assert_eq!(chat[date.len() + 24..], rest);
    let date = std::str::from_utf8(&chat[date.len()..][..24]).unwrap();
    assert!(
        date.ends_with('Z') && humantime::parse_rfc3339(date).is_ok(),
        "{date}"
    );

    // One-way, as a client may send it that does not care about the answer.
    ada.pass(broadcast.create(text("hm"))).await.unwrap();
    assert!(told.recv().await.unwrap().1.ends_with(&text("hm")));

    let (bob, _told) = peer(address).await;
    let (action, system) = told.recv().await.unwrap();
    assert_eq!((action.as_str(), system[0]), ("system", 0x82));
    for name_of_bob in ["ada", "ab", "a b c", "żółw", ""] {
        let refused = code(&bob, name.create(text(name_of_bob))).await;
        assert_eq!(refused, FastReply::BAD_REQUEST, "{name_of_bob:?}");
    }
    for content in ["", "  ", "two\nlines"] {
        let refused = code(&bob, broadcast.create(text(content))).await;
        assert_eq!(refused, FastReply::BAD_REQUEST, "{content:?}");
    }
    let number = name.create(vec![7]);
    assert_eq!(code(&bob, number).await, FastReply::BAD_REQUEST);
    let with_file = name
        .create(text("bob"))
        .with_file(File::from_bytes("a", "b"));
    assert_eq!(code(&bob, with_file).await, FastReply::BAD_REQUEST);
    let unknown = code(&bob, &Draft::new("shout")).await;
    assert_eq!(unknown, FastReply::NOT_IMPLEMENTED);
}

#[tokio::test]
async fn a_peer_that_does_not_read_stops_nobody() {
    let (address, handle, _) = start().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut deaf = socket.connect(address).await.unwrap();
    // The peer's connection header, with one channel.
    deaf.write_all(&[0xe0]).await.unwrap();
    while handle.connections().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    let (ada, _told) = peer(address).await;
    let (_bob, mut told) = peer(address).await;
    // From now on, Bob receives what is said.
    assert_eq!(told.recv().await.unwrap().0, "login");
    let broadcast = Draft::new("broadcast").msgpack();
    // 12 MB: more than the outbox and the buffers of the operating system hold.
    let long = "x".repeat(4000);
    for number in 0..3000 {
        let content = format!("{number:04}{}", &long[4..]);
        assert_eq!(
            code(&ada, broadcast.create(&content)).await,
            FastReply::ACCEPT
        );
        let heard = loop {
            let (action, payload) = told.recv().await.unwrap();
            if action == "chat" {
                break payload;
            }
        };
        assert!(heard.ends_with(content.as_bytes()));
    }
    drop(deaf);
}
