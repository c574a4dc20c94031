use std::time::Duration;

use sockety::Uuid;
use sockety_codec::{
    ChannelCount, ChannelId, Decoder, Encoder, Event, Limits, MessageHead, ReplyCode, ResponseHead,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::hex::{bytes, hex, ids_of, length};
use super::{HEADER, OFFER, settled};

/// How long a test waits for bytes before it fails; no time at all when the clock is paused.
const PATIENCE: Duration = Duration::from_secs(300);

/// A peer that does what the test says, byte by byte if need be.
pub(crate) struct Peer {
    io: Box<dyn Link>,
    decoder: Decoder,
    input: Vec<u8>,
    used: usize,
}

/// Any pair of byte streams.
pub(crate) trait Link: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Link for T {}

/// Something whole that arrived.
#[derive(Debug, PartialEq)]
pub(crate) enum Received {
    Message {
        id: Uuid,
        action: String,
        expects_response: bool,
        payload: Vec<u8>,
    },
    Response {
        id: Uuid,
        parent: Uuid,
        expects_response: bool,
        payload: Vec<u8>,
    },
    FastReply {
        id: Uuid,
        code: u16,
    },
    Heartbeat,
    GoAway,
}

impl Peer {
    /// A peer that has neither sent nor read a connection header.
    pub(crate) fn silent(io: impl Link + 'static) -> Self {
        let mut decoder = Decoder::new(Limits::WIRE);
        let ours = bytes(HEADER);
        let header = decoder.decode(&mut &ours[..]);
        assert!(matches!(header, Ok(Some(Event::Header(_)))));
        Self {
            io: Box::new(io),
            decoder,
            input: Vec::new(),
            used: 0,
        }
    }

    /// A peer after the exchange of connection headers.
    pub(crate) async fn greeted(io: impl Link + 'static) -> Self {
        let mut peer = Self::silent(io);
        peer.send(HEADER).await;
        let header = peer.take(3).await;
        assert!([HEADER, OFFER].map(bytes).contains(&header), "{header:?}");
        peer
    }

    /// Whether the other side still takes bytes.
    pub(crate) async fn try_send_bytes(&mut self, bytes: &[u8]) -> bool {
        self.io.write_all(bytes).await.is_ok()
    }

    /// Sends these hexadecimal digits.
    pub(crate) async fn send(&mut self, digits: &str) {
        self.send_bytes(&bytes(digits)).await;
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.io.write_all(bytes).await.expect("the link is up");
        self.io.flush().await.expect("the link is up");
    }

    /// Sends a message that expects a reply.
    pub(crate) async fn ask(&mut self, id: Uuid, action: &str, payload: &[u8]) {
        self.send_bytes(&message(id, action, true, payload)).await;
    }

    /// Sends a message that expects no reply.
    pub(crate) async fn tell(&mut self, id: Uuid, action: &str, payload: &[u8]) {
        self.send_bytes(&message(id, action, false, payload)).await;
    }

    /// Answers with a code.
    pub(crate) async fn reply(&mut self, parent: Uuid, code: u16) {
        let mut reply = Vec::new();
        let code = ReplyCode::new(code).expect("12 bits");
        Encoder::new(ChannelCount::MAX).fast_reply(&mut reply, parent, code);
        self.send_bytes(&reply).await;
    }

    /// Answers with a response.
    pub(crate) async fn respond(&mut self, parent: Uuid, id: Uuid, payload: &[u8]) {
        self.send_bytes(&response(parent, id, false, payload)).await;
    }

    /// Answers with a response that says that it expects an answer, as those of TypeScript do.
    pub(crate) async fn respond_expecting(&mut self, parent: Uuid, id: Uuid, payload: &[u8]) {
        self.send_bytes(&response(parent, id, true, payload)).await;
    }

    /// Sends no more, but goes on reading.
    pub(crate) async fn finish(&mut self) {
        self.io.shutdown().await.expect("the link is up");
    }

    /// Reads bytes and compares them with a pattern; returns the ids in place of `<id>`.
    pub(crate) async fn expect(&mut self, pattern: &str) -> Vec<Uuid> {
        let found = self.take(length(pattern)).await;
        ids_of(pattern, &found)
    }

    /// As [`Peer::expect`], with one id in the pattern.
    pub(crate) async fn expect_id(&mut self, pattern: &str) -> Uuid {
        let ids = self.expect(pattern).await;
        assert_eq!(ids.len(), 1, "one id in {pattern}");
        ids[0]
    }

    /// Expects exactly this code as the next packet, but for heartbeats.
    pub(crate) async fn expect_code(&mut self, parent: Uuid, code: u16) {
        let reply = loop {
            match self.next().await {
                Some(Received::Heartbeat) => {}
                other => break other,
            }
        };
        assert_eq!(reply, Some(Received::FastReply { id: parent, code }));
    }

    /// Expects this code, after replies to others.
    pub(crate) async fn skip_to_code(&mut self, parent: Uuid, code: u16) {
        let expected = Received::FastReply { id: parent, code };
        while let Some(received) = self.next().await {
            if received == expected {
                return;
            }
        }
        panic!("the connection has ended");
    }

    /// Reads a message with this action; returns its id and payload.
    pub(crate) async fn expect_message(&mut self, expected: &str) -> (Uuid, Vec<u8>) {
        match self.next().await {
            Some(Received::Message {
                id,
                action,
                payload,
                ..
            }) if action == expected => (id, payload),
            other => panic!("expected a message {expected:?}, found {other:?}"),
        }
    }

    /// Reads a response to this message; returns its id and payload.
    pub(crate) async fn expect_response(&mut self, expected: Uuid) -> (Uuid, Vec<u8>) {
        match self.next().await {
            Some(Received::Response {
                id,
                parent,
                payload,
                ..
            }) if parent == expected => (id, payload),
            other => panic!("expected a response to {expected}, found {other:?}"),
        }
    }

    /// Expects that nothing more comes while all wait. The clock must be paused.
    pub(crate) async fn expect_silence(&mut self) {
        tokio::select! {
            biased;
            is_more = self.fill() => assert!(!is_more, "unread: {}", hex(self.unread())),
            () = settled() => {}
        }
        assert!(self.unread().is_empty(), "unread: {}", hex(self.unread()));
    }

    /// Expects that the other side has ended the link, and nothing before.
    pub(crate) async fn expect_end(&mut self) {
        let rest = self.rest().await;
        assert!(rest.is_empty(), "unread: {}", hex(rest));
    }

    /// Everything until the other side ends the link.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await {}
        let rest = self.unread().to_vec();
        self.used = self.input.len();
        rest
    }

    /// Exactly this many bytes.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<u8> {
        while self.unread().len() < count {
            let is_more = self.fill().await;
            assert!(is_more, "ended after {}", hex(self.unread()));
        }
        let taken = self.unread()[..count].to_vec();
        self.used += count;
        taken
    }

    /// What arrives next, whole; `None` when the other side has ended the link between messages.
    pub(crate) async fn next(&mut self) -> Option<Received> {
        let mut open = None;
        loop {
            if let Some(received) = self.decode(&mut open) {
                return Some(received);
            }
            if !self.fill().await {
                assert!(open.is_none(), "ended inside {open:?}");
                self.decoder.finish().expect("ended between messages");
                return None;
            }
        }
    }

    fn decode(&mut self, open: &mut Option<Received>) -> Option<Received> {
        loop {
            let mut unread = &self.input[self.used..];
            let before = unread.len();
            let event = self.decoder.decode(&mut unread).expect("legal bytes");
            self.used += before - unread.len();
            match event? {
                Event::Message { head, .. } => {
                    let message = Received::Message {
                        id: head.id,
                        action: head.action.to_owned(),
                        expects_response: head.expects_response,
                        payload: Vec::new(),
                    };
                    if !head.has_content() {
                        return Some(message);
                    }
                    *open = Some(message);
                }
                Event::Response { head, .. } => {
                    let response = Received::Response {
                        id: head.id,
                        parent: head.parent,
                        expects_response: head.expects_response,
                        payload: Vec::new(),
                    };
                    if !head.has_content() {
                        return Some(response);
                    }
                    *open = Some(response);
                }
                Event::Data { bytes, .. } => match open {
                    Some(
                        Received::Message { payload, .. } | Received::Response { payload, .. },
                    ) => payload.extend_from_slice(bytes),
                    other => panic!("data of {other:?}"),
                },
                Event::End { .. } => return open.take(),
                Event::FastReply { id, code } => {
                    let code = code.get();
                    return Some(Received::FastReply { id, code });
                }
                Event::Heartbeat => return Some(Received::Heartbeat),
                Event::GoAway => return Some(Received::GoAway),
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    fn unread(&self) -> &[u8] {
        &self.input[self.used..]
    }

    /// Reads more; `false` at the end.
    async fn fill(&mut self) -> bool {
        self.input.drain(..self.used);
        self.used = 0;
        let reading = self.io.read_buf(&mut self.input);
        let count = timeout(PATIENCE, reading).await.expect("something comes");
        count.is_ok_and(|count| count > 0)
    }
}

/// The bytes of a message, whole.
pub(crate) fn message(id: Uuid, action: &str, expects_response: bool, payload: &[u8]) -> Vec<u8> {
    let head = MessageHead::new(id, action).expecting_response(expects_response);
    let mut bytes = Vec::new();
    Encoder::new(ChannelCount::MAX)
        .whole(&mut bytes, ChannelId::ZERO, head, payload)
        .expect("a legal message");
    bytes
}

/// The bytes of a response, whole.
pub(crate) fn response(parent: Uuid, id: Uuid, expects_response: bool, payload: &[u8]) -> Vec<u8> {
    let head = ResponseHead::new(parent, id).expecting_response(expects_response);
    let mut bytes = Vec::new();
    Encoder::new(ChannelCount::MAX)
        .whole(&mut bytes, ChannelId::ZERO, head, payload)
        .expect("a legal response");
    bytes
}
