use std::time::Duration;

use sockety_codec::Limits;

use super::{rate::Rate, tcp::TcpOptions};

/// Limits and clocks of a connection. Every one has a default that is safe towards an unknown peer.
///
/// Clocks count whole seconds, and look once a second.
///
/// | Clock | Default | What it limits |
/// | --- | --- | --- |
/// | [`connect_timeout`](Self::connect_timeout) | 10 s | connecting |
/// | [`handshake_timeout`](Self::handshake_timeout) | 10 s | until the peer's connection header is there |
/// | [`heartbeat`](Self::heartbeat) | 20 s | writing nothing; then a heartbeat is sent |
/// | [`idle_timeout`](Self::idle_timeout) | 90 s | receiving nothing, not even a heartbeat |
/// | [`header_timeout`](Self::header_timeout) | 15 s | the header of one message |
/// | [`progress_timeout`](Self::progress_timeout) | 60 s | no byte of a payload or file that has begun |
/// | [`authorization_timeout`](Self::authorization_timeout) | 15 s | until the peer is authorized, where that is asked for |
/// | [`write_stall`](Self::write_stall) | 30 s | the peer takes nothing of what is written |
/// | [`call_timeout`](Self::call_timeout) | 30 s | waiting for a reply, if the call has no time of its own |
/// | reader of a file or stream | 5 s, 1 s when others wait | nothing is taken of what has arrived, see [`window`](Self::window) |
/// | reply backlog | 1 s | requests come, but none of their replies is taken |
/// | end of a connection | 5 s | [`Connection::close`](crate::connection::Connection::close) |
///
/// | Limit | Default | What it limits |
/// | --- | --- | --- |
/// | [`limits`](Self::limits) | | sizes of messages, see [`Limits`] |
/// | [`requests_executing`](Self::requests_executing) | 256 | requests of the peer |
/// | [`tasks`](Self::tasks) | 8,192 | requests that are waiting for something, of all connections |
/// | [`requests_in_flight`](Self::requests_in_flight) | 16,384 | requests of this side |
/// | [`outbox_bytes`](Self::outbox_bytes) | 256 KiB | what waits to be written |
/// | [`window`](Self::window) | 256 KiB | unread files and stream of one message |
/// | [`unread_bytes`](Self::unread_bytes) | 8 MiB | unread files and streams of a connection |
/// | [`payload_bytes`](Self::payload_bytes) | 32 MiB | payloads that arrive or are being handled, of a connection |
/// | [`open_files`](Self::open_files) | 16,384 | files that were announced and are not done with |
/// | [`received_bytes`](Self::received_bytes) | 512 MiB | unread files and streams, and payloads, of all connections |
/// | [`spill_bytes`](Self::spill_bytes) | 1 GiB | temporary files of all connections |
/// | [`useless_packets`](Self::useless_packets) | 128, then 10/s | packets without use |
/// | [`refused_messages`](Self::refused_messages) | 256, then 20/s | messages that break limits |
/// | [`aborted_messages`](Self::aborted_messages) | 128, then 20/s | messages that the peer gives up |
/// | [`dropped_content`](Self::dropped_content) | 64 MiB, then 2 MiB/s | content that nobody takes |
///
/// "Of all connections" means those that were given clones of the same options, such as all connections of a server.
///
/// ```
/// use std::time::Duration;
/// use sockety::Options;
///
/// let options = Options::default().call_timeout(Some(Duration::from_secs(5)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub(crate) limits: Limits,
    pub(crate) heartbeat: Duration,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) header_timeout: Duration,
    pub(crate) progress_timeout: Option<Duration>,
    pub(crate) authorization_timeout: Duration,
    pub(crate) useless_packets: Rate,
    pub(crate) refused_messages: Rate,
    pub(crate) aborted_messages: Rate,
    pub(crate) dropped_content: Rate,
    pub(crate) waiting_requests: u64,
    pub(crate) received_bytes: u64,
    pub(crate) connect_timeout: Duration,
    pub(crate) handshake_timeout: Duration,
    pub(crate) call_timeout: Option<Duration>,
    pub(crate) requests_in_flight: usize,
    pub(crate) requests_executing: usize,
    pub(crate) outbox_bytes: usize,
    pub(crate) write_stall: Duration,
    pub(crate) window: usize,
    pub(crate) unread_bytes: usize,
    pub(crate) payload_bytes: u64,
    pub(crate) open_files: usize,
    pub(crate) spill_bytes: u64,
    pub(crate) tcp: TcpOptions,
}

impl Options {
    /// What is accepted from the peer, and the largest payload sent; see [`Limits`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Raises what the defaults hold back, in one step, for peers that are trusted, such as services of one's own: sizes by
    /// [`Limits::trusted`], 16,384 requests executing at once, and no bound on oddities and refusals. Clocks and the
    /// budgets of memory stay.
    ///
    /// ```
    /// # use sockety::Options;
    /// let options = Options::trusted();
    /// ```
    pub fn trusted() -> Self {
        Self::default()
            .limits(Limits::trusted())
            .max_requests_executing(16_384)
            .max_waiting_requests(65_536)
            .max_payload_bytes(512 * 1024 * 1024)
            .max_useless_packets(Rate::UNLIMITED)
            .max_refused_messages(Rate::UNLIMITED)
            .max_aborted_messages(Rate::UNLIMITED)
            .max_dropped_content(Rate::UNLIMITED)
    }

    /// After how long without a byte written a heartbeat is sent, in whole seconds, rounded up; 20 s. The first heartbeat
    /// after something else comes up to 5 s later, as nobody notes when each byte was written. A quiet connection wakes up
    /// for its heartbeats alone. Peers of other implementations close a connection that is quiet for 60 s.
    pub fn heartbeat(mut self, after: Duration) -> Self {
        self.heartbeat = after;
        self
    }

    /// How long nothing may come from the peer, not even a heartbeat, in whole seconds, rounded up; 90 s, and up to 5 s more.
    /// `None` waits for ever. The clock stands still while this side does not read.
    ///
    /// The connection ends with [`ConnectionError::Idle`](crate::error::connection::ConnectionError::Idle).
    pub fn idle_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.idle_timeout = limit.into();
        self
    }

    /// How long the header of a message may take from its first byte to its last; 15 s.
    ///
    /// The connection ends with [`LimitExceeded::HeaderTimeout`](crate::error::limit::LimitExceeded::HeaderTimeout).
    pub fn header_timeout(mut self, limit: Duration) -> Self {
        self.header_timeout = limit;
        self
    }

    /// How long a payload or a file that has begun may go on without a byte; 60 s. `None` waits for ever. Streams may be
    /// silent as long as they like, and the clock stands still while this side does not read.
    ///
    /// The message is given up ([`ReadError::Stalled`](crate::error::read::ReadError::Stalled)), and its channel is lost. When more than a
    /// quarter of all channels are, the connection ends.
    pub fn progress_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.progress_timeout = limit.into();
        self
    }

    /// How long the peer may take to become [authorized](crate::serve::authorize::Authorize), where that is asked for; 15 s.
    ///
    /// The connection ends with [`LimitExceeded::AuthorizationTimeout`](crate::error::limit::LimitExceeded::AuthorizationTimeout).
    pub fn authorization_timeout(mut self, limit: Duration) -> Self {
        self.authorization_timeout = limit;
        self
    }

    /// How many packets without use the peer may send: empty ones, needless switches of the channel, heartbeats, aborts
    /// of nothing, replies to nothing; 128, and then 10 a second. One more ends the connection.
    pub fn max_useless_packets(mut self, rate: Rate) -> Self {
        self.useless_packets = rate;
        self
    }

    /// How many messages of the peer may be refused because they are too large, or break a rule; 256, and then 20 a
    /// second. One more ends the connection.
    pub fn max_refused_messages(mut self, rate: Rate) -> Self {
        self.refused_messages = rate;
        self
    }

    /// How many messages the peer may begin and give up; 128, and then 20 a second. One more ends the connection.
    pub fn max_aborted_messages(mut self, rate: Rate) -> Self {
        self.aborted_messages = rate;
        self
    }

    /// How many bytes of content the peer may send that nobody takes, of messages that were refused and of replies that
    /// nobody reads any longer; 64 MiB, and then 2 MiB a second. More end the connection: another is cheaper.
    pub fn max_dropped_content(mut self, bytes: Rate) -> Self {
        self.dropped_content = bytes;
        self
    }

    /// How many requests of peers may be waiting for something in their handlers, of all connections with these options;
    /// 8,192. One more is answered with the framework's code 3,840, Overloaded, and does not run.
    pub fn max_waiting_requests(mut self, requests: u64) -> Self {
        self.waiting_requests = requests;
        self
    }

    /// How many bytes may be held of what peers sent and nobody has read yet, and of payloads that arrive or are being
    /// handled, of all connections with these options; 512 MiB. Payloads of up to 16 KiB do not count. Then payloads are refused with code 3,840, Overloaded, and files and
    /// streams are not read from their connections until there is room.
    pub fn max_received_bytes(mut self, bytes: u64) -> Self {
        self.received_bytes = bytes;
        self
    }

    /// How long connecting may take, the name's resolution included; 10 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long the peer may take for its connection header, a TLS handshake included; 10 s.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// How long a request waits for a reply when the call itself sets no time; 30 s, looked at once a second. The
    /// clock stands still while files or a stream of the request are being sent.
    /// `None` waits as long as the connection lives.
    pub fn call_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.call_timeout = timeout.into();
        self
    }

    /// How many requests of ours may wait for their replies; 16,384. One more is refused at the call with
    /// [`SendError::Busy`](crate::error::send::SendError::Busy).
    ///
    /// Each costs about 200 bytes, so the default bounds the table at 3 MiB.
    pub fn max_requests_in_flight(mut self, requests: usize) -> Self {
        self.requests_in_flight = requests;
        self
    }

    /// How many requests of the peer may execute at once; 256. One more is answered with the framework's
    /// code 3,840, Overloaded, and does not run.
    pub fn max_requests_executing(mut self, requests: usize) -> Self {
        self.requests_executing = requests;
        self
    }

    /// How many bytes may wait to be written, 256 KiB; senders wait for a place beyond that. One message
    /// may overshoot it.
    pub fn max_outbox_bytes(mut self, bytes: usize) -> Self {
        self.outbox_bytes = bytes;
        self
    }

    /// How long the peer may take nothing of what we write; 30 s, looked at once a second.
    pub fn write_stall(mut self, limit: Duration) -> Self {
        self.write_stall = limit;
        self
    }

    /// How many bytes of the files and the stream of one message may wait to be read; 256 KiB, and what one
    /// read of the socket brings beyond.
    ///
    /// When that many wait, nothing more is read from the connection until some are taken. A reader that takes
    /// none loses its message: after 5 s, or after 1 s when others on the connection wait.
    pub fn max_unread_per_message(mut self, bytes: usize) -> Self {
        self.window = bytes;
        self
    }

    /// How many bytes may lie in temporary files, of all connections with these options; 1 GiB.
    ///
    /// The files and the stream of a message arrive mixed, and may be read in any order: what is not read yet goes to
    /// a temporary file while a reader waits for another part. Without room there, as with 0, such a message is
    /// treated like any that is not read.
    pub fn max_spill_bytes(mut self, bytes: u64) -> Self {
        self.spill_bytes = bytes;
        self
    }

    /// How many bytes of payloads may be arriving at once, as announced, or be with handlers that have not ended; 32 MiB,
    /// and always one payload. Those of up to 16 KiB do not count: their number is limited. A message beyond that is
    /// answered with the framework's code 3,840, Overloaded, and does not run.
    pub fn max_payload_bytes(mut self, bytes: u64) -> Self {
        self.payload_bytes = bytes;
        self
    }

    /// How many files the peer may have announced in messages that are not done with; 16,384, and always those of one
    /// message. A message beyond that is answered with the framework's code 3,840, Overloaded, and does not run.
    pub fn max_open_files(mut self, files: usize) -> Self {
        self.open_files = files;
        self
    }

    /// How many bytes of all files and streams of the connection may wait to be read; 8 MiB.
    pub fn max_unread_bytes(mut self, bytes: usize) -> Self {
        self.unread_bytes = bytes;
        self
    }

    /// Options of TCP sockets, see [`TcpOptions`].
    pub fn tcp(mut self, tcp: TcpOptions) -> Self {
        self.tcp = tcp;
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            heartbeat: Duration::from_secs(20),
            idle_timeout: Some(Duration::from_secs(90)),
            header_timeout: Duration::from_secs(15),
            progress_timeout: Some(Duration::from_secs(60)),
            authorization_timeout: Duration::from_secs(15),
            useless_packets: Rate::new(128, 10),
            refused_messages: Rate::new(256, 20),
            aborted_messages: Rate::new(128, 20),
            dropped_content: Rate::new(64 * 1024 * 1024, 2 * 1024 * 1024),
            waiting_requests: 8192,
            received_bytes: 512 * 1024 * 1024,
            connect_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
            call_timeout: Some(Duration::from_secs(30)),
            requests_in_flight: 16_384,
            requests_executing: 256,
            outbox_bytes: 256 * 1024,
            write_stall: Duration::from_secs(30),
            window: 256 * 1024,
            unread_bytes: 8 * 1024 * 1024,
            payload_bytes: 32 * 1024 * 1024,
            open_files: 16_384,
            spill_bytes: 1024 * 1024 * 1024,
            tcp: TcpOptions::default(),
        }
    }
}
