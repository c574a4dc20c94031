pub(crate) mod server;
pub(crate) mod traffic;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

macro_rules! stats {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// How often a peer was tolerated, refused or cut off, since the connection or the server
        /// began.
        ///
        /// One of them now and then means nothing. Numbers that grow fast tell of a peer that is
        /// broken, or hostile.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Stats {
            /// All of them, each by the name of its field.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
                [$((stringify!($name), self.$name)),*].into_iter()
            }
        }

        /// What [`Stats`] are read from.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            /// Those of all connections together.
            together: Option<Arc<Self>>,
            $(pub(crate) $name: AtomicU64,)*
        }

        impl Counters {
            pub(crate) fn read(&self) -> Stats {
                Stats {
                    $($name: self.$name.load(Ordering::Relaxed),)*
                }
            }
        }
    };
}

stats! {
    /// Bytes with bits set that mean nothing (`packet.reserved`, `header.reserved`,
    /// `head.reserved`, `head.file.reserved`).
    reserved_bits,
    /// Packets without content (`packet.empty.read`).
    empty_packets,
    /// Switches to the current channel, or right after another switch (`packet.switch.needless`).
    needless_switches,
    /// Heartbeats (`packet.heartbeat`).
    heartbeats,
    /// Announcements to go away, beyond the first (`packet.goaway`).
    repeated_go_aways,
    /// Aborts where nothing was in progress (`content.abort.idle`).
    aborts_without_message,
    /// Messages and responses that their sender abandoned (`content.abort`).
    aborted_messages,
    /// Replies that answer no request.
    unexpected_replies,
    /// Replies to requests that no longer wait for one.
    late_replies,
    /// Messages and responses above a limit, or against a rule that ends only the message.
    refused_messages,
    /// Messages for actions that are not served. Reserved actions, `$sockety.…`, are not counted.
    not_implemented,
    /// Messages refused because too many were executing, or too many bytes waited, also by a
    /// [`ConcurrencyLimit`](crate::serve::ConcurrencyLimit) or [`RateLimit`](crate::serve::RateLimit).
    overloaded,
    /// Messages refused because this side is shutting down.
    going_away,
    /// Messages refused because the peer was not authorized.
    unauthorized,
    /// Messages refused by an [`AccessCheck`](crate::serve::AccessCheck).
    access_denied,
    /// Messages whose files or stream were not read in time, so that others had to wait.
    overrun_messages,
    /// Messages whose payload or files stopped coming.
    stalled_messages,
    /// Bytes of content that nobody took.
    dropped_bytes,
    /// Pauses in reading, as more messages were refused or aborted, or more content dropped, than
    /// [`Options`](crate::config::options::Options) allow at once.
    throttled,
    /// Handlers that panicked.
    handler_panics,
    /// Messages whose handlers ended without the reply that was expected; they were answered with
    /// code 5. Not counted are those whose connection had ended, so that they could not be answered.
    unanswered_messages,
    /// Requests of this side that got no reply in time.
    timed_out_requests,
    /// Connections ended because the peer broke the protocol.
    violations,
    /// Connections ended because the peer exceeded a limit
    /// ([`LimitExceeded`](crate::error::limit::LimitExceeded)).
    exceeded_limits,
    /// Connections ended because nothing came from the peer, or it took nothing of what was
    /// written.
    timed_out_connections,
    /// Connections that ended inside a message.
    truncated_connections,
}

impl Counters {
    pub(crate) fn of_connection(together: Arc<Self>) -> Self {
        Self {
            together: Some(together),
            ..Self::default()
        }
    }

    pub(crate) fn add(&self, counter: fn(&Self) -> &AtomicU64, count: u64) {
        if count == 0 {
            return;
        }
        counter(self).fetch_add(count, Ordering::Relaxed);
        if let Some(together) = &self.together {
            counter(together).fetch_add(count, Ordering::Relaxed);
        }
    }

    pub(crate) fn count(&self, counter: fn(&Self) -> &AtomicU64) {
        self.add(counter, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_counts_for_its_server_too() {
        let server = Arc::new(Counters::default());
        let connections = [0, 1].map(|_| Counters::of_connection(Arc::clone(&server)));
        connections[0].count(|all| &all.overloaded);
        connections[1].add(|all| &all.dropped_bytes, 7);
        assert_eq!(connections[0].read().overloaded, 1);
        assert_eq!(connections[1].read().overloaded, 0);
        let named: Vec<_> = connections[1].read().iter().collect();
        assert!(named.contains(&("overloaded", 0)));
        assert!(named.contains(&("dropped_bytes", 7)));
        let together = server.read();
        assert_eq!((together.overloaded, together.dropped_bytes), (1, 7));
    }
}
