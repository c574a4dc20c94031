//! Messages take turns when they are sent, however large they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;

use bytes::Bytes;
use sockety::{
    ByteStream, Connection, FastReply, File, Options, Uuid,
    content::StreamWriter,
    message::{Draft, Request},
    serve::MessageHandler,
};
use tokio::io::AsyncReadExt;
use tokio::time::{Duration, Instant};

use crate::streams::{Packet, Packets, pattern, send_stream};
use crate::support::{dialogue_with, id, is_pending, message, ping_handler, settled};

/// What may stand on the wire between a small message and the moment when it was sent.
const AHEAD: usize = 256 * 1024;

/// What the pipe holds, which is on its way already.
const PIPE: usize = 1000;

/// One of our connections with a slow peer: it takes only what the test reads.
async fn slow_peer() -> (Connection, Packets) {
    let (near, peer) = dialogue_with(ping_handler(), Options::default(), PIPE).await;
    (near, Packets::of(peer))
}

/// Begins messages whose streams never end.
async fn endless_streams(connection: &Connection, count: usize) -> Vec<Request> {
    let mut requests = Vec::new();
    for _ in 0..count {
        let endless = ByteStream::from_reader(tokio::io::repeat(7));
        let message = Draft::new("bulk").create().with_stream_from(endless);
        requests.push(connection.send(message).await.expect("sent"));
    }
    settled().await;
    requests
}

/// Reads until this packet; returns the bytes of content before it.
async fn content_before(packets: &mut Packets, is_it: impl Fn(&Packet) -> bool) -> usize {
    let mut content = 0;
    loop {
        let packet = packets.next().await;
        if is_it(&packet) {
            return content;
        }
        content += packet.content();
        assert!(content < 10_000_000, "it does not come");
    }
}

/// A message without files and streams, as all of those are on channel 0.
fn is_small(packet: &Packet) -> bool {
    matches!(packet, Packet::Message { channel: 0, .. })
}

#[tokio::test(start_paused = true)]
async fn a_small_message_waits_for_little_of_the_bulk_before_it() {
    for streams in [1, 4, 50] {
        let (near, mut packets) = slow_peer().await;
        let _bulk = endless_streams(&near, streams).await;
        for _ in 0..5 {
            // In the middle of it, at some place or other.
            for _ in 0..37 {
                packets.next().await;
            }
            settled().await;
            let draft = Draft::new("small");
            let mut request = Box::pin(near.pass(&draft));
            assert!(is_pending(&mut request).await);
            let content = content_before(&mut packets, is_small).await;
            assert!(content <= AHEAD, "{content} bytes before it");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_small_message_waits_for_little_of_large_files_before_it() {
    let (near, mut packets) = slow_peer().await;
    let file = |n: usize| match n % 2 {
        0 => File::from_bytes("m", vec![7; 5_000_000]),
        _ => File::from_reader("r", 5_000_000, tokio::io::repeat(7).take(5_000_000)),
    };
    let message = Draft::new("bulk").create().with_files((0..4).map(file));
    let _request = near.send(message).await.expect("sent");
    for _ in 0..20 {
        packets.next().await;
    }
    settled().await;
    let draft = Draft::new("small");
    let mut small = Box::pin(near.pass(&draft));
    assert!(is_pending(&mut small).await);
    let content = content_before(&mut packets, is_small).await;
    assert!(content <= AHEAD, "{content} bytes before it");
}

#[tokio::test(start_paused = true)]
async fn a_reply_waits_for_little_of_the_bulk_before_it() {
    let (near, mut packets) = slow_peer().await;
    let _bulk = endless_streams(&near, 4).await;
    for _ in 0..20 {
        packets.next().await;
    }
    packets.peer.ask(id(1), "ping", b"").await;
    settled().await;
    let is_reply = |packet: &Packet| matches!(packet, Packet::FastReply { code: 0, .. });
    let content = content_before(&mut packets, is_reply).await;
    assert!(content <= AHEAD, "{content} bytes before it");
}

#[tokio::test(start_paused = true)]
async fn a_message_with_a_stream_begins_soon_beside_others() {
    let (near, mut packets) = slow_peer().await;
    let _bulk = endless_streams(&near, 4).await;
    for _ in 0..20 {
        packets.next().await;
    }
    let (_request, mut writer) = send_stream(&near, "late").await;
    writer.write_chunk("hi").await.expect("written");
    let is_head = |packet: &Packet| matches!(packet, Packet::Message { channel: 5, .. });
    let content = content_before(&mut packets, is_head).await;
    assert!(content <= AHEAD, "{content} bytes before its head");
    let is_content = |packet: &Packet| *packet == Packet::stream(5, b"hi");
    let content = content_before(&mut packets, is_content).await;
    assert!(content <= AHEAD, "{content} bytes before its content");
}

/// Channels of the next packets of content, and the largest of them.
async fn turns(packets: &mut Packets, count: usize) -> (Vec<u16>, usize) {
    let (mut channels, mut largest) = (Vec::new(), 0);
    while channels.len() < count {
        if let Packet::Stream { channel, bytes } = packets.next().await {
            channels.push(channel);
            largest = largest.max(bytes.len());
        }
    }
    (channels, largest)
}

#[tokio::test(start_paused = true)]
async fn streams_take_turns_and_none_gets_two_while_another_waits() {
    for streams in [2, 4, 30] {
        let (near, mut packets) = slow_peer().await;
        let _bulk = endless_streams(&near, streams).await;
        // What was sent before all of them had begun.
        turns(&mut packets, 4 * streams).await;
        let (channels, largest) = turns(&mut packets, 10 * streams).await;
        assert!(largest <= 16 * 1024, "a turn of {largest} bytes");
        for round in channels.windows(streams) {
            let mut round = round.to_vec();
            round.sort_unstable();
            round.dedup();
            assert_eq!(round.len(), streams, "turns of {channels:?}");
        }
    }
}

/// Writes chunks until there is no room.
async fn fill(writer: &mut StreamWriter, size: usize) {
    loop {
        let chunk = Bytes::from(vec![7; size]);
        let mut write = Box::pin(writer.write_chunk(chunk));
        if is_pending(&mut write).await {
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn streams_of_small_and_of_large_chunks_get_the_same_share() {
    let (near, mut packets) = slow_peer().await;
    let (_one, mut small) = send_stream(&near, "small").await;
    let (_other, mut large) = send_stream(&near, "large").await;
    fill(&mut small, 100).await;
    fill(&mut large, 100_000).await;
    // The first began alone.
    let is_second = |packet: &Packet| matches!(packet, Packet::Stream { channel: 2, .. });
    content_before(&mut packets, is_second).await;
    let mut shares = [0_usize; 3];
    for _ in 0..20 {
        if let Packet::Stream { channel, bytes } = packets.next().await {
            shares[usize::from(channel)] += bytes.len();
        }
    }
    assert!(shares[1].abs_diff(shares[2]) <= 2 * 16 * 1024, "{shares:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_takes_turns_with_the_files_beside_it() {
    let (near, mut packets) = slow_peer().await;
    let files = (0..10).map(|_| File::from_bytes("f", pattern(100_000)));
    let endless = ByteStream::from_reader(tokio::io::repeat(7));
    let message = Draft::new("bulk")
        .create()
        .with_files(files)
        .with_stream_from(endless);
    let _request = near.send(message).await.expect("sent");
    settled().await;
    let mut ended = 0;
    let mut since_stream = 0;
    while ended < 10 {
        match packets.next().await {
            Packet::FileEnd { .. } => ended += 1,
            Packet::File { bytes, .. } => since_stream += bytes.len(),
            Packet::Stream { .. } => since_stream = 0,
            _ => {}
        }
        // At first the stream has nothing to send yet.
        assert!(since_stream <= AHEAD, "{since_stream}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_alone_gets_all_of_the_connection() {
    let (near, mut packets) = slow_peer().await;
    let _bulk = endless_streams(&near, 1).await;
    let (_, largest) = turns(&mut packets, 20).await;
    assert!((32 * 1024..=64 * 1024).contains(&largest), "{largest}");
}

#[tokio::test(start_paused = true)]
async fn an_unread_handler_does_not_keep_replies_from_leaving() {
    let handler = MessageHandler::new();
    let (near, peer) = dialogue_with(handler, Options::default(), PIPE).await;
    let mut packets = Packets::of(peer);
    let _bulk = endless_streams(&near, 2).await;
    packets.peer.ask(id(1), "unknown", b"").await;
    settled().await;
    let is_reply = |packet: &Packet| matches!(packet, Packet::FastReply { code: 2, .. });
    assert!(content_before(&mut packets, is_reply).await <= AHEAD);
}

/// Lets the other tasks go first, those that are always ready too.
async fn give_way() {
    let mut has_given_way = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut has_given_way, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn t_m17_many_small_messages_at_once_leave_the_thread_to_others_between_them() {
    const PINGS: u32 = 20_000;
    /// What is handled of it without a pause, after a first read whose content nobody could foresee.
    const AT_ONCE: u32 = 1024;
    // Pings since the other task had its turn: before it had any, and the most after that.
    let since = Arc::new(AtomicU32::new(0));
    let most = Arc::new(AtomicU32::new(0));
    let handler = {
        let (since, most) = (Arc::clone(&since), Arc::clone(&most));
        MessageHandler::new().action("ping", move |_| {
            let at_once = since.fetch_add(1, Ordering::Relaxed) + 1;
            most.fetch_max(at_once, Ordering::Relaxed);
            async { FastReply::ACCEPT }
        })
    };
    let (_connection, mut peer) = dialogue_with(handler, Options::default(), 1024 * 1024).await;
    let pings: Vec<u8> = (0..u64::from(PINGS))
        .flat_map(|number| message(id(number), "ping", true, b""))
        .collect();
    peer.send_bytes(&pings).await;
    let other = {
        let most = Arc::clone(&most);
        tokio::spawn(async move {
            let (mut handled, mut first) = (0, 0);
            while handled < PINGS {
                give_way().await;
                handled += since.swap(0, Ordering::Relaxed);
                if first == 0 {
                    first = most.swap(0, Ordering::Relaxed);
                }
            }
            first
        })
    };
    let first = other.await.expect("no panic");
    let rest = most.load(Ordering::Relaxed);
    assert!(rest > 0 && rest <= AT_ONCE, "{rest} at once after {first}");
    assert!(first < 4000, "{first} at once");
}

/// One of our connections, with a peer whose system takes much more than it reads.
async fn deep_peer() -> (Connection, Packets) {
    const DEEP: usize = 8 * 1024 * 1024;
    let (near, peer) = dialogue_with(ping_handler(), Options::default(), DEEP).await;
    (near, Packets::of(peer))
}

async fn call(connection: &Connection) -> Request {
    let message = Draft::new("call").create();
    let request = connection.send(message).await.expect("sent");
    settled().await;
    request
}

/// Reads until a call; returns its id, and the bytes of content before it.
async fn call_in(packets: &mut Packets) -> (Uuid, usize) {
    let mut content = 0;
    loop {
        let packet = packets.next().await;
        if let Packet::Message { channel: 0, head } = &packet {
            return (Uuid::from_slice(&head[1..17]).expect("an id"), content);
        }
        content += packet.content();
    }
}

#[tokio::test(start_paused = true)]
async fn while_calls_are_answered_bulk_is_no_further_ahead_than_a_window() {
    let (near, mut packets) = deep_peer().await;
    let _bulk = endless_streams(&near, 1).await;
    let _first = call(&near).await;
    let mut waiting = vec![call(&near).await];
    let (id, content) = call_in(&mut packets).await;
    assert!(content > 4 * 1024 * 1024, "only {content} bytes before it");
    packets.peer.reply(id, 0).await;
    // As calls stay quick, the window grows.
    for _ in 0..4 {
        settled().await;
        waiting.push(call(&near).await);
        let (id, content) = call_in(&mut packets).await;
        assert!(content <= 2 * AHEAD, "{content} bytes before it");
        packets.peer.reply(id, 0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_answered_holds_bulk_for_milliseconds() {
    let (near, mut packets) = deep_peer().await;
    let _bulk = endless_streams(&near, 1).await;
    let _call = call(&near).await;
    call_in(&mut packets).await;
    let begin = Instant::now();
    let mut content = 0;
    while content < 64 * 1024 * 1024 {
        content += packets.next().await.content();
    }
    assert!(begin.elapsed() < Duration::from_millis(20));
}

/// Payloads as large as these fill the way by themselves.
const LARGE: usize = 272 * 1024;

/// Bytes of payloads, and of streams.
#[derive(Debug, Default)]
struct Shares {
    calls: usize,
    streams: usize,
}

impl Shares {
    fn count(&mut self, packet: &Packet) {
        match packet {
            Packet::Data { channel: 0, bytes } => self.calls += bytes.len(),
            packet => self.streams += packet.content(),
        }
    }
}

/// Makes calls with large payloads one after another.
async fn call_on_and_on(connection: Connection) {
    let call = Draft::new("call").with_data(vec![7; LARGE]);
    while let Ok(mut request) = connection.send(call.create()).await {
        drop(request.response().await);
    }
}

#[tokio::test(start_paused = true)]
async fn streams_have_their_half_beside_calls_with_large_payloads() {
    for callers in [1, 4, 12] {
        let (near, mut packets) = deep_peer().await;
        let _bulk = endless_streams(&near, 2).await;
        for _ in 0..callers {
            tokio::spawn(call_on_and_on(near.clone()));
        }
        let mut shares = Shares::default();
        let mut unanswered = None;
        while shares.calls < 40 * LARGE {
            let packet = packets.next().await;
            if let Packet::Message { channel: 0, head } = &packet {
                unanswered = Some(Uuid::from_slice(&head[1..17]).expect("an id"));
            }
            shares.count(&packet);
            if let Packet::Data { channel: 0, .. } = packet
                && let Some(id) = unanswered.take()
            {
                packets.peer.reply(id, 0).await;
                // What was filled before there were calls does not count.
                if shares.calls <= 10 * LARGE {
                    shares.streams = 0;
                }
                tokio::task::yield_now().await;
            }
        }
        let Shares { calls, streams } = shares;
        assert!(streams > calls / 3, "{streams} beside {calls} of {callers}");
    }
}

#[tokio::test(start_paused = true)]
async fn streams_have_their_share_beside_messages_that_always_wait() {
    let (near, mut packets) = slow_peer().await;
    let _bulk = endless_streams(&near, 2).await;
    for _ in 0..8 {
        let near = near.clone();
        tokio::spawn(async move {
            let message = Draft::new("one-way").with_data(vec![7; LARGE]);
            while near.pass(&message).await.is_ok() {}
        });
    }
    let mut shares = Shares::default();
    while shares.calls < 20 * LARGE {
        shares.count(&packets.next().await);
    }
    let Shares { calls, streams } = shares;
    assert!(streams > calls / 20, "{streams} beside {calls}");
}

/// The action of a message that is whole in itself.
fn action(head: &[u8]) -> String {
    let size = usize::from(head[17]);
    String::from_utf8_lossy(&head[18..18 + size]).into_owned()
}

/// One of our connections, with a peer whose system takes a large message at once, and no second one.
async fn peer_with_room_for_one() -> (Connection, Packets) {
    let pipe = LARGE + LARGE / 2;
    let (near, peer) = dialogue_with(ping_handler(), Options::default(), pipe).await;
    (near, Packets::of(peer))
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_room_gets_it_in_turn() {
    for senders in [2, 3, 20] {
        let order = order_of(senders).await;
        // At first, nobody had to wait.
        for round in order[senders..].windows(senders) {
            let mut round = round.to_vec();
            round.sort_unstable();
            round.dedup();
            assert_eq!(round.len(), senders, "{order:?}");
        }
    }
}

/// The senders of the messages that come, of this many that send one after another without a pause.
async fn order_of(count: usize) -> Vec<String> {
    let (near, mut packets) = peer_with_room_for_one().await;
    for number in 0..count {
        let near = near.clone();
        tokio::spawn(async move {
            let message = Draft::new(format!("sender-{number}")).with_data(vec![7; LARGE]);
            while near.pass(&message).await.is_ok() {}
        });
    }
    let mut senders = Vec::new();
    while senders.len() < 10 * count {
        if let Packet::Message { head, .. } = packets.next().await {
            senders.push(action(&head));
        }
    }
    senders
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_is_not_polled_keeps_nobody_waiting() {
    let (near, mut packets) = peer_with_room_for_one().await;
    let large = Draft::new("large").with_data(vec![7; LARGE]);
    let mut first = Box::pin(near.pass(&large));
    let mut forgotten = Box::pin(near.pass(&large));
    let mut dropped = Box::pin(near.pass(&large));
    for waiting in [&mut first, &mut forgotten, &mut dropped] {
        assert!(is_pending(waiting).await);
    }
    let other = tokio::spawn({
        let (near, large) = (near.clone(), large.clone());
        async move { near.pass(&large).await }
    });
    settled().await;
    drop(dropped);
    let reading = async {
        while !other.is_finished() {
            packets.next().await;
        }
    };
    let is_read = tokio::time::timeout(Duration::from_secs(5), reading).await;
    assert!(is_read.is_ok(), "it waits for one that nobody polls");
    assert!(other.await.expect("no panic").is_ok());
    assert!(is_pending(&mut forgotten).await);
}
