//! Many concurrent calls over one connection.

use std::time::Duration;

use sockety::{
    Connection, Context, FastReply, Options, Router, Server,
    message::{Draft, ResponseDraft},
    serve::MessageHandler,
    service,
    testing::{Faults, link},
};
use sockety_codec::{ChannelCount, ChannelId, Encoder, MessageHead};
use tokio::task::JoinSet;

use crate::support::{PIPE, code_of, dialogue, id, pair_over, pair_with, tasks, tasks_are_back_to};

const MIB: usize = 1024 * 1024;

/// Numbers that look random and are the same each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Mostly small, a few large.
    fn size(&mut self, largest: usize) -> usize {
        let small = self.next().is_multiple_of(16);
        let bound = if small { largest } else { 200.min(largest) };
        self.next() as usize % (bound + 1)
    }
}

fn payload(seed: u64, size: usize) -> Vec<u8> {
    let mut random = Random(seed + 1);
    (0..size).map(|_| random.next() as u8).collect()
}

/// Answers with the payload in reverse, sometimes at once and sometimes later.
fn reversing() -> MessageHandler {
    MessageHandler::new().action("reverse", |message| async move {
        let mut bytes = message.payload().to_vec();
        for _ in 0..bytes.len() % 5 {
            tokio::task::yield_now().await;
        }
        bytes.reverse();
        let response = ResponseDraft::new().data().create(bytes);
        message.respond(response).await.map(drop)
    })
}

async fn reverse(connection: &Connection, bytes: Vec<u8>) {
    let message = Draft::new("reverse").data().create(bytes.clone());
    let mut request = connection.send(message).await.expect("sent");
    let reply = request.response().await.expect("a reply");
    let response = reply.into_response().expect("a response");
    assert!(response.payload().iter().rev().eq(&bytes), "its own answer");
}

/// Makes calls from both sides, all at a time.
async fn check_calls(near: &Connection, far: &Connection, count: u64, largest: usize) {
    let mut random = Random(count);
    let mut calls = JoinSet::new();
    for number in 0..count {
        let connection = if number % 2 == 0 { near } else { far }.clone();
        let bytes = payload(number, random.size(largest));
        calls.spawn(async move { reverse(&connection, bytes).await });
    }
    while let Some(call) = calls.join_next().await {
        call.expect("no panic");
    }
}

fn unhurried() -> Options {
    Options::default().max_requests_executing(10_000)
}

#[tokio::test(start_paused = true)]
async fn a_thousand_calls_at_a_time_all_get_their_own_answers() {
    let baseline = tasks();
    let (near, far) = pair_with((reversing(), unhurried()), (reversing(), unhurried()), PIPE).await;
    check_calls(&near, &far, 1000, 40_000).await;
    drop((near, far));
    tasks_are_back_to(baseline).await;
}

#[tokio::test(start_paused = true)]
async fn calls_over_a_pipe_that_holds_little_all_get_their_own_answers() {
    let (near, far) = pair_with((reversing(), unhurried()), (reversing(), unhurried()), 100).await;
    check_calls(&near, &far, 300, 20_000).await;
}

#[tokio::test(start_paused = true)]
async fn calls_over_a_link_that_gives_one_byte_at_a_time_all_get_their_own_answers() {
    let trickle = Faults::new().read_at_most(1);
    let (near, far) = link(trickle.clone(), trickle);
    let (near, far) = pair_over(
        near,
        far,
        (reversing(), unhurried()),
        (reversing(), unhurried()),
    )
    .await;
    check_calls(&near, &far, 1000, 2000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_over_tcp_from_several_threads_all_get_their_own_answers() {
    let server = Server::bind("127.0.0.1:0")
        .await
        .expect("bound")
        .options(unhurried());
    let address = server.local_addr().expect("an address");
    let (client, accepted) = tokio::join!(
        async {
            let connecting = sockety::connect(address)
                .serve(reversing())
                .options(unhurried());
            connecting.await.expect("connected")
        },
        server.accept(reversing()),
    );
    check_calls(&client, &accepted.expect("accepted"), 1000, 40_000).await;
}

#[tokio::test(start_paused = true)]
async fn both_sides_send_much_at_a_time_and_neither_waits_for_the_other() {
    let (near, far) = pair_with((reversing(), unhurried()), (reversing(), unhurried()), 1000).await;
    let (near, far) = (&near, &far);
    tokio::join!(
        reverse(near, payload(1, 4 * MIB)),
        reverse(far, payload(2, 4 * MIB)),
    );
    // Now each has served the other.
    tokio::join!(
        reverse(near, payload(3, 4 * MIB)),
        reverse(far, payload(4, 4 * MIB)),
        reverse(near, payload(5, MIB)),
        reverse(far, payload(6, MIB)),
    );
}

#[tokio::test]
async fn both_sides_send_much_at_a_time_over_tcp() {
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let address = server.local_addr().expect("an address");
    let (client, accepted) = tokio::join!(
        async {
            sockety::connect(address)
                .serve(reversing())
                .await
                .expect("connected")
        },
        server.accept(reversing()),
    );
    let accepted = accepted.expect("accepted");
    for round in 0..3 {
        tokio::join!(
            reverse(&client, payload(round, 4 * MIB)),
            reverse(&accepted, payload(round + 10, 4 * MIB)),
        );
    }
}

#[tokio::test(start_paused = true)]
async fn large_payloads_in_packets_of_any_size_arrive_as_they_were_sent() {
    let (arrived_in, mut arrived) = tokio::sync::mpsc::unbounded_channel();
    let keeping = MessageHandler::new().action("keep", move |message| {
        let kept = arrived_in.send(message.payload().clone());
        async move { kept.map(|()| FastReply::ACCEPT) }
    });
    let (_near, mut peer) = dialogue(keeping).await;
    let mut encoder = Encoder::new(ChannelCount::MAX);
    // Later ones have memory that earlier ones had.
    for (round, size) in [(1, 70_000), (2, 1_100_000), (3, 1_000_000), (4, 300_000)] {
        let sent: Vec<_> = (0..3).map(|of| payload(10 * round + of, size)).collect();
        let bytes = interleaved(&mut encoder, &sent, &mut Random(round));
        peer.send_bytes(&bytes).await;
        for _ in &sent {
            let payload = arrived.recv().await.expect("it arrives");
            assert!(sent.iter().any(|sent| *sent == payload), "as it was sent");
        }
    }
}

/// One message for each payload, each on its own channel, in packets that alternate.
fn interleaved(encoder: &mut Encoder, payloads: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    let channel = |of: usize| ChannelId::new(of as u16 + 1).expect("a channel");
    for (of, payload) in payloads.iter().enumerate() {
        let head = MessageHead::new(id(of as u64), "keep").with_payload_size(payload.len() as u64);
        let begun = encoder.begin(&mut bytes, channel(of), head, &[]);
        begun.expect("a message");
    }
    let mut rests: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
    while rests.iter().any(|rest| !rest.is_empty()) {
        for (of, rest) in rests
            .iter_mut()
            .enumerate()
            .filter(|(_, rest)| !rest.is_empty())
        {
            let size = rest.len().min(1 + random.next() as usize % 300_000);
            let (part, later) = rest.split_at(size);
            let begun = encoder.data(&mut bytes, channel(of), size as u32);
            begun.expect("a packet");
            bytes.extend_from_slice(part);
            encoder.heartbeat(&mut bytes);
            *rest = later;
        }
    }
    bytes
}

#[tokio::test(start_paused = true)]
async fn small_calls_go_on_while_many_are_executing() {
    let handler = reversing().action("slow", |_| async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        FastReply::ACCEPT
    });
    let (near, _far) = pair_with((Router::new(), unhurried()), (handler, unhurried()), PIPE).await;
    let mut slow = Vec::new();
    for _ in 0..500 {
        slow.push(near.send(&Draft::new("slow")).await.expect("sent"));
    }
    let begin = tokio::time::Instant::now();
    for number in 0..100 {
        reverse(&near, payload(number, 100)).await;
    }
    assert!(begin.elapsed() < Duration::from_secs(1));
    for request in slow {
        assert_eq!(code_of(request).await, 0);
    }
}

#[service]
trait Count {
    /// Counts down by calling the other side.
    async fn down(&self, cx: &Context, from: u64) -> u64;
}

struct Counter;

impl Count for Counter {
    async fn down(&self, cx: &Context, from: u64) -> u64 {
        match from {
            0 => 0,
            _ => {
                1 + cx
                    .peer::<CountClient>()
                    .down(from - 1)
                    .await
                    .expect("a reply")
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn t_a7_two_sides_call_each_other_in_turns_as_deep_as_requests_may_execute() {
    let (near, _far) = sockety::pair(CountServer::new(Counter), CountServer::new(Counter))
        .await
        .expect("two connections");
    let client = CountClient::new(near);
    assert_eq!(client.down(500).await.expect("a reply"), 500);
}

#[tokio::test(start_paused = true)]
async fn typed_calls_at_a_time_all_get_their_own_answers() {
    let (near, _far) = sockety::pair(Router::new(), CountServer::new(Counter))
        .await
        .expect("two connections");
    let mut calls = JoinSet::new();
    for _ in 0..200 {
        let client = CountClient::new(near.clone());
        calls.spawn(async move { client.down(0).await.expect("a reply") });
    }
    while let Some(result) = calls.join_next().await {
        assert_eq!(result.expect("no panic"), 0);
    }
}
