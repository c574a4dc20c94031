use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tracing::debug;

/// Options of TCP sockets. The defaults detect a dead peer or link, and keep small messages fast.
///
/// Options that the operating system or a sandbox does not support are skipped.
///
/// ```
/// use std::time::Duration;
/// use sockety::{Options, config::TcpOptions};
///
/// let tcp = TcpOptions::default().user_timeout(Some(Duration::from_secs(10)));
/// let options = Options::default().tcp(tcp);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpOptions {
    nodelay: bool,
    keepalive: Option<Keepalive>,
    user_timeout: Option<Duration>,
    not_sent_bytes: Option<u32>,
    receive_buffer: Option<u32>,
}

/// How the system probes whether the peer's system is still there; see [`TcpOptions::keepalive`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    idle: Duration,
    interval: Duration,
    probes: u32,
}

impl Keepalive {
    /// After `idle` without traffic, the system sends a probe every `interval`. The connection
    /// fails after `probes` unanswered ones. Times are in whole seconds. Less
    /// than 1 s counts as 1 s, and 0 probes count as 1.
    pub fn new(idle: Duration, interval: Duration, probes: u32) -> Self {
        // The system refuses less, and would send no probes at all.
        const LEAST: Duration = Duration::from_secs(1);
        Self {
            idle: idle.max(LEAST),
            interval: interval.max(LEAST),
            probes: probes.max(1),
        }
    }
}

impl TcpOptions {
    /// Sets `TCP_NODELAY` (default: on): a small message does not wait until the previous one is
    /// acknowledged.
    pub fn nodelay(mut self, nodelay: bool) -> Self {
        self.nodelay = nodelay;
        self
    }

    /// Sets `SO_KEEPALIVE` (default: 60 s idle, then 3 probes at intervals of 10 s). `None` sends
    /// no probes.
    pub fn keepalive(mut self, keepalive: impl Into<Option<Keepalive>>) -> Self {
        self.keepalive = keepalive.into();
        self
    }

    /// Sets `TCP_USER_TIMEOUT` on Linux (in whole milliseconds): the connection fails if the peer's
    /// system leaves bytes unacknowledged for this time. `None`, the default, keeps the system's
    /// limit of about 15 minutes, before which
    /// [`Options::idle_timeout`](crate::config::options::Options::idle_timeout) ends a connection
    /// whose peer has vanished.
    ///
    /// A short time finds such a peer sooner, but also ends connections whose peer is alive: it
    /// counts while the peer's receive window is closed, although the peer's system answers every
    /// probe. The window of a slow reader is closed most of the time.
    ///
    /// It also applies to the probes of [`TcpOptions::keepalive`]: with 30 s and the default
    /// probes, an idle connection fails at the second probe. Less than 1 ms counts as 1 ms.
    pub fn user_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        // To the system, 0 means its own limit.
        let timeout = timeout.into();
        self.user_timeout = timeout.map(|timeout| timeout.max(Duration::from_millis(1)));
        self
    }

    /// Sets `TCP_NOTSENT_LOWAT` on Linux (default: 512 KiB): the number of unsent bytes that the
    /// system buffers. A small message waits behind no more than these: 4 ms at 1 Gbit/s, 0.4 s at
    /// 10 Mbit/s, where less may be better. With less, the sender is woken more often, which costs large payloads
    /// on fast links much of their throughput. `None` keeps the system's default of megabytes. 0 counts as 1.
    pub fn not_sent_bytes(mut self, bytes: impl Into<Option<u32>>) -> Self {
        // To the system, 0 means its own default.
        self.not_sent_bytes = bytes.into().map(|bytes| bytes.max(1));
        self
    }

    /// Sets `SO_RCVBUF`: the number of received bytes that the system buffers before they are read.
    /// `None`, the default, leaves it to the system, which may buffer many megabytes.
    ///
    /// A small message waits behind everything that arrived before it. Calls alongside files and
    /// streams of the same side are fast anyway. If replies come from a side that also sends files
    /// or streams, over a short and fast link, 128 KiB here keep the replies fast, at a higher cost
    /// for bulk. Over a long link a small buffer makes bulk slow, because no more than its size is
    /// in flight at a time. 0 counts as 1; the system has its own minimum, on Linux about 2 KiB.
    pub fn receive_buffer(mut self, bytes: impl Into<Option<u32>>) -> Self {
        self.receive_buffer = bytes.into().map(|bytes| bytes.max(1));
        self
    }

    /// Sets all options that can be set: failing to set one does not fail the connection.
    pub(crate) fn apply(&self, stream: &TcpStream) {
        let socket = SockRef::from(stream);
        note("TCP_NODELAY", socket.set_tcp_nodelay(self.nodelay));
        if let Some(bytes) = self.receive_buffer {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            note("SO_RCVBUF", socket.set_recv_buffer_size(bytes));
        }
        if let Some(keepalive) = self.keepalive {
            let set = socket.set_tcp_keepalive(&keepalive.into());
            note("SO_KEEPALIVE", set);
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            if self.user_timeout.is_some() {
                let set = socket.set_tcp_user_timeout(self.user_timeout);
                note("TCP_USER_TIMEOUT", set);
            }
            if let Some(bytes) = self.not_sent_bytes {
                note("TCP_NOTSENT_LOWAT", socket.set_tcp_notsent_lowat(bytes));
            }
        }
    }
}

fn note(option: &str, set: std::io::Result<()>) {
    if let Err(error) = set {
        debug!(%error, "{option} not set");
    }
}

impl From<Keepalive> for TcpKeepalive {
    fn from(keepalive: Keepalive) -> Self {
        let parameters = Self::new().with_time(keepalive.idle);
        #[cfg(any(
            target_os = "linux",
            target_os = "android",
            target_vendor = "apple",
            target_os = "freebsd",
            target_os = "netbsd",
            windows
        ))]
        let parameters = parameters
            .with_interval(keepalive.interval)
            .with_retries(keepalive.probes);
        parameters
    }
}

impl Default for TcpOptions {
    fn default() -> Self {
        let keepalive = Keepalive {
            idle: Duration::from_secs(60),
            interval: Duration::from_secs(10),
            probes: 3,
        };
        Self {
            nodelay: true,
            keepalive: Some(keepalive),
            user_timeout: None,
            not_sent_bytes: Some(512 * 1024),
            receive_buffer: None,
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn socket(options: TcpOptions) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let stream = TcpStream::connect(address).await.expect("connected");
        options.apply(&stream);
        stream
    }

    #[tokio::test]
    async fn defaults_are_set() {
        let stream = socket(TcpOptions::default()).await;
        let socket = SockRef::from(&stream);
        assert!(socket.tcp_nodelay().expect("an option"));
        assert!(socket.keepalive().expect("an option"));
        let idle = socket.tcp_keepalive_time().expect("an option");
        let interval = socket.tcp_keepalive_interval().expect("an option");
        assert_eq!((idle.as_secs(), interval.as_secs()), (60, 10));
        assert_eq!(socket.tcp_keepalive_retries().expect("an option"), 3);
        // It would end connections to readers that are slow.
        assert_eq!(socket.tcp_user_timeout().expect("an option"), None);
        let bytes = socket.tcp_notsent_lowat();
        // Some sandboxes do not have it.
        assert!(bytes.is_err() || bytes.is_ok_and(|bytes| bytes == 512 * 1024));
    }

    #[tokio::test]
    async fn what_is_given_is_set() {
        let options = TcpOptions::default()
            .nodelay(false)
            .keepalive(Keepalive::new(
                Duration::from_secs(77),
                Duration::from_secs(7),
                5,
            ))
            .user_timeout(Some(Duration::from_millis(12_345)))
            .receive_buffer(Some(100_000));
        let stream = socket(options).await;
        let socket = SockRef::from(&stream);
        assert!(!socket.tcp_nodelay().expect("an option"));
        let idle = socket.tcp_keepalive_time().expect("an option");
        let interval = socket.tcp_keepalive_interval().expect("an option");
        assert_eq!((idle.as_secs(), interval.as_secs()), (77, 7));
        assert_eq!(socket.tcp_keepalive_retries().expect("an option"), 5);
        let timeout = socket.tcp_user_timeout().expect("an option");
        assert_eq!(timeout, Some(Duration::from_millis(12_345)));
        // The system adds as much for what it has to note.
        let buffer = socket.recv_buffer_size().expect("an option");
        assert!((100_000..=200_000).contains(&buffer), "{buffer}");
    }

    #[tokio::test]
    async fn nothing_counts_as_the_least_that_the_system_takes() {
        let none = Duration::ZERO;
        let least = |options: TcpOptions| {
            options
                .keepalive(Keepalive::new(none, none, 0))
                .user_timeout(none)
                .not_sent_bytes(0)
                .receive_buffer(0)
        };
        let second = Duration::from_secs(1);
        let expected = TcpOptions::default()
            .keepalive(Keepalive::new(second, second, 1))
            .user_timeout(Duration::from_millis(1))
            .not_sent_bytes(1)
            .receive_buffer(1);
        assert_eq!(least(TcpOptions::default()), expected);
        let stream = socket(expected).await;
        let socket = SockRef::from(&stream);
        let idle = socket.tcp_keepalive_time().expect("an option");
        let interval = socket.tcp_keepalive_interval().expect("an option");
        assert_eq!((idle, interval), (second, second));
        assert_eq!(socket.tcp_keepalive_retries().expect("an option"), 1);
        let timeout = socket.tcp_user_timeout().expect("an option");
        assert_eq!(timeout, Some(Duration::from_millis(1)));
    }

    #[tokio::test]
    async fn what_is_left_to_the_system_is_not_set() {
        let options = TcpOptions::default().keepalive(None);
        let stream = socket(options).await;
        let socket = SockRef::from(&stream);
        assert!(!socket.keepalive().expect("an option"));
    }
}
