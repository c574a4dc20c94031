use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tracing::debug;

/// Options of TCP sockets. The defaults find out about a dead peer or link, and keep small messages fast.
///
/// What an operating system or a sandbox does not have is left as it is.
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

/// How the system asks the peer's system whether it is still there; see [`TcpOptions::keepalive`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    idle: Duration,
    interval: Duration,
    probes: u32,
}

impl Keepalive {
    /// When nothing was exchanged for `idle`, the system sends a probe every `interval`, and gives the connection up
    /// after `probes` of them without an answer. Times are whole seconds, at least 1.
    pub fn new(idle: Duration, interval: Duration, probes: u32) -> Self {
        Self {
            idle,
            interval,
            probes,
        }
    }
}

impl TcpOptions {
    /// `TCP_NODELAY`: a small message does not wait for an acknowledgement of the one before; on.
    pub fn nodelay(mut self, nodelay: bool) -> Self {
        self.nodelay = nodelay;
        self
    }

    /// Sets `SO_KEEPALIVE` (default: 60 s idle, then 3 probes at intervals of 10 s). `None` sends no probes.
    pub fn keepalive(mut self, keepalive: impl Into<Option<Keepalive>>) -> Self {
        self.keepalive = keepalive.into();
        self
    }

    /// `TCP_USER_TIMEOUT`, on Linux: how long the peer's system may leave bytes unacknowledged before the connection
    /// fails; 30 s, in milliseconds. `None` leaves it to the system, which takes about 15 minutes.
    ///
    /// It holds for questions of [`TcpOptions::keepalive`] too: with both defaults, an idle connection fails with the
    /// second question.
    pub fn user_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.user_timeout = timeout.into();
        self
    }

    /// `TCP_NOTSENT_LOWAT`, on Linux: how many bytes the system takes beyond what the network does; 128 KiB. A small
    /// message waits behind no more than that. `None` leaves it to the system, which takes megabytes.
    pub fn not_sent_bytes(mut self, bytes: impl Into<Option<u32>>) -> Self {
        self.not_sent_bytes = bytes.into();
        self
    }

    /// `SO_RCVBUF`: how many bytes the system takes in before they are read. `None`, the default, leaves it to the
    /// system, which may take many megabytes.
    ///
    /// A small message waits behind all that came before it. Calls next to files and streams of the same side stay quick
    /// anyway. Where replies come from a side that sends files or streams at the same time, over a short and fast way,
    /// 128 KiB here keep them quick, and make bulk cost more. Over a long way a small buffer makes bulk slow, as no more
    /// than it holds is on its way at a time.
    pub fn receive_buffer(mut self, bytes: impl Into<Option<u32>>) -> Self {
        self.receive_buffer = bytes.into();
        self
    }

    /// Sets what can be set: none of it is a reason to have no connection.
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
            user_timeout: Some(Duration::from_secs(30)),
            not_sent_bytes: Some(128 * 1024),
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
        let timeout = socket.tcp_user_timeout().expect("an option");
        assert_eq!(timeout, Some(Duration::from_secs(30)));
        let bytes = socket.tcp_notsent_lowat();
        // Some sandboxes do not have it.
        assert!(bytes.is_err() || bytes.is_ok_and(|bytes| bytes == 128 * 1024));
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
    async fn what_is_left_to_the_system_is_not_set() {
        let options = TcpOptions::default().keepalive(None).user_timeout(None);
        let stream = socket(options).await;
        let socket = SockRef::from(&stream);
        assert!(!socket.keepalive().expect("an option"));
        assert_eq!(socket.tcp_user_timeout().expect("an option"), None);
    }
}
