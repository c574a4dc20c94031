//! Replies: codes, responses, which messages get a reply and which do not, and the parts of a
//! message handler.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Serialize, Serializer, ser::Error};
use sockety::{
    ByteStream, Connection, FastReply, Options, Router,
    config::Limits,
    error::{RequestError, SendError},
    message::{Draft, OutgoingReply, Reply, Request, Response, ResponseDraft},
    serve::{BoxError, IntoReply, Message, MessageHandler},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::sleep,
};

use crate::support::{
    Log, PIPE, Peer, Received, answers_ping, code_of, dialogue, dialogue_with, hex, id, is_pending,
    pair_serving, ping_handler, settled,
};

async fn ask(connection: &Connection, action: &str) -> Request {
    connection.send(&Draft::new(action)).await.expect("sent")
}

/// A request whose message the peer has read.
async fn asked(connection: &Connection, peer: &mut Peer) -> Request {
    let request = ask(connection, "ask").await;
    let (id, _) = peer.expect_message("ask").await;
    assert_eq!(id, request.id());
    request
}

async fn response_to(request: &mut Request) -> Response {
    let reply = request.response().await.expect("a reply");
    reply.into_response().expect("a response")
}

async fn payload_of(request: &mut Request) -> Vec<u8> {
    response_to(request).await.payload().to_vec()
}

fn coded(code: u16) -> FastReply {
    FastReply::new(code).expect("12 bits")
}

/// Answers every message with what `reply` does to it.
fn answering<F, R>(reply: F) -> MessageHandler
where
    F: Fn(Message) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), BoxError>> + Send + 'static,
{
    ping_handler().action("ask", reply)
}

// Codes.

async fn check_code(code: u16, first: &str) {
    let handler =
        answering(move |message| async move { Ok(message.fast_reply(coded(code)).await?) });
    let (_connection, mut peer) = dialogue(handler).await;
    peer.ask(id(1), "ask", b"").await;
    peer.expect(&format!("{first} {}", hex(id(1)))).await;
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn every_code_has_its_shortest_bytes() {
    check_code(0, "30").await;
    check_code(1, "31").await;
    check_code(5, "35").await;
    check_code(15, "3F").await;
    check_code(16, "40 10").await;
    check_code(255, "40 FF").await;
    check_code(256, "41 00").await;
    check_code(3839, "4E FF").await;
    check_code(4095, "4F FF").await;
}

#[tokio::test(start_paused = true)]
async fn t_r7_every_code_arrives_as_it_was_sent() {
    let handler = MessageHandler::new().action("code", |message| async move {
        Ok::<_, BoxError>(FastReply::new(message.msgpack()?)?)
    });
    let (near, _far) = pair_serving(handler).await;
    let draft = Draft::new("code").msgpack::<u16>();
    for code in [0, 1, 2, 3, 4, 5, 6, 15, 16, 255, 256, 3839, 3840, 4095] {
        let request = near.send(draft.create(&code)).await.expect("sent");
        assert_eq!(code_of(request).await, code);
    }
}

#[tokio::test(start_paused = true)]
async fn a_code_in_its_long_form_is_the_same_code() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let request = asked(&connection, &mut peer).await;
    peer.send(&format!("40 01 {}", hex(request.id()))).await;
    assert_eq!(code_of(request).await, 1);
}

#[tokio::test(start_paused = true)]
async fn accepting_and_rejecting_are_codes_0_and_1() {
    let handler = MessageHandler::new()
        .action("yes", |message| async move { message.accept().await })
        .action("no", |message| async move { message.reject().await });
    let (near, _far) = pair_serving(handler).await;
    assert_eq!(code_of(ask(&near, "yes").await).await, 0);
    assert_eq!(code_of(ask(&near, "no").await).await, 1);
}

// Responses.

#[tokio::test(start_paused = true)]
async fn a_response_has_these_bytes() {
    let handler = answering(|message| async move {
        let draft = ResponseDraft::new();
        message.respond(&draft).await?;
        message.respond(draft.data().create("hello")).await?;
        Ok(())
    });
    let (_connection, mut peer) = dialogue(handler).await;
    peer.ask(id(1), "ask", b"").await;
    let parent = hex(id(1));
    peer.expect(&format!("50 21 00 {parent} <id>")).await;
    peer.expect(&format!("50 22 40 {parent} <id> 05 E0 05 68656c6c6f"))
        .await;
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_response_shows_all_that_was_sent() {
    let handler = answering(|message| async move {
        let sent = message
            .respond(ResponseDraft::new().msgpack::<str>().create("pong"))
            .await?;
        assert!(message.is_answered());
        message
            .respond(
                ResponseDraft::new()
                    .data()
                    .create(sent.id().into_bytes().to_vec()),
            )
            .await?;
        Ok(())
    });
    let (near, _far) = pair_serving(handler).await;
    let mut request = ask(&near, "ask").await;
    let first = response_to(&mut request).await;
    assert_eq!(first.msgpack::<String>().expect("text"), "pong");
    assert_eq!(first.payload(), &b"\xa4pong"[..]);
    assert_eq!(first.parent(), request.id());
    assert!(!first.expects_response());
    let second = response_to(&mut request).await;
    assert_eq!(second.payload(), &first.id().as_bytes()[..]);
    assert_ne!(first.id(), second.id());
}

#[tokio::test(start_paused = true)]
async fn fixed_responses_carry_the_same_each_time() {
    let data = ResponseDraft::new().with_data("raw");
    let value = ResponseDraft::new().with_msgpack(&7).expect("encoded");
    let handler = answering(move |message| {
        let (data, value) = (data.clone(), value.clone());
        async move {
            message.respond(&data).await?;
            message.respond(&value).await?;
            Ok(())
        }
    });
    let (near, _far) = pair_serving(handler).await;
    for _ in 0..2 {
        let mut request = ask(&near, "ask").await;
        assert_eq!(payload_of(&mut request).await, b"raw");
        assert_eq!(payload_of(&mut request).await, [7]);
    }
}

#[tokio::test(start_paused = true)]
async fn several_responses_come_in_order_and_a_code_ends_them() {
    let handler = answering(|message| async move {
        for number in 0..10_u8 {
            message
                .respond(ResponseDraft::new().data().create(vec![number]))
                .await?;
            tokio::task::yield_now().await;
        }
        Ok(message.accept().await?)
    });
    let (near, _far) = pair_serving(handler).await;
    let mut responses = ask(&near, "ask").await.responses();
    for number in 0..10_u8 {
        let reply = responses.next().await.expect("more").expect("a reply");
        let response = reply.into_response().expect("a response");
        assert_eq!(*response.payload(), vec![number]);
    }
    let last = responses.next().await.expect("the code").expect("a reply");
    assert_eq!(last.code(), Some(FastReply::ACCEPT));
    assert!(responses.next().await.is_none());
    assert!(responses.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn replies_that_came_before_they_were_asked_for_are_kept() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let mut request = asked(&connection, &mut peer).await;
    for number in 0..3 {
        peer.respond(request.id(), id(number), &[number as u8])
            .await;
    }
    peer.reply(request.id(), 7).await;
    settled().await;
    for number in 0..3_u8 {
        assert_eq!(payload_of(&mut request).await, [number]);
    }
    assert_eq!(code_of(request).await, 7);
}

#[tokio::test(start_paused = true)]
async fn t_a5_a_wait_for_a_reply_may_be_given_up_and_begun_again() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let mut request = asked(&connection, &mut peer).await;
    for number in 0..3_u8 {
        {
            let mut waiting = Box::pin(request.response());
            assert!(is_pending(&mut waiting).await);
            peer.respond(request_id(&connection, number), id(9), b"to nobody")
                .await;
        }
        peer.respond(request.id(), id(number.into()), &[number])
            .await;
        settled().await;
        assert_eq!(payload_of(&mut request).await, [number]);
    }
}

/// An id that no request of the connection has.
fn request_id(_: &Connection, number: u8) -> sockety::Uuid {
    id(0xABC0 + u64::from(number))
}

#[tokio::test(start_paused = true)]
async fn replies_to_nobody_are_ignored() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    peer.reply(id(1), 0).await;
    peer.respond(id(1), id(2), b"").await;
    peer.respond(id(1), id(2), b"hello").await;
    peer.respond_expecting(id(1), id(2), &[7; 100_000]).await;
    answers_ping(&mut peer).await;
    let request = asked(&connection, &mut peer).await;
    let given_up = request.id();
    drop(request);
    peer.respond(given_up, id(3), b"late").await;
    peer.reply(given_up, 0).await;
    answers_ping(&mut peer).await;
    connection.pass(&Draft::new("note")).await.expect("written");
    peer.expect_message("note").await;
    // A one-way message has an id too, and no one waits for it.
    assert!(!connection.is_closed());
}

#[tokio::test(start_paused = true)]
async fn as_many_replies_as_are_kept_can_all_be_taken() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let mut request = asked(&connection, &mut peer).await;
    for number in 0..64 {
        peer.respond(request.id(), id(number), &[number as u8])
            .await;
    }
    settled().await;
    for number in 0..64_u8 {
        assert_eq!(payload_of(&mut request).await, [number]);
    }
    peer.reply(request.id(), 0).await;
    assert_eq!(code_of(request).await, 0);
}

#[tokio::test(start_paused = true)]
async fn t_r2_more_replies_than_are_kept_end_in_overrun() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    let mut request = asked(&connection, &mut peer).await;
    for number in 0..66 {
        peer.respond(request.id(), id(number), &[number as u8])
            .await;
    }
    answers_ping(&mut peer).await;
    for number in 0..64_u8 {
        assert_eq!(payload_of(&mut request).await, [number]);
    }
    for _ in 0..2 {
        let error = request.response().await.expect_err("lost");
        assert!(
            matches!(error, RequestError::Overrun { limit: 64 }),
            "{error:?}"
        );
    }
    let other = asked(&connection, &mut peer).await;
    peer.reply(other.id(), 0).await;
    assert_eq!(code_of(other).await, 0);
}

#[tokio::test(start_paused = true)]
async fn t_r2_large_replies_are_kept_up_to_8_mib() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    let mut request = asked(&connection, &mut peer).await;
    let large = vec![7; 3 * 1024 * 1024];
    peer.respond(request.id(), id(1), &large).await;
    assert!(payload_of(&mut request).await == large);
    for number in 2..6 {
        peer.respond(request.id(), id(number), &large).await;
    }
    answers_ping(&mut peer).await;
    for _ in 0..2 {
        assert!(payload_of(&mut request).await == large);
    }
    let error = request.response().await.expect_err("lost");
    assert!(
        matches!(error, RequestError::Overrun { limit: 2 }),
        "{error:?}"
    );
}

// Who gets no reply.

// r[verify reply.only-when-expected]
#[tokio::test(start_paused = true)]
async fn a_message_that_expects_no_reply_gets_none_whatever_the_handler_does() {
    let handler = ping_handler()
        .action("code", |_| async { FastReply::REJECT })
        .action("error", |_| async { Err::<(), BoxError>("broken".into()) })
        .action("drop", |message| async move { drop(message) })
        .action("panic", |message| async move {
            assert!(message.expects_response(), "a panic");
        })
        .action("later panic", |message| async move {
            tokio::task::yield_now().await;
            assert!(message.expects_response(), "a panic");
        })
        .action("answer", |message| async move {
            let error = message
                .respond(&ResponseDraft::new())
                .await
                .expect_err("refused");
            assert!(matches!(error, SendError::NotExpected), "{error:?}");
            let error = message.accept().await.expect_err("refused");
            assert!(matches!(error, SendError::NotExpected), "{error:?}");
            let error = message.respond_expecting(&ResponseDraft::new()).await;
            assert!(matches!(error, Err(SendError::NotExpected)));
            Ok::<_, BoxError>(FastReply::ACCEPT)
        });
    let (_connection, mut peer) = dialogue(handler).await;
    let actions = [
        "code",
        "error",
        "drop",
        "panic",
        "later panic",
        "answer",
        "unknown",
    ];
    for (number, action) in actions.into_iter().enumerate() {
        peer.tell(id(number as u64), action, b"").await;
        peer.tell(id(number as u64), action, b"with payload").await;
        answers_ping(&mut peer).await;
    }
    peer.tell(id(50), &"a".repeat(1025), b"").await;
    peer.send(&format!("20 19 C0 {} 01 61 FFFFFFFFFFFF 90", hex(id(51))))
        .await;
    answers_ping(&mut peer).await;
    peer.expect_silence().await;
}

// r[verify reply.response]
#[tokio::test(start_paused = true)]
async fn t_m21_a_response_is_never_answered_unasked() {
    let (connection, mut peer) = dialogue(ping_handler()).await;
    let mut request = asked(&connection, &mut peer).await;
    // The flag has no meaning in what the TypeScript implementation sends.
    peer.respond_expecting(request.id(), id(1), b"hello").await;
    let response = response_to(&mut request).await;
    assert!(response.expects_response());
    assert_eq!(response.payload(), &b"hello"[..]);
    drop(response);
    drop(request);
    peer.expect_silence().await;
    answers_ping(&mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn a_response_that_expects_no_answer_cannot_be_answered() {
    let (connection, mut peer) = dialogue(Router::new()).await;
    let mut request = asked(&connection, &mut peer).await;
    peer.respond(request.id(), id(1), b"").await;
    let response = response_to(&mut request).await;
    let error = response
        .fast_reply(FastReply::ACCEPT)
        .await
        .expect_err("refused");
    assert!(matches!(error, SendError::NotExpected), "{error:?}");
    let error = response
        .respond(&ResponseDraft::new())
        .await
        .expect_err("refused");
    assert!(matches!(error, SendError::NotExpected), "{error:?}");
    peer.expect_silence().await;
}

// Conversations.

// r[verify reply.expected]
#[tokio::test(start_paused = true)]
async fn a_response_can_be_answered_by_its_id() {
    let log = Log::default();
    let noted = log.clone();
    let handler = answering(move |message| {
        let log = noted.clone();
        async move {
            let draft = ResponseDraft::new().data();
            let mut request = message.respond_expecting(draft.create("who?")).await?;
            let answer = request
                .response()
                .await?
                .into_response()
                .expect("a response");
            log.note(String::from_utf8_lossy(answer.payload()));
            let more = answer
                .respond_expecting(draft.clone().create("really?"))
                .await?;
            log.note(code_of(more).await.to_string());
            Ok(message.accept().await?)
        }
    });
    let (_connection, mut peer) = dialogue(handler).await;
    peer.ask(id(1), "ask", b"").await;
    let first = peer
        .expect_id(&format!("51 22 40 {} <id> 04 E0 04 77686f3f", hex(id(1))))
        .await;
    peer.respond_expecting(first, id(2), b"me").await;
    let (second, payload) = peer.expect_response(id(2)).await;
    assert_eq!(payload, b"really?");
    peer.reply(second, 33).await;
    peer.expect_code(id(1), 0).await;
    assert_eq!(log.events(), ["me", "33"]);
}

#[tokio::test(start_paused = true)]
async fn two_of_ours_can_hold_a_conversation() {
    let handler = answering(|message| async move {
        let count = ResponseDraft::new().msgpack::<u32>();
        let mut request = message.respond_expecting(count.create(&1)).await?;
        loop {
            match request.response().await? {
                Reply::Fast(code) => return Ok(message.fast_reply(code).await?),
                Reply::Response(response) => {
                    let next = response.msgpack::<u32>()? + 1;
                    request = response.respond_expecting(count.create(&next)).await?;
                }
            }
        }
    });
    let (near, _far) = pair_serving(handler).await;
    let count = ResponseDraft::new().msgpack::<u32>();
    let mut request = ask(&near, "ask").await;
    let mut response = response_to(&mut request).await;
    let mut inner;
    loop {
        let number = response.msgpack::<u32>().expect("a number");
        if number > 20 {
            response.fast_reply(coded(99)).await.expect("sent");
            break;
        }
        inner = response
            .respond_expecting(count.create(&(number + 1)))
            .await
            .expect("sent");
        response = response_to(&mut inner).await;
    }
    assert_eq!(code_of(request).await, 99);
}

// Who forgets to answer.

#[tokio::test(start_paused = true)]
async fn t_a2_a_forgotten_message_is_answered_with_code_5() {
    let handler = answering(|message| async move {
        drop(message);
        Ok(())
    });
    let (near, _far) = pair_serving(handler).await;
    assert_eq!(code_of(ask(&near, "ask").await).await, 5);
}

#[tokio::test(start_paused = true)]
async fn a_kept_message_can_be_answered_later_and_is_forgotten_with_its_last_clone() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeper = Arc::clone(&kept);
    let handler = answering(move |message| {
        keeper.lock().expect("no panic").push(message);
        async { Ok(()) }
    });
    let (_connection, mut peer) = dialogue(handler).await;
    peer.ask(id(1), "ask", b"").await;
    peer.ask(id(2), "ask", b"").await;
    peer.expect_silence().await;
    let second = kept.lock().expect("no panic").pop().expect("kept");
    let clone = second.clone();
    drop(second);
    peer.expect_silence().await;
    drop(clone);
    peer.expect_code(id(2), 5).await;
    let first = kept.lock().expect("no panic").pop().expect("kept");
    first.accept().await.expect("sent");
    peer.expect_code(id(1), 0).await;
    drop(first);
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_too_large_is_answered_with_code_5() {
    let handler = answering(|message| async move {
        let large = ResponseDraft::new().data().create(vec![0; 101]);
        let error = message.respond(large).await.expect_err("too large");
        assert!(matches!(
            error,
            SendError::PayloadTooLarge {
                size: 101,
                limit: 100
            }
        ));
        Err(error.into())
    });
    let limits = Limits::default().max_payload(100);
    let (_connection, mut peer) =
        dialogue_with(handler, Options::default().limits(limits), PIPE).await;
    peer.ask(id(1), "ask", b"").await;
    peer.expect_code(id(1), 5).await;
}

#[tokio::test(start_paused = true)]
async fn a_response_that_cannot_be_sent_leaves_the_message_unanswered() {
    let handler = answering(|message| async move {
        let large = ResponseDraft::new().data().create(vec![0; 101]);
        message.respond(large).await.expect_err("too large");
        assert!(!message.is_answered());
        Ok(message.fast_reply(coded(16)).await?)
    });
    let limits = Limits::default().max_payload(100);
    let (_connection, mut peer) =
        dialogue_with(handler, Options::default().limits(limits), PIPE).await;
    peer.ask(id(1), "ask", b"").await;
    peer.expect_code(id(1), 16).await;
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_finds_its_connection_ended_is_no_fault_of_its_handler() {
    let handler = answering(|message| async move {
        sleep(Duration::from_secs(60)).await;
        Ok(message.fast_reply(coded(16)).await?)
    });
    let (connection, mut peer) = dialogue_with(handler, Options::default(), PIPE).await;
    peer.ask(id(1), "ask", b"").await;
    sleep(Duration::from_secs(1)).await;
    drop(peer);
    connection.closed().await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(connection.stats().unanswered_messages, 0);
}

#[tokio::test(start_paused = true)]
async fn a_response_given_up_before_it_had_a_place_is_answered_with_code_5() {
    let handler = answering(|message| async move {
        // The pipe holds 64 bytes and the outbox 100, so this fills both.
        let filler = Draft::new("filler").data().create(vec![0; 1000]);
        drop(message.connection().send(filler).await?);
        let draft = ResponseDraft::new();
        let response = message.respond(&draft);
        tokio::time::timeout(Duration::from_millis(10), response)
            .await
            .expect_err("no place");
        Ok(())
    });
    let options = Options::default().max_outbox_bytes(100);
    let (_connection, mut peer) = dialogue_with(handler, options, 64).await;
    peer.ask(id(1), "ask", b"").await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    peer.expect_message("filler").await;
    peer.expect_code(id(1), 5).await;
}

// The parts of a message handler.

/// A part that notes its name and returns nothing.
macro_rules! note {
    ($log:expr, $event:expr) => {{
        let log = $log.clone();
        move |_| {
            log.note($event);
            async {}
        }
    }};
}

/// What a handler answers, and what its parts have noted.
async fn check_parts(
    handler: impl FnOnce(&Log) -> MessageHandler,
    action: &str,
    code: u16,
    events: &[&str],
) {
    let log = Log::default();
    let (_connection, mut peer) = dialogue(handler(&log)).await;
    peer.ask(id(1), action, b"").await;
    peer.expect_code(id(1), code).await;
    peer.expect_silence().await;
    assert_eq!(log.events(), events, "{action}");
}

fn parts_in_order(log: &Log) -> MessageHandler {
    let acting = log.clone();
    MessageHandler::new()
        .middleware(note!(log, "first"))
        .middleware(note!(log, "second"))
        .action("act", move |_| {
            acting.note("act");
            async { coded(20) }
        })
        .middleware(note!(log, "third"))
        .fallback({
            let log = log.clone();
            move |_| {
                log.note("fallback");
                async { coded(21) }
            }
        })
}

#[tokio::test(start_paused = true)]
async fn the_parts_run_in_the_order_in_which_they_were_added() {
    check_parts(parts_in_order, "act", 20, &["first", "second", "act"]).await;
    let all = ["first", "second", "third", "fallback"];
    check_parts(parts_in_order, "other", 21, &all).await;
}

#[tokio::test(start_paused = true)]
async fn a_middleware_that_gives_a_code_answers_for_all_after_it() {
    let guarded = |log: &Log| {
        MessageHandler::new()
            .middleware(|message| async move {
                (message.action() == "forbidden").then_some(FastReply::UNAUTHORIZED)
            })
            .action("forbidden", note!(log, "acted"))
            .action("allowed", {
                let log = log.clone();
                move |_| {
                    log.note("acted");
                    async { FastReply::ACCEPT }
                }
            })
            .fallback(note!(log, "fallback"))
    };
    check_parts(guarded, "forbidden", 3, &[]).await;
    check_parts(guarded, "allowed", 0, &["acted"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_middleware_that_answers_itself_answers_for_all_after_it() {
    let answering = |log: &Log| {
        MessageHandler::new()
            .middleware(|message| async move { message.fast_reply(coded(30)).await })
            .action("act", note!(log, "acted"))
            .fallback(note!(log, "fallback"))
    };
    check_parts(answering, "act", 30, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_sent_once_though_the_handler_gives_a_code_too() {
    let twice = |_: &Log| {
        MessageHandler::new().action("act", |message| async move {
            message.fast_reply(coded(30)).await.map(|()| coded(31))
        })
    };
    check_parts(twice, "act", 30, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn an_error_is_answered_with_code_5_when_no_part_handles_it() {
    let failing = |log: &Log| {
        MessageHandler::new()
            .error(|_, _| async { coded(40) })
            .action("act", |_| async { Err::<(), _>("broken") })
            .fallback(note!(log, "fallback"))
    };
    check_parts(failing, "act", 5, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn an_error_is_handled_by_the_next_part_for_errors() {
    let failing = |log: &Log| {
        let log = log.clone();
        MessageHandler::new()
            .middleware(|message| async move {
                match message.action() {
                    "early" => Err("early"),
                    _ => Ok(()),
                }
            })
            .action("act", |_| async { Err::<(), _>("broken") })
            .error(move |message, error| {
                log.note(format!("{}: {error}", message.action()));
                async { coded(40) }
            })
            .error(|_, _| async { coded(41) })
    };
    check_parts(failing, "act", 40, &["act: broken"]).await;
    check_parts(failing, "early", 40, &["early: early"]).await;
    check_parts(failing, "other", 2, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn an_error_of_a_part_for_errors_goes_to_the_next_one() {
    let failing = |log: &Log| {
        let log = log.clone();
        MessageHandler::new()
            .action("act", |_| async { Err::<(), _>("first") })
            .error(|_, _| async { Err::<(), _>("second") })
            .error(move |_, error| {
                log.note(error.to_string());
                async { coded(41) }
            })
    };
    check_parts(failing, "act", 41, &["second"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_part_for_errors_that_gives_nothing_leaves_code_5() {
    let failing = |log: &Log| {
        let log = log.clone();
        MessageHandler::new()
            .action("act", |_| async { Err::<(), _>("broken") })
            .error(move |_, error| {
                log.note(error.to_string());
                async {}
            })
    };
    check_parts(failing, "act", 5, &["broken"]).await;
}

#[tokio::test(start_paused = true)]
async fn t_m20_an_action_that_nobody_handles_is_answered_with_code_2() {
    check_parts(|_| MessageHandler::new(), "act", 2, &[]).await;
    check_parts(
        |log| MessageHandler::new().middleware(note!(log, "seen")),
        "act",
        2,
        &["seen"],
    )
    .await;
    let (_connection, mut peer) = dialogue(Router::new()).await;
    peer.ask(id(1), "act", b"hello").await;
    peer.expect_code(id(1), 2).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_of_two_parts_for_an_action_handles_it() {
    let twice = |_: &Log| {
        MessageHandler::new()
            .action("act", |_| async { coded(20) })
            .action("act", |_| async { coded(21) })
    };
    check_parts(twice, "act", 20, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn t_a1_a_panic_is_answered_with_code_5_and_the_connection_lives() {
    let handler = ping_handler()
        .middleware(|message| async move {
            assert_ne!(message.action(), "middleware", "a panic");
        })
        .action("at once", |_| async { panic!("a panic") as FastReply })
        .action("in the closure", |_| {
            if true {
                panic!("a panic");
            }
            async { FastReply::ACCEPT }
        })
        .action("later", |_| async {
            tokio::task::yield_now().await;
            panic!("a panic") as FastReply
        });
    let (_connection, mut peer) = dialogue(handler).await;
    for (number, action) in ["at once", "in the closure", "later", "middleware"]
        .into_iter()
        .enumerate()
    {
        peer.ask(id(number as u64), action, b"").await;
        peer.expect_code(id(number as u64), 5).await;
        answers_ping(&mut peer).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_handler_does_not_delay_the_others() {
    let handler = ping_handler().action("slow", |_| async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        coded(16)
    });
    let (_connection, mut peer) = dialogue(handler).await;
    peer.ask(id(1), "slow", b"").await;
    peer.ask(id(2), "ping", b"").await;
    peer.expect_code(id(2), 0).await;
    peer.expect_code(id(1), 16).await;
}

#[tokio::test(start_paused = true)]
async fn t_a7_a_handler_can_call_back_over_the_connection_that_brought_its_message() {
    let handler = answering(|message| async move {
        let mut request = message.connection().send(&Draft::new("ping")).await?;
        let reply = request.response().await?;
        Ok(message.fast_reply(reply.code().expect("a code")).await?)
    });
    let back = MessageHandler::new().action("ping", |_| async { coded(77) });
    let (near, _far) = sockety::pair(back, handler).await.expect("two connections");
    assert_eq!(code_of(ask(&near, "ask").await).await, 77);
}

#[tokio::test(start_paused = true)]
async fn replies_of_one_read_leave_together() {
    let (_connection, mut peer) = dialogue(ping_handler()).await;
    let pings: Vec<_> = (0..10)
        .flat_map(|number| crate::support::message(id(number), "ping", true, b""))
        .collect();
    peer.send_bytes(&pings).await;
    for number in 0..10 {
        let reply = peer.next().await;
        assert_eq!(
            reply,
            Some(Received::FastReply {
                id: id(number),
                code: 0
            })
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_often_is_no_attacker_when_one_answer_is_taken() {
    let (near, mut peer) = dialogue(Router::new()).await;
    let mut request = near.send(&Draft::new("ask")).await.expect("sent");
    let (parent, _) = peer.expect_message("ask").await;
    for number in 0..200 {
        peer.respond(parent, id(number), b"").await;
    }
    request.response().await.expect("the first");
    drop(request);
    for number in 200..600 {
        peer.respond(parent, id(number), b"").await;
    }
    settled().await;
    assert!(!near.is_closed());
    assert_eq!(near.stats().unexpected_replies, 0);
    assert!(near.stats().late_replies > 400);
}

// Replies that handlers return.

fn returning<R: IntoReply + Send + 'static>(
    reply: impl Fn() -> R + Send + Sync + 'static,
) -> MessageHandler {
    ping_handler().action("ask", move |_| std::future::ready(reply()))
}

async fn check_returned_response<R: IntoReply + Send + 'static>(
    reply: impl Fn() -> R + Send + Sync + 'static,
) {
    let (connection, _served) = pair_serving(returning(reply)).await;
    let mut request = ask(&connection, "ask").await;
    assert_eq!(payload_of(&mut request).await, b"said");
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_return_its_response() {
    let said = || ResponseDraft::new().with_data("said").create();
    check_returned_response(said).await;
    check_returned_response(move || Some(said())).await;
    check_returned_response(move || Ok::<_, BoxError>(said())).await;
    check_returned_response(move || OutgoingReply::from(said())).await;
}

#[tokio::test(start_paused = true)]
async fn a_returned_response_carries_its_stream() {
    let (mut writer, stream) = ByteStream::pipe(1024);
    let stream = Mutex::new(Some(stream));
    let reply = move || {
        let stream = stream
            .lock()
            .expect("no panic")
            .take()
            .expect("called once");
        ResponseDraft::new().create().with_stream_from(stream)
    };
    let (connection, _served) = pair_serving(returning(reply)).await;
    let mut request = ask(&connection, "ask").await;
    let mut response = response_to(&mut request).await;
    let mut read = response.take_stream().expect("a stream");
    writer.write_all(b"streamed").await.expect("written");
    writer.shutdown().await.expect("ended");
    let mut all = String::new();
    read.read_to_string(&mut all).await.expect("read");
    assert_eq!(all, "streamed");
}

#[tokio::test(start_paused = true)]
async fn a_returned_response_follows_those_that_were_sent() {
    let handler = ping_handler().action("ask", |message| async move {
        let first = ResponseDraft::new().with_data("first").create();
        message.respond(first).await?;
        let last = ResponseDraft::new().with_data("last").create();
        Ok::<_, BoxError>(last)
    });
    let (connection, _served) = pair_serving(handler).await;
    let mut responses = ask(&connection, "ask").await.responses();
    for expected in ["first", "last"] {
        let reply = responses.next().await.expect("one more").expect("a reply");
        let response = reply.into_response().expect("a response");
        assert_eq!(response.payload(), expected);
    }
}

struct Unencodable;

impl Serialize for Unencodable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("no"))
    }
}

#[tokio::test(start_paused = true)]
async fn a_returned_response_that_cannot_be_encoded_is_answered_with_internal_error() {
    let broken = || {
        let draft = ResponseDraft::new().msgpack::<Unencodable>();
        draft.create(&Unencodable)
    };
    let (_connection, mut peer) = dialogue(returning(broken)).await;
    peer.ask(id(1), "ask", b"").await;
    peer.expect_code(id(1), 5).await;
}

#[tokio::test(start_paused = true)]
async fn a_returned_response_is_not_sent_to_a_sender_that_expects_none() {
    let said = || ResponseDraft::new().with_data("said").create();
    let (connection, mut peer) = dialogue(returning(said)).await;
    peer.tell(id(1), "ask", b"").await;
    answers_ping(&mut peer).await;
    drop(connection);
}
