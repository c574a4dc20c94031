use std::time::Duration;

use sockety_codec::Limits;

use super::{extension::Extension, rate::Rate, tcp::TcpOptions};
use crate::msgpack::Bounds;

/// Limits and timeouts of a connection, as plain data. Each default is safe for unknown peers.
///
/// Timeouts count whole seconds and are checked once a second.
///
/// | Timeout | Default | What it limits |
/// | --- | --- | --- |
/// | [`connect_timeout`](Self::connect_timeout) | 10 s | connecting |
/// | [`handshake_timeout`](Self::handshake_timeout) | 10 s | until the peer's connection header has arrived |
/// | [`heartbeat`](Self::heartbeat) | 20 s | writing nothing; then a heartbeat is sent |
/// | [`idle_timeout`](Self::idle_timeout) | 90 s | receiving nothing, not even a heartbeat |
/// | [`header_timeout`](Self::header_timeout) | 15 s | the header of one message |
/// | [`progress_timeout`](Self::progress_timeout) | 60 s | no byte of a payload or file that has begun |
/// | [`authorization_timeout`](Self::authorization_timeout) | 15 s | until the peer is authorized, if the router requires it |
/// | [`write_stall`](Self::write_stall) | 30 s, or 5 min | the peer takes nothing of what is written, and sends nothing |
/// | [`call_timeout`](Self::call_timeout) | 30 s | waiting for a reply, if the call has no timeout itself |
/// | [`reader_timeout`](Self::reader_timeout) | 30 s | a reader takes nothing of a file or stream, and there is no room left for temporary files |
/// | [`blocking_reader_timeout`](Self::blocking_reader_timeout) | 5 s | the same, while other messages on the connection wait |
/// | reply backlog | 1 s | requests arrive, but the peer takes none of their replies |
/// | end of a connection | 5 s | [`Connection::close`](crate::connection::Connection::close) |
///
/// | Limit | Default | What it limits |
/// | --- | --- | --- |
/// | [`limits`](Self::limits) | | sizes of messages, see [`Limits`] |
/// | [`bounds`](Self::bounds) | 200 levels, 4,194,304 values | depth and values of a payload, see [`Bounds`] |
/// | [`max_requests_executing`](Self::max_requests_executing) | 256 | requests of the peer |
/// | [`max_queued_requests`](Self::max_queued_requests) | 16,384 | requests of the peer that wait for their turn |
/// | [`max_waiting_requests`](Self::max_waiting_requests) | 8,192 | requests that are waiting for something, of all connections |
/// | [`max_requests_in_flight`](Self::max_requests_in_flight) | 16,384 | requests of this side |
/// | [`max_outbox_bytes`](Self::max_outbox_bytes) | 256 KiB | what waits to be written |
/// | [`max_unread_per_message`](Self::max_unread_per_message) | 256 KiB | unread files and stream of one message |
/// | [`max_message_window`](Self::max_message_window) | 4 MiB | the same, as far as it grows with the extension |
/// | [`max_unread_bytes`](Self::max_unread_bytes) | 8 MiB | unread files and streams of a connection |
/// | [`max_payload_bytes`](Self::max_payload_bytes) | 32 MiB | payloads that arrive or are being handled, of a connection |
/// | [`max_open_files`](Self::max_open_files) | 16,384 | files that were announced and have not ended |
/// | [`max_received_bytes`](Self::max_received_bytes) | 512 MiB | unread files and streams, and payloads, of all connections |
/// | [`max_spill_bytes`](Self::max_spill_bytes) | 1 GiB | temporary files of all connections |
/// | [`max_useless_packets`](Self::max_useless_packets) | 128, then 10/s | packets without effect |
/// | [`max_refused_messages`](Self::max_refused_messages) | 1,024, then 256/s | messages that break limits, and replies to nothing |
/// | [`max_aborted_messages`](Self::max_aborted_messages) | 512, then 256/s | messages that the peer abandons |
/// | [`max_dropped_content`](Self::max_dropped_content) | 64 MiB, then 64 MiB/s | content that is not read |
///
/// With the feature `serde`, options are read from configuration in any format of serde. The keys are
/// the names of the setters, and options that are missing are as in [`Options::default`]. Durations have a
/// unit, ms, s, m, h or d, or several, as in `"1m30s"`. Sizes are a number of bytes or have a unit: B, KB, MB, GB, TB of
/// 1,000, KiB, MiB, GiB, TiB of 1,024. `"none"` means `None`, `"unlimited"` for [`Rate::UNLIMITED`], and `base =
/// "trusted"` begins with [`Options::trusted`]. Unknown keys are errors. `limits`, `bounds` and `tcp`
/// are tables of what [`Limits`], [`Bounds`] and [`TcpOptions`] set:
///
/// ```toml
/// base = "trusted"
/// call_timeout = "5s"
/// idle_timeout = "none"
/// max_dropped_content = { burst = "1 GiB", per_second = "1 GiB" }
///
/// [limits]
/// max_payload = "64 MiB"
///
/// [tcp]
/// keepalive = { idle = "60s", interval = "10s", probes = 3 }
/// ```
///
/// "Of all connections" means those that share [`Budgets`](crate::config::Budgets), such as all
/// connections of a server.
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
    pub(crate) bounds: Bounds,
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
    pub(crate) queued_requests: usize,
    pub(crate) outbox_bytes: usize,
    /// `None` is the default, which depends on the peer.
    pub(crate) write_stall: Option<Duration>,
    pub(crate) reader_timeout: Duration,
    pub(crate) blocking_reader_timeout: Duration,
    pub(crate) window: usize,
    pub(crate) message_window_max: usize,
    pub(crate) unread_bytes: usize,
    pub(crate) payload_bytes: u64,
    pub(crate) open_files: usize,
    pub(crate) spill_bytes: u64,
    pub(crate) extension: Extension,
    pub(crate) tcp: TcpOptions,
}

impl Options {
    /// Sets the sizes that are accepted from the peer, and the largest payload that is sent; see
    /// [`Limits`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how deep arrays and maps of a payload may be nested, and how many values it may have
    /// (default: 200 levels, 4,194,304 values; see [`Bounds`]). They apply to payloads, returned
    /// values and stream items of typed methods, and for other values that are read as MessagePack.
    ///
    /// Payloads of this side that exceed them are not sent either: [`SendError::TooDeep`],
    /// [`SendError::TooManyValues`].
    ///
    /// [`SendError::TooDeep`]: crate::error::send::SendError::TooDeep
    /// [`SendError::TooManyValues`]: crate::error::send::SendError::TooManyValues
    pub fn bounds(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// Options for peers that are trusted, such as your own services: larger sizes
    /// ([`Limits::trusted`], [`Bounds::trusted`]), 16,384 requests executing at once, and no limit on useless packets
    /// and refusals. Timeouts and memory budgets keep their defaults.
    ///
    /// ```
    /// # use sockety::Options;
    /// let options = Options::trusted();
    /// ```
    pub fn trusted() -> Self {
        Self::default()
            .limits(Limits::trusted())
            .bounds(Bounds::trusted())
            .max_requests_executing(16_384)
            .max_waiting_requests(65_536)
            .max_payload_bytes(512 * 1024 * 1024)
            .max_useless_packets(Rate::UNLIMITED)
            .max_refused_messages(Rate::UNLIMITED)
            .max_aborted_messages(Rate::UNLIMITED)
            .max_dropped_content(Rate::UNLIMITED)
    }

    /// Sets how long a reader of a file or stream may take nothing once the
    /// [room for temporary files](Self::max_spill_bytes) is used up (default: 30 s, rounded up to
    /// whole seconds). Then it loses what it has not read ([`ReadError::Overrun`]), and its message
    /// is answered with code 3,845, Slow Consumer. While there is room, a reader may pause for as
    /// long as it likes.
    ///
    /// [`ReadError::Overrun`]: crate::error::read::ReadError::Overrun
    pub fn reader_timeout(mut self, limit: Duration) -> Self {
        self.reader_timeout = limit;
        self
    }

    /// Like [`reader_timeout`](Self::reader_timeout), while the reader holds up other messages of
    /// the connection (default: 5 s).
    pub fn blocking_reader_timeout(mut self, limit: Duration) -> Self {
        self.blocking_reader_timeout = limit;
        self
    }

    /// Sets how long nothing may be written before a heartbeat is sent (default: 20 s, rounded up
    /// to whole seconds).
    ///
    /// This is for the peer, which closes the connection after its `idle_timeout`: it has nothing to do with
    /// the [`idle_timeout`](Self::idle_timeout) of this side, and may be longer.
    ///
    /// The first heartbeat after other data may be up to 5 s late, because the driver does not
    /// record when each byte was written. A quiet connection wakes up only for its heartbeats.
    /// Peers of other implementations close a connection that is quiet for 60 s.
    pub fn heartbeat(mut self, after: Duration) -> Self {
        self.heartbeat = after;
        self
    }

    /// Sets how long the peer may send nothing, not even a heartbeat (default: 90 s, rounded up to
    /// whole seconds, and up to 5 s more). `None` waits forever. The time stops while this side
    /// does not read. It begins again when the peer takes some of what waits to be written. While
    /// one that is not known to send heartbeats takes nothing, [`write_stall`](Self::write_stall) decides.
    ///
    /// Peers with the [extension](Self::extension) are told, and send heartbeats often enough, though not
    /// more than once a second: with less than 2 s, quiet connections end.
    ///
    /// The connection ends with [`ConnectionError::Idle`](crate::error::ConnectionError::Idle).
    pub fn idle_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.idle_timeout = limit.into();
        self
    }

    /// Sets how long the header of a message may take, from its first byte to its last (default: 15
    /// s).
    ///
    /// The connection ends with
    /// [`LimitExceeded::HeaderTimeout`](crate::error::LimitExceeded::HeaderTimeout).
    pub fn header_timeout(mut self, limit: Duration) -> Self {
        self.header_timeout = limit;
        self
    }

    /// Sets how long a payload or a file that has begun may receive no byte (default: 60 s). `None`
    /// waits forever. Streams may pause for any time. The time stops while this side does not
    /// read.
    ///
    /// The message is abandoned ([`ReadError::Stalled`](crate::error::ReadError::Stalled)) and its
    /// channel is lost. The connection ends when more than a quarter of its channels are lost.
    pub fn progress_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.progress_timeout = limit.into();
        self
    }

    /// Sets how long the peer may take to become [authorized](crate::serve::Authorize), if the
    /// router requires it (default: 15 s).
    ///
    /// The connection ends with
    /// [`LimitExceeded::AuthorizationTimeout`](crate::error::LimitExceeded::AuthorizationTimeout).
    pub fn authorization_timeout(mut self, limit: Duration) -> Self {
        self.authorization_timeout = limit;
        self
    }

    /// Limits useless packets: empty ones, needless switches of the channel, heartbeats, aborts
    /// without a message (default: 128 at once, then 10 a second). One more ends the connection.
    pub fn max_useless_packets(mut self, rate: Rate) -> Self {
        self.useless_packets = rate;
        self
    }

    /// Limits messages of the peer that are refused because they are too large or break a rule, and
    /// replies that answer no waiting request (default: 1,024 at once, then 256 a second). Beyond that, the
    /// connection is read at that rate. It does not end.
    pub fn max_refused_messages(mut self, rate: Rate) -> Self {
        self.refused_messages = rate;
        self
    }

    /// Limits messages that the peer begins and abandons (default: 512 at once, then 256 a second).
    /// Beyond that, the connection is read at that rate. It does not end.
    pub fn max_aborted_messages(mut self, rate: Rate) -> Self {
        self.aborted_messages = rate;
        self
    }

    /// Limits content that is thrown away, in bytes: of refused messages, and of replies that no request
    /// waits for (default: 64 MiB at once, then 64 MiB a second). Beyond that, the connection is
    /// read at that rate. It does not end.
    pub fn max_dropped_content(mut self, bytes: Rate) -> Self {
        self.dropped_content = bytes;
        self
    }

    /// Limits requests of peers whose handlers wait for something, over all connections that share
    /// [`Budgets`](crate::config::Budgets) (default: 8,192). Others wait for their turn, see
    /// [`max_queued_requests`](Self::max_queued_requests). Eight of each connection
    /// are always allowed.
    pub fn max_waiting_requests(mut self, requests: u64) -> Self {
        self.waiting_requests = requests;
        self
    }

    /// Limits bytes that peers sent and that are not read yet, and payloads that arrive or are being
    /// handled, over all connections that share [`Budgets`](crate::config::Budgets) (default: 512
    /// MiB). Payloads of up to 16 KiB do not count.
    ///
    /// Beyond that, payloads are refused with code 3,840, Overloaded, and files and streams are not
    /// read from their connections until there is room. 0 counts as 1.
    pub fn max_received_bytes(mut self, bytes: u64) -> Self {
        self.received_bytes = bytes.max(1);
        self
    }

    /// Sets how long connecting may take, including the resolution of the name (default: 10 s).
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets how long the peer may take to send its connection header, including the TLS handshake
    /// (default: 10 s).
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Sets how long a request waits for a reply if the call sets no timeout itself (default: 30 s,
    /// checked once a second, so that it ends up to 2 s later). `None` waits until the connection ends. The time stops while files
    /// or a stream of the request are being sent, and starts again from zero after that.
    ///
    /// A peer that [uses the extension](crate::Connection::is_extended) is told once, when the connection begins, so that no call carries it.
    /// It is the deadline of all calls without a timeout, files or a stream, but
    /// [`Context::deadline`](crate::Context::deadline) returns only what a call carries: set a timeout for calls whose
    /// handlers ask for it. Whenever a request has waited for this long, its handler is dropped where it waits.
    pub fn call_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.call_timeout = timeout.into();
        self
    }

    /// Limits requests of this side that wait for replies (default: 16,384). One more fails with
    /// [`SendError::Busy`](crate::error::SendError::Busy).
    ///
    /// Each takes about 200 bytes, so the default bounds the table at 3 MiB. 0 counts as 1.
    pub fn max_requests_in_flight(mut self, requests: usize) -> Self {
        self.requests_in_flight = requests.max(1);
        self
    }

    /// Limits requests of the peer that execute at once (default: 256). Others wait for their turn,
    /// see [`max_queued_requests`](Self::max_queued_requests).
    ///
    /// 0 is for a side that serves nothing: no request is executed. To refuse all requests of a peer, set
    /// `max_queued_requests` to 0 too: otherwise they wait until their senders give up.
    pub fn max_requests_executing(mut self, requests: usize) -> Self {
        self.requests_executing = requests;
        self
    }

    /// Limits requests of the peer that have arrived and wait for their turn (default: 16,384, with
    /// [`max_unread_bytes`](Self::max_unread_bytes) of payloads). They begin in the order of
    /// their arrival, however long that takes; the timeouts of callers limit the wait.
    ///
    /// One more that expects a reply is answered with code 3,840, Overloaded, and does not run. The answer does not
    /// say when to call again, because the time that handlers take is not measured. The sender of a one-way message
    /// would not learn of a refusal, so after one of those, or beyond the limit of bytes, nothing more is read from
    /// the connection until there is room.
    ///
    /// Reading continues while a call of this side waits for its reply, or when every request that is
    /// executed may wait for files or a stream. One-way messages that arrive meanwhile are kept,
    /// within [`max_payload_bytes`](Self::max_payload_bytes) (about 256 bytes each, plus the payload).
    /// Beyond that, and with files, a stream or a payload that arrives in pieces, they are dropped
    /// with a warning, and counted in [`Stats::overloaded`](crate::connection::Stats::overloaded).
    pub fn max_queued_requests(mut self, requests: usize) -> Self {
        self.queued_requests = requests;
        self
    }

    /// Limits bytes that wait to be written (default: 256 KiB). Beyond that, senders wait for room.
    /// A single message may be larger. 0 counts as 1.
    pub fn max_outbox_bytes(mut self, bytes: usize) -> Self {
        self.outbox_bytes = bytes.max(1);
        self
    }

    /// Sets how long the peer may take nothing of what is written, and send nothing either (checked
    /// once a second). The default is 30 s for a peer that is known to send heartbeats, because it has
    /// sent one or makes typed calls of this framework. It is 5 min for any other: that one may be a
    /// slow reader, because its silence means nothing.
    ///
    /// The connection ends with
    /// [`ConnectionError::WriteStalled`](crate::error::ConnectionError::WriteStalled).
    pub fn write_stall(mut self, limit: Duration) -> Self {
        self.write_stall = Some(limit);
        self
    }

    /// Limits unread bytes of the files and the stream of one message (default: 256 KiB, plus what
    /// one read of the socket adds).
    ///
    /// Beyond that, nothing more is read from the connection until the reader takes some bytes. If
    /// it takes nothing for a second, the bytes go to a temporary file instead. While a call of this
    /// side waits for its reply, which may be behind them, that happens after 5 ms. See
    /// [`max_spill_bytes`](Self::max_spill_bytes). 0 counts as 1.
    pub fn max_unread_per_message(mut self, bytes: usize) -> Self {
        self.window = bytes.max(1);
        self
    }

    /// Limits how far the window of a message grows, in bytes, with a peer that has the
    /// [extension](Self::extension) (default: 4 MiB; at most 2 GiB).
    ///
    /// It begins with [`max_unread_per_message`](Self::max_unread_per_message) and doubles while the
    /// reader of a file or of a stream is faster than the round trip that its sender waits for. One
    /// transfer reaches at most the window divided by the round trip: 4 MiB at 50 ms are 80 MB/s. On
    /// longer or faster lines, set more, and [`max_unread_bytes`](Self::max_unread_bytes) to twice as much. If it is
    /// less than `max_unread_per_message`, the window never grows.
    // r[impl ext.credit.growth]
    pub fn max_message_window(mut self, bytes: usize) -> Self {
        self.message_window_max = bytes;
        self
    }

    /// Limits temporary files, in bytes, over all connections that share
    /// [`Budgets`](crate::config::Budgets) (default: 1 GiB).
    ///
    /// They hold content that has arrived, is not read yet, and would block others: a reader waits
    /// for another part of the message, a call of this side waits for its reply, or nothing was
    /// taken for a second. A connection never takes more than it leaves free, so at most half.
    /// Without room, or with a limit of 0, reading from the connection waits for the reader; see
    /// [`reader_timeout`](Self::reader_timeout).
    pub fn max_spill_bytes(mut self, bytes: u64) -> Self {
        self.spill_bytes = bytes;
        self
    }

    /// Limits payloads of a connection, in bytes: those that arrive, by their announced size, and
    /// those whose handlers run (default: 32 MiB). One payload is always accepted. Payloads of up
    /// to 16 KiB do not count, because their number is limited. Payloads of responses have the same
    /// limit and count separately.
    ///
    /// Beyond that, nothing more is read from the connection until there is room. Reading continues
    /// while a call of this side waits for its reply, or when every request that is executed may wait
    /// for files or a stream. A message that then exceeds the limit is answered
    /// with code 3,840, Overloaded, and does not run.
    pub fn max_payload_bytes(mut self, bytes: u64) -> Self {
        self.payload_bytes = bytes;
        self
    }

    /// Limits files that the peer has announced in messages that are not finished (default:
    /// 16,384). The files of one message are always accepted. A message beyond that is answered
    /// with code 3,840, Overloaded, and does not run.
    pub fn max_open_files(mut self, files: usize) -> Self {
        self.open_files = files;
        self
    }

    /// Limits unread bytes of all files and streams of a connection (default: 8 MiB).
    pub fn max_unread_bytes(mut self, bytes: usize) -> Self {
        self.unread_bytes = bytes;
        self
    }

    /// Sets whether connections use the negotiated extension of the protocol (default: with peers that
    /// have it); see [`Extension`].
    // r[impl ext.option]
    pub fn extension(mut self, extension: Extension) -> Self {
        self.extension = extension;
        self
    }

    /// Sets options of TCP sockets; see [`TcpOptions`].
    pub fn tcp(mut self, tcp: TcpOptions) -> Self {
        self.tcp = tcp;
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            bounds: Bounds::default(),
            heartbeat: Duration::from_secs(20),
            idle_timeout: Some(Duration::from_secs(90)),
            header_timeout: Duration::from_secs(15),
            progress_timeout: Some(Duration::from_secs(60)),
            authorization_timeout: Duration::from_secs(15),
            useless_packets: Rate::new(128, 10),
            refused_messages: Rate::new(1024, 256),
            aborted_messages: Rate::new(512, 256),
            dropped_content: Rate::new(64 * 1024 * 1024, 64 * 1024 * 1024),
            waiting_requests: 8192,
            received_bytes: 512 * 1024 * 1024,
            connect_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
            call_timeout: Some(Duration::from_secs(30)),
            requests_in_flight: 16_384,
            requests_executing: 256,
            queued_requests: 16_384,
            outbox_bytes: 256 * 1024,
            write_stall: None,
            reader_timeout: Duration::from_secs(30),
            blocking_reader_timeout: Duration::from_secs(5),
            window: 256 * 1024,
            message_window_max: 4 * 1024 * 1024,
            unread_bytes: 8 * 1024 * 1024,
            payload_bytes: 32 * 1024 * 1024,
            open_files: 16_384,
            spill_bytes: 1024 * 1024 * 1024,
            extension: Extension::Auto,
            tcp: TcpOptions::default(),
        }
    }
}
