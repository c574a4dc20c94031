//! Reading: turns bytes of the socket into events, and handles them at once.

use std::{
    io::ErrorKind,
    pin::{Pin, pin},
    sync::atomic::Ordering,
    task::{Context, Poll, ready},
};

use bytes::{BufMut, BytesMut};
use sockety_codec::{ChannelId, Event};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tracing::debug;

use super::{Driver, turn::ReadBuffer};
use crate::{
    engine::{memory::recycled, receive::inbound::Verdict, serve::Serve},
    error::connection::{ClosedBy, ConnectionError},
    shown,
};

/// How many bytes of a large payload are read at a time.
const PAYLOAD_READ_BYTES: usize = 256 * 1024;

/// How many reads follow a write that failed: more than the system's buffer needs, but not
/// endlessly many.
const LAST_READS: usize = 128;

/// How many fast replies may wait in addition to what the outbox has room for, before reading
/// stops.
const BACKLOG_REPLIES: usize = 4096;

impl<IO: AsyncRead + AsyncWrite + Unpin, S: Serve> Driver<IO, S> {
    /// Reads once and handles everything that arrived. Pending when nothing did, or while nothing
    /// is read.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        self.is_paused = self.inbound.update_pause(cx);
        if self.clocks.has_peer_ended || self.is_paused || self.is_backlogged() {
            return Poll::Pending;
        }
        if let Some((channel, left)) = self.decoder.open_payload() {
            if let Some(read) = self.poll_read_payload(channel, left as usize, cx) {
                return read;
            }
        }
        let size = self.inbound.room().min(self.pace.read_bytes);
        if self.inbound.has_large_content && size >= recycled::LEAST {
            if let Some(buffer) = recycled::take() {
                return self.poll_read_content(buffer, size, cx);
            }
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

    /// Reads once, only the rest of a packet, directly to its place in the payload. Returns `None`
    /// when that is not worth it.
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
            // The decoder said that the payload goes on. If it says otherwise now, nobody knows
            // where these bytes belong, so the connection ends.
            Ok(event) => {
                let error = format!("payload on channel {channel} was interrupted by {event:?}");
                return Some(Poll::Ready(Err(std::io::Error::other(error).into())));
            }
            Err(violation) => return Some(Poll::Ready(Err(ConnectionError::Protocol(violation)))),
        };
        let verdict = self.inbound.on_payload_read(channel, count, remaining, cx);
        if let Some(channel) = verdict.refused() {
            self.refuse(channel);
        }
        // The end of a message is an event without bytes.
        let handled = self.handle(&[], cx);
        self.pace.on_payload(count == left);
        Some(Poll::Ready(handled))
    }

    /// Reads content into a buffer that it may stay in until a user reads it.
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

    fn handle(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Result<(), ConnectionError> {
        self.inbound.has_large_content = false;
        let received = &self.shared.received;
        received.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let events = self.handle_events(bytes, cx);
        self.inbound.end_read();
        let events = events?;
        let drained = self.inbound.on_drained(self.decoder.drained_credit());
        drained.map_err(ConnectionError::Protocol)?;
        self.pace.on_read(bytes.len(), events);
        self.clocks.on_received();
        Ok(self.inbound.abuse.check(&self.decoder)?)
    }

    /// Returns how many there were.
    #[inline]
    fn handle_events(
        &mut self,
        mut bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<usize, ConnectionError> {
        let mut events = 0;
        loop {
            // One `match`, because events are large, and `?` and `let` would each copy them.
            let event = match self.decoder.decode(&mut bytes) {
                Ok(Some(event)) => event,
                Ok(None) => return Ok(events),
                Err(violation) => return Err(ConnectionError::Protocol(violation)),
            };
            events += 1;
            match self.inbound.on_event(&event, cx) {
                Verdict::Keep => {}
                Verdict::Settings => self.on_settings(),
                Verdict::Refuse(channel) => self.refuse(channel),
                Verdict::Break => {
                    if let Some(violation) = self.inbound.violation() {
                        return Err(ConnectionError::Protocol(violation));
                    }
                }
            }
        }
    }

    /// The peer has said what it is as a receiver: after which time without a byte it takes this side
    /// for dead, too.
    #[cold]
    fn on_settings(&mut self) {
        if let Some(settings) = self.inbound.settings() {
            self.clocks.on_settings(settings);
        }
    }

    /// What still comes of the message on this channel is dropped, and its sender asked to stop.
    #[cold]
    fn refuse(&mut self, channel: ChannelId) {
        self.decoder.refuse(channel);
        self.inbound.stop_message(channel);
    }

    /// Handles what the peer sent before it stopped taking bytes: there may be replies. Returns why
    /// the connection ends.
    ///
    /// Nothing is closed meanwhile. The failed write has taken the error of the socket, so a read
    /// after it finds the end of the input, whatever has happened. If that closed the connection,
    /// its callers would hear of a peer that closed, and calls that never left would count as sent.
    pub(super) fn read_the_rest(
        &mut self,
        error: std::io::Error,
        cx: &mut Context<'_>,
    ) -> ConnectionError {
        self.has_failed = true;
        for _ in 0..LAST_READS {
            if !matches!(self.poll_read(cx), Poll::Ready(Ok(()))) || self.clocks.has_peer_ended {
                break;
            }
        }
        // This error alone says that the peer has closed its end.
        let is_end = error.kind() == ErrorKind::BrokenPipe && self.clocks.has_peer_ended;
        if is_end || self.is_expected_reset(&error) {
            let by = self.closing_peer();
            return self.shared.lock().closed(by);
        }
        error.into()
    }

    /// Whether this is how a connection ends whose peer had announced that, when all was finished: what
    /// this side still sent of credit, of replies to pings, or of heartbeats has met a socket that was
    /// closed, by the peer or by a proxy.
    fn is_expected_reset(&self, error: &std::io::Error) -> bool {
        let is_reset = matches!(
            error.kind(),
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe
        );
        if !is_reset || self.shared.holders.requests() > 0 {
            return false;
        }
        let state = self.shared.lock();
        let is_idle = state.transmissions.is_empty() && !state.pending.has_unanswered();
        is_idle && state.is_peer_going_away && self.decoder.is_between_messages()
    }

    /// TLS returns `UnexpectedEof` when its link ends without a close_notify. Some peers never send
    /// one, and anyone can cut the link. Between messages it makes no difference.
    fn on_failed_read(&mut self, error: std::io::Error) -> Result<(), ConnectionError> {
        if self.is_expected_reset(&error) {
            return self.on_end_of_input();
        }
        if error.kind() != ErrorKind::UnexpectedEof {
            return Err(error.into());
        }
        debug!(
            peer = shown::address(self.shared.peer.peer_addr),
            "unclean end: the link ended without a close_notify"
        );
        self.on_end_of_input()
    }

    fn on_end_of_input(&mut self) -> Result<(), ConnectionError> {
        self.decoder.finish().map_err(ConnectionError::Truncated)?;
        self.clocks.has_peer_ended = true;
        let is_executing = self.shared.holders.requests() > 0;
        self.was_at_work = is_executing || self.shared.lock().pending.has_unanswered();
        if !self.has_failed {
            self.shared.close(self.closing_peer());
        }
        Ok(())
    }

    /// How the peer has closed.
    fn closing_peer(&self) -> ClosedBy {
        if self.shared.lock().is_peer_going_away {
            ClosedBy::Peer
        } else {
            ClosedBy::PeerWithoutGoAway
        }
    }

    /// Whether nothing is read, because thousands of refusals wait to be written.
    fn is_backlogged(&self) -> bool {
        self.inbound.has_served() && is_backlog(self.shared.lock().outbox.unasked())
    }
}

/// Whether this many replies that did not ask for room are a backlog.
pub(super) fn is_backlog(unasked: usize) -> bool {
    unasked > BACKLOG_REPLIES
}
