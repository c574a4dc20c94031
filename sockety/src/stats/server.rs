use std::sync::atomic::{AtomicU64, Ordering};

use super::Stats;

/// The connections of a server, and what their peers did; see
/// [`ServerHandle::stats`](crate::server::handle::ServerHandle::stats).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// Current connections.
    pub connections: usize,
    /// Connections accepted since the server started, including those that failed.
    pub accepted: u64,
    /// Connections that ended before they were established: no Sockety peer, too slow, or refused.
    pub failed_handshakes: u64,
    /// The same by reason; together they are `failed_handshakes`.
    pub failures: FailedHandshakes,
    /// Connections that ended before they brought a byte of the protocol, as the health checks of
    /// load balancers do. They do not count as failed handshakes.
    pub silent_connections: u64,
    /// Connections closed at once because their host had too many, or the server if it
    /// [refuses](crate::server::Server::refuse_when_full) then. They do not count as accepted.
    pub refused_connections: u64,
    /// Behaviour of peers that was tolerated, refused or cut off, on all connections since the
    /// server started.
    pub peers: Stats,
}

macro_rules! failures {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Why connections ended before they were established.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct FailedHandshakes {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl FailedHandshakes {
            /// All of them, each by the name of its field.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
                [$((stringify!($name), self.$name)),*].into_iter()
            }
        }

        /// What [`FailedHandshakes`] are read from.
        #[derive(Debug, Default)]
        pub(crate) struct FailureCounters {
            $(pub(crate) $name: AtomicU64,)*
        }

        impl FailureCounters {
            pub(crate) fn read(&self) -> FailedHandshakes {
                FailedHandshakes {
                    $($name: self.$name.load(Ordering::Relaxed),)*
                }
            }
        }
    };
}

failures! {
    /// The peer spoke another protocol, such as HTTP, or TLS to a server without it.
    other_protocol,
    /// The TLS handshake failed: no common version or cipher, a certificate that is not trusted, no
    /// ALPN where it is required, or no TLS at all.
    tls,
    /// The header of the PROXY protocol was missing, invalid or not to be trusted.
    proxy_header,
    /// The handshake was not complete in time.
    timed_out,
    /// The peer closed within the handshake, or the link failed or panicked.
    cut_off,
}
