//! The suite against an endpoint with one fault at a time: exactly the cases about that fault fail.
//!
//! A proxy between the suite and the endpoint of this repository plants the fault, packet by
//! packet.

use std::{collections::HashMap, net::SocketAddr};

use sockety_conformance::wire::{
    Id,
    head::{self, Read},
    packet::{self, Entry, Kind, Packet},
    uint,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
};

mod support;

use support::{Server, suite};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// Only the proxy.
    None,
    AnswersWhatExpectsNoReply,
    AnswersUnknownActionsTwice,
    UsesMoreChannelsThanOffered,
    TakesMorePayloadThanAnnounced,
    MendsIds,
    SwallowsAborts,
    SwallowsCancels,
    SwallowsStops,
    SwallowsPongs,
}

impl Fault {
    /// Whether it is about the extension.
    fn is_extended(self) -> bool {
        matches!(
            self,
            Self::SwallowsCancels | Self::SwallowsStops | Self::SwallowsPongs
        )
    }
}

/// The largest packets of the extension that are changed.
const LARGE: u64 = 4_096;

/// All run at the same time, as they mostly wait.
#[tokio::test(flavor = "multi_thread")]
async fn each_fault_is_found_by_the_cases_about_it() {
    tokio::join!(
        expect(Fault::None, &[]),
        // 5/6, and those that request the end of the connection with a one-way message.
        expect(Fault::AnswersWhatExpectsNoReply, &["4/8", "5/6", "15/9"]),
        // All that send an unknown action.
        expect(
            Fault::AnswersUnknownActionsTwice,
            &["1/7", "5/7", "5/21", "5/22"]
        ),
        // All that offer few channels and request files.
        expect(
            Fault::UsesMoreChannelsThanOffered,
            &["2/1", "2/2", "2/16", "3/10"]
        ),
        expect(
            Fault::TakesMorePayloadThanAnnounced,
            &["12/6", "12/7", "12/9"]
        ),
        expect(Fault::MendsIds, &["5/25"]),
        expect(
            Fault::SwallowsAborts,
            &["13/2", "13/3", "13/4", "13/5", "13/7", "13/8"]
        ),
        expect(
            Fault::SwallowsCancels,
            &[
                "X/15", "X/19", "X/21", "X/22", "X/23", "X/88", "X/101", "X/102", "X/103", "X/104",
                "X/105", "X/107", "X/108", "X/109", "X/110", "X/113", "X/119", "X/163"
            ]
        ),
        expect(
            Fault::SwallowsStops,
            &["X/64", "X/67", "X/68", "X/69", "X/70", "X/71", "X/72"]
        ),
        expect(
            Fault::SwallowsPongs,
            &["X/75", "X/76", "X/77", "X/78", "X/147"]
        ),
    );
}

/// Checks that exactly these cases fail for an endpoint with that fault.
async fn expect(fault: Fault, cases: &[&str]) {
    let (server, sections) = match fault.is_extended() {
        true => {
            let server = Server::start(["--defaults", "--extension"]);
            (server, &["--section", "X"][..])
        }
        false => (Server::start(["--defaults"]), &[][..]),
    };
    let upstream = SocketAddr::from(([127, 0, 0, 1], server.port));
    let address = proxy(upstream, fault).await.to_string();
    let run = move || {
        let arguments = ["--timeout", "15", "--jobs", "8", &address];
        suite([&arguments[..], sections].concat())
    };
    let found = tokio::task::spawn_blocking(run).await.expect("the suite");
    assert_eq!(found.failed, cases, "{fault:?}: {}", found.report);
    let exit_code = if cases.is_empty() { 0 } else { 1 };
    assert_eq!(found.exit_code, Some(exit_code), "{}", found.report);
}

async fn proxy(server: SocketAddr, fault: Fault) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((suite, _)) = listener.accept().await {
            tokio::spawn(carry(suite, server, fault));
        }
    });
    address
}

async fn carry(suite: TcpStream, server: SocketAddr, fault: Fault) {
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let ((from_suite, to_suite), (from_server, to_server)) =
        (suite.into_split(), server.into_split());
    let (inject, injected) = mpsc::unbounded_channel();
    let requests = Requests {
        fault,
        inject,
        channel: 0,
        left: HashMap::new(),
    };
    tokio::join!(
        forward(from_suite, to_server, requests, None),
        forward(from_server, to_suite, Answers { fault }, Some(injected)),
    );
}

/// How one direction changes the packets that pass.
trait Edit {
    fn header(&mut self, header: &[u8]) -> Vec<u8> {
        header.to_vec()
    }

    /// Whether packets of the extension are to be read.
    fn is_extended(&self) -> bool;

    /// The bytes to forward for a packet.
    fn packet(&mut self, kind: Kind, bytes: &[u8]) -> Vec<u8>;
}

/// Reads whole packets and, at the end, an incomplete one.
async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut edit: impl Edit,
    mut injected: Option<mpsc::UnboundedReceiver<Vec<u8>>>,
) {
    let (mut waiting, mut is_begun) = (Vec::new(), false);
    let (is_extended, mut is_raw) = (edit.is_extended(), false);
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let read = tokio::select! {
            // What is injected precedes the end, because it is injected before the server sees why.
            biased;
            bytes = next(&mut injected) => {
                let _ = to.write_all(&bytes).await;
                continue;
            }
            read = from.read(&mut chunk) => read.unwrap_or(0),
        };
        if read == 0 {
            let _ = to.write_all(&waiting).await;
            let _ = to.shutdown().await;
            return;
        }
        waiting.extend_from_slice(&chunk[..read]);
        if is_raw {
            let bytes = std::mem::take(&mut waiting);
            if to.write_all(&bytes).await.is_err() {
                return;
            }
            continue;
        }
        let mut rest = &waiting[..];
        let mut out = Vec::new();
        if !is_begun && let Some(length) = header_length(rest) {
            out.extend(edit.header(&rest[..length]));
            (rest, is_begun) = (&rest[length..], true);
        }
        loop {
            let before = rest;
            if is_extended && rest.first().is_some_and(|first| is_untouched(*first, rest)) {
                out.extend(std::mem::take(&mut rest));
                is_raw = true;
            }
            let packet = match is_extended {
                true => is_begun.then(|| Packet::take_extended(&mut rest)),
                false => is_begun.then(|| Packet::take(&mut rest)),
            };
            let Some(packet) = packet.flatten() else {
                break;
            };
            out.extend(edit.packet(packet.kind, &before[..before.len() - rest.len()]));
        }
        waiting = rest.to_vec();
        if to.write_all(&out).await.is_err() {
            return;
        }
    }
}

async fn next(injected: &mut Option<mpsc::UnboundedReceiver<Vec<u8>>>) -> Vec<u8> {
    if let Some(receiver) = injected {
        if let Some(bytes) = receiver.recv().await {
            return bytes;
        }
        *injected = None;
    }
    std::future::pending().await
}

/// Whether a packet of the extension is of no known kind, or too large to be changed: what follows is not read,
/// as the suite may not write its content.
fn is_untouched(first: u8, bytes: &[u8]) -> bool {
    let width = packet::SIZE[usize::from(first >> 2 & 3)];
    let mut size = &bytes[1..];
    let mut is_large = || uint::take(&mut size, width).is_some_and(|size| size > LARGE);
    first >> 4 == 0xF && (first & 3 == 3 || is_large())
}

/// Anything but a header of this protocol is forwarded unchanged.
fn header_length(bytes: &[u8]) -> Option<usize> {
    let length = match bytes.first()? {
        first if first >> 4 != 0xE => bytes.len(),
        first => [1, 2, 3, 1][usize::from(first & 3)],
    };
    (bytes.len() >= length).then_some(length)
}

/// Whether the endpoint should accept it.
fn is_header(bytes: &[u8]) -> bool {
    bytes[0] >> 4 == 0xE && bytes != [0xE2, 0xFF, 0xFF]
}

/// From the suite to the endpoint.
struct Requests {
    fault: Fault,
    /// To the suite.
    inject: mpsc::UnboundedSender<Vec<u8>>,
    channel: u16,
    /// The remaining payload, by channel.
    left: HashMap<u16, usize>,
}

impl Edit for Requests {
    fn is_extended(&self) -> bool {
        self.fault.is_extended()
    }

    fn header(&mut self, header: &[u8]) -> Vec<u8> {
        match self.fault {
            Fault::UsesMoreChannelsThanOffered if is_header(header) => vec![0xE3],
            _ => header.to_vec(),
        }
    }

    fn packet(&mut self, kind: Kind, bytes: &[u8]) -> Vec<u8> {
        match kind {
            Kind::Switch(channel) => self.channel = channel,
            Kind::Head {
                is_response,
                expects_reply,
                piece,
                ..
            } => {
                // The announcement of a header in pieces is ignored.
                let mut payload = usize::MAX;
                if let Read::Whole(head, _) = head::read(&piece, is_response) {
                    payload = head.payload as usize;
                    let is_one_way = !is_response && !expects_reply;
                    if is_one_way && self.fault == Fault::AnswersWhatExpectsNoReply {
                        let _ = self.inject.send(packet::code(0, &head.id));
                    }
                }
                self.left.insert(self.channel, payload);
            }
            Kind::Data(content) if self.fault == Fault::TakesMorePayloadThanAnnounced => {
                let left = self.left.entry(self.channel).or_default();
                let taken = content.len().min(*left);
                *left -= taken;
                return if taken > 0 {
                    packet::data(&content[..taken])
                } else {
                    Vec::new()
                };
            }
            Kind::Abort if self.fault == Fault::SwallowsAborts => return Vec::new(),
            Kind::Extension(0, content)
                if self.fault == Fault::SwallowsCancels && content.first() == Some(&1) =>
            {
                return Vec::new();
            }
            Kind::Extension(2, content) if self.fault == Fault::SwallowsStops => {
                let Some(mut entries) = Entry::all(&content) else {
                    return bytes.to_vec();
                };
                let before = entries.len();
                entries.retain(|entry| !matches!(entry, Entry::Stop { .. }));
                return match entries.len() {
                    0 => Vec::new(),
                    left if left == before => bytes.to_vec(),
                    _ => packet::flow(&entries),
                };
            }
            _ => {}
        }
        bytes.to_vec()
    }
}

/// From the endpoint to the suite.
struct Answers {
    fault: Fault,
}

impl Edit for Answers {
    fn is_extended(&self) -> bool {
        self.fault.is_extended()
    }

    fn packet(&mut self, kind: Kind, bytes: &[u8]) -> Vec<u8> {
        match (self.fault, kind) {
            (Fault::AnswersUnknownActionsTwice, Kind::FastReply(2, _)) => bytes.repeat(2),
            (Fault::SwallowsPongs, Kind::Extension(0, content)) if content.first() == Some(&5) => {
                Vec::new()
            }
            (Fault::MendsIds, Kind::FastReply(code, id)) => packet::code(code, &mended(id)),
            _ => bytes.to_vec(),
        }
    }
}

/// An id with the bits of version 4.
fn mended(mut id: Id) -> Id {
    id[6] = id[6] & 0x0F | 0x40;
    id[8] = id[8] & 0x3F | 0x80;
    id
}
