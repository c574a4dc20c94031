use std::{sync::Arc, time::Duration};

use sockety_codec::Limits;

use crate::{TcpOptions, connection::spill::SpillBudget};

/// Limits and clocks of a connection. Every one has a default that is safe towards an unknown peer.
///
/// ```
/// use std::time::Duration;
/// use sockety::Options;
///
/// let options = Options::default().call_timeout(Some(Duration::from_secs(5)));
/// ```
#[derive(Debug, Clone)]
pub struct Options {
    pub(crate) limits: Limits,
    pub(crate) connect_timeout: Duration,
    pub(crate) handshake_timeout: Duration,
    pub(crate) call_timeout: Option<Duration>,
    pub(crate) requests_in_flight: usize,
    pub(crate) requests_executing: usize,
    pub(crate) outbox_bytes: usize,
    pub(crate) write_stall: Duration,
    pub(crate) window: usize,
    pub(crate) unread_bytes: usize,
    pub(crate) spill: Arc<SpillBudget>,
    pub(crate) tcp: TcpOptions,
}

impl Options {
    /// What is accepted from the peer, and the largest payload sent; see [`Limits`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
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
    pub fn call_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.call_timeout = timeout;
        self
    }

    /// How many requests of ours may wait for their replies; 16,384. One more is refused at the call with
    /// [`SendError::Busy`](crate::SendError::Busy).
    ///
    /// Each costs about 200 bytes, so the default bounds the table at 3 MiB.
    pub fn requests_in_flight(mut self, requests: usize) -> Self {
        self.requests_in_flight = requests;
        self
    }

    /// How many requests of the peer may execute at once; 256. One more is answered with the framework's
    /// code 3,840, Overloaded, and does not run.
    pub fn requests_executing(mut self, requests: usize) -> Self {
        self.requests_executing = requests;
        self
    }

    /// How many bytes may wait to be written, 256 KiB; senders wait for a place beyond that. One message
    /// may overshoot it.
    pub fn outbox_bytes(mut self, bytes: usize) -> Self {
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
    pub fn window(mut self, bytes: usize) -> Self {
        self.window = bytes;
        self
    }

    /// How many bytes may lie in temporary files, of all connections with these options; 1 GiB.
    ///
    /// The files and the stream of a message arrive mixed, and may be read in any order: what is not read yet goes to
    /// a temporary file while a reader waits for another part. Without room there, as with 0, such a message is
    /// treated like any that is not read.
    pub fn spill_bytes(mut self, bytes: u64) -> Self {
        self.spill = Arc::new(SpillBudget::new(bytes));
        self
    }

    /// How many bytes of all files and streams of the connection may wait to be read; 8 MiB.
    pub fn unread_bytes(mut self, bytes: usize) -> Self {
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
            connect_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
            call_timeout: Some(Duration::from_secs(30)),
            requests_in_flight: 16_384,
            requests_executing: 256,
            outbox_bytes: 256 * 1024,
            write_stall: Duration::from_secs(30),
            window: 256 * 1024,
            unread_bytes: 8 * 1024 * 1024,
            spill: Arc::new(SpillBudget::new(1024 * 1024 * 1024)),
            tcp: TcpOptions::default(),
        }
    }
}
