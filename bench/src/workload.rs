use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::plan::Placement;

/// What is measured.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum, Serialize, Deserialize,
)]
pub enum Workload {
    /// Echo of 32 bytes, one at a time.
    #[value(name = "W1")]
    W1,
    /// Echo of 32 bytes, 64 in flight on one connection.
    #[value(name = "W2")]
    W2,
    /// Echo of 32 bytes, 256 in flight on each of two connections.
    #[value(name = "W3")]
    W3,
    /// One-way messages of 32 bytes.
    #[value(name = "W4")]
    W4,
    /// 1 MiB up, a small reply, 8 in flight.
    #[value(name = "W5")]
    W5,
    /// A stream of chunks of 64 KiB.
    #[value(name = "W6")]
    W6,
    /// Memory of idle connections.
    #[value(name = "W7")]
    W7,
    /// Echo of eight records, 64 in flight.
    #[value(name = "W8")]
    W8,
    /// A file from disk to disk.
    #[value(name = "W9")]
    W9,
    /// W2 while W6 and W9 run on the same connection.
    #[value(name = "W10")]
    W10,
    /// W2 over TLS.
    #[value(name = "W11")]
    W11,
    /// Echo of 32 bytes, one in flight on each of many connections.
    #[value(name = "W12")]
    W12,
    /// W2 on each of eight connections, with servers of one and of two workers.
    #[value(name = "W13")]
    W13,
    /// Echo of 32 bytes over ten servers.
    #[value(name = "W14")]
    W14,
    /// Memory of connections with an open stream.
    #[value(name = "W15")]
    W15,
    /// A call that is answered by a code, 125 in flight on each of two connections.
    #[value(name = "T1")]
    T1,
    /// Echo of 32 bytes, likewise.
    #[value(name = "T2")]
    T2,
    /// One-way messages of 32 bytes, likewise.
    #[value(name = "T3")]
    T3,
    /// 1 MiB up, a small reply, likewise.
    #[value(name = "T4")]
    T4,
}

/// A workload with its numbers; some have several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Case {
    pub workload: Workload,
    pub tls: bool,
    pub connections: usize,
    /// Calls in flight on each connection; in W14, of the client; in W15, streams of the one call on each.
    pub in_flight: usize,
    /// How many servers there are, all in one process.
    pub servers: usize,
    /// Workers of the serving process.
    pub workers: usize,
}

/// Servers of W14.
const FLEET: usize = 10;

impl Workload {
    pub fn cases(self) -> Vec<Case> {
        let case = |tls, connections, in_flight| Case {
            workload: self,
            tls,
            connections,
            in_flight,
            servers: 1,
            workers: 1,
        };
        match self {
            Self::W1 => vec![case(false, 1, 1)],
            Self::W2 | Self::W8 | Self::W10 => vec![case(false, 1, 64)],
            Self::W3 => vec![case(false, 2, 256)],
            Self::W4 => vec![case(false, 1, 2)],
            Self::W5 => vec![case(false, 1, 8)],
            Self::W6 => vec![case(false, 1, 1), case(true, 1, 1)],
            Self::W7 => vec![case(false, 5_000, 0), case(true, 5_000, 0)],
            Self::W9 => vec![case(false, 1, 1)],
            Self::W11 => vec![case(true, 1, 64)],
            Self::T1 | Self::T2 | Self::T3 | Self::T4 => vec![case(false, 2, 125)],
            Self::W12 => [1, 10, 100, 1_000, 10_000]
                .map(|connections| case(false, connections, 1))
                .into(),
            Self::W13 => [1, 2]
                .map(|workers| Case {
                    workers,
                    ..case(false, 8, 64)
                })
                .into(),
            Self::W14 => [64, 512]
                .map(|in_flight| Case {
                    servers: FLEET,
                    ..case(false, 1, in_flight)
                })
                .into(),
            Self::W15 => [1, 2].map(|streams| case(false, 10_000, streams)).into(),
        }
    }

    /// Its values are of memory, not of work in a second.
    pub fn less_is_better(self) -> bool {
        matches!(self, Self::W7 | Self::W15)
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::W1 => "32-byte echo, 1 in flight",
            Self::W2 => "32-byte echo, 64 in flight",
            Self::W3 => "32-byte echo, 2 x 256 in flight",
            Self::W4 => "32-byte one-way messages",
            Self::W5 => "1 MiB up, 8 in flight",
            Self::W6 => "stream of 64 KiB chunks",
            Self::W7 => "server memory of an idle connection",
            Self::W8 => "echo of 8 records, 64 in flight",
            Self::W9 => "file, disk to disk",
            Self::W10 => "W2 alongside a stream and files",
            Self::W11 => "W2 over TLS",
            Self::W12 => "32-byte echo on many connections",
            Self::W13 => "32-byte echo, 8 x 64 in flight",
            Self::W14 => "32-byte echo over 10 servers",
            Self::W15 => "server memory of a connection with an open stream",
            Self::T1 => "short reply, 2 x 125 in flight",
            Self::T2 => "32-byte echo, 2 x 125 in flight",
            Self::T3 => "32-byte one-way messages, 2 x 125 senders",
            Self::T4 => "1 MiB up, 2 x 125 in flight",
        }
    }
}

impl Case {
    /// Whether it means something there: several workers on one core do not.
    pub fn fits(&self, placement: Placement) -> bool {
        self.workload != Workload::W13 || placement == Placement::Free
    }

    /// What tells it from the other cases of its workload.
    pub fn detail(&self) -> String {
        match self.workload {
            Workload::W6 | Workload::W7 => if self.tls { "TLS" } else { "plain" }.into(),
            Workload::W12 => format!("{} connections", self.connections),
            Workload::W13 if self.workers == 1 => "server with 1 worker".into(),
            Workload::W13 => format!("server with {} workers", self.workers),
            Workload::W14 => format!("{} in flight", self.in_flight),
            Workload::W15 if self.in_flight == 1 => "from the server".into(),
            Workload::W15 => "in each direction".into(),
            _ => String::new(),
        }
    }
}
