//! Messages: what they carry, their bytes, and what is refused at the call.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use serde::{Serialize, Serializer, ser::Error as _};
use sockety::{
    Connection, FastReply, File, Options, Outcome, Router,
    config::Limits,
    error::{InvalidCode, RequestError, SendError},
    message::{Draft, Outgoing, ResponseDraft},
    serve::MessageHandler,
};
use sockety_codec::UsageError;
use tokio::sync::mpsc;

use crate::support::{
    PIPE, Received, code_of, dialogue, dialogue_with, hex, id, is_pending, pair_serving, pair_with,
    ping_handler, settled,
};

const MIB: usize = 1024 * 1024;

/// Bytes that repeat late, so that a lost or doubled part shows.
fn varied(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| (at % 251 + at / 251 % 7) as u8)
        .collect()
}

async fn check_bytes(message: impl Into<Outgoing>, expected: &str) {
    let (connection, mut peer) = dialogue(Router::new()).await;
    connection.pass(message).await.expect("written");
    peer.expect(expected).await;
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_ping_has_these_bytes() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let request = connection.send(&Draft::new("ping")).await.expect("sent");
    let id = peer.expect_id("21 16 00 <id> 04 70696e67").await;
    assert_eq!(id, request.id());
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_expects_no_reply_says_so() {
    check_bytes(&Draft::new("ping"), "20 16 00 <id> 04 70696e67").await;
}

#[tokio::test(start_paused = true)]
async fn data_follows_its_header_in_one_packet() {
    check_bytes(
        Draft::new("ping").data().create("hello"),
        "20 17 40 <id> 04 70696e67 05 E0 05 68656c6c6f",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn msgpack_is_written_in_its_smallest_form() {
    let draft = Draft::new("n").msgpack::<u64>();
    check_bytes(draft.create(&7), "20 14 40 <id> 01 6e 01 E0 01 07").await;
    check_bytes(draft.create(&300), "20 14 40 <id> 01 6e 03 E0 03 CD 01 2C").await;
    let text = Draft::new("n").msgpack::<str>();
    check_bytes(text.create("hi"), "20 14 40 <id> 01 6e 03 E0 03 A2 6869").await;
    #[derive(Serialize)]
    struct Clip {
        id: u8,
    }
    let clip = Draft::new("n").msgpack::<Clip>();
    check_bytes(
        clip.create(&Clip { id: 7 }),
        "20 14 40 <id> 01 6e 05 E0 05 81 A2 6964 07",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_empty_payload_is_none() {
    check_bytes(Draft::new("n").data().create(""), "20 13 00 <id> 01 6e").await;
    check_bytes(&Draft::new("n").with_data(""), "20 13 00 <id> 01 6e").await;
}

#[tokio::test(start_paused = true)]
async fn an_empty_action_is_an_action() {
    check_bytes(&Draft::new(""), "20 12 00 <id> 00").await;
    let handler = MessageHandler::new().action("", |_| async { FastReply::REJECT });
    let (connection, _far) = pair_serving(handler).await;
    let request = connection.send(&Draft::new("")).await.expect("sent");
    assert_eq!(code_of(request).await, 1);
}

#[tokio::test(start_paused = true)]
async fn fixed_payloads_are_in_every_message() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let data = Draft::new("fixed").with_data("raw");
    let value = Draft::new("fixed").with_msgpack("text").expect("encoded");
    for (draft, expected) in [(&data, &b"raw"[..]), (&value, b"\xa4text")] {
        for _ in 0..2 {
            connection.pass(draft).await.expect("written");
            let (_, payload) = peer.expect_message("fixed").await;
            assert_eq!(payload, expected);
        }
    }
}

// r[verify head.id.version]
#[tokio::test(start_paused = true)]
async fn a_prepared_message_is_sent_often_each_time_with_its_own_id() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let prepared = Draft::new("ping").msgpack::<u8>().create(&1);
    let mut ids = Vec::new();
    for _ in 0..3 {
        connection.pass(&prepared).await.expect("written");
        let request = connection.send(&prepared).await.expect("sent");
        for _ in 0..2 {
            let (id, payload) = peer.expect_message("ping").await;
            assert_eq!(payload, [1]);
            ids.push(id);
        }
        assert_eq!(ids.last(), Some(&request.id()));
    }
    assert!(ids.iter().all(|id| id.get_version_num() == 4));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_cannot_be_encoded_is_refused_at_the_call() {
    struct Stubborn;

    impl Serialize for Stubborn {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom("never"))
        }
    }

    let (connection, mut peer) = dialogue(Router::new()).await;
    let message = Draft::new("n").msgpack().create(&Stubborn);
    let error = connection.send(&message).await.expect_err("not encoded");
    assert!(matches!(error, SendError::Encode(_)), "{error:?}");
    let error = connection.pass(&message).await.expect_err("not encoded");
    assert_eq!(error.outcome(), Outcome::NotSent);
    let error = connection
        .pass_all([&Draft::new("a").create(), &message])
        .await;
    assert!(error.is_err());
    peer.expect_silence().await;
}

/// Accepts everything that can stand on the wire.
fn generous() -> Options {
    Options::default().limits(Limits::WIRE.max_channels(Limits::default().channels()))
}

#[tokio::test(start_paused = true)]
async fn the_longest_action_reaches_a_peer_that_takes_it() {
    let name = "a".repeat(65_535);
    let handler = MessageHandler::new().action(name.as_str(), |_| async { FastReply::ACCEPT });
    let (near, _far) = pair_with(
        (Router::new(), Options::default()),
        (handler, generous()),
        PIPE,
    )
    .await;
    let request = near.send(&Draft::new(name)).await.expect("sent");
    assert_eq!(code_of(request).await, 0);
}

#[tokio::test(start_paused = true)]
async fn the_longest_action_has_these_bytes() {
    let (connection, mut peer) = dialogue_with(Router::new(), generous(), 256 * 1024).await;
    let draft = Draft::new("a".repeat(65_535));
    connection.pass(&draft).await.expect("written");
    // 1 byte of flags, 16 of the id, 2 of the length, and the name: 0x010012.
    peer.expect("28 12 00 01 02 <id> FF FF").await;
    assert_eq!(peer.take(65_535).await, [b'a'; 65_535]);
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_longer_action_is_refused_at_the_call() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let draft = Draft::new("a".repeat(65_536));
    let error = connection.send(&draft).await.expect_err("too long");
    let is_too_long = |error: &SendError| {
        matches!(
            error,
            SendError::Usage(UsageError::ActionTooLong { length: 65_536 })
        )
    };
    assert!(is_too_long(&error), "{error:?}");
    for error in [
        connection.pass(&draft).await.expect_err("too long"),
        connection
            .pass_all([&Draft::new("a"), &draft])
            .await
            .expect_err("too long"),
    ] {
        assert_eq!(error.outcome(), Outcome::NotSent);
        assert!(
            matches!(&error, RequestError::Send(error) if is_too_long(error)),
            "{error:?}"
        );
    }
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_payload_over_the_limit_is_refused_at_the_call() {
    let limits = Limits::default().max_payload(100);
    let (connection, mut peer) =
        dialogue_with(Router::new(), Options::default().limits(limits), PIPE).await;
    let draft = Draft::new("n").data();
    let message = draft.create(varied(101));
    let error = connection.send(&message).await.expect_err("too large");
    assert!(
        matches!(
            error,
            SendError::PayloadTooLarge {
                size: 101,
                limit: 100
            }
        ),
        "{error:?}"
    );
    connection.pass(&message).await.expect_err("too large");
    connection
        .pass_all([&message])
        .await
        .expect_err("too large");
    peer.expect_silence().await;
    connection
        .pass(draft.create(varied(100)))
        .await
        .expect("written");
    peer.expect_message("n").await;
}

#[test]
fn codes_have_twelve_bits() {
    assert_eq!(FastReply::new(4095).map(FastReply::code), Ok(4095));
    assert_eq!(FastReply::try_from(404), FastReply::new(404));
    assert_eq!(FastReply::try_from(4096), Err(InvalidCode(4096)));
    assert_eq!(FastReply::new(4096), Err(InvalidCode(4096)));
    assert_eq!(FastReply::new(u16::MAX), Err(InvalidCode(u16::MAX)));
}

#[tokio::test(start_paused = true)]
async fn passing_is_ready_when_the_message_is_written() {
    let (connection, mut peer) = dialogue_with(Router::new(), Options::default(), 64).await;
    let message = Draft::new("n").data().create(varied(1000));
    let mut passing = Box::pin(connection.pass(message));
    assert!(is_pending(&mut passing).await);
    settled().await;
    assert!(is_pending(&mut passing).await, "1,000 bytes do not fit 64");
    let (_, payload) = peer.expect_message("n").await;
    assert_eq!(payload, varied(1000));
    passing.await.expect("written");
}

#[tokio::test(start_paused = true)]
async fn a_request_is_sent_when_it_is_written() {
    let (connection, mut peer) = dialogue_with(Router::new(), Options::default(), 64).await;
    let message = Draft::new("n").data().create(varied(20_000));
    let mut request = connection.send(message).await.expect("accepted");
    {
        let mut sending = Box::pin(request.sent());
        settled().await;
        assert!(is_pending(&mut sending).await);
    }
    peer.expect_message("n").await;
    request.sent().await.expect("written");
    request.sent().await.expect("written still");
}

#[tokio::test(start_paused = true)]
async fn a_response_is_sent_when_it_is_written() {
    let handler = MessageHandler::new().action("get", |message| async move {
        let response = ResponseDraft::new().data().create(varied(20_000));
        let mut sent = message.respond(response).await.expect("accepted");
        sent.sent().await.expect("written");
        message.fast_reply(FastReply::ACCEPT).await
    });
    let (_connection, mut peer) = dialogue_with(handler, Options::default(), 64).await;
    peer.ask(id(1), "get", b"").await;
    let (_, payload) = peer.expect_response(id(1)).await;
    assert_eq!(payload, varied(20_000));
    peer.expect_code(id(1), 0).await;
}

#[tokio::test(start_paused = true)]
async fn messages_passed_together_have_nothing_between_them() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let drafts: Vec<_> = (0..100_u16)
        .map(|n| Draft::new("together").msgpack::<u16>().create(&n))
        .collect();
    let others = tokio::spawn({
        let connection = connection.clone();
        async move {
            for _ in 0..100 {
                connection
                    .pass(&Draft::new("other"))
                    .await
                    .expect("written");
            }
        }
    });
    let more = connection.pass(Draft::new("other").create());
    let (together, more) = tokio::join!(connection.pass_all(&drafts), more);
    together.and(more).expect("written");
    let mut actions = Vec::new();
    let mut numbers = Vec::new();
    while actions.len() < 201 {
        let Some(Received::Message {
            action, payload, ..
        }) = peer.next().await
        else {
            panic!("a message");
        };
        if action == "together" {
            numbers.push(sockety::msgpack::from_slice::<u16>(&payload).expect("a number"));
        }
        actions.push(action);
    }
    others.await.expect("no panic");
    assert_eq!(numbers, Vec::from_iter(0..100));
    let first = actions.iter().position(|action| action == "together");
    let last = actions.iter().rposition(|action| action == "together");
    assert_eq!(last.zip(first).map(|(last, first)| last - first), Some(99));
}

#[tokio::test(start_paused = true)]
async fn messages_passed_together_have_these_bytes() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let a = Draft::new("a").create();
    let b = Draft::new("b").with_data("hello").create();
    connection.pass_all([&a, &b]).await.expect("written");
    peer.expect("20 13 00 <id> 01 61").await;
    peer.expect("20 14 40 <id> 01 62 05 E0 05 68656c6c6f").await;
    connection.pass_all::<Outgoing>([]).await.expect("nothing");
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn messages_passed_together_are_encoded_only_as_far_as_there_is_room() {
    const COUNT: usize = 2000;
    let options = Options::default().max_outbox_bytes(100 * 1024);
    let (connection, mut peer) = dialogue_with(Router::new(), options, 64).await;
    let encoded = AtomicUsize::new(0);
    let messages = (0..COUNT).map(|number| {
        encoded.fetch_add(1, Ordering::Relaxed);
        let payload = vec![number as u8; 1024];
        Draft::new(number.to_string()).data().create(payload)
    });
    let mut passing = Box::pin(connection.pass_all(messages));
    assert!(is_pending(&mut passing).await);
    settled().await;
    assert!(is_pending(&mut passing).await);
    // The outbox is filled by its second block, and the third one waits.
    let waiting = encoded.load(Ordering::Relaxed);
    assert!((100..=200).contains(&waiting), "{waiting} are encoded");

    let reading = async {
        for number in 0..COUNT {
            let (_, payload) = peer.expect_message(&number.to_string()).await;
            assert_eq!(payload, [number as u8; 1024]);
        }
    };
    let (passed, ()) = tokio::join!(passing, reading);
    passed.expect("written");
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn messages_passed_together_keep_their_order_around_files() {
    let (sender, mut received) = mpsc::unbounded_channel();
    let handler = MessageHandler::new().fallback(move |message| {
        sender.send(message.action().to_owned()).expect("received");
        async {}
    });
    let (near, _far) = pair_serving(handler).await;
    let messages = (0..200).map(|number| {
        let message = Draft::new(number.to_string()).data();
        let message = message.create(vec![7; 2000]);
        match number % 50 {
            0 => message.with_file(File::from_bytes("a file", vec![1; 100_000])),
            25 => message.with_files([]),
            _ => message,
        }
    });
    near.pass_all(messages).await.expect("written");
    for number in 0..200 {
        assert_eq!(received.recv().await, Some(number.to_string()));
    }
}

async fn check_one_packet(size: usize, head: &str, data: &str) {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let payload = varied(size);
    let message = Draft::new("n").data().create(payload.clone());
    let (written, ()) = tokio::join!(connection.pass(message), async {
        peer.expect(&format!("20 {head} {data}")).await;
        assert!(peer.take(size).await == payload);
        peer.expect_silence().await;
    });
    written.expect("written");
}

// r[verify content.data.single]
#[tokio::test(start_paused = true)]
async fn a_payload_of_any_size_is_one_data_packet() {
    check_one_packet(255, "14 40 <id> 01 6e FF", "E0 FF").await;
    check_one_packet(256, "15 80 <id> 01 6e 00 01", "E4 00 01").await;
    check_one_packet(16_383, "15 80 <id> 01 6e FF 3F", "E4 FF 3F").await;
    check_one_packet(16_384, "15 80 <id> 01 6e 00 40", "E4 00 40").await;
    check_one_packet(65_535, "15 80 <id> 01 6e FF FF", "E4 FF FF").await;
    check_one_packet(65_536, "19 C0 <id> 01 6e 00 00 01 00 00 00", "E8 00 00 01").await;
    check_one_packet(MIB, "19 C0 <id> 01 6e 00 00 10 00 00 00", "E8 00 00 10").await;
    check_one_packet(4 * MIB, "19 C0 <id> 01 6e 00 00 40 00 00 00", "E8 00 00 40").await;
}

// r[verify content.data.single]
#[tokio::test(start_paused = true)]
async fn the_payload_of_a_response_is_one_data_packet() {
    let handler = MessageHandler::new().action("get", |message| async move {
        let response = ResponseDraft::new().data().create(varied(4 * MIB));
        message.respond(response).await.map(drop)
    });
    let (_connection, mut peer) = dialogue(handler).await;
    peer.ask(id(1), "get", b"").await;
    let head = format!("50 27 C0 {} <id> 00 00 40 00 00 00 E8 00 00 40", hex(id(1)));
    peer.expect(&head).await;
    assert!(peer.take(4 * MIB).await == varied(4 * MIB));
    peer.expect_silence().await;
}

fn echo_handler() -> MessageHandler {
    MessageHandler::new().action("echo", |message| async move {
        let response = ResponseDraft::new()
            .data()
            .create(message.payload().clone());
        message.respond(response).await.map(drop)
    })
}

async fn check_echo(connection: &Connection, size: usize) {
    let payload = varied(size);
    let message = Draft::new("echo").data().create(payload.clone());
    let mut request = connection.send(message).await.expect("sent");
    let reply = request.response().await.expect("a reply");
    let response = reply.into_response().expect("a response");
    assert!(
        *response.payload() == payload,
        "{size} bytes come back as they went"
    );
}

#[tokio::test(start_paused = true)]
async fn payloads_of_any_size_go_and_come_back_whole_between_either_side() {
    let (near, far) = sockety::pair(echo_handler(), echo_handler())
        .await
        .expect("two connections");
    for size in [
        0,
        1,
        127,
        128,
        255,
        256,
        16_383,
        16_384,
        65_535,
        65_536,
        MIB,
        4 * MIB,
    ] {
        check_echo(&near, size).await;
        check_echo(&far, size).await;
    }
}

#[tokio::test(start_paused = true)]
async fn small_messages_keep_their_order_around_large_ones() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let sending = async {
        for n in 0..50_usize {
            let payload = varied(if n % 3 == 0 { 40_000 + n } else { n });
            let message = Draft::new(n.to_string()).data().create(payload);
            drop(connection.send(message).await.expect("sent"));
        }
    };
    let receiving = async {
        for n in 0..50_usize {
            let (_, payload) = peer.expect_message(&n.to_string()).await;
            assert!(payload == varied(if n % 3 == 0 { 40_000 + n } else { n }));
        }
    };
    tokio::join!(sending, receiving);
}

#[tokio::test(start_paused = true)]
async fn a_received_message_shows_all_that_was_sent() {
    let log = crate::support::Log::default();
    let noted = log.clone();
    let handler = MessageHandler::new().fallback(move |message| {
        noted.note(format!(
            "{} {} {} {} {}",
            message.id(),
            message.action(),
            message.expects_response(),
            message.is_answered(),
            hex(message.payload()),
        ));
        async { FastReply::ACCEPT }
    });
    let (_connection, mut peer) = dialogue(handler).await;
    peer.tell(id(1), "one", b"").await;
    peer.ask(id(2), "two", b"\x01\x02").await;
    peer.expect_code(id(2), 0).await;
    assert_eq!(
        log.events(),
        [
            format!("{} one false false ", id(1)),
            format!("{} two true false 0102", id(2)),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn no_payload_and_nil_read_as_nothing() {
    let handler = MessageHandler::new().action("n", |message| async move {
        match message.msgpack::<Option<u8>>()? {
            None => Ok::<_, sockety::serve::BoxError>(FastReply::ACCEPT),
            Some(_) => Ok(FastReply::REJECT),
        }
    });
    let (_connection, mut peer) = dialogue(handler).await;
    for (number, payload) in [&b""[..], b"\xc0", b"\xd4\0\0"].into_iter().enumerate() {
        peer.ask(id(number as u64), "n", payload).await;
        peer.expect_code(id(number as u64), 0).await;
    }
    peer.ask(id(9), "n", b"\x07").await;
    peer.expect_code(id(9), 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_cut_at_any_byte_is_the_same_message() {
    let (_connection, mut peer) = dialogue(echo_handler()).await;
    let whole = crate::support::message(id(1), "echo", true, b"hello");
    for cut in 1..whole.len() {
        peer.send_bytes(&whole[..cut]).await;
        settled().await;
        peer.send_bytes(&whole[cut..]).await;
        let (_, payload) = peer.expect_response(id(1)).await;
        assert_eq!(payload, b"hello");
    }
}

#[tokio::test(start_paused = true)]
async fn a_payload_in_several_packets_on_another_channel_is_whole() {
    let (_connection, mut peer) = dialogue_with(echo_handler(), crate::support::base(), PIPE).await;
    let (a, b) = (hex(id(1)), hex(id(2)));
    // Two messages at a time, one on channel 1 and one on channel 255.
    peer.send(&format!("01 21 17 40 {a} 04 6563686f 04 E0 02 0102"))
        .await;
    peer.send(&format!("10 FF 21 17 40 {b} 04 6563686f 03 E0 03 070809"))
        .await;
    let (_, payload) = peer.expect_response(id(2)).await;
    assert_eq!(payload, [7, 8, 9]);
    peer.send("A0 01 E0 01 03 A0 E0 01 04").await;
    let (_, payload) = peer.expect_response(id(1)).await;
    assert_eq!(payload, [1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn an_aborted_message_never_reaches_its_handler() {
    let (_connection, mut peer) = dialogue(echo_handler()).await;
    peer.send(&format!(
        "21 17 40 {} 04 6563686f 04 E0 02 0102 90",
        hex(id(1))
    ))
    .await;
    peer.ask(id(2), "echo", b"next").await;
    let (_, payload) = peer.expect_response(id(2)).await;
    assert_eq!(payload, b"next");
    tokio::time::sleep(Duration::from_secs(5)).await;
    peer.expect_silence().await;
}

async fn check_tolerated(digits: &str) {
    let base = crate::support::base();
    let (_connection, mut peer) = dialogue_with(ping_handler(), base, PIPE).await;
    peer.send(digits).await;
    peer.expect_code(id(1), 0).await;
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn oddities_of_peers_are_tolerated() {
    let one = hex(id(1));
    let ping = format!("21 16 00 {one} 04 70696e67");
    // Heartbeats, goodbyes, needless switches and an abort of nothing.
    check_tolerated(&format!("A0 A0 B0 B0 00 10 00 10 FF 00 00 90 {ping}")).await;
    // Bits without a meaning: of packets, of the flags, of a goodbye.
    check_tolerated(&format!("AF BF 9F {ping}")).await;
    check_tolerated(&format!("21 16 01 {one} 04 70696e67")).await;
    // A header in pieces with other packets between them, the first one empty.
    check_tolerated(&format!(
        "21 00 60 01 00 A0 60 10 {one} 60 00 00 60 05 04 70696e67"
    ))
    .await;
    // Sizes in wider forms than needed.
    check_tolerated(&format!("2D 16 00 00 00 00 {one} 04 70696e67")).await;
    check_tolerated(&format!("21 17 02 {one} 04 00 70696e67")).await;
    // A payload of no bytes that is announced, and one with empty packets between its parts.
    check_tolerated(&format!("21 17 40 {one} 04 70696e67 00")).await;
    check_tolerated(&format!(
        "21 17 40 {one} 04 70696e67 02 E0 00 E0 01 00 E0 00 EC 01 00 00 00 00"
    ))
    .await;
}

#[tokio::test(start_paused = true)]
async fn t_a4_a_message_whose_sender_lost_interest_is_written_whole() {
    let (connection, mut peer) = dialogue_with(ping_handler(), Options::default(), 64).await;
    {
        let message = Draft::new("large").data().create(varied(50_000));
        let mut passing = Box::pin(connection.pass(message));
        assert!(is_pending(&mut passing).await);
        settled().await;
    }
    let (_, payload) = peer.expect_message("large").await;
    assert!(payload == varied(50_000));
    connection.pass(&Draft::new("next")).await.expect("written");
    peer.expect_message("next").await;
}

#[tokio::test(start_paused = true)]
async fn t_r5_a_reply_may_come_before_its_message_is_written() {
    let (connection, mut peer) = dialogue_with(ping_handler(), Options::default(), 64).await;
    let message = Draft::new("large").data().create(varied(50_000));
    let request = connection.send(message).await.expect("accepted");
    peer.reply(request.id(), 1).await;
    assert_eq!(code_of(request).await, 1);
    let (_, payload) = peer.expect_message("large").await;
    assert!(payload == varied(50_000));
}
