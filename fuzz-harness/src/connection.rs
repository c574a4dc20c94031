//! One of our connections, whose peer says and does anything at any time, as its own user does: it stays within its memory, what it
//! writes is legal, and when it ends, everything ends.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use arbitrary::Unstructured;
use sockety::{
    ByteStream, Connection, FastReply, Options,
    config::Limits,
    content::StreamWriter,
    message::{Draft, Request, ResponseDraft},
    serve::{Message, MessageHandler},
};
use sockety_codec::{
    ChannelCount, ChannelId, Decoder, Encoder, Event, FileHeader, FileIndex, FilesSummary,
    MessageHead, ReplyCode, ResponseHead, Uuid,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::wire::simulate;
use crate::{Said, decode, heap};

/// An input that is nothing but bytes of the peer, its connection header first.
pub(crate) const RAW: &[u8] = &[0, 0, 0xFF, 0xFF];

/// Buffers of both sides, windows, and what tasks take; below the 9 MiB that a connection may hold at worst. Half of it is
/// for the streams that our own user writes.
const BASE: usize = 4 * 1024 * 1024;

/// Streams of our own user, each of which waits with up to 256 KiB when the peer does not read.
const STREAMS: usize = 8;

/// A message that waits for its reply is held several times: its task, its entry, its call.
const PER_BYTE: usize = 512;

const SOON: Duration = Duration::from_millis(100);

/// Every clock has run out.
const LONG: Duration = Duration::from_secs(600);

/// Steps of one input.
const MANY: usize = 400;

const PIPE: usize = 64 * 1024;

const ACTIONS: [&str; 9] = [
    "ping",
    "echo",
    "hold",
    "slow",
    "drop",
    "read",
    "neglect",
    "relay",
    "unheard of",
];

pub(crate) fn serving(data: &[u8]) {
    heap::check(BASE + PER_BYTE * data.len(), || run(data, 0));
}

pub(crate) fn calling(data: &[u8]) {
    heap::check(BASE + PER_BYTE * data.len(), || run(data, 3));
}

fn run(data: &[u8], calls: usize) {
    simulate(async {
        let mut input = Unstructured::new(data);
        // Some begin with their own connection header.
        let header: &[u8] = match input.arbitrary::<u8>().unwrap_or_default() {
            0 => &[],
            1 => &[0xE0],
            _ => &[0xE2, 0x00, 0x01],
        };
        let mut site = Site::new(header);
        for _ in 0..calls {
            site.call();
        }
        let mut steps = 0;
        while !input.is_empty() && steps < MANY && site.step(&mut input).await.is_ok() {
            steps += 1;
        }
        site.end().await;
    });
}

/// The peer, and our connection at the other end.
struct Site {
    connection: watch::Receiver<Option<Connection>>,
    write: WriteHalf<DuplexStream>,
    /// What the peer sent.
    sent: Vec<u8>,
    encoder: Encoder,
    ids: u128,
    streams: usize,
    /// What the peer has read.
    read: Arc<Mutex<Written>>,
    reading: watch::Sender<bool>,
    reader: JoinHandle<()>,
    /// What waits for something of the connection.
    waiting: Vec<JoinHandle<()>>,
}

impl Site {
    fn new(header: &[u8]) -> Self {
        let (near, far) = duplex(PIPE);
        let (established, connection) = watch::channel(None);
        let establish = tokio::spawn(async move {
            if let Ok(new) = Connection::over(near, serve(), Options::default()).await {
                established.send_replace(Some(new));
            }
        });
        let (from, write) = tokio::io::split(far);
        let read = Arc::new(Mutex::new(Written::new()));
        let reading = watch::Sender::new(true);
        let reader = tokio::spawn(collect(from, Arc::clone(&read), reading.subscribe()));
        Self {
            connection,
            write,
            sent: header.to_vec(),
            encoder: Encoder::new(ChannelCount::MAX),
            ids: 0,
            streams: 0,
            read,
            reading,
            reader,
            waiting: vec![establish],
        }
        .greet(header)
    }

    fn greet(mut self, header: &[u8]) -> Self {
        let wrote = futures_util::FutureExt::now_or_never(self.write.write_all(header));
        assert!(matches!(wrote, Some(Ok(()))), "there is room for a header");
        self
    }

    async fn step(&mut self, input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        match input.arbitrary::<u8>()? % 20 {
            0..3 => {
                let length = usize::from(input.arbitrary::<u16>()?).min(input.len());
                let bytes = input.bytes(length)?;
                self.send(bytes).await;
            }
            3..6 => self.message(input).await?,
            6..9 => self.content(input).await?,
            9 => sleep(Duration::from_millis(input.arbitrary::<u16>()?.into())).await,
            10 => drop(self.reading.send_replace(input.arbitrary()?)),
            11 | 12 => self.reply(input).await?,
            13..15 => self.call(),
            15 => self.pass(input.arbitrary()?),
            16 => self.give_up(input.arbitrary()?),
            17 => self.shut_down(input.arbitrary()?),
            _ => sleep(Duration::from_millis(1)).await,
        }
        Ok(())
    }

    /// As much as is taken; a connection that does not read is left alone.
    async fn send(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = timeout(Duration::from_secs(1), self.write.write(rest)).await;
            let Ok(Ok(count @ 1..)) = written else {
                return;
            };
            self.sent.extend_from_slice(&rest[..count]);
            rest = &rest[count..];
        }
    }

    async fn message(&mut self, input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let action = ACTIONS[usize::from(input.arbitrary::<u8>()?) % ACTIONS.len()];
        let kind = input.arbitrary::<u8>()?;
        let size = u64::from(input.arbitrary::<u8>()?);
        self.ids += 1;
        let head = MessageHead::new(
            Uuid::from_u128(0x5005_0000_0000_4000_8000_0000_0000_0000 | self.ids),
            action,
        )
        .expecting_response(kind & 1 == 1)
        .with_stream(kind & 2 == 2)
        .with_payload_size(size / 2);
        let files: &[FileHeader<'_>] = match kind & 4 {
            0 => &[],
            _ => &[FileHeader::new("a", size)],
        };
        let head = head.with_files(FilesSummary::of(files).unwrap_or_default());
        let mut bytes = Vec::new();
        // When it cannot be written now, nothing is.
        let _ = self
            .encoder
            .begin(&mut bytes, channel(kind >> 4), head, files);
        self.send(&bytes).await;
        Ok(())
    }

    async fn content(&mut self, input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let on = channel(input.arbitrary()?);
        let size = u32::from(input.arbitrary::<u8>()?);
        let mut bytes = Vec::new();
        let (encoder, dst) = (&mut self.encoder, &mut bytes);
        let (result, size) = match input.arbitrary::<u8>()? % 7 {
            0 => (encoder.data(dst, on, size), size),
            1 => (encoder.stream(dst, on, size), size),
            2 => (encoder.stream(dst, on, 257 * size), 257 * size),
            3 => (encoder.file(dst, on, FileIndex::ZERO, size), size),
            4 => (encoder.stream_end(dst, on), 0),
            5 => (encoder.file_end(dst, on, FileIndex::ZERO), 0),
            _ => (encoder.abort(dst, on), 0),
        };
        if result.is_ok() {
            encoder.reuse(on);
            bytes.resize(bytes.len() + size as usize, 0x81);
            self.send(&bytes).await;
        }
        Ok(())
    }

    /// Replies to a request that was read.
    async fn reply(&mut self, input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        sleep(Duration::from_millis(1)).await;
        let (nth, kind) = input.arbitrary::<(u8, u8)>()?;
        let asked: Vec<Uuid> = {
            let read = self.read.lock().expect("no panic");
            read.events.iter().filter_map(asks).collect()
        };
        let Some(parent) = asked.get(usize::from(nth) % asked.len().max(1)) else {
            return Ok(());
        };
        self.ids += 1;
        let head = ResponseHead::new(*parent, Uuid::from_u128(self.ids))
            .expecting_response(kind & 1 == 1)
            .with_stream(kind & 2 == 2)
            .with_payload_size(u64::from(kind >> 5));
        let mut bytes = Vec::new();
        match kind & 4 {
            0 => {
                let code = ReplyCode::new(input.arbitrary::<u16>()? % 4096);
                self.encoder
                    .fast_reply(&mut bytes, *parent, code.expect("12 bits"));
            }
            _ => {
                let on = channel(kind >> 3);
                let _ = self.encoder.begin(&mut bytes, on, head, &[]);
            }
        }
        self.send(&bytes).await;
        Ok(())
    }

    fn call(&mut self) {
        let mut established = self.connection.clone();
        self.waiting.push(tokio::spawn(async move {
            let Some(connection) = connection(&mut established).await else {
                return;
            };
            if let Ok(request) = connection.send(Draft::new("a call").create()).await {
                drop(connection);
                answer(request).await;
            }
        }));
    }

    /// Sends a message with a stream that is written bit by bit.
    fn pass(&mut self, chunks: u8) {
        if self.streams == STREAMS {
            return;
        }
        self.streams += 1;
        let mut established = self.connection.clone();
        self.waiting.push(tokio::spawn(async move {
            let Some(connection) = connection(&mut established).await else {
                return;
            };
            let message = Draft::new("a stream").create().with_stream();
            if let Ok(mut sent) = connection.pass_stream(message).await {
                drop(connection);
                if let Some(stream) = sent.take_writer() {
                    write(stream, chunks).await;
                }
                drop(sent.sent().await);
            }
        }));
    }

    fn shut_down(&mut self, seconds: u8) {
        let mut established = self.connection.clone();
        self.waiting.push(tokio::spawn(async move {
            if let Some(connection) = connection(&mut established).await {
                let limit = Duration::from_secs(u64::from(seconds % 64));
                connection.shutdown(limit).await;
            }
        }));
    }

    fn give_up(&mut self, which: u8) {
        if let Some(waiting) = self.waiting.get(1 + usize::from(which)) {
            waiting.abort();
        }
    }

    /// The peer is gone.
    async fn end(mut self) {
        self.reading.send_replace(true);
        sleep(Duration::from_millis(1)).await;
        drop(self.write.shutdown().await);
        let established = self.connection.borrow().clone();
        if let Some(connection) = established {
            let closed = timeout(LONG, connection.closed()).await;
            closed.expect("the connection ends");
        }
        for waiting in self.waiting {
            let result = timeout(SOON, waiting).await.expect("whoever waits is told");
            assert!(result.is_ok() || result.is_err_and(|error| error.is_cancelled()));
        }
        drop(self.connection);
        timeout(SOON, self.reader)
            .await
            .expect("the link is closed")
            .expect("no panic");
        let read = self.read.lock().expect("no panic");
        check_written(&read, &self.sent);
    }
}

/// What the connection wrote, without the content.
struct Written {
    decoder: Decoder,
    events: Vec<Said>,
    highest: ChannelId,
}

impl Written {
    fn new() -> Self {
        Self {
            decoder: Decoder::new(Limits::WIRE),
            events: Vec::new(),
            highest: ChannelId::ZERO,
        }
    }

    /// Fails when it is not legal.
    fn take(&mut self, mut bytes: &[u8]) {
        while let Some(event) = self.decoder.decode(&mut bytes).expect("it is legal") {
            match event {
                Event::Message { channel, .. } | Event::Response { channel, .. } => {
                    self.highest = self.highest.max(channel);
                    self.events.push(event.into());
                }
                Event::FastReply { .. } => self.events.push(event.into()),
                Event::Refused { refusal, .. } => panic!("it is refused: {}", refusal.reason),
                _ => {}
            }
        }
    }
}

/// It answers only what was asked, on channels that the peer has.
fn check_written(ours: &Written, sent: &[u8]) {
    let peer = decode(Limits::default(), sent);
    let Some(Said::Header { channels }) = peer.events.first() else {
        assert!(ours.events.is_empty(), "it knows no channels");
        return;
    };
    assert!(ours.highest.get() < *channels);
    let asked: Vec<Uuid> = peer.events.iter().filter_map(asks).collect();
    let mut codes = Vec::new();
    for event in &ours.events {
        match event {
            Said::FastReply { id, .. } => codes.push(*id),
            Said::Head {
                parent: Some(parent),
                ..
            } => assert!(asked.contains(parent), "{parent} did not ask"),
            _ => {}
        }
    }
    for id in &codes {
        let count = |ids: &[Uuid]| ids.iter().filter(|other| *other == id).count();
        assert!(count(&codes) <= count(&asked), "{id} is answered too often");
    }
}

/// The id of what waits for a reply.
fn asks(event: &Said) -> Option<Uuid> {
    match event {
        Said::Head {
            id,
            expects_response: true,
            ..
        }
        | Said::Refused {
            id,
            expects_response: true,
            ..
        } => Some(*id),
        _ => None,
    }
}

/// The connection, when it is there; nothing when it never will be.
async fn connection(established: &mut watch::Receiver<Option<Connection>>) -> Option<Connection> {
    let there = established.wait_for(Option::is_some).await.ok()?;
    there.clone()
}

/// Takes all that comes in reply.
async fn answer(request: Request) {
    let mut responses = request.responses();
    while let Some(Ok(reply)) = responses.next().await {
        let stream = reply
            .into_response()
            .and_then(|mut response| response.take_stream());
        if let Some(mut stream) = stream {
            while let Ok(Some(_)) = stream.next_chunk().await {}
        }
    }
}

async fn write(mut stream: StreamWriter, chunks: u8) {
    for _ in 0..chunks {
        if stream.write_chunk(vec![0xAB; 10_000]).await.is_err() {
            return;
        }
    }
    drop(stream.finish());
}

/// Reads to the end, and while it is let.
async fn collect(
    mut from: ReadHalf<DuplexStream>,
    read: Arc<Mutex<Written>>,
    mut reading: watch::Receiver<bool>,
) {
    let mut buffer = [0; 4096];
    while reading.wait_for(|reading| *reading).await.is_ok() {
        let Ok(count @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        read.lock().expect("no panic").take(&buffer[..count]);
    }
}

fn serve() -> MessageHandler {
    MessageHandler::new()
        .action("ping", |_| async { FastReply::ACCEPT })
        .action("echo", |message: Message| async move {
            let response = ResponseDraft::new().data();
            message
                .respond(response.create(message.payload().clone()))
                .await
        })
        .action("hold", |message: Message| async move {
            message.connection().clone().closed().await;
        })
        .action("slow", |_| async {
            sleep(Duration::from_secs(5)).await;
            FastReply::ACCEPT
        })
        .action("drop", |message| async { drop(message) })
        .action("read", |message: Message| async move {
            for mut file in message.take_files() {
                while file.next_chunk().await?.is_some() {}
            }
            if let Some(mut stream) = message.take_stream() {
                while stream.next_chunk().await?.is_some() {}
            }
            Ok::<_, std::io::Error>(FastReply::ACCEPT)
        })
        .action("neglect", |message: Message| async move {
            let kept = (message.take_files(), message.take_stream());
            sleep(Duration::from_secs(60)).await;
            drop(kept);
            FastReply::ACCEPT
        })
        .action("relay", |message: Message| async move {
            let stream = message.take_stream();
            let stream = stream.unwrap_or_else(|| ByteStream::from_reader(&[5; 100][..]));
            let response = ResponseDraft::new().create().with_stream_from(stream);
            message.respond(response).await
        })
}

/// Few channels, so that messages meet.
fn channel(number: u8) -> ChannelId {
    ChannelId::new(u16::from(number % 3)).expect("12 bits")
}
