/// What goes over a connection, or over all of a server, in both directions; see
/// [`Connection::traffic`](crate::connection::Connection::traffic) and
/// [`ServerHandle::traffic`](crate::server::handle::ServerHandle::traffic).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Bytes that came since the beginning, after the connection headers. TLS adds its own.
    pub received_bytes: u64,
    /// Bytes that were handed to the system since the beginning, after the connection headers. TLS
    /// adds its own.
    pub sent_bytes: u64,
    /// Requests and one-way messages of the peer whose handlers have not ended, at this moment.
    pub requests_executing: usize,
    /// Requests of this side that wait for replies, at this moment.
    pub requests_waiting: usize,
    /// Files at this moment: those that are being sent, and those that came with messages that are
    /// not done with.
    pub files: usize,
    /// Streams at this moment, as with files.
    pub streams: usize,
}

impl Traffic {
    pub(crate) fn add(&mut self, other: &Self) {
        self.received_bytes += other.received_bytes;
        self.sent_bytes += other.sent_bytes;
        self.requests_executing += other.requests_executing;
        self.requests_waiting += other.requests_waiting;
        self.files += other.files;
        self.streams += other.streams;
    }

    /// What stays of it when the connection has ended.
    pub(crate) fn past(&self) -> Self {
        Self {
            received_bytes: self.received_bytes,
            sent_bytes: self.sent_bytes,
            ..Self::default()
        }
    }
}
