//! The only task that touches a connection's socket.

use std::{
    cell::Cell,
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{BufMut, BytesMut};
use sockety_codec::{ChannelId, Decoder, Event};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::{Instant, Sleep, sleep_until, timeout},
};
use tracing::{debug, warn};

use super::{
    clocks::{Clocks, PeerPace, TickInput},
    memory::{payloads, recycled, threads},
    receive::{inbound::Inbound, slow_readers::READ_BYTES},
    send::writing::Writing,
    serve::Serve,
    shared::Shared,
    state::{Life, State, Unwritten},
};
use crate::error::{
    chain::chain,
    connection::{ClosedBy, ConnectionError},
};

/// Reads, dispatches and writes until the connection ends.
///
/// It polls both directions: reading never waits for writing, writing never for reading. Everything that one
/// read brought is handled before the replies leave, in one write.
pub(crate) struct Driver<IO, S> {
    io: IO,
    shared: Arc<Shared>,
    decoder: Decoder,
    inbound: Inbound<S>,
    writing: Writing,
    clocks: Clocks,
    has_yielded: bool,
    /// Until when files and streams wait, and what ends that.
    held_until: Option<Instant>,
    hold: Option<Pin<Box<Sleep>>>,
    pace: Pace,
    /// Nothing is read until somebody reads a file or a stream.
    is_paused: bool,
    /// Everything that was written has left this process, as far as we know: TLS may hold some of it back.
    is_flushed: bool,
    _payload_memory: payloads::User,
}

/// How much of what was queued is with the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    All,
    /// It is the turn of reading.
    Some,
}

/// How much is written before it is the turn of reading.
const WRITE_BYTES: usize = 256 * 1024;

/// How much of a large payload is read at a time.
const PAYLOAD_READ_BYTES: usize = 256 * 1024;

/// Reads after a write has failed: more than the system holds for us, and an end for a link that never stops.
const LAST_READS: usize = 128;

/// Reads and writes before other tasks of the thread get their turn.
const ROUNDS: usize = 4;

/// How many codes may wait besides what the outbox has room for, before reading stops.
const BACKLOG_REPLIES: usize = 4096;

/// What is read and dropped during a farewell: as much as may have been on its way.
const DRAIN_BYTES: usize = 4 * 1024 * 1024;

/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

impl<IO: AsyncRead + AsyncWrite + Unpin, S: Serve> Driver<IO, S> {
    pub(crate) fn new(io: IO, shared: Arc<Shared>, decoder: Decoder, serve: S) -> Box<Self> {
        let inbound = Inbound::new(Arc::clone(&shared), serve);
        let clocks = Clocks::new(&shared.options);
        Box::new(Self {
            io,
            shared,
            decoder,
            inbound,
            writing: Writing::default(),
            clocks,
            has_yielded: true,
            held_until: None,
            hold: None,
            pace: Pace::default(),
            is_paused: false,
            is_flushed: true,
            _payload_memory: payloads::User::new(),
        })
    }

    /// Runs until the connection has ended and every waiter knows.
    ///
    /// Boxed, as a future has its arguments twice: when it is made, and while it runs.
    pub(crate) async fn run(mut self: Box<Self>) {
        let error = poll_fn(|cx| self.poll(cx)).await;
        self.count(&error);
        self.log(&error);
        self.shared.end(&error, Unwritten::of(&error));
        self.inbound.end(&error);
        self.shared.ended.notify_waiters();
        // The peer may be gone or stuck: what follows is a courtesy with a clock.
        let _ = timeout(FAREWELL, self.say_goodbye(&error)).await;
    }

    fn count(&self, error: &ConnectionError) {
        let counters = &self.shared.counters;
        match error {
            ConnectionError::Protocol(_) => counters.count(|all| &all.violations),
            ConnectionError::Limit(_) => counters.count(|all| &all.exceeded_limits),
            ConnectionError::Idle(_) | ConnectionError::WriteStalled(_) => {
                counters.count(|all| &all.timed_out_connections);
            }
            ConnectionError::Truncated(_) => counters.count(|all| &all.truncated_connections),
            ConnectionError::Closed(_) | ConnectionError::Io(_) => {}
        }
    }

    fn log(&self, error: &ConnectionError) {
        let peer = self.shared.peer.peer_addr;
        match error {
            ConnectionError::Closed(by) => debug!(?peer, "connection closed by {by}"),
            ConnectionError::Io(source) => {
                debug!(?peer, source = %chain(&**source), "connection failed");
            }
            error => warn!(?peer, "connection ended: {}", chain(error)),
        }
    }

    async fn say_goodbye(&mut self, error: &ConnectionError) -> std::io::Result<()> {
        let is_our_decision = Unwritten::of(error) == Unwritten::Sent;
        if is_our_decision {
            self.shared.lock().outbox.go_away();
            while let Written::Some = poll_fn(|cx| self.poll_write(cx)).await? {}
        }
        self.io.shutdown().await?;
        // Closing with unread bytes would reset the connection, and could destroy what the peer has yet to read.
        if is_our_decision || matches!(error, ConnectionError::Closed(ClosedBy::Local)) {
            self.drain().await?;
        }
        Ok(())
    }

    /// Until the peer ends. One that goes on sending waits for the end of the farewell, at no cost to us.
    async fn drain(&mut self) -> std::io::Result<()> {
        // Not an array: it would be a part of every connection's task from the beginning.
        let mut rest = vec![0; 4096];
        let mut drained = 0;
        while drained < DRAIN_BYTES {
            match self.io.read(&mut rest).await? {
                0 => return Ok(()),
                count => drained += count,
            }
        }
        std::future::pending().await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ConnectionError> {
        match self.poll_rounds(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(never)) => match never {},
            Poll::Ready(Err(error)) => Poll::Ready(error),
        }
    }

    fn poll_rounds(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<std::convert::Infallible, ConnectionError>> {
        if self.lets_others_queue(cx).is_pending() {
            return Poll::Pending;
        }
        self.pace.begin_turn();
        for _ in 0..ROUNDS {
            if self.pace.is_turn_over() {
                break;
            }
            let written = match self.poll_write(cx) {
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Err(self.read_the_rest(error.into(), cx)));
                }
                Poll::Ready(Ok(written)) => Poll::Ready(written),
                Poll::Pending => Poll::Pending,
            };
            let has_read = self.poll_read(cx)?.is_ready();
            self.is_flushed = matches!(written, Poll::Ready(Written::All));
            if has_read || matches!(written, Poll::Ready(Written::Some)) {
                continue;
            }
            if self.poll_clock(cx)?.is_ready() {
                continue;
            }
            if self.park(cx, written.is_ready())?.is_pending() && self.poll_hold(cx).is_pending() {
                return Poll::Pending;
            }
        }
        // A peer that never stops sending is no reason to judge nothing.
        let _ = self.poll_clock(cx)?;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// The peer takes nothing more, but what it sent before may answer somebody.
    fn read_the_rest(&mut self, error: ConnectionError, cx: &mut Context<'_>) -> ConnectionError {
        for _ in 0..LAST_READS {
            if !matches!(self.poll_read(cx), Poll::Ready(Ok(()))) || self.clocks.has_peer_ended {
                break;
            }
        }
        error
    }

    /// Woken because something was queued, the driver lets the other tasks that are ready go first: most
    /// likely they queue something too, and all of it leaves in one write. A call alone is not kept waiting.
    fn lets_others_queue(&mut self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.shared.lock();
        let was_woken_to_write = state.unpark().is_none() && !state.is_lone_call();
        drop(state);
        if was_woken_to_write && !std::mem::replace(&mut self.has_yielded, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.has_yielded = false;
        Poll::Ready(())
    }

    /// Ready when there is more to do at once.
    fn park(&mut self, cx: &Context<'_>, is_written: bool) -> Result<Poll<()>, ConnectionError> {
        let mut state = self.shared.lock();
        if is_written && state.has_work() {
            return Ok(Poll::Ready(()));
        }
        if let Life::Closing(by) = state.life {
            let is_executing = self.shared.holders.requests() > 0;
            if is_written && state.is_all_written() && !is_executing {
                return Err(ConnectionError::Closed(by));
            }
        }
        state.park(cx.waker());
        self.held_until = state.held_until();
        drop(state);
        // A reader that took something before the waker stood there could not use it.
        let has_resumed = self.is_paused && !self.inbound.update_pause();
        Ok(if has_resumed {
            Poll::Ready(())
        } else {
            Poll::Pending
        })
    }

    /// Ready when files and streams have waited for long enough.
    fn poll_hold(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(until) = self.held_until {
            let timer = self
                .hold
                .get_or_insert_with(|| Box::pin(sleep_until(until)));
            ready!(timer.as_mut().poll(cx));
            if until <= Instant::now() {
                self.hold = None;
                self.shared.lock().hold_no_longer();
                return Poll::Ready(());
            }
            // It was set for an earlier hold.
            timer.as_mut().reset(until);
        }
        Poll::Pending
    }

    /// Writes what is queued, up to a share of the time.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<Written>> {
        let mut share = WRITE_BYTES;
        let mut has_work = true;
        while share > 0 {
            if self.writing.is_done() && !(has_work && self.refill()) {
                return Pin::new(&mut self.io)
                    .poll_flush(cx)
                    .map_ok(|()| Written::All);
            }
            let written = self.writing.poll_write(Pin::new(&mut self.io), cx);
            let count = ready!(written).inspect_err(|_| self.on_failed_write())?;
            let mut state = self.shared.lock_to_wake();
            state.outbox.advance(count as u64);
            has_work = state.has_work();
            drop(state);
            share = share.saturating_sub(count);
        }
        Poll::Ready(Ok(Written::Some))
    }

    fn on_failed_write(&self) {
        if !self.shared.peer.fails_whole {
            self.shared.lock().outbox.on_failed_write();
        }
    }

    /// Whether there was something.
    fn refill(&mut self) -> bool {
        let amount = match self.clocks.begin_fill() {
            PeerPace::Usual => FILL_BYTES,
            PeerPace::Slow => SLOW_FILL_BYTES,
        };
        let mut state = self.shared.lock_to_wake();
        if !state.has_work() {
            return false;
        }
        state.fill(amount);
        state.outbox.take(self.writing.refill());
        drop(state);
        // What had something to send may have been given up.
        !self.writing.is_done()
    }

    /// Reads once and handles all that came; pending when nothing did.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        self.is_paused = self.inbound.update_pause();
        if self.clocks.has_peer_ended || self.is_paused || self.is_backlogged() {
            return Poll::Pending;
        }
        if let Some((channel, left)) = self.decoder.open_payload()
            && let Some(read) = self.poll_read_payload(channel, left as usize, cx)
        {
            return read;
        }
        let size = self.inbound.room().min(self.pace.read_bytes);
        if self.inbound.has_large_content
            && size >= recycled::LEAST
            && let Some(buffer) = recycled::take()
        {
            return self.poll_read_content(buffer, size, cx);
        }
        let mut buffer = ReadBuffer::take();
        let mut read = ReadBuf::new(&mut buffer.0[..size]);
        if let Err(error) = ready!(Pin::new(&mut self.io).poll_read(cx, &mut read)) {
            return Poll::Ready(self.on_failed_read(error));
        }
        let bytes = read.filled();
        if bytes.is_empty() {
            return Poll::Ready(self.on_end_of_input());
        }
        Poll::Ready(self.handle(bytes, cx))
    }

    /// Reads once, and only what is left of a packet, to where its payload is to lie; `None` when that is not worth it.
    #[inline(never)]
    fn poll_read_payload(
        &mut self,
        channel: ChannelId,
        left: usize,
        cx: &mut Context<'_>,
    ) -> Option<Poll<Result<(), ConnectionError>>> {
        let memory = self.inbound.payload_memory(channel, left)?;
        let before = memory.len();
        let room = memory.capacity() - before;
        let mut room = memory.limit(room.min(left).min(PAYLOAD_READ_BYTES));
        let count = match pin!(self.io.read_buf(&mut room)).poll(cx) {
            Poll::Pending => return Some(Poll::Pending),
            Poll::Ready(Err(error)) => return Some(Poll::Ready(self.on_failed_read(error))),
            Poll::Ready(Ok(0)) => return Some(Poll::Ready(self.on_end_of_input())),
            Poll::Ready(Ok(count)) => count,
        };
        let received = &self.shared.received;
        received.fetch_add(count as u64, Ordering::Relaxed);
        let remaining = match self.decoder.decode(&mut &memory[before..]) {
            Ok(Some(Event::Data { remaining, .. })) => remaining,
            // The decoder has said that the payload goes on. Whatever the peer did to make it say otherwise, where its
            // bytes belong is no longer known.
            Ok(event) => {
                let error = format!("payload on channel {channel} was interrupted by {event:?}");
                return Some(Poll::Ready(Err(std::io::Error::other(error).into())));
            }
            Err(violation) => return Some(Poll::Ready(Err(ConnectionError::Protocol(violation)))),
        };
        let verdict = self.inbound.on_payload_read(channel, count, remaining, cx);
        if let Some(channel) = verdict.refused() {
            self.decoder.refuse(channel);
        }
        // The end of the message has no bytes.
        let handled = self.handle(&[], cx);
        self.pace.on_payload(count == left);
        Some(Poll::Ready(handled))
    }

    /// Reads content to where it may stay until it is read.
    #[inline(never)]
    fn poll_read_content(
        &mut self,
        mut buffer: BytesMut,
        size: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), ConnectionError>> {
        let mut room = (&mut buffer).limit(size);
        let read = pin!(self.io.read_buf(&mut room)).poll(cx);
        let bytes = recycled::put(buffer);
        match ready!(read) {
            Err(error) => Poll::Ready(self.on_failed_read(error)),
            Ok(0) => Poll::Ready(self.on_end_of_input()),
            Ok(_) => Poll::Ready(self.handle(&bytes, cx)),
        }
    }

    fn handle(&mut self, mut bytes: &[u8], cx: &mut Context<'_>) -> Result<(), ConnectionError> {
        let (size, mut events) = (bytes.len(), 0);
        self.inbound.has_large_content = false;
        let received = &self.shared.received;
        received.fetch_add(size as u64, Ordering::Relaxed);
        loop {
            // Matched in one step: events are large, and each further one would copy them.
            let event = match self.decoder.decode(&mut bytes) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(violation) => return Err(ConnectionError::Protocol(violation)),
            };
            events += 1;
            if let Some(channel) = self.inbound.on_event(&event, cx).refused() {
                self.decoder.refuse(channel);
            }
        }
        self.pace.on_read(size, events);
        self.clocks.on_received();
        Ok(self.inbound.guard.check(&self.decoder)?)
    }

    /// TLS reports this kind when its link ends without a close_notify: some peers send none, and anyone can cut the link.
    /// Between messages it makes no difference.
    fn on_failed_read(&mut self, error: std::io::Error) -> Result<(), ConnectionError> {
        if error.kind() != std::io::ErrorKind::UnexpectedEof {
            return Err(error.into());
        }
        debug!(peer = ?self.shared.peer.peer_addr, "unclean end: the link ended without a close_notify");
        self.on_end_of_input()
    }

    fn on_end_of_input(&mut self) -> Result<(), ConnectionError> {
        self.decoder.finish().map_err(ConnectionError::Truncated)?;
        self.clocks.has_peer_ended = true;
        self.shared.close(ClosedBy::Peer);
        Ok(())
    }

    /// Requests are not read while thousands of refusals wait.
    fn is_backlogged(&self) -> bool {
        self.inbound.has_served() && self.shared.lock().outbox.unasked() > BACKLOG_REPLIES
    }

    /// Ready when there was a tick. What it gave to write leaves before the next one is planned.
    fn poll_clock(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        let state = self.shared.lock();
        let (is_busy, written) = (self.has_deadlines(&state), state.outbox.written());
        drop(state);
        let since = ready!(self.clocks.poll_tick(cx, is_busy, written));
        Poll::Ready(self.on_tick(since))
    }

    /// Whether anything but the peer's next sign of life is waited for.
    fn has_deadlines(&self, state: &State) -> bool {
        let is_judging = !self.shared.gate.is_open();
        let is_arriving = !self.decoder.is_between_messages();
        let is_writing = !self.is_flushed || state.outbox.waiting() > 0;
        self.is_paused
            || is_judging
            || is_arriving
            || is_writing
            || state.outbox.is_awaited()
            || !state.waiting.is_empty()
            || !matches!(state.life, Life::Open)
    }

    fn on_tick(&mut self, since: Duration) -> Result<(), ConnectionError> {
        let written = self.shared.lock().outbox.written();
        let has_written = self.clocks.has_written(written);
        let is_backlogged = self.is_backlogged();
        // While we do not read, nothing can come.
        let is_paused = self.is_paused || is_backlogged;
        self.inbound.on_tick(has_written, is_paused);
        let oldest_header = if is_paused {
            0
        } else {
            self.decoder.age_headers()
        };
        let is_executing = self.shared.holders.requests() > 0;
        let input = TickInput {
            is_backlogged,
            is_authorized: self.shared.gate.is_open(),
            is_paused,
            is_flushed: self.is_flushed,
            oldest_header,
            is_at_work: is_executing || !self.decoder.is_between_messages(),
        };
        threads::give_back_unused();
        let mut state = self.shared.lock_to_wake();
        let timed_out = state.tick();
        if !has_written && state.is_all_written() {
            state.give_back_memory();
            self.writing.give_back_memory();
        }
        let result = self.clocks.on_tick(since, &input, &mut state);
        drop(state);
        let counters = &self.shared.counters;
        counters.add(|all| &all.timed_out_requests, timed_out);
        self.inbound.refuses_new = self.clocks.is_late();
        result?;
        Ok(self.inbound.guard.check(&self.decoder)?)
    }
}

/// However the driver ends, with its runtime or by a panic, nobody is left waiting.
impl<IO, S> Drop for Driver<IO, S> {
    fn drop(&mut self) {
        let error = ConnectionError::Closed(ClosedBy::Local);
        self.shared.end(&error, Unwritten::Dropped);
        self.inbound.end(&error);
        self.shared.ended.notify_waiters();
        self.shared.mark_closed();
    }
}

/// How much of files and streams is taken at a time: enough for one large write, and little enough that a small
/// message behind it leaves soon. A peer that needs seconds for it gets less, so that their writers see progress.
const FILL_BYTES: u64 = 128 * 1024;
const SLOW_FILL_BYTES: u64 = 16 * 1024;

/// How much one turn of the driver does, so that a peer that sends thousands of small messages at a time leaves the
/// thread to others between them.
struct Pace {
    /// What the next read may bring.
    read_bytes: usize,
    /// Events of this turn.
    events: usize,
}

/// Events of one turn, and of one read, more or less: a fraction of a millisecond.
const TURN_EVENTS: usize = 256;

/// Less than this is not worth a read.
const LEAST_READ_BYTES: usize = 4 * 1024;

impl Pace {
    fn begin_turn(&mut self) {
        self.events = 0;
    }

    fn is_turn_over(&self) -> bool {
        self.events >= TURN_EVENTS
    }

    /// A part of a large payload came. What follows its packet may be as large: its begin tells.
    fn on_payload(&mut self, is_whole: bool) {
        self.read_bytes = if is_whole {
            LEAST_READ_BYTES
        } else {
            READ_BYTES
        };
    }

    /// What follows is probably like what came.
    fn on_read(&mut self, bytes: usize, events: usize) {
        self.events += events;
        let size = bytes.saturating_mul(TURN_EVENTS) / events.max(1);
        self.read_bytes = size.clamp(LEAST_READ_BYTES, READ_BYTES);
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            read_bytes: READ_BYTES,
            events: 0,
        }
    }
}

/// The thread's read buffer, borrowed for one read. All connections of the thread share it, as the decoder never asks
/// for a byte twice.
struct ReadBuffer(Box<[u8]>);

thread_local! {
    static READ_BUFFER: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

impl ReadBuffer {
    fn take() -> Self {
        Self(
            READ_BUFFER
                .take()
                .unwrap_or_else(|| vec![0; READ_BYTES].into_boxed_slice()),
        )
    }
}

impl Drop for ReadBuffer {
    fn drop(&mut self) {
        READ_BUFFER.set(Some(std::mem::take(&mut self.0)));
    }
}
