//! A capture for Wireshark. The bytes that pass are put into TCP segments of our own making, between the addresses of
//! client and server, so that also what was TLS or a Unix socket can be looked at.

use std::{
    borrow::Cow,
    fs::File,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use etherparse::{IpHeaders, Ipv4Header, Ipv6Header, PacketBuilder, TcpHeader, ip_number};
use pcap_file::{
    DataLink,
    pcap::{PcapHeader, PcapPacket, PcapWriter},
};

use crate::{exit::Failure, out, printing::Way};

/// A file with the bytes of many connections.
#[derive(Debug)]
pub struct Pcap {
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Open {
        writer: PcapWriter<File>,
        /// How many bytes it may still grow by.
        room: u64,
    },
    /// It has its size, or failed.
    Closed,
}

/// The two sides of a connection in a capture.
#[derive(Debug)]
pub struct Conversation {
    up: Side,
    down: Side,
}

/// A side and the number of the next byte that it sends.
#[derive(Debug)]
struct Side {
    address: SocketAddr,
    next: u32,
}

/// As large as a segment is: what fits a packet of IP, with room for headers.
const SEGMENT: usize = 32 * 1024;

/// A packet's headers, roughly.
const HEADERS: u64 = 80;

impl Pcap {
    /// A new file, which may grow to so many bytes.
    pub fn create(path: &Path, limit: u64) -> Result<Self, Failure> {
        let cannot =
            |error: String| Failure::local(format!("cannot write {}: {error}", path.display()));
        let file = File::create(path).map_err(|error| cannot(error.to_string()))?;
        let header = PcapHeader {
            datalink: DataLink::RAW,
            snaplen: 256 * 1024,
            ..PcapHeader::default()
        };
        let writer =
            PcapWriter::with_header(file, header).map_err(|error| cannot(error.to_string()))?;
        let state = State::Open {
            writer,
            room: limit,
        };
        let state = Mutex::new(state);
        Ok(Self { state })
    }

    /// The three packets by which a connection begins.
    pub fn begin(&self, conversation: &mut Conversation) {
        self.write(conversation, Way::Up, &[], |tcp| tcp.syn = true);
        conversation.up.next += 1;
        self.write(conversation, Way::Down, &[], |tcp| tcp.syn = true);
        conversation.down.next += 1;
        self.write(conversation, Way::Up, &[], |_| {});
    }

    /// Bytes that one side sent.
    pub fn bytes(&self, conversation: &mut Conversation, way: Way, bytes: &[u8]) {
        for segment in bytes.chunks(SEGMENT) {
            self.write(conversation, way, segment, |tcp| tcp.psh = true);
            let side = conversation.side(way);
            side.next = side.next.wrapping_add(segment.len() as u32);
        }
    }

    /// One side sends nothing more.
    pub fn end(&self, conversation: &mut Conversation, way: Way) {
        self.write(conversation, way, &[], |tcp| tcp.fin = true);
        let side = conversation.side(way);
        side.next = side.next.wrapping_add(1);
    }

    fn write(
        &self,
        conversation: &Conversation,
        way: Way,
        bytes: &[u8],
        flags: impl FnOnce(&mut TcpHeader),
    ) {
        let mut state = self.lock();
        let State::Open { writer, room } = &mut *state else {
            return;
        };
        let size = bytes.len() as u64 + HEADERS;
        if size > *room {
            out::warn("the capture has reached --pcap-limit: nothing more is added to it");
            *state = State::Closed;
            return;
        }
        *room -= size;
        if let Err(problem) = append(writer, &conversation.packet(way, bytes, flags)) {
            out::warn(format_args!("the capture is broken off: {problem}"));
            *state = State::Closed;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn append(writer: &mut PcapWriter<File>, packet: &[u8]) -> Result<(), String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let packet = PcapPacket {
        timestamp: now.unwrap_or(Duration::ZERO),
        orig_len: packet.len() as u32,
        data: Cow::Borrowed(packet),
    };
    // Without a buffer: whoever looks while it grows sees all that has passed.
    writer
        .write_packet(&packet)
        .map(drop)
        .map_err(|error| error.to_string())
}

impl Conversation {
    /// Between these, where they are known. The number of the connection stands in for what is not, as for Unix sockets.
    pub fn new(number: u64, client: Option<SocketAddr>, server: Option<SocketAddr>) -> Self {
        let any = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let port = 10_000 + (number % 50_000) as u16;
        let client = client.unwrap_or_else(|| any(port));
        let mut server = server.unwrap_or_else(|| any(9000));
        // A packet has addresses of one kind.
        if client.is_ipv4() != server.is_ipv4() {
            server.set_ip(match client.is_ipv4() {
                true => IpAddr::V4(Ipv4Addr::LOCALHOST),
                false => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
            });
        }
        Self {
            up: Side::new(client),
            down: Side::new(server),
        }
    }

    fn side(&mut self, way: Way) -> &mut Side {
        match way {
            Way::Up | Way::Unknown => &mut self.up,
            Way::Down => &mut self.down,
        }
    }

    fn packet(&self, way: Way, bytes: &[u8], flags: impl FnOnce(&mut TcpHeader)) -> Vec<u8> {
        let (from, to) = match way {
            Way::Up | Way::Unknown => (&self.up, &self.down),
            Way::Down => (&self.down, &self.up),
        };
        let mut tcp = TcpHeader::new(from.address.port(), to.address.port(), from.next, u16::MAX);
        flags(&mut tcp);
        // The first packet of all acknowledges nothing.
        if !(tcp.syn && way == Way::Up) {
            tcp.ack = true;
            tcp.acknowledgment_number = to.next;
        }
        let mut packet = Vec::new();
        let builder = PacketBuilder::ip(headers(from.address.ip(), to.address.ip()));
        // Writing to memory fails only for what is too long, and a segment is not.
        let _ = builder.tcp_header(tcp).write(&mut packet, bytes);
        packet
    }
}

impl Side {
    fn new(address: SocketAddr) -> Self {
        Self { address, next: 0 }
    }
}

/// Lengths and checksums are filled in when the packet is written.
fn headers(from: IpAddr, to: IpAddr) -> IpHeaders {
    const HOPS: u8 = 64;
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let header = Ipv4Header::new(0, HOPS, ip_number::TCP, from.octets(), to.octets());
            IpHeaders::Ipv4(header.unwrap_or_default(), Default::default())
        }
        (from, to) => IpHeaders::Ipv6(
            Ipv6Header {
                hop_limit: HOPS,
                next_header: ip_number::TCP,
                source: octets(from),
                destination: octets(to),
                ..Default::default()
            },
            Default::default(),
        ),
    }
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}
