//! The suite's end of a connection.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sockety_conformance::wire::{Id, hex, message::Message, packet};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split},
    sync::{Notify, watch},
    task::JoinHandle,
    time::{Instant, timeout},
};

use crate::{
    outcome::{Outcome, Stop, equal, fail, failed},
    received::{Closed, Incoming, Received},
    target::{Connected, Link},
};

/// How far heartbeats are apart: fewer than any limit on them.
const HEARTBEAT_PAUSE: Duration = Duration::from_millis(300);

/// What is longer is never written byte by byte.
const LARGE: usize = 2048;

/// One connection. It reads by itself whatever comes, unless it is told to pause.
pub struct Peer {
    writer: WriteHalf<Box<dyn Link>>,
    socket: socket2::Socket,
    received: Arc<watch::Sender<Received>>,
    reader: JoinHandle<()>,
    pause: Arc<Pause>,
    timeout: Duration,
    is_bytewise: bool,
}

#[derive(Default)]
struct Pause {
    is_on: AtomicBool,
    over: Notify,
}

/// What a message was answered with.
#[derive(Clone)]
pub enum Reply {
    Code(u16),
    /// A whole response.
    Response(Incoming),
}

impl Peer {
    pub fn new(connected: Connected, channels: u16, timeout: Duration) -> Self {
        let (read, writer) = split(connected.link);
        let received = Arc::new(watch::Sender::new(Received::offering(channels)));
        let pause = Arc::new(Pause::default());
        Self {
            writer,
            socket: connected.socket,
            reader: tokio::spawn(read_on(read, Arc::clone(&received), Arc::clone(&pause))),
            received,
            pause,
            timeout,
            is_bytewise: false,
        }
    }

    /// From now on each byte is written for itself, but for what is large.
    pub fn write_bytewise(&mut self) {
        self.is_bytewise = true;
    }

    pub fn received(&self) -> watch::Receiver<Received> {
        self.received.subscribe()
    }

    /// So many replies to an id are right, whatever the id says.
    pub fn allow(&self, id: Id, replies: usize) {
        self.received.send_modify(|all| {
            all.allowed.insert(id, replies);
        });
    }

    /// Looks at what has come up to now.
    pub fn look<T>(&self, look: impl FnOnce(&Received) -> T) -> T {
        look(&self.received.borrow())
    }

    /// Writes. That the endpoint has closed is noticed by who waits for something.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> Outcome {
        let bytes = bytes.as_ref();
        let is_cut = self.is_bytewise && bytes.len() <= LARGE;
        let segment = if is_cut { 1 } else { bytes.len().max(1) };
        let writing = async {
            for segment in bytes.chunks(segment) {
                let _ = self.writer.write_all(segment).await;
                let _ = self.writer.flush().await;
            }
        };
        let limit = self.timeout * 4;
        timeout(limit, writing).await.map_err(|_| {
            failed(format!(
                "the endpoint did not take what was sent within {limit:?}"
            ))
        })
    }

    /// Writes as much as the endpoint takes within that time. Whether the connection is still there.
    pub async fn send_for(&mut self, limit: Duration, bytes: &[u8]) -> bool {
        !matches!(
            timeout(limit, self.writer.write_all(bytes)).await,
            Ok(Err(_))
        )
    }

    /// Writes these one after another, each in a segment of its own.
    pub async fn send_each<B: AsRef<[u8]>>(&mut self, all: impl IntoIterator<Item = B>) -> Outcome {
        for bytes in all {
            self.send(bytes).await?;
        }
        Ok(())
    }

    /// Waits until there is what is looked for.
    pub async fn until<T>(
        &self,
        what: &str,
        find: impl FnMut(&Received) -> Option<T>,
    ) -> Outcome<T> {
        self.within(self.timeout, what, find).await
    }

    pub async fn within<T>(
        &self,
        limit: Duration,
        what: &str,
        mut find: impl FnMut(&Received) -> Option<T>,
    ) -> Outcome<T> {
        let mut received = self.received();
        let search = async {
            loop {
                let (found, closed) = {
                    let now = received.borrow_and_update();
                    if let Some(broken) = now.broken.first() {
                        return fail(broken);
                    }
                    (find(&now), now.closed.clone())
                };
                match (found, closed) {
                    (Some(found), _) => return Ok(found),
                    (None, Some(how)) => {
                        return fail(format!("{what} was expected, the connection ended {how:?}"));
                    }
                    (None, None) => {}
                }
                if received.changed().await.is_err() {
                    return fail(format!(
                        "{what} was expected, and nothing is read any longer"
                    ));
                }
            }
        };
        let late = || failed(format!("{what} did not come within {limit:?}"));
        timeout(limit, search).await.map_err(|_| late())?
    }

    /// Sends heartbeats, so that this side is not silent, until there is what is looked for. Whether it came in time, and
    /// before the connection ended.
    pub async fn keep_up(
        &mut self,
        limit: Duration,
        find: impl Fn(&Received) -> bool,
    ) -> Outcome<bool> {
        let end = Instant::now() + limit;
        while !self.look(&find) {
            if Instant::now() > end || self.look(|all| all.closed.is_some()) {
                return Ok(false);
            }
            self.send(packet::HEARTBEAT).await?;
            tokio::time::sleep(HEARTBEAT_PAUSE).await;
        }
        Ok(true)
    }

    /// The channels that the endpoint receives on.
    pub async fn header(&self) -> Outcome<u16> {
        self.until("the connection header", |all| Some(all.header?.1))
            .await
    }

    /// The channels that the endpoint has said to receive on.
    pub fn channels(&self) -> u16 {
        self.look(|all| all.header.map_or(1, |(_, channels)| channels))
    }

    /// The highest channel of the endpoint.
    pub fn last_channel(&self) -> u16 {
        self.channels() - 1
    }

    /// Sends all of a message and waits for its reply.
    pub async fn ask(&mut self, message: &Message) -> Outcome<Reply> {
        self.send(message.bytes()).await?;
        self.reply(&message.id).await
    }

    /// The reply to the message with that id, whole.
    pub async fn reply(&self, id: &Id) -> Outcome<Reply> {
        self.reply_within(self.timeout, id).await
    }

    pub async fn reply_within(&self, limit: Duration, id: &Id) -> Outcome<Reply> {
        let what = format!("the reply to {}", hex(id));
        self.within(limit, &what, |all| {
            let code = all.code_of(id).map(Reply::Code);
            code.or_else(|| {
                let response = all.response_to(id).filter(|each| each.is_whole);
                response.cloned().map(Reply::Response)
            })
        })
        .await
    }

    pub async fn expect_code(&self, id: &Id, expected: u16) -> Outcome {
        match self.reply(id).await? {
            Reply::Code(code) => equal("code", code, expected),
            Reply::Response(_) => fail(format!("code {expected} was expected, a response came")),
        }
    }

    /// The code of a refusal, whichever; not success, and no response.
    pub async fn expect_refusal(&self, id: &Id) -> Outcome<u16> {
        match self.reply(id).await? {
            Reply::Code(0) => fail("a refusal was expected, code 0 came"),
            Reply::Code(code) => Ok(code),
            Reply::Response(_) => fail("a refusal was expected, a response came"),
        }
    }

    pub async fn expect_response(&self, id: &Id) -> Outcome<Incoming> {
        match self.reply(id).await? {
            Reply::Code(code) => fail(format!("a response was expected, code {code} came")),
            Reply::Response(response) => Ok(response),
        }
    }

    /// Sends a message and waits for its response.
    pub async fn response(&mut self, message: &Message) -> Outcome<Incoming> {
        self.send(message.bytes()).await?;
        self.expect_response(&message.id).await
    }

    /// Sends a message with the action `raw`, whose payload must come back.
    pub async fn expect_echo(&mut self, message: &Message, payload: &[u8]) -> Outcome {
        let response = self.response(message).await?;
        ensure_same(&response.payload, payload)
    }

    /// Asks for a ping on the current channel.
    pub async fn ping(&mut self) -> Outcome {
        let ping = Message::ask("ping");
        self.send(ping.bytes()).await?;
        self.expect_code(&ping.id, 0).await
    }

    /// Asks for a ping on the highest channel, which stays the current one: the connection must go on.
    pub async fn alive(&mut self) -> Outcome {
        if self.last_channel() > 0 {
            self.send(packet::switch(self.last_channel())).await?;
        }
        self.ping().await.map_err(|stop| match stop {
            Stop::Failed(why) => failed(format!("the connection does not go on: {why}")),
            skipped => skipped,
        })
    }

    /// The endpoint must end the connection.
    pub async fn closed(&self) -> Outcome<Closed> {
        self.closed_within(self.timeout).await
    }

    pub async fn closed_within(&self, limit: Duration) -> Outcome<Closed> {
        self.within(limit, "the end of the connection", |all| all.closed.clone())
            .await
    }

    /// Sends what breaks the protocol: the endpoint must end the connection.
    pub async fn expect_end_after(&mut self, bytes: impl AsRef<[u8]>) -> Outcome {
        self.send(bytes).await?;
        self.closed().await.map(drop)
    }

    /// Reads no more than what is being read already.
    pub fn pause(&self) {
        self.pause.is_on.store(true, Ordering::Release);
    }

    pub fn resume(&self) {
        self.pause.is_on.store(false, Ordering::Release);
        self.pause.over.notify_one();
    }

    /// Ends the sending direction, in TLS with its proper end.
    pub async fn finish(&mut self) {
        let _ = self.writer.shutdown().await;
    }

    /// Ends the sending direction of the socket itself, without what TLS would say.
    pub fn cut(&self) {
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
    }

    /// Ends the connection with a reset.
    pub async fn reset(self) {
        let _ = self.socket.set_linger(Some(Duration::ZERO));
        self.reader.abort();
        // The reader holds a part of the socket until it has ended; `drop` does the rest.
        while !self.reader.is_finished() {
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn read_on(
    mut read: ReadHalf<Box<dyn Link>>,
    received: Arc<watch::Sender<Received>>,
    pause: Arc<Pause>,
) {
    let mut chunk = vec![0; 64 * 1024];
    loop {
        while pause.is_on.load(Ordering::Acquire) {
            pause.over.notified().await;
        }
        let closed = match read.read(&mut chunk).await {
            Ok(0) => Closed::Cleanly,
            Ok(length) => {
                received.send_modify(|all| all.push(&chunk[..length]));
                continue;
            }
            Err(error) => Closed::Abruptly(error.to_string()),
        };
        return received.send_modify(|all| all.closed = Some(closed));
    }
}

/// Bytes that may be too many to be shown.
pub fn ensure_same(found: &[u8], expected: &[u8]) -> Outcome {
    equal("number of bytes", found.len(), expected.len())?;
    match found.iter().zip(expected).position(|(a, b)| a != b) {
        None => Ok(()),
        Some(position) => fail(format!("byte {position} is another than was sent")),
    }
}
