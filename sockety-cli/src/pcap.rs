//! Writes a capture for Wireshark. The forwarded bytes are put into synthetic TCP segments between
//! the addresses of client and server, so that Wireshark can also show what came over TLS or a Unix
//! socket.

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

/// A capture file with the bytes of all connections.
#[derive(Debug)]
pub struct Pcap {
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Open {
        writer: PcapWriter<File>,
        /// How many bytes the file may still grow by.
        room: u64,
    },
    /// The file reached its limit, or writing failed.
    Closed,
}

/// The two sides of a connection in a capture.
#[derive(Debug)]
pub struct Conversation {
    up: Side,
    down: Side,
}

/// The address of a side, and the sequence number of the next byte that it sends.
#[derive(Debug)]
struct Side {
    address: SocketAddr,
    next: u32,
}

/// The size of a segment: fits into an IP packet, with room for headers.
const SEGMENT: usize = 32 * 1024;

/// Approximate size of a packet's headers.
const HEADERS: u64 = 80;

impl Pcap {
    /// Creates the file, which may grow to `limit` bytes.
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

    /// Writes the three packets of the TCP handshake.
    pub fn begin(&self, conversation: &mut Conversation) {
        self.write(conversation, Way::Up, &[], |tcp| tcp.syn = true);
        conversation.up.next += 1;
        self.write(conversation, Way::Down, &[], |tcp| tcp.syn = true);
        conversation.down.next += 1;
        self.write(conversation, Way::Up, &[], |_| {});
    }

    /// Writes bytes that one side sent.
    pub fn bytes(&self, conversation: &mut Conversation, way: Way, bytes: &[u8]) {
        for segment in bytes.chunks(SEGMENT) {
            self.write(conversation, way, segment, |tcp| tcp.psh = true);
            let side = conversation.side(way);
            side.next = side.next.wrapping_add(segment.len() as u32);
        }
    }

    /// Writes that one side sends nothing more.
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
            out::warn("the capture has reached --pcap-limit and stops here");
            *state = State::Closed;
            return;
        }
        *room -= size;
        if let Err(problem) = append(writer, &conversation.packet(way, bytes, flags)) {
            out::warn(format_args!(
                "cannot write to the capture, which stops here: {problem}"
            ));
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
    // Unbuffered, so that the file can be read while it grows.
    writer
        .write_packet(&packet)
        .map(drop)
        .map_err(|error| error.to_string())
}

impl Conversation {
    /// Creates a conversation between these addresses. Where one is unknown, as with Unix
    /// sockets, it is made up from the number of the connection.
    pub fn new(number: u64, client: Option<SocketAddr>, server: Option<SocketAddr>) -> Self {
        let any = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let port = 10_000 + (number % 50_000) as u16;
        let client = client.unwrap_or_else(|| any(port));
        let mut server = server.unwrap_or_else(|| any(9000));
        // Both addresses of a packet must be of the same kind.
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
        // The very first packet acknowledges nothing.
        if !(tcp.syn && way == Way::Up) {
            tcp.ack = true;
            tcp.acknowledgment_number = to.next;
        }
        let mut packet = Vec::new();
        let builder = PacketBuilder::ip(headers(from.address.ip(), to.address.ip()));
        // Writing to memory fails only if the data is too long, and a segment is not.
        let _ = builder.tcp_header(tcp).write(&mut packet, bytes);
        packet
    }
}

impl Side {
    fn new(address: SocketAddr) -> Self {
        Self { address, next: 0 }
    }
}

/// IP headers. Lengths and checksums are filled in when the packet is written.
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
