//! The suite's side of a connection.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sockety_conformance::wire::{
    Id, hex,
    message::Message,
    packet::{self, Entry},
};
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

/// The pause between heartbeats, so that they stay below any limit.
const HEARTBEAT_PAUSE: Duration = Duration::from_millis(300);

/// Longer writes are never split into bytes.
const LARGE: usize = 2048;

/// One connection. It reads in the background unless it is paused.
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

/// A reply to a message.
#[derive(Clone)]
pub enum Reply {
    Code(u16),
    /// A whole response.
    Response(Box<Incoming>),
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

    /// Writes each byte separately from now on, except in large writes.
    pub fn write_bytewise(&mut self) {
        self.is_bytewise = true;
    }

    pub fn received(&self) -> watch::Receiver<Received> {
        self.received.subscribe()
    }

    /// Expects what a peer with the extension may send. Called before anything has arrived.
    pub fn offer(&self) {
        self.received.send_modify(|all| all.is_offering = true);
    }

    /// Receives on this number of channels, whatever the connection header says.
    pub fn receive_on(&self, channels: u16) {
        self.received.send_modify(|all| all.offered = channels);
    }

    /// Expects files that end early, because the suite stops them.
    pub fn expect_short_files(&self) {
        self.received
            .send_modify(|all| all.has_stopped_files = true);
    }

    /// What the endpoint says of itself in that setting of the extension.
    pub async fn setting(&self, id: u8, default: u64) -> Outcome<u64> {
        self.until("the settings", |all| all.setting(id, default))
            .await
    }

    /// Waits for an entry of a Flow packet.
    pub async fn entry(&self, what: &str, find: impl Fn(&Entry) -> bool) -> Outcome<Entry> {
        self.until(what, |all| all.flow.iter().copied().find(&find))
            .await
    }

    /// Waits for the response to that message, as far as `is_enough` says.
    pub async fn part_of(
        &self,
        id: &Id,
        what: &str,
        is_enough: impl Fn(&Incoming) -> bool,
    ) -> Outcome<Incoming> {
        self.until(what, |all| {
            let response = all.response_to(id).filter(|each| is_enough(each));
            response.cloned()
        })
        .await
    }

    /// Allows this number of replies to an id, whatever the id says.
    pub fn allow(&self, id: Id, replies: usize) {
        self.received.send_modify(|all| {
            all.allowed.insert(id, replies);
        });
    }

    /// Looks at what has been received so far.
    pub fn look<T>(&self, look: impl FnOnce(&Received) -> T) -> T {
        look(&self.received.borrow())
    }

    /// Writes `bytes`. If the endpoint has closed, that is only noticed when waiting for something.
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
                "the endpoint did not read what was sent within {limit:?}"
            ))
        })
    }

    /// Writes as much as the endpoint reads within that time. Returns whether the connection is
    /// still open.
    pub async fn send_for(&mut self, limit: Duration, bytes: &[u8]) -> bool {
        !matches!(
            timeout(limit, self.writer.write_all(bytes)).await,
            Ok(Err(_))
        )
    }

    /// Writes these one after another, each in a separate segment.
    pub async fn send_each<B: AsRef<[u8]>>(&mut self, all: impl IntoIterator<Item = B>) -> Outcome {
        for bytes in all {
            self.send(bytes).await?;
        }
        Ok(())
    }

    /// Waits until `find` returns something.
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
                        return fail(format!("expected {what}, but the connection ended {how:?}"));
                    }
                    (None, None) => {}
                }
                if received.changed().await.is_err() {
                    return fail(format!("expected {what}, but nothing is read any more"));
                }
            }
        };
        let late = || failed(format!("{what} did not arrive within {limit:?}"));
        timeout(limit, search).await.map_err(|_| late())?
    }

    /// Sends heartbeats, so that this side is not silent, until `find` returns `true`. Returns
    /// whether it did in time, and before the connection ended.
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

    /// Waits for the connection header. Returns the number of channels that the endpoint receives
    /// on.
    pub async fn header(&self) -> Outcome<u16> {
        self.until("the connection header", |all| Some(all.header?.1))
            .await
    }

    /// The number of channels of the endpoint's connection header, as far as known.
    pub fn channels(&self) -> u16 {
        self.look(|all| all.header.map_or(1, |(_, channels)| channels))
    }

    /// The highest channel of the endpoint.
    pub fn last_channel(&self) -> u16 {
        self.channels() - 1
    }

    /// Sends a message, except for its stream, and waits for the reply.
    pub async fn ask(&mut self, message: &Message) -> Outcome<Reply> {
        self.send(message.bytes()).await?;
        self.reply(&message.id).await
    }

    /// Waits for the complete reply to the message with that id.
    pub async fn reply(&self, id: &Id) -> Outcome<Reply> {
        self.reply_within(self.timeout, id).await
    }

    pub async fn reply_within(&self, limit: Duration, id: &Id) -> Outcome<Reply> {
        let what = format!("the reply to {}", hex(id));
        self.within(limit, &what, |all| {
            let code = all.code_of(id).map(Reply::Code);
            code.or_else(|| {
                let response = all.response_to(id).filter(|each| each.is_whole);
                response.cloned().map(Box::new).map(Reply::Response)
            })
        })
        .await
    }

    pub async fn expect_code(&self, id: &Id, expected: u16) -> Outcome {
        match self.reply(id).await? {
            Reply::Code(code) => equal("code", code, expected),
            Reply::Response(_) => fail(format!("expected code {expected}, but a response arrived")),
        }
    }

    /// Waits for a code other than 0, and returns it.
    pub async fn expect_refusal(&self, id: &Id) -> Outcome<u16> {
        match self.reply(id).await? {
            Reply::Code(0) => fail("expected a refusal, but code 0 arrived"),
            Reply::Code(code) => Ok(code),
            Reply::Response(_) => fail("expected a refusal, but a response arrived"),
        }
    }

    pub async fn expect_response(&self, id: &Id) -> Outcome<Incoming> {
        match self.reply(id).await? {
            Reply::Code(code) => fail(format!("expected a response, but code {code} arrived")),
            Reply::Response(response) => Ok(*response),
        }
    }

    /// Sends a message and waits for its response.
    pub async fn response(&mut self, message: &Message) -> Outcome<Incoming> {
        self.send(message.bytes()).await?;
        self.expect_response(&message.id).await
    }

    /// Sends a message with the action `raw`, whose payload must be returned.
    pub async fn expect_echo(&mut self, message: &Message, payload: &[u8]) -> Outcome {
        let response = self.response(message).await?;
        ensure_same(&response.payload, payload)
    }

    /// Sends a ping on the current channel, and waits for its reply.
    pub async fn ping(&mut self) -> Outcome {
        let ping = Message::ask("ping");
        self.send(ping.bytes()).await?;
        self.expect_code(&ping.id, 0).await
    }

    /// Pings on the highest channel, which stays the current one: the connection must still work.
    pub async fn alive(&mut self) -> Outcome {
        if self.last_channel() > 0 {
            self.send(packet::switch(self.last_channel())).await?;
        }
        self.ping().await.map_err(|stop| match stop {
            Stop::Failed(why) => failed(format!("the connection does not continue: {why}")),
            skipped => skipped,
        })
    }

    /// Waits until the endpoint ends the connection.
    pub async fn closed(&self) -> Outcome<Closed> {
        self.closed_within(self.timeout).await
    }

    pub async fn closed_within(&self, limit: Duration) -> Outcome<Closed> {
        self.within(limit, "the end of the connection", |all| all.closed.clone())
            .await
    }

    /// Sends bytes that break the protocol: the endpoint must end the connection.
    pub async fn expect_end_after(&mut self, bytes: impl AsRef<[u8]>) -> Outcome {
        self.send(bytes).await?;
        self.closed().await.map(drop)
    }

    /// Stops reading, except for a read in progress.
    pub fn pause(&self) {
        self.pause.is_on.store(true, Ordering::Release);
    }

    pub fn resume(&self) {
        self.pause.is_on.store(false, Ordering::Release);
        self.pause.over.notify_one();
    }

    /// Ends the sending direction, over TLS with a close.
    pub async fn finish(&mut self) {
        let _ = self.writer.shutdown().await;
    }

    /// Ends the sending direction of the socket, without a TLS close.
    pub fn cut(&self) {
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
    }

    /// Ends the connection with a reset.
    pub async fn reset(self) {
        let _ = self.socket.set_linger(Some(Duration::ZERO));
        self.reader.abort();
        // The reader holds half of the socket until it has ended. The drop of `self` closes the
        // rest.
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

/// Compares bytes, which may be too many to show.
pub fn ensure_same(found: &[u8], expected: &[u8]) -> Outcome {
    equal("number of bytes", found.len(), expected.len())?;
    match found.iter().zip(expected).position(|(a, b)| a != b) {
        None => Ok(()),
        Some(position) => fail(format!("byte {position} differs from what was sent")),
    }
}
