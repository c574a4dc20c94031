//! The negotiated extension between a side of ours and another, or a scripted peer.

use std::{
    collections::BTreeSet,
    io::Cursor,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use sockety::{
    ByteStream, Connection, Context, FastReply, File, Options, Outcome, Router,
    client::{CallNext, OutgoingCall},
    config::{Extension, Limits},
    error::{ConnectError, ConnectProblem, ConnectionError, LimitExceeded},
    message::{Draft, Reply, ResponseDraft},
    metadata::{MetadataKey, Trace},
    serve::{Incoming, IntoRouter, Message, MessageHandler, ServeNext},
};
use sockety_codec::{ChannelCount, Violation};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    sync::Notify,
    time::Instant,
};

use crate::streams::{Asks, head};
use crate::support::{
    HEADER, OFFER, PIPE, Peer, Received, bytes, hex, id, is_pending, pair_with, ping_handler,
    settled, tasks, tasks_are_back_to,
};

/// Settings with all defaults.
const SETTINGS: &str = "F0 01 00";
/// Those of our default options: calls have a deadline of 30 s.
const OURS: &str = "F0 08 00 0B 307500000000";

fn with(extension: Extension) -> Options {
    Options::default().extension(extension)
}

/// Both sides serve a handler that returns the payload, the files and the stream that it gets.
async fn pair_of(
    near: Options,
    far: Options,
) -> (
    Result<Connection, ConnectError>,
    Result<Connection, ConnectError>,
) {
    let echo = || {
        MessageHandler::new().action("echo", async |message: Message| {
            let draft = ResponseDraft::new().with_files(message.take_files()).data();
            let response = draft.create(message.payload().clone());
            match message.take_stream() {
                Some(stream) => response.with_stream_from(stream),
                None => response,
            }
        })
    };
    let (here, there) = duplex(PIPE);
    tokio::join!(
        Connection::over(here, echo(), near),
        Connection::over(there, echo(), far),
    )
}

// r[verify ext.option]
#[tokio::test(start_paused = true)]
async fn it_is_used_if_both_sides_offer_it() {
    use Extension::{Auto, Off, Require};
    for (near, far, is_extended) in [
        (Auto, Auto, true),
        (Auto, Require, true),
        (Require, Require, true),
        (Auto, Off, false),
        (Off, Off, false),
    ] {
        for (near, far) in [(near, far), (far, near)] {
            let (here, there) = pair_of(with(near), with(far)).await;
            let (here, there) = (here.expect("connected"), there.expect("connected"));
            for connection in [here, there] {
                assert_eq!(connection.is_extended(), is_extended, "{near:?}, {far:?}");
            }
        }
    }
    let (here, there) = pair_of(with(Require), with(Off)).await;
    let refused = here.map(drop).expect_err("required");
    assert!(matches!(refused.problem(), ConnectProblem::NoExtension));
    // The other side learns it by the end of the connection.
    if let Ok(there) = there {
        there.closed().await;
    }
}

// r[verify ext.settings.before]
// r[verify ext.abort.free]
#[tokio::test(start_paused = true)]
async fn messages_pass_as_without_it() {
    let few = Limits::default().max_channels(ChannelCount::new(17).expect("a count"));
    let auto = || with(Extension::Auto).limits(few);
    let (near, far) = pair_of(auto(), auto()).await;
    let (near, far) = (near.expect("connected"), far.expect("connected"));
    for connection in [&near, &far] {
        for size in [0, 1, 70_000, 1 << 20] {
            let content = vec![7; size];
            let message = Draft::new("echo")
                .with_files([File::from_bytes("a.bin", content.clone())])
                .data()
                .create(content.clone())
                .with_stream_from(ByteStream::from_reader(Cursor::new(content.clone())));
            let mut request = connection.send(message).await.expect("sent");
            let reply = request.response().await.expect("a reply");
            let Reply::Response(mut response) = reply else {
                panic!("{reply:?}");
            };
            assert_eq!(response.payload(), &content[..]);
            let file = response.take_files().pop().expect("a file");
            let mut stream = response.take_stream().expect("a stream");
            let mut streamed = Vec::new();
            let (file, read) = tokio::join!(file.bytes(1 << 20), stream.read_to_end(&mut streamed));
            assert_eq!(file.expect("a file"), content);
            read.expect("a stream");
            assert_eq!(streamed, content);
        }
    }
    // Each takes a channel, of which there are 16 for messages with content.
    for _ in 0..100 {
        let (writer, stream) = ByteStream::pipe(1);
        drop(writer);
        let message = Draft::new("echo").create().with_stream_from(stream);
        let mut request = near.send(message).await.expect("sent");
        request.response().await.expect_err("abandoned");
    }
    assert!(!near.is_closed());
}

async fn scripted(options: Options) -> (Connection, Peer) {
    let (near, far) = duplex(PIPE);
    let mut peer = Peer::silent(far);
    peer.send(OFFER).await;
    let connection = Connection::over(near, ping_handler(), options).await;
    peer.expect(OFFER).await;
    (connection.expect("connected"), peer)
}

// r[verify ext.settings.first]
#[tokio::test(start_paused = true)]
async fn settings_are_sent_first_and_have_only_what_differs() {
    let (_connection, mut peer) = scripted(with(Extension::Auto)).await;
    peer.expect(OURS).await;
    peer.expect_silence().await;

    let limits = Limits::default()
        .max_channels(ChannelCount::MAX)
        .max_payload(1 << 32);
    let options = with(Extension::Require)
        .limits(limits)
        .max_unread_per_message(1 << 20)
        .max_requests_executing(7)
        .idle_timeout(None);
    let (_connection, mut peer) = scripted(options).await;
    peer.expect(
        "F0 2B 00 01 000010000000 03 001000000000 05 000000000100 09 070000000000 0A 000000000000 \
         0B 307500000000",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_without_settings_breaks_the_protocol() {
    let (connection, mut peer) = scripted(with(Extension::Auto)).await;
    peer.expect(OURS).await;
    peer.send("A0").await;
    let error = connection.closed().await;
    let expected = Violation::SettingsMissing { byte: 0xA0 };
    let ConnectionError::Protocol(violation) = error else {
        panic!("{error:?}");
    };
    assert_eq!(violation, expected);
}

// r[verify ext.settings.channels]
#[tokio::test(start_paused = true)]
async fn channels_beyond_16_are_used_after_the_settings_of_the_peer() {
    let (connection, mut peer) = scripted(with(Extension::Auto)).await;
    peer.expect(OURS).await;
    let mut open = Vec::new();
    for channel in 1..16 {
        open.push(connection.pass_stream(Draft::new("x").create()).await);
        peer.expect(&format!("{channel:02X} 22 13 00 <id> 01 78"))
            .await;
    }
    // The next waits for one.
    let waiting = connection.pass_stream(Draft::new("x").create());
    let mut waiting = std::pin::pin!(waiting);
    assert!(is_pending(&mut waiting).await);
    peer.expect_silence().await;
    peer.send("F0 08 00 03 120000000000").await;
    open.push(waiting.await);
    peer.expect("10 10 22 13 00 <id> 01 78").await;
    open.push(connection.pass_stream(Draft::new("x").create()).await);
    peer.expect("10 11 22 13 00 <id> 01 78").await;
    let waiting = connection.pass_stream(Draft::new("x").create());
    assert!(is_pending(&mut std::pin::pin!(waiting)).await);
    assert!(open.iter().all(Result::is_ok));
}

/// Whoever can change the bytes of a connection can take the offer away, but not unseen where the extension is
/// required.
// r[verify ext.offer]
#[tokio::test(start_paused = true)]
async fn t_e17_an_offer_that_is_taken_away_is_noticed_where_it_is_required() {
    for (extension, is_connected) in [(Extension::Auto, true), (Extension::Require, false)] {
        let (near, mut proxy) = duplex(PIPE);
        let (mut onward, far) = duplex(PIPE);
        tokio::spawn(async move {
            let mut header = [0; 3];
            for (from, to) in [(&mut proxy, &mut onward)] {
                from.read_exact(&mut header).await.expect("a header");
                to.write_all(&bytes(HEADER)).await.expect("open");
                to.read_exact(&mut header).await.expect("a header");
                from.write_all(&bytes(HEADER)).await.expect("open");
            }
            let _ = tokio::io::copy_bidirectional(&mut proxy, &mut onward).await;
        });
        let (here, there) = tokio::join!(
            Connection::over(near, ping_handler(), with(extension)),
            Connection::over(far, ping_handler(), with(Extension::Auto)),
        );
        match here {
            Ok(here) => {
                assert!(is_connected && !here.is_extended());
                let ping = here.send(&Draft::new("ping")).await.expect("sent");
                assert_eq!(crate::support::code_of(ping).await, 0);
            }
            Err(error) => {
                let problem = error.problem();
                assert!(
                    matches!(problem, ConnectProblem::NoExtension),
                    "{problem:?}"
                );
                assert!(!is_connected);
            }
        }
        drop(there);
    }
}

// r[verify ext.inactive]
#[tokio::test(start_paused = true)]
async fn a_base_peer_sees_another_count_and_nothing_else() {
    let (near, far) = duplex(PIPE);
    let mut peer = Peer::silent(far);
    peer.send(HEADER).await;
    let options = with(Extension::Auto);
    let connection = Connection::over(near, ping_handler(), options).await;
    let connection = connection.expect("connected");
    assert!(!connection.is_extended());
    peer.expect(OFFER).await;
    peer.expect_silence().await;
    peer.ask(id(1), "ping", b"").await;
    peer.expect_code(id(1), 0).await;
}

/// A request with this id, of the action `wait`.
fn request(number: u64) -> String {
    format!("21 16 00 {} 04 77616974", hex(id(number).as_bytes()))
}

/// Counts handlers of `wait` that began, and those that were dropped before their ends.
#[derive(Clone, Default)]
struct Waits {
    begun: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
    released: Arc<Notify>,
}

struct OnDrop(Arc<AtomicUsize>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Waits {
    fn handler(&self) -> MessageHandler {
        let waits = self.clone();
        ping_handler().action("wait", move |_message: Message| {
            let waits = waits.clone();
            async move {
                waits.begun.fetch_add(1, Ordering::SeqCst);
                let dropped = OnDrop(waits.dropped.clone());
                waits.released.notified().await;
                std::mem::forget(dropped);
                FastReply::ACCEPT
            }
        })
    }

    /// Without any time passing.
    async fn have_come_to(&self, counts: [usize; 2]) {
        for _ in 0..100 {
            if self.counts() == counts {
                return;
            }
            settled().await;
        }
        panic!("{:?}, not {counts:?}", self.counts());
    }

    fn counts(&self) -> [usize; 2] {
        [&self.begun, &self.dropped].map(|count| count.load(Ordering::SeqCst))
    }
}

/// One of our connections that serves `wait`, and a peer that has sent its settings.
async fn serving(options: Options) -> (Waits, Connection, Peer) {
    let (near, far) = duplex(PIPE);
    let mut peer = Peer::silent(far);
    peer.send(OFFER).await;
    let waits = Waits::default();
    let options = options.extension(Extension::Auto);
    let connection = Connection::over(near, waits.handler(), options).await;
    peer.expect(OFFER).await;
    (waits, connection.expect("connected"), peer)
}

// r[verify ext.cancel]
// r[verify ext.cancel.answer]
// r[verify ext.cancel.handler]
// r[verify ext.codes]
#[tokio::test(start_paused = true)]
async fn a_cancelled_handler_is_dropped_and_answered_once() {
    let (waits, _connection, mut peer) = serving(Options::default()).await;
    peer.expect(OURS).await;
    peer.send(SETTINGS).await;
    for number in 0..3 {
        peer.send(&request(number)).await;
    }
    settled().await;
    assert_eq!(waits.counts(), [3, 0]);
    peer.send("F0 09 01 00000000 02000000").await;
    peer.expect_code(id(0), 3844).await;
    peer.expect_code(id(2), 3844).await;
    assert_eq!(waits.counts(), [3, 2]);
    for number in 3..7 {
        peer.ask(id(number), "ping", b"").await;
        peer.expect_code(id(number), 0).await;
    }
    // Those that are over, twice and more.
    peer.send("F0 0D 01 00000000 02000000 00000000").await;
    waits.released.notify_one();
    peer.expect_code(id(1), 0).await;
    peer.send("F0 05 01 01000000").await;
    peer.expect_silence().await;
    assert_eq!(waits.counts(), [3, 2]);
}

// r[verify ext.cancel.count]
#[tokio::test(start_paused = true)]
async fn t_e6_more_cancels_than_requests_break_the_connection() {
    let (waits, connection, mut peer) = serving(Options::default()).await;
    peer.expect(OURS).await;
    peer.send(SETTINGS).await;
    for number in 0..2 {
        peer.send(&request(number)).await;
    }
    peer.send(&request(2).replacen("21", "20", 1)).await;
    peer.send("F0 09 01 00000000 00000000").await;
    peer.expect_code(id(0), 3844).await;
    assert!(!connection.is_closed());
    peer.send("F0 05 01 01000000").await;
    let ConnectionError::Protocol(violation) = connection.closed().await else {
        panic!("no violation");
    };
    assert_eq!(violation.rule(), "ext.cancel.count");
    // The third cancel had no effect: the handler was there until the connection ended.
    assert_eq!(waits.counts()[0], 3);
}

/// Each is taken out of a long queue, wherever it is there.
// r[verify ext.cancel.answer]
#[tokio::test(start_paused = true)]
async fn requests_that_wait_for_their_turn_are_cancelled_in_any_order() {
    let (waits, _connection, mut peer) =
        serving(Options::default().max_requests_executing(1)).await;
    peer.expect("F0 0F 00 09 010000000000 0B 307500000000")
        .await;
    peer.send(SETTINGS).await;
    const COUNT: u32 = 1_000;
    for number in 0..=COUNT {
        peer.send(&request(number.into())).await;
    }
    settled().await;
    let mut numbers: Vec<u32> = (1..COUNT).rev().step_by(2).collect();
    numbers.extend((2..COUNT).step_by(2));
    for number in &numbers {
        // One of them twice, which has no effect.
        for _ in 0..1 + u32::from(*number == 1) {
            let cancel = [&bytes("F0 05 01")[..], &number.to_le_bytes()].concat();
            peer.send_bytes(&cancel).await;
        }
    }
    for number in numbers {
        peer.expect_code(id(number.into()), 3847).await;
    }
    assert_eq!(waits.counts(), [1, 0]);
    for number in [0, COUNT] {
        waits.released.notify_one();
        peer.expect_code(id(number.into()), 0).await;
    }
    assert_eq!(waits.counts(), [2, 0]);
    peer.expect_silence().await;
}

// r[verify ext.cancel.answer]
#[tokio::test(start_paused = true)]
async fn a_request_that_is_aborted_while_it_waits_for_its_turn_is_not_executed() {
    let (waits, _connection, mut peer) =
        serving(Options::default().max_requests_executing(1)).await;
    peer.expect("F0 0F 00 09 010000000000 0B 307500000000")
        .await;
    peer.send(SETTINGS).await;
    peer.send(&request(0)).await;
    peer.send_bytes(&head(id(1), "wait", Asks::Reply, 0, true, &[]))
        .await;
    peer.send("70 01 07 90").await;
    peer.expect_code(id(1), 3847).await;
    waits.released.notify_one();
    peer.expect_code(id(0), 0).await;
    assert_eq!(waits.counts(), [1, 0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_after_it_was_cancelled_is_not_answered_again() {
    let limits = Limits::default().max_file_size(10);
    let (waits, _connection, mut peer) = serving(Options::default().limits(limits)).await;
    peer.expect(OURS).await;
    peer.send(SETTINGS).await;
    // The header of the second file, which is too large, comes after the cancel.
    let (files, all) = ([5, 11], 0x19 + 2 * 4);
    let whole = head(id(0), "wait", Asks::Reply, 0, false, &files);
    let (channel, message) = whole.split_at(whole.len() - all - 2);
    assert_eq!(message[..2], [0x21, all as u8], "{whole:02x?}");
    let (first, second) = message[2..].split_at(all - 4);
    peer.send_bytes(channel).await;
    peer.send_bytes(&[&[0x21, first.len() as u8], first].concat())
        .await;
    peer.send("F0 05 01 00000000").await;
    peer.expect_code(id(0), 3847).await;
    peer.expect("F2 05 C8 00000000").await;
    peer.send_bytes(&[&[0x60, second.len() as u8], second].concat())
        .await;
    peer.send("90").await;
    peer.ask(id(1), "ping", b"").await;
    peer.expect_code(id(1), 0).await;
    assert_eq!(waits.counts(), [0, 0]);
}

/// Whether its caller learns of the end before the driver is done with it, or after.
#[tokio::test(start_paused = true)]
async fn closing_a_connection_leaves_the_handlers_of_its_calls_alone() {
    for is_late in [false, true] {
        let (waits, near, far) = waiting_pair(Options::default()).await;
        let mut call = near.send(&Draft::new("wait")).await.expect("sent");
        waits.have_come_to([1, 0]).await;
        if is_late {
            near.close().await;
            call.response().await.expect_err("closed");
        } else {
            let waiting = tokio::spawn(async move { call.response().await.map(drop) });
            settled().await;
            near.close().await;
            let result = waiting.await.expect("no panic");
            result.expect_err("closed");
        }
        settled().await;
        assert_eq!(waits.counts(), [1, 0], "{is_late}");
        waits.released.notify_one();
        far.closed().await;
        assert_eq!(waits.counts(), [1, 0], "{is_late}");
    }
}

// r[verify ext.cancel.deadline]
#[tokio::test(start_paused = true)]
async fn a_handler_that_goes_on_answering_is_not_ended_by_the_default_timeout() {
    let answering = MessageHandler::new().action("often", |message: Message| async move {
        for _ in 0..6 {
            tokio::time::sleep(Duration::from_secs(10)).await;
            let sent = message.respond(ResponseDraft::new().create()).await;
            sent.expect("open");
        }
        FastReply::ACCEPT
    });
    let near = (Router::new(), with(Extension::Auto));
    let far = (answering, with(Extension::Auto));
    let (near, _far) = pair_with(near, far, PIPE).await;
    let mut call = near.send(&Draft::new("often")).await.expect("sent");
    for _ in 0..6 {
        let reply = call.response().await.expect("a reply");
        assert!(matches!(reply, Reply::Response(_)), "{reply:?}");
    }
}

/// Between the calls that are dropped and their handlers there is a whole connection.
async fn waiting_pair(far: Options) -> (Waits, Connection, Connection) {
    let waits = Waits::default();
    let near = (Router::new(), with(Extension::Auto));
    let far = (waits.handler(), far.extension(Extension::Auto));
    let (near, far) = pair_with(near, far, PIPE).await;
    (waits, near, far)
}

async fn ping(connection: &Connection) {
    let mut request = connection.send(&Draft::new("ping")).await.expect("sent");
    let reply = request.response().await.expect("a reply");
    assert!(matches!(reply, Reply::Fast(FastReply::ACCEPT)), "{reply:?}");
}

// r[verify ext.cancel.slot]
#[tokio::test(start_paused = true)]
async fn thousands_of_calls_are_dropped_at_once() {
    let (waits, near, far) = waiting_pair(Options::default().max_requests_executing(5_000)).await;
    let mut calls = Vec::new();
    for _ in 0..5_000 {
        calls.push(near.send(&Draft::new("wait")).await.expect("sent"));
    }
    waits.have_come_to([5_000, 0]).await;
    let begun = Instant::now();
    drop(calls);
    // All handlers are gone, and 1,024 of their places are free.
    waits.have_come_to([5_000, 5_000]).await;
    assert_eq!(far.traffic().requests_executing, 5_000 - 1_024);
    ping(&near).await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    // The others follow, about 1,024 a second.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let left = far.traffic().requests_executing;
    assert!((2_200..2_700).contains(&left), "{left}");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(far.traffic().requests_executing, 0);
    for _ in 0..100 {
        ping(&near).await;
    }
    assert!(!near.is_closed() && !far.is_closed());
}

// r[verify ext.cancel.slot]
#[tokio::test(start_paused = true)]
async fn places_that_are_held_do_not_delay_the_end() {
    let mut took = Vec::new();
    for count in [1, 8_000] {
        let options = Options::default().max_requests_executing(8_000);
        let (waits, near, far) = waiting_pair(options).await;
        let mut calls = Vec::new();
        for _ in 0..count {
            calls.push(near.send(&Draft::new("wait")).await.expect("sent"));
        }
        waits.have_come_to([count, 0]).await;
        drop(calls);
        waits.have_come_to([count, count]).await;
        let begun = Instant::now();
        far.shutdown(Duration::from_secs(60)).await;
        took.push(begun.elapsed());
    }
    // By tokens alone the last place would be free after 7 s.
    assert!(took[1] <= took[0] + Duration::from_secs(1), "{took:?}");
}

/// The number from which [`id`] makes this.
fn number_of_id(bytes: &[u8]) -> Option<u64> {
    let number = u64::from_be_bytes(*bytes.last_chunk()?) & 0xFFFF_FFFF;
    (bytes == id(number).as_bytes()).then_some(number)
}

const PLACES: usize = 64;
const SECONDS: u64 = 3;

/// Sends requests of `wait` for some seconds, ten thousand each second, and something before and after each. Returns how many
/// were sent and how many handlers began, of which each was answered; somebody else is answered all the time.
async fn flood(before: &str, after: impl Fn(u32) -> Vec<u8>) -> (usize, usize) {
    let limits = || Options::default().max_requests_executing(PLACES);
    let (_, neighbour, _far) = waiting_pair(limits()).await;
    let waits = Waits::default();
    let (near, far) = duplex(PIPE);
    let (mut reader, mut writer) = tokio::io::split(far);
    let start = bytes(&format!("{OFFER} {SETTINGS}"));
    writer.write_all(&start).await.expect("written");
    let options = limits().extension(Extension::Auto);
    let connection = Connection::over(near, waits.handler(), options).await;
    let connection = connection.expect("connected");
    let drained = tokio::spawn(async move {
        let mut all = Vec::new();
        let _ = reader.read_to_end(&mut all).await;
        all
    });
    let (begun, mut number, before) = (Instant::now(), 0_u32, bytes(before));
    while begun.elapsed() < Duration::from_secs(SECONDS) {
        for _ in 0..100 {
            let request = bytes(&request(number.into()));
            let all = [&before[..], &request, &after(number)].concat();
            writer.write_all(&all).await.expect("the connection lives");
            number += 1;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        ping(&neighbour).await;
    }
    let begun = waits.counts()[0];
    assert!(!connection.is_closed());
    tokio::time::sleep(Duration::from_secs(1)).await;
    writer.shutdown().await.expect("closed");
    connection.closed().await;
    let drained = drained.await.expect("drained");
    let answers = || drained.windows(16).filter_map(number_of_id);
    let answered: BTreeSet<u64> = answers().collect();
    assert!(answered.iter().copied().eq(0..number.into()));
    assert_eq!(answers().count(), answered.len(), "one is answered twice");
    (number as usize, begun)
}

/// What the tokens of a connection allow in this time.
fn is_bounded(sent: usize, begun: usize) {
    let most = 1_024 * (1 + SECONDS as usize) + PLACES;
    assert!(sent > 25_000, "{sent}");
    assert!(
        (1_024 * SECONDS as usize..=most).contains(&begun),
        "{begun}"
    );
}

// r[verify ext.cancel.slot]
#[tokio::test(start_paused = true)]
async fn t_e6_a_flood_of_cancelled_requests_begins_few_handlers() {
    let cancel = |number: u32| [&bytes("F0 05 01")[..], &number.to_le_bytes()].concat();
    let (sent, begun) = flood("", cancel).await;
    is_bounded(sent, begun);
}

// r[verify ext.cancel.slot]
#[tokio::test(start_paused = true)]
async fn t_e12_a_flood_of_short_deadlines_begins_few_handlers() {
    let (sent, begun) = flood("F1 02 00 01", |_| Vec::new()).await;
    is_bounded(sent, begun);
}

#[tokio::test(start_paused = true)]
async fn t_e11_a_flood_of_deadlines_that_are_over_begins_no_handler() {
    let (sent, begun) = flood("F1 02 00 00", |_| Vec::new()).await;
    assert!(sent > 25_000, "{sent}");
    assert_eq!(begun, 0);
}

async fn breaks(script: &[u8]) -> &'static str {
    let (_waits, connection, mut peer) = serving(Options::default()).await;
    peer.expect(OURS).await;
    peer.send(SETTINGS).await;
    peer.send_bytes(script).await;
    match connection.closed().await {
        ConnectionError::Protocol(violation) => violation.rule(),
        error => panic!("{error:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn t_e8_names_without_end_break_the_connection() {
    // Each with a name of its own that is to be remembered, and a value of one byte.
    let message = |number: u64| {
        let name = format!("n{number:03}");
        let one_way = request(number).replacen("21", "20", 1);
        bytes(&format!("F1 08 4C 04 {} 01 78 {one_way}", hex(name)))
    };
    let (_waits, connection, mut peer) = serving(Options::default()).await;
    peer.expect(OURS).await;
    peer.send(SETTINGS).await;
    for number in 0..64 {
        peer.send_bytes(&message(number)).await;
    }
    peer.ask(id(100), "ping", b"").await;
    peer.expect_code(id(100), 0).await;
    peer.send_bytes(&message(64)).await;
    let ConnectionError::Protocol(violation) = connection.closed().await else {
        panic!("no violation");
    };
    assert_eq!(violation.rule(), "ext.meta.names");
    // More entries than there may be in one packet.
    let entries: Vec<u8> = (0..65_u8).flat_map(|number| [0x20, 1, number]).collect();
    let size = u8::try_from(entries.len()).expect("it is short");
    let script = [&[0xF1, size], &entries[..], &bytes(&request(0))].concat();
    assert_eq!(breaks(&script).await, "ext.meta.bound");
}

#[tokio::test(start_paused = true)]
async fn t_e9_metadata_that_never_ends_has_the_time_of_a_header() {
    let (_waits, connection, mut peer) = serving(Options::default()).await;
    peer.expect(OURS).await;
    peer.send(SETTINGS).await;
    let begun = Instant::now();
    peer.send("F5 00 20 00").await;
    while !connection.is_closed() && begun.elapsed() < Duration::from_secs(60) {
        peer.try_send_bytes(&[0]).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let error = connection.closed().await;
    assert!(
        matches!(
            error,
            ConnectionError::Limit(LimitExceeded::HeaderTimeout(_))
        ),
        "{error:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(20));
    // One that is larger than may be is refused before it comes.
    assert_eq!(breaks(&bytes("F5 01 20")).await, "ext.packet.bound");
}

#[tokio::test(start_paused = true)]
async fn t_e10_metadata_without_a_message_breaks_the_connection() {
    for packet in [
        "A0",
        "B0",
        "90",
        "F1 02 00 01",
        "F0 05 01 00000000",
        "02 03",
    ] {
        let script = bytes(&format!("F1 02 00 01 {packet}"));
        assert_eq!(breaks(&script).await, "ext.meta.place", "{packet}");
    }
}

#[sockety::service]
trait Bank {
    #[action(no_cancel)]
    async fn pay(&self);
    #[action(no_cancel, one_way)]
    async fn note(&self);
    async fn look(&self);
}

#[derive(Clone, Default)]
struct Vault {
    begun: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
}

impl Vault {
    async fn work(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(5)).await;
        self.ended.fetch_add(1, Ordering::SeqCst);
    }

    fn counts(&self) -> [usize; 2] {
        [&self.begun, &self.ended].map(|count| count.load(Ordering::SeqCst))
    }
}

impl Bank for Vault {
    async fn pay(&self) {
        self.work().await;
    }

    async fn note(&self) {
        self.work().await;
    }

    async fn look(&self) {
        self.work().await;
    }
}

/// A message with this id, of an action of four letters.
fn message(first: &str, number: u64, action: &str) -> String {
    let (id, size) = (hex(id(number).as_bytes()), 18 + action.len());
    format!(
        "{first} {size:02X} 00 {id} {:02X} {}",
        action.len(),
        hex(action)
    )
}

// r[verify ext.cancel.never]
#[tokio::test(start_paused = true)]
async fn some_handlers_run_to_their_ends() {
    let (near, far) = duplex(PIPE);
    let mut peer = Peer::silent(far);
    peer.send(OFFER).await;
    let vault = Vault::default();
    let router = BankServer::new(vault.clone());
    let options = with(Extension::Auto).max_requests_executing(4);
    let _connection = Connection::over(near, router, options)
        .await
        .expect("connected");
    peer.expect(OFFER).await;
    peer.expect("F0 0F 00 09 040000000000 0B 307500000000")
        .await;
    peer.send(SETTINGS).await;
    // Cancelled; with a deadline of 1 s; one-way, likewise; and one that is dropped.
    peer.send(&message("21", 0, "pay")).await;
    peer.send("F0 05 01 00000000").await;
    peer.send("F1 03 01 E803").await;
    peer.send(&message("21", 1, "pay")).await;
    peer.send("F1 03 01 E803").await;
    peer.send(&message("20", 2, "note")).await;
    peer.send("F1 03 01 E803").await;
    peer.send(&message("21", 3, "look")).await;
    settled().await;
    assert_eq!(vault.counts(), [4, 0]);
    // All places are taken, so that this has a deadline before it begins.
    peer.send("F1 03 01 DC05").await;
    peer.send(&message("21", 4, "pay")).await;
    peer.expect_code(id(3), 3843).await;
    // It begins in time, and another does not.
    peer.send("F1 03 01 2C01").await;
    peer.send(&message("21", 5, "pay")).await;
    settled().await;
    assert_eq!(vault.counts(), [5, 0]);
    let (mut answered, mut refused) = (Vec::new(), None);
    while answered.len() < 3 {
        match peer.next().await.expect("a packet") {
            Received::Response { parent, .. } => answered.push(parent),
            Received::FastReply { id, code: 3847 } => refused = Some(id),
            Received::FastReply { id, code: 0 } => answered.push(id),
            Received::Heartbeat => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(answered, [id(0), id(1), id(4)]);
    assert_eq!(refused, Some(id(5)));
    assert_eq!(vault.counts(), [5, 4]);
}

// r[verify ext.cancel.answer]
// r[verify ext.codes]
#[tokio::test(start_paused = true)]
async fn a_request_that_waits_for_its_turn_is_cancelled_before_it_begins() {
    let options = Options::default().max_requests_executing(1);
    let (waits, _connection, mut peer) = serving(options).await;
    peer.expect("F0 0F 00 09 010000000000 0B 307500000000")
        .await;
    peer.send(SETTINGS).await;
    for number in 0..3 {
        peer.send(&request(number)).await;
    }
    peer.send("F0 05 01 01000000").await;
    peer.expect_code(id(1), 3847).await;
    for number in [0, 2] {
        settled().await;
        waits.released.notify_one();
        peer.expect_code(id(number), 0).await;
    }
    assert_eq!(waits.counts(), [2, 0]);
}

// r[verify ext.meta.deadline]
// r[verify ext.cancel.deadline]
#[tokio::test(start_paused = true)]
async fn a_deadline_ends_the_handler() {
    let (waits, _connection, mut peer) = serving(Options::default()).await;
    peer.expect(OURS).await;
    peer.send(SETTINGS).await;
    // Over before it begins.
    peer.send("F1 02 00 00").await;
    peer.send(&request(0)).await;
    peer.expect_code(id(0), 3847).await;
    assert_eq!(waits.counts(), [0, 0]);
    for (number, millis, metadata) in [
        (1, 1, "F1 02 00 01"),
        (2, 300, "F1 03 01 2C01"),
        (3, 9_999, "F1 03 01 0F27"),
        (4, 10_000, "F1 03 01 1027"),
        (5, 25_000, "F1 03 01 A861"),
    ] {
        let begun = Instant::now();
        peer.send(metadata).await;
        peer.send(&request(number)).await;
        loop {
            match peer.next().await.expect("a packet") {
                Received::Heartbeat => {}
                Received::FastReply { id: answered, code } => {
                    assert_eq!((answered, code), (id(number), 3843));
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        let after = begun.elapsed().as_millis();
        assert!(
            after >= millis && after <= millis + 2_000,
            "{millis}: {after}"
        );
    }
    assert_eq!(waits.counts(), [5, 5]);
    // A one-way message is dropped, too.
    peer.send("F1 02 00 64").await;
    let one_way = request(6).replacen("21", "20", 1);
    peer.send(&one_way).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(waits.counts(), [6, 6]);
    peer.expect_silence().await;
}

// r[verify ext.meta.deadline]
#[tokio::test(start_paused = true)]
async fn a_setting_is_the_deadline_of_requests_that_have_none() {
    let (waits, _connection, mut peer) = serving(Options::default()).await;
    peer.expect(OURS).await;
    // 3 s.
    peer.send("F0 08 00 0B B80B00000000").await;
    peer.send(&request(0)).await;
    // None at all.
    peer.send("F1 05 03 FFFFFFFF").await;
    peer.send(&request(1)).await;
    let begun = Instant::now();
    peer.expect_code(id(0), 3843).await;
    assert!(begun.elapsed() >= Duration::from_secs(3));
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(waits.counts(), [2, 1]);
}

// r[verify ext.meta.names]
#[tokio::test(start_paused = true)]
async fn metadata_out_of_rule_breaks_the_connection() {
    let (_waits, connection, mut peer) = serving(Options::default()).await;
    peer.expect(OURS).await;
    peer.send(SETTINGS).await;
    peer.send("F1 03 40 10 00").await;
    peer.send(&request(0)).await;
    let error = connection.closed().await;
    let ConnectionError::Protocol(violation) = error else {
        panic!("{error:?}");
    };
    assert_eq!(violation.rule(), "ext.meta.names");
}

// r[verify ext.cancel.when]
#[tokio::test(start_paused = true)]
async fn who_drops_a_request_cancels_it() {
    let (connection, mut peer) = scripted(with(Extension::Auto)).await;
    peer.expect(OURS).await;
    peer.send(SETTINGS).await;
    let ask = async || connection.send(&Draft::new("x")).await.expect("sent");
    let mut requests = Vec::new();
    for _ in 0..3 {
        requests.push(ask().await);
        peer.expect("21 13 00 <id> 01 78").await;
    }
    drop(requests.swap_remove(1));
    peer.expect("F0 05 01 01000000").await;
    // Answered.
    let answered = requests.pop().expect("a request");
    peer.reply(answered.id(), 0).await;
    settled().await;
    drop(answered);
    peer.expect_silence().await;
    // Its time is over, 30 s by default.
    let mut request = requests.pop().expect("a request");
    request.response().await.expect_err("timed out");
    drop(request);
    let mut found = peer.take(7).await;
    while found[0] == 0xA0 {
        found.remove(0);
        found.extend(peer.take(1).await);
    }
    assert_eq!(hex(&found), "f0050100000000");
    // One-way messages are not cancelled.
    connection.pass(&Draft::new("x")).await.expect("sent");
    peer.expect("20 13 00 <id> 01 78").await;
    peer.expect_silence().await;
}

// r[verify ext.cancel.when]
#[tokio::test(start_paused = true)]
async fn an_upload_that_is_given_up_is_aborted_before_it_is_cancelled() {
    let (connection, mut peer) = scripted(with(Extension::Auto)).await;
    peer.expect(OURS).await;
    peer.send(SETTINGS).await;
    let (_writer, stream) = ByteStream::pipe(1);
    let message = Draft::new("x").create().with_stream_from(stream);
    let request = connection.send(message).await.expect("sent");
    peer.expect("01 23 13 00 <id> 01 78").await;
    drop(request);
    peer.expect("90 F0 05 01 00000000").await;
}

#[sockety::service]
trait Slow {
    async fn x(&self);
    async fn y(&self, stream: ByteStream);
}

// r[verify ext.meta.deadline]
// r[verify ext.meta.base]
#[tokio::test(start_paused = true)]
async fn the_timeout_of_a_call_is_its_deadline() {
    let (connection, mut peer) = scripted(with(Extension::Auto)).await;
    peer.expect(OURS).await;
    peer.send(SETTINGS).await;
    let slow = SlowClient::new(connection);
    let call = tokio::spawn(slow.x().timeout(Duration::from_millis(500)).into_future());
    peer.expect("F1 03 01 F401 21 13 00 <id> 01 78").await;
    let error = call.await.expect("a call").expect_err("no reply");
    assert_eq!(error.to_string(), "x: no reply within 500ms");
    peer.expect("F0 05 01 00000000").await;
    // It stands still while content moves, which no deadline could express.
    let (_writer, stream) = ByteStream::pipe(1);
    let call = slow.y(stream).timeout(Duration::from_millis(500));
    let call = tokio::spawn(call.into_future());
    peer.expect("01 23 13 00 <id> 01 79").await;
    call.abort();

    let (near, far) = duplex(PIPE);
    let mut peer = Peer::silent(far);
    peer.send(HEADER).await;
    let options = with(Extension::Auto);
    let connection = Connection::over(near, Router::new(), options).await;
    peer.expect(OFFER).await;
    let slow = SlowClient::new(connection.expect("connected"));
    let call = slow.x().timeout(Duration::from_millis(500));
    let call = tokio::spawn(call.into_future());
    peer.expect("21 13 00 <id> 01 78").await;
    call.await.expect("a call").expect_err("no reply");
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn dropped_calls_end_their_handlers_whenever_they_are_dropped() {
    let waits = Waits::default();
    let options = || with(Extension::Auto);
    let (near, far) = pair_with(
        (Router::new(), options()),
        (waits.handler(), options().max_requests_executing(50)),
        PIPE,
    )
    .await;
    let baseline = tasks();
    let mut calls = Vec::new();
    for number in 0..2_000_u64 {
        let call = near.send(&Draft::new("wait")).await.expect("sent");
        calls.push(call);
        match number % 7 {
            0 => drop(calls.swap_remove((number % 13) as usize % calls.len())),
            3 => settled().await,
            5 => {
                calls.truncate(calls.len() / 2);
                tokio::task::yield_now().await;
            }
            _ => {}
        }
    }
    calls.clear();
    settled().await;
    let [begun, dropped] = waits.counts();
    assert!(begun > 100, "{begun}");
    assert_eq!(begun, dropped);
    // The clock of calls ticks once more.
    tokio::time::sleep(Duration::from_secs(3)).await;
    tasks_are_back_to(baseline).await;
    assert!(!near.is_closed() && !far.is_closed());
    // The slots are free again.
    let draft = Draft::new("ping");
    let calls = (0..50).map(|_| near.send(&draft));
    for call in futures_util::future::join_all(calls).await {
        let mut call = call.expect("sent");
        call.response().await.expect("a reply");
    }
}

/// Each calls the next one, and tells how much time it has.
#[sockety::service(prefix = "hop.")]
trait Hop {
    async fn next(&self, cx: &Context, hops: u32) -> Vec<u64>;
    async fn spawned(&self, cx: &Context) -> Option<u64>;
}

struct Node {
    next: Option<HopClient>,
    pause: Duration,
}

fn left(cx: &Context) -> u64 {
    let Some(left) = cx.deadline().map(|left| left.as_millis()) else {
        return u64::MAX;
    };
    u64::try_from(left).expect("milliseconds")
}

impl Hop for Node {
    async fn next(&self, cx: &Context, hops: u32) -> Vec<u64> {
        let mut all = vec![left(cx)];
        tokio::time::sleep(self.pause).await;
        if let (Some(next), 1..) = (&self.next, hops) {
            all.extend(next.next(hops - 1).await.expect("a reply"));
        }
        all
    }

    async fn spawned(&self, cx: &Context) -> Option<u64> {
        let next = self.next.clone().expect("a next one");
        let outside = tokio::spawn(next.clone().next(0).into_future());
        let inside = tokio::spawn(cx.scope(next.next(0).into_future()));
        let outside = outside.await.expect("a task").expect("a reply");
        assert_eq!(outside, [u64::MAX], "none of its own");
        let inside = inside.await.expect("a task").expect("not cancelled");
        let inside = inside.expect("a reply");
        inside.first().copied()
    }
}

/// Three services, each of which calls the next: the client of the first, and what keeps them.
async fn three_hops(extension: Extension) -> (HopClient, Vec<Connection>) {
    let (mut next, mut kept) = (None, Vec::new());
    for _ in 0..3 {
        let pause = Duration::from_millis(100);
        let node = HopServer::new(Node { next, pause });
        let (near, far) = pair_with(
            (Router::new(), with(extension)),
            (node, with(extension)),
            PIPE,
        )
        .await;
        kept.push(far);
        next = Some(HopClient::new(near));
    }
    (next.expect("a client"), kept)
}

// r[verify ext.meta.nested]
#[tokio::test(start_paused = true)]
async fn calls_of_a_handler_have_what_is_left_of_its_time() {
    let (first, _kept) = three_hops(Extension::Auto).await;
    let call = first.next(2).timeout(Duration::from_millis(1_000));
    let all = call.await.expect("a reply");
    assert_eq!(all.len(), 3);
    for (hop, (left, most)) in all.iter().zip([1_000, 900, 800]).enumerate() {
        assert!(
            (most - 20..=most).contains(left),
            "hop {hop}: {left} of {most}"
        );
    }
    let call = first.spawned().timeout(Duration::from_millis(1_000));
    let left = call.await.expect("a reply").expect("a deadline");
    assert!((980..=1_000).contains(&left), "{left}");
}

// r[verify ext.meta.nested]
#[tokio::test(start_paused = true)]
async fn a_dropped_call_ends_all_handlers_behind_it() {
    let waits = Waits::default();
    let (last, _last) = pair_with(
        (Router::new(), with(Extension::Auto)),
        (waits.handler(), with(Extension::Auto)),
        PIPE,
    )
    .await;
    let passes_on = |next: Connection| {
        ping_handler().action("wait", move |_message: Message| {
            let next = next.clone();
            async move {
                let mut request = next.send(&Draft::new("wait")).await.expect("sent");
                request.response().await.expect("a reply");
            }
        })
    };
    let options = || with(Extension::Auto);
    let (middle, _middle) = pair_with(
        (Router::new(), options()),
        (passes_on(last), options()),
        PIPE,
    )
    .await;
    let (first, _first) = pair_with(
        (Router::new(), options()),
        (passes_on(middle), options()),
        PIPE,
    )
    .await;
    let request = first.send(&Draft::new("wait")).await.expect("sent");
    settled().await;
    assert_eq!(waits.counts(), [1, 0]);
    drop(request);
    settled().await;
    assert_eq!(waits.counts(), [1, 1]);
}

const TENANT: MetadataKey = MetadataKey::new("tenant");
const TOKEN: MetadataKey = MetadataKey::new("authorization").secret();
const HINT: MetadataKey = MetadataKey::new("hint").optional();

const TRACE: Trace = Trace {
    trace_id: [7; 16],
    parent_id: [8; 8],
    flags: 1,
};

/// What it was told, and what the next one was.
#[sockety::service(prefix = "told.")]
trait Told {
    async fn tenant(&self, cx: &Context) -> Option<String>;
    async fn traces(&self, cx: &Context) -> Vec<Option<String>>;
    #[action(one_way)]
    async fn note(&self, cx: &Context);
}

struct Teller {
    next: Option<ToldClient>,
    noted: Arc<AtomicUsize>,
}

impl Teller {
    fn new(next: Option<ToldClient>) -> Self {
        let noted = Arc::default();
        Self { next, noted }
    }
}

impl Told for Teller {
    async fn tenant(&self, cx: &Context) -> Option<String> {
        let value = cx.metadata(TENANT)?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    async fn traces(&self, cx: &Context) -> Vec<Option<String>> {
        let mut all = vec![cx.trace().map(|trace| hex(trace.trace_id))];
        // Also after it has waited, and in a task.
        tokio::task::yield_now().await;
        if let Some(next) = &self.next {
            let task = tokio::spawn(cx.scope(next.traces().into_future()));
            let inner = task.await.expect("a task").expect("not cancelled");
            all.extend(inner.expect("a reply"));
        }
        all
    }

    async fn note(&self, cx: &Context) {
        if cx.metadata(TENANT) == Some(b"acme") {
            self.noted.fetch_add(1, Ordering::SeqCst);
        }
    }
}

// r[verify ext.meta.names]
// r[verify ext.meta.user]
#[tokio::test(start_paused = true)]
async fn metadata_of_users_arrives() {
    let teller = Teller::new(None);
    let noted = Arc::clone(&teller.noted);
    let (near, _far) = pair_with(
        (Router::new(), with(Extension::Auto)),
        (TellerRouter::of(teller), with(Extension::Auto)),
        PIPE,
    )
    .await;
    let told = ToldClient::new(near.clone());
    assert_eq!(told.tenant().await.expect("a reply"), None);
    for tenant in ["acme", "other", "acme"] {
        let call = told.tenant().metadata(TENANT, "replaced");
        let call = call.metadata(TOKEN, "hunter2").metadata(TENANT, tenant);
        assert_eq!(call.await.expect("a reply").as_deref(), Some(tenant));
    }
    told.note().metadata(TENANT, "acme").await.expect("sent");
    let large = Bytes::from(vec![7; 8_000]);
    let call = told.tenant().metadata(HINT, large).metadata(TENANT, "acme");
    assert_eq!(call.await.expect("a reply").as_deref(), Some("acme"));
    assert_eq!(noted.load(Ordering::SeqCst), 1);
    // Through middleware of this side, and by messages without types.
    let layered = near.layer(|mut call: OutgoingCall, next: CallNext| async move {
        assert!(call.metadata().is_some());
        call.set_metadata(TENANT, "from middleware");
        next.run(call).await
    });
    let call = ToldClient::new(layered).tenant().metadata(HINT, "x");
    let tenant = call.await.expect("a reply");
    assert_eq!(tenant.as_deref(), Some("from middleware"));
    let message = Draft::new("told.note").create();
    let message = message.with_metadata(TENANT, "acme");
    near.pass(message.clone()).await.expect("sent");
    drop(near.send(message).await.expect("sent"));
    settled().await;
    assert_eq!(noted.load(Ordering::SeqCst), 3);
}

/// The service behind a middleware that sees the metadata.
struct TellerRouter;

impl TellerRouter {
    fn of(teller: Teller) -> Router {
        let seen = |incoming: Incoming, next: ServeNext| async move {
            if let Some(metadata) = incoming.metadata() {
                let shown = format!("{metadata:?}");
                assert!(!shown.contains("hunter2"), "{shown}");
                assert_eq!(
                    metadata.get(TOKEN).is_some(),
                    shown.contains("7 secret bytes")
                );
            }
            next.run(incoming).await;
        };
        ToldServer::new(teller).into_router().layer(seen)
    }
}

// r[verify ext.meta.names]
// r[verify ext.meta.bound]
// r[verify ext.settings.before]
#[tokio::test(start_paused = true)]
async fn names_of_metadata_are_sent_once() {
    let (connection, mut peer) = scripted(with(Extension::Auto)).await;
    peer.expect(OURS).await;
    let told = ToldClient::new(connection.clone());
    let note = |size: usize| {
        let value = Bytes::from(vec![0x61; size]);
        told.note().metadata(TENANT, value)
    };
    // Before the settings of the peer, 1,024 bytes; nothing was remembered of what was too large.
    let error = note(1_016).await.expect_err("too large");
    assert_eq!(error.outcome(), Outcome::NotSent);
    let text = sockety::error::chain(&error).to_string();
    let expected =
        "told.note: message cannot be sent: metadata of 1026 bytes is over the limit of 1024";
    assert_eq!(text, expected);
    note(4).await.expect("sent");
    peer.expect("F1 0D 4C 06 74656E616E74 04 61616161 20 1B 00 <id> 09 746F6C642E6E6F7465")
        .await;
    note(4).await.expect("sent");
    peer.expect("F1 07 40 10 04 61616161 20 1B 00 <id> 09 746F6C642E6E6F7465")
        .await;
    peer.send(SETTINGS).await;
    settled().await;
    note(1_016).await.expect("sent");
    let error = note(8_192).await.expect_err("too large");
    assert_eq!(error.outcome(), Outcome::NotSent);
}

// r[verify ext.meta.base]
#[tokio::test(start_paused = true)]
async fn a_base_peer_gets_no_metadata() {
    let (near, _far) = pair_with(
        (Router::new(), with(Extension::Auto)),
        (ToldServer::new(Teller::new(None)), with(Extension::Off)),
        PIPE,
    )
    .await;
    let told = ToldClient::new(near);
    let error = told.tenant().metadata(TENANT, "acme").await;
    let error = error.expect_err("not supported");
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert_eq!(
        error.to_string(),
        "told.tenant: peer takes no metadata, such as \"tenant\": the connection does not use the extension"
    );
    let call = told.tenant().metadata(HINT, "x").trace(TRACE);
    assert_eq!(call.await.expect("a reply"), None);
}

// r[verify ext.meta.trace]
// r[verify ext.meta.nested]
#[tokio::test(start_paused = true)]
async fn a_trace_passes_through_all_services() {
    let (mut next, mut kept) = (None, Vec::new());
    for _ in 0..3 {
        let teller = ToldServer::new(Teller::new(next));
        let options = || with(Extension::Auto);
        let (near, far) = pair_with((Router::new(), options()), (teller, options()), PIPE).await;
        kept.push(far);
        next = Some(ToldClient::new(near));
    }
    let first = next.expect("a client");
    assert_eq!(first.traces().await.expect("a reply"), [None, None, None]);
    let traces = first.traces().trace(TRACE).await.expect("a reply");
    let expected = Some("07".repeat(16));
    assert_eq!(traces, [expected.clone(), expected.clone(), expected]);
}
