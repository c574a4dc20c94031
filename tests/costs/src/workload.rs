use crate::{
    calls::{Calls, Kept},
    codec::{self, Packet},
    records,
};

/// Something that costs, done `times` times and twice as often to know what one costs.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) times: u64,
    work: Work,
}

#[derive(Clone, Copy)]
enum Work {
    Encode(Packet),
    Decode(Packet),
    WriteRecords,
    ReadRecords,
    Calls(Calls),
}

/// What is between client and server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// A pipe, in one thread: every run does the same.
    Memory,
    /// A socket, with a thread for each side.
    Tcp,
}

/// Packets.
const CODED: u64 = 20_000;

const fn encode(name: &'static str, packet: Packet) -> Workload {
    Workload {
        name,
        times: CODED,
        work: Work::Encode(packet),
    }
}

const fn decode(name: &'static str, packet: Packet) -> Workload {
    Workload {
        name,
        times: CODED,
        work: Work::Decode(packet),
    }
}

/// Eight records, as MessagePack.
const fn records(name: &'static str, work: Work) -> Workload {
    let times = 500;
    Workload { name, times, work }
}

const fn calls(name: &'static str, calls: Calls, times: u64) -> Workload {
    Workload {
        name,
        times,
        work: Work::Calls(calls),
    }
}

/// All whose instructions are guarded.
pub(crate) const GUARDED: &[Workload] = &[
    encode("encode ping", Packet::Ping),
    encode("encode ping with 32 bytes", Packet::PingWith32Bytes),
    encode("encode response with 32 bytes", Packet::ResponseWith32Bytes),
    encode("encode fast reply", Packet::FastReply),
    decode("decode ping", Packet::Ping),
    decode("decode ping with 32 bytes", Packet::PingWith32Bytes),
    decode("decode response with 32 bytes", Packet::ResponseWith32Bytes),
    decode("decode fast reply", Packet::FastReply),
    decode("decode 64 KiB of a stream", Packet::Stream),
    records("write 8 records", Work::WriteRecords),
    records("read 8 records", Work::ReadRecords),
    calls("call, 1 in flight", Calls::Echo { in_flight: 1 }, 2_000),
    calls("call, 64 in flight", Calls::Echo { in_flight: 64 }, 4_096),
    calls(
        "nothing, 1 in flight",
        Calls::Nothing { in_flight: 1 },
        2_000,
    ),
    calls(
        "nothing, 64 in flight",
        Calls::Nothing { in_flight: 64 },
        4_096,
    ),
    calls("one-way message", Calls::OneWay, 4_096),
    calls(
        "one-way message, 1,024 at once",
        Calls::OneWayBatches,
        8_192,
    ),
    calls("64 KiB of a stream", Calls::StreamChunk, 256),
    calls("1 MiB of a file", Calls::FileMib, 16),
];

const fn call_of(name: &'static str, in_flight: u64) -> Workload {
    calls(name, Calls::Echo { in_flight }, 4_096)
}

/// How cost grows with calls in flight.
pub(crate) const IN_FLIGHT: &[Workload] = &[
    call_of("1", 1),
    call_of("2", 2),
    call_of("4", 4),
    call_of("8", 8),
    call_of("16", 16),
    call_of("32", 32),
    call_of("64", 64),
    call_of("128", 128),
    call_of("256", 256),
    call_of("512", 512),
];

const fn upload(name: &'static str, size: usize, times: u64) -> Workload {
    calls(name, Calls::Upload { size }, times)
}

/// How cost grows with payloads.
pub(crate) const PAYLOADS: &[Workload] = &[
    upload("32 B", 32, 4_096),
    upload("256 B", 256, 4_096),
    upload("1 KiB", 1 << 10, 4_096),
    upload("4 KiB", 4 << 10, 2_048),
    upload("16 KiB", 16 << 10, 1_024),
    upload("64 KiB", 64 << 10, 512),
    upload("256 KiB", 256 << 10, 256),
    upload("1 MiB", 1 << 20, 128),
];

#[cfg(feature = "fleet")]
const fn balanced(name: &'static str, servers: Option<usize>, in_flight: u64) -> Workload {
    calls(name, Calls::Balanced { servers, in_flight }, 2_048)
}

/// What a fleet costs, against the same call to one server. All use sockets, so these rows compare with each other only. Of ten
/// servers each gets fewer calls at a time, so less of them leaves in one write: that is why 64 in flight have a row for one server.
#[cfg(feature = "fleet")]
pub(crate) const FLEETS: &[Workload] = &[
    balanced("one server, 1 in flight", None, 1),
    balanced("a fleet of 1, 1 in flight", Some(1), 1),
    balanced("a fleet of 10, 1 in flight", Some(10), 1),
    balanced("one server, 64 in flight", None, 64),
    balanced("a fleet of 1, 64 in flight", Some(1), 64),
    balanced("a fleet of 10, 64 in flight", Some(10), 64),
];

#[cfg(not(feature = "fleet"))]
pub(crate) const FLEETS: &[Workload] = &[];

/// What stays allocated for a connection.
pub(crate) const KEPT: &[Workload] = &[
    calls("idle connection", Calls::Kept(Kept::Idle), 400),
    calls(
        "connection with an open stream from the server",
        Calls::Kept(Kept::Stream),
        400,
    ),
    calls(
        "connection with an open stream in each direction",
        Calls::Kept(Kept::Streams),
        400,
    ),
];

impl Workload {
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        let all = [GUARDED, IN_FLIGHT, PAYLOADS, FLEETS, KEPT];
        all.into_iter()
            .flatten()
            .find(|workload| workload.name == name)
    }

    /// Whether it has two sides.
    pub(crate) fn is_calls(&self) -> bool {
        matches!(self.work, Work::Calls(_))
    }

    pub(crate) fn run(&self, link: Link, times: u64) {
        match self.work {
            Work::Encode(packet) => codec::encode(packet, times),
            Work::Decode(packet) => codec::decode(packet, times),
            Work::WriteRecords => records::write(times),
            Work::ReadRecords => records::read(times),
            Work::Calls(calls) => calls.run(link, times),
        }
    }
}

impl Link {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Tcp => "tcp",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Memory, Self::Tcp]
            .into_iter()
            .find(|link| link.name() == name)
    }
}
