//! Messages that expect no reply.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, de::IgnoredAny};
use sockety::{ByteStream, Connection, Uuid, config::Limits, message::Draft};
use sockety_codec::{ChannelCount, ConnectionHeader, Decoder, Event, MessageHead, encode_message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Checks, Outcome, Peer, Socket, equal, expect_alive, response, write};
use crate::content;

pub(super) fn add(checks: &mut Checks) {
    checks.add("note is remembered", |connection| async move {
        note_and_look(&connection, 1).await
    });
    checks.add(
        "100 notes are remembered in order",
        |connection| async move { note_and_look(&connection, 100).await },
    );
    checks.add("one-way messages with files and streams", carrying);
    checks.add_with_peer("one-way messages are never answered", unanswered);
}

/// One of the remembered values. There may be values of others.
#[derive(Deserialize)]
#[serde(untagged)]
enum Note {
    Text(String),
    Other(IgnoredAny),
}

async fn note_and_look(connection: &Connection, count: u32) -> Outcome {
    let start = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    let sign = format!("note of {start}:");
    let sent: Vec<_> = (0..count).map(|i| format!("{sign}{i}")).collect();
    let note = Draft::new("note").msgpack::<str>();
    for text in &sent {
        connection.pass(note.create(text)).await?;
    }
    // `note` has finished before `notes`, which was sent later, reads the values.
    let notes = response(connection, &Draft::new("notes")).await?;
    let notes: Vec<Note> = notes.msgpack()?;
    let text = |note| match note {
        Note::Text(text) => Some(text).filter(|text| text.starts_with(&sign)),
        Note::Other(_) => None,
    };
    let ours: Vec<_> = notes.into_iter().filter_map(text).collect();
    equal("notes", &ours, &sent)
}

async fn carrying(connection: Connection) -> Outcome {
    let stream = || std::io::Cursor::new(content::bytes(100_000));
    for action in [
        "upload",
        "stream-sum",
        "stream-echo",
        "everything",
        "unknown",
    ] {
        let message = Draft::new(action)
            .data()
            .create(content::bytes(1000))
            .with_file(content::file("file", 100_000))
            .with_stream_from(ByteStream::from_reader(stream()));
        connection.pass(message).await?;
        // And one whose stream is written gradually.
        let mut sent = connection.pass_stream(&Draft::new(action)).await?;
        let writer = sent.take_writer().ok_or("the message has no stream")?;
        write(writer, vec![content::bytes(1000); 10]).await?;
        expect_alive(&connection).await?;
    }
    Ok(())
}

/// Uses a bare socket, because a [`Connection`] would ignore replies to messages that expect none.
async fn unanswered(peer: Peer) -> Outcome {
    const LAST: Uuid = Uuid::from_u128(0x0000_FFFF_0000_4000_8000_0000_0000_0000);
    // Not even with an error.
    let one_way: [(&str, &[u8]); 12] = [
        ("ping", b""),
        ("echo", b"\x01"),
        ("echo", b"\xC1"),
        ("raw", b"any"),
        ("code", b"\x05"),
        ("download", b"\xC1"),
        ("upload", b""),
        ("stream-sum", b""),
        ("stream-echo", b""),
        ("everything", b""),
        ("notes", b""),
        ("unknown", b"any"),
    ];
    let mut messages = Vec::new();
    for (number, (action, payload)) in (0..).zip(one_way) {
        let id = Uuid::from_u128(LAST.as_u128() | (number + 1));
        encode_message(&mut messages, head(id, action, false), payload)?;
    }
    encode_message(&mut messages, head(LAST, "ping", true), b"")?;

    let mut bare = Bare::connect(peer).await?;
    bare.socket.write_all(&messages).await?;
    bare.socket.flush().await?;
    equal("the reply", &bare.next_reply().await?, &LAST)?;
    // A reply to one of the others may arrive later.
    match tokio::time::timeout(Duration::from_millis(300), bare.next_reply()).await {
        Err(_) => Ok(()),
        Ok(more) => Err(format!("one more reply, to {}", more?).into()),
    }
}

fn head(id: Uuid, action: &str, expects_response: bool) -> MessageHead<'_> {
    MessageHead::new(id, action).expecting_response(expects_response)
}

/// A connection that shows everything that arrives.
struct Bare {
    socket: Box<dyn Socket>,
    decoder: Decoder,
}

impl Bare {
    /// Completes when the server's connection header has arrived: nothing may be sent before.
    async fn connect(peer: Peer) -> Outcome<Self> {
        let mut socket = peer.socket().await?;
        let mut header = Vec::new();
        ConnectionHeader::new(ChannelCount::ONE).encode(&mut header);
        socket.write_all(&header).await?;
        socket.flush().await?;
        let decoder = Decoder::new(Limits::WIRE);
        let mut bare = Self { socket, decoder };
        let is_header = |event: Event<'_>| matches!(event, Event::Header(_)).then_some(());
        bare.find(is_header).await?;
        Ok(bare)
    }

    /// The id of the message that the next reply names.
    async fn next_reply(&mut self) -> Outcome<Uuid> {
        self.find(|event| match event {
            Event::FastReply { id, .. } => Some(id),
            Event::Response { head, .. } => Some(head.parent),
            _ => None,
        })
        .await
    }

    async fn find<T>(&mut self, look: impl Fn(Event<'_>) -> Option<T>) -> Outcome<T> {
        loop {
            // One byte at a time, so that no bytes after an event are lost.
            let byte = [self.socket.read_u8().await?];
            let mut input = &byte[..];
            while let Some(event) = self.decoder.decode(&mut input)? {
                if let Some(found) = look(event) {
                    return Ok(found);
                }
            }
        }
    }
}
