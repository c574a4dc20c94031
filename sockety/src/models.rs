//! Models of what runs on several threads at once: the code of connections itself, under many schedules.
//!
//! ```text
//! RUSTFLAGS="--cfg sockety_models" cargo test -p sockety --lib --target-dir target/models models
//! ```
//!
//! Between any two steps that threads see of each other, a lock or an atomic, shuttle decides who goes on; half of the
//! schedules are drawn at random, half by its PCT scheduler. No clock ever ticks here, so nothing that was lost is made up
//! for by one: a task that is not woken waits forever, which is reported as a deadlock. `SOCKETY_SCHEDULES=100000` runs that many
//! of each model instead of 500.

use std::{
    future::{Future, pending, poll_fn},
    sync::{
        Arc, Mutex as StdMutex,
        atomic::{AtomicUsize as StdAtomicUsize, Ordering},
    },
    task::Poll,
};

use shuttle::{
    Config, Runner,
    future::{JoinHandle, block_on, spawn, yield_now},
    scheduler::{PctScheduler, RandomScheduler},
    thread,
};
use tokio::io::DuplexStream;

use crate::{
    config::{
        ChannelCount, Extension, Limits,
        budgets::{Budget, Share},
        options::Options,
    },
    connection::Connection,
    content::{byte_stream::ByteStream, stream_writer::StreamWriter},
    engine::{common::Common, peer::Peer},
    error::{request::RequestError, send::SendError},
    fast_reply::FastReply,
    message::{draft::Draft, request::Request},
    outcome::Outcome,
    serve::{handler::MessageHandler, message::Message, router::Router},
    transport::handshake::establish,
};

/// Schedules of each model, when nobody asks for another number.
const SCHEDULES: usize = 500;

/// Preemptions that the PCT scheduler places.
const DEPTH: usize = 3;

fn check(model: fn()) {
    let schedules = std::env::var("SOCKETY_SCHEDULES").map_or(SCHEDULES, |number| {
        number.parse().expect("a number in the environment")
    });
    let mut config = Config::new();
    // Code that is not optimized needs more than the default of 32 KiB, and shuttle guards no stack.
    config.stack_size = 256 * 1024;
    let random = RandomScheduler::new(schedules.div_ceil(2));
    Runner::new(random, config.clone()).run(model);
    Runner::new(PctScheduler::new(DEPTH, schedules / 2), config).run(model);
}

/// Runs with a paused clock.
fn run<F>(future: impl FnOnce() -> F)
where
    F: Future<Output = ()> + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let _guard = runtime.enter();
    block_on(future());
}

// What they are made of.

/// How often the handler of each message began.
#[derive(Clone, Default)]
struct Ledger(Arc<StdMutex<Vec<u8>>>);

impl Ledger {
    fn count(&self, call: u8) -> usize {
        let begun = self.0.lock().expect("no panic");
        begun.iter().filter(|begun| **begun == call).count()
    }

    /// Answers at once.
    fn handler(&self) -> MessageHandler {
        let ledger = self.clone();
        MessageHandler::new().action("call", move |message: Message| {
            ledger
                .0
                .lock()
                .expect("no panic")
                .extend(message.payload().first());
            std::future::ready(FastReply::ACCEPT)
        })
    }
}

/// Two ends, each with its driver as a task.
struct Ends {
    near: Connection,
    far: Connection,
    drivers: [JoinHandle<()>; 2],
}

impl Ends {
    /// The options are those of the near end, and of the far one, which serves.
    async fn new(serve: MessageHandler, options: [Options; 2]) -> Self {
        let [near, far] = options;
        let serve = Router::new().handler(serve);
        let (here, there) = tokio::io::duplex(64);
        let ((near, one), (far, other)) =
            tokio::join!(end(here, Router::new(), near), end(there, serve, far),);
        Self {
            near,
            far,
            drivers: [one, other],
        }
    }

    /// Drops the last handles: both drivers come to their end.
    async fn part(self) {
        drop((self.near, self.far));
        for driver in self.drivers {
            driver.await.expect("no panic");
        }
    }
}

async fn end(io: DuplexStream, router: Router, options: Options) -> (Connection, JoinHandle<()>) {
    let established = establish(io, Arc::new(router), Common::new(options), Peer::default());
    let (connection, driver) = established.await.expect("a peer");
    (connection, spawn(driver.run()))
}

async fn call(connection: Connection, call: u8) -> Outcome {
    let message = Draft::new("call").with_data(vec![call]).create();
    match connection.send(message).await {
        Ok(mut request) => match request.response().await {
            Ok(_) => Outcome::Replied,
            Err(error) => error.outcome(),
        },
        Err(error) => RequestError::from(error).outcome(),
    }
}

/// What they end with. They run concurrently.
async fn all<T>(tasks: impl IntoIterator<Item = JoinHandle<T>>) -> Vec<T> {
    let mut ends = Vec::new();
    for task in tasks {
        ends.push(task.await.expect("no panic"));
    }
    ends
}

fn check_truth(outcome: Outcome, begun: usize) {
    let is_true = match outcome {
        Outcome::NotSent | Outcome::NotExecuted => begun == 0,
        Outcome::Unknown => begun <= 1,
        Outcome::Executed | Outcome::Replied => begun == 1,
    };
    assert!(is_true, "{outcome}, and its handler began {begun} times");
}

// The models.

/// Threads take shares and give them back: never more than there is, and at the end all is there again.
#[test]
fn budget_is_never_overdrawn_and_all_comes_back() {
    check(|| {
        let budget = Arc::new(Budget::new(5));
        let held = Arc::new(StdAtomicUsize::new(0));
        let threads: Vec<_> = [2, 3, 4]
            .map(|amount| {
                let (budget, held) = (Arc::clone(&budget), Arc::clone(&held));
                thread::spawn(move || {
                    for _ in 0..2 {
                        let mut share = Share::none(Arc::clone(&budget));
                        if share.grow(amount) {
                            let before = held.fetch_add(amount as usize, Ordering::SeqCst);
                            assert!(before + amount as usize <= 5, "overdrawn");
                            thread::yield_now();
                            held.fetch_sub(amount as usize, Ordering::SeqCst);
                        }
                    }
                })
            })
            .into();
        for thread in threads {
            thread.join().expect("no panic");
        }
        assert!(budget.take(5), "not all came back");
    });
}

/// A reply, a caller that cancels and the end of the connection, at the same time: each call has one end, and a true one.
#[test]
fn each_call_has_one_end_when_replies_cancels_and_the_end_meet() {
    check(|| {
        run(|| async {
            let ledger = Ledger::default();
            let ends = Ends::new(ledger.handler(), Default::default()).await;
            let calls = [1, 2].map(|number| spawn(call(ends.near.clone(), number)));
            let given_up = spawn(give_up(ends.near.clone()));
            let closing = spawn({
                let far = ends.far.clone();
                async move {
                    yield_now().await;
                    far.close().await;
                }
            });
            let outcomes = all(calls).await;
            given_up.await.expect("no panic");
            closing.await.expect("no panic");
            ends.part().await;
            for (outcome, number) in outcomes.into_iter().zip([1, 2]) {
                check_truth(outcome, ledger.count(number));
            }
            assert!(ledger.count(3) <= 1);
        });
    });
}

/// Makes a call, and drops it at its second wait.
async fn give_up(connection: Connection) {
    let mut calling = Box::pin(call(connection, 3));
    let mut polls = 0;
    poll_fn(|cx| {
        polls += 1;
        match calling.as_mut().poll(cx) {
            Poll::Pending if polls < 2 => Poll::Pending,
            Poll::Pending | Poll::Ready(_) => Poll::Ready(()),
        }
    })
    .await;
}

/// Handlers that wait, a caller that cancels and one that goes: each call has one answer, and a true one, and
/// nothing is left of it on either side.
#[test]
fn each_cancelled_call_has_one_answer() {
    check(|| {
        run(|| async {
            let (begun, ended) = (Ledger::default(), Ledger::default());
            let extended = || Options::default().extension(Extension::Auto);
            // One waits for its turn.
            let far = extended().max_requests_executing(2);
            let serve = waiting(begun.clone(), ended.clone());
            let ends = Ends::new(serve, [extended(), far]).await;
            let cancelling = [1, 2].map(|number| {
                let near = ends.near.clone();
                spawn(async move {
                    let message = Draft::new("call").with_data(vec![number]).create();
                    let request = near.send(message).await.expect("there is room");
                    yield_now().await;
                    request.cancel().await.outcome()
                })
            });
            let given_up = spawn(give_up(ends.near.clone()));
            for (outcome, number) in all(cancelling).await.into_iter().zip([1, 2]) {
                let runs = (begun.count(number), ended.count(number));
                let is_true = match outcome {
                    Outcome::NotExecuted => runs == (0, 0),
                    Outcome::Executed => runs == (1, 0),
                    Outcome::Replied => runs == (1, 1),
                    Outcome::NotSent | Outcome::Unknown => false,
                };
                assert!(
                    is_true,
                    "{outcome}, and its handler began and ended {runs:?}"
                );
            }
            given_up.await.expect("no panic");
            // The answer to the one that was given up, too, has come or comes.
            while ends.near.traffic().requests_waiting > 0 {
                yield_now().await;
            }
            while ends.far.traffic().requests_executing > 0 {
                yield_now().await;
            }
            assert!(begun.count(3) <= 1);
            ends.part().await;
        });
    });
}

/// Answers after it has waited for a while; the first call never.
fn waiting(begun: Ledger, ended: Ledger) -> MessageHandler {
    MessageHandler::new().action("call", move |message: Message| {
        let (begun, ended) = (begun.clone(), ended.clone());
        async move {
            let number = message.payload().first();
            begun.0.lock().expect("no panic").extend(number);
            for _ in 0..3 {
                yield_now().await;
            }
            if number == Some(&1) {
                pending::<()>().await;
            }
            ended.0.lock().expect("no panic").extend(number);
            FastReply::ACCEPT
        }
    })
}

/// The other side goes without a word: nobody is forgotten.
#[test]
fn each_call_has_one_end_when_the_peer_is_lost() {
    check(|| lose_driver(1));
}

/// This side's driver goes, as with its runtime: nobody is forgotten.
#[test]
fn each_call_has_one_end_when_its_driver_is_lost() {
    check(|| lose_driver(0));
}

fn lose_driver(which: usize) {
    run(|| async move {
        let ledger = Ledger::default();
        let ends = Ends::new(ledger.handler(), Default::default()).await;
        let calls = [1, 2].map(|number| spawn(call(ends.near.clone(), number)));
        yield_now().await;
        // With its driver goes its end of the link.
        ends.drivers[which].abort();
        for (outcome, number) in all(calls).await.into_iter().zip([1, 2]) {
            check_truth(outcome, ledger.count(number));
        }
        ends.near.closed().await;
        drop((ends.near, ends.far));
        for driver in ends.drivers {
            // The lost one has no end but that.
            drop(driver.await);
        }
    });
}

/// Three messages want the channels of a peer that has two for them, and one is dropped: each gets its turn.
#[test]
fn channels_go_round() {
    check(|| {
        run(|| async {
            let streams = Streams::default();
            let limits = Limits::default().max_channels(ChannelCount::new(3).expect("a count"));
            let far = Options::default().limits(limits);
            let ends = Ends::new(streams.handler(), [Options::default(), far]).await;
            let readers = spawn(streams.read(3));
            let senders = [1, 2, 3].map(|number| {
                let near = ends.near.clone();
                spawn(async move {
                    let (mut request, mut writer) = open(&near).await?;
                    writer.write_chunk(vec![number; 10]).await.expect("taken");
                    writer.finish().expect("whole");
                    // Before its reply, it would be cancelled.
                    request.response().await.expect("a reply");
                    Ok::<_, SendError>(())
                })
            });
            for sent in all(senders).await {
                sent.expect("a channel");
            }
            let mut received = readers.await.expect("no panic");
            received.sort_unstable();
            assert_eq!(received, [10, 10, 10]);
            ends.part().await;
        });
    });
}

/// More senders than there is room for, while the connection is closed under them: each gets a place or is told.
#[test]
fn senders_that_wait_for_room_are_told_when_it_closes() {
    check(|| {
        run(|| async {
            let ledger = Ledger::default();
            let near = Options::default().max_outbox_bytes(1);
            let ends = Ends::new(ledger.handler(), [near, Options::default()]).await;
            let calls = [1, 2, 3].map(|number| spawn(call(ends.near.clone(), number)));
            let passed = spawn({
                let near = ends.near.clone();
                async move {
                    near.pass(Draft::new("call").with_data(vec![4]).create())
                        .await
                }
            });
            yield_now().await;
            ends.near.close().await;
            for (outcome, number) in all(calls).await.into_iter().zip([1, 2, 3]) {
                check_truth(outcome, ledger.count(number));
            }
            let passed = passed.await.expect("no panic");
            if let Err(error) = passed {
                check_truth(error.outcome(), ledger.count(4));
            }
            ends.part().await;
        });
    });
}

/// Reading pauses for each of two streams, and for both together, and somebody takes something at just that moment.
#[test]
fn reading_goes_on_whenever_something_is_taken() {
    check(|| {
        run(|| async {
            let streams = Streams::default();
            // With the extension, reading does not pause.
            let far = Options::default()
                .extension(Extension::Off)
                .max_unread_per_message(16)
                .max_unread_bytes(24);
            let ends = Ends::new(streams.handler(), [Options::default(), far]).await;
            let readers = spawn(streams.read(2));
            let senders = [1, 2].map(|number| {
                let near = ends.near.clone();
                spawn(async move {
                    let (request, mut writer) = open(&near).await.expect("a channel");
                    for _ in 0..6 {
                        writer.write_chunk(vec![number; 12]).await.expect("taken");
                    }
                    writer.finish().expect("whole");
                    drop(request);
                })
            });
            all(senders).await;
            assert_eq!(readers.await.expect("no panic"), [72, 72]);
            ends.part().await;
        });
    });
}

/// Two streams wait for credit, of their messages and of the connection, and somebody takes something at just that
/// moment.
// r[verify ext.credit.wakes]
#[test]
fn credit_comes_whenever_something_is_taken() {
    check(|| {
        run(|| async {
            let streams = Streams::default();
            // As little as there may be.
            let far = Options::default()
                .max_unread_per_message(4_096)
                .max_unread_bytes(16_384);
            let ends = Ends::new(streams.handler(), [Options::default(), far]).await;
            let readers = spawn(streams.read(2));
            let senders = [1, 2].map(|number| {
                let near = ends.near.clone();
                spawn(async move {
                    let (mut request, mut writer) = open(&near).await.expect("a channel");
                    for _ in 0..6 {
                        writer
                            .write_chunk(vec![number; 3_000])
                            .await
                            .expect("taken");
                    }
                    writer.finish().expect("whole");
                    request.response().await.expect("a reply");
                })
            });
            all(senders).await;
            assert_eq!(readers.await.expect("no panic"), [18_000, 18_000]);
            ends.part().await;
        });
    });
}

/// A reader is dropped while its stream waits for credit: the stream ends, and what comes behind it arrives.
// r[verify ext.stop.when]
#[test]
fn a_stream_whose_reader_is_dropped_ends() {
    check(|| {
        run(|| async {
            let streams = Streams::default();
            let far = Options::default().max_unread_per_message(4_096);
            let ends = Ends::new(streams.handler(), [Options::default(), far]).await;
            let dropping = spawn({
                let streams = streams.clone();
                async move {
                    let mut stream = streams.next().await;
                    drop(stream.next_chunk().await);
                }
            });
            let (mut request, mut writer) = open(&ends.near).await.expect("a channel");
            while writer.write_chunk(vec![7; 3_000]).await.is_ok() {
                // Else a schedule may never let the reader be dropped to the end, as what is sent meanwhile makes work for
                // all other tasks.
                yield_now().await;
            }
            request.response().await.expect("a reply");
            assert_eq!(call(ends.near.clone(), 1).await, Outcome::Replied);
            dropping.await.expect("no panic");
            drop((request, writer));
            ends.part().await;
        });
    });
}

/// A reader is dropped while reading pauses for it: what comes behind it arrives.
#[test]
fn reading_goes_on_when_a_reader_is_dropped() {
    check(|| {
        run(|| async {
            let streams = Streams::default();
            // With the extension, reading does not pause.
            let far = Options::default()
                .extension(Extension::Off)
                .max_unread_per_message(16)
                .max_unread_bytes(24);
            let ends = Ends::new(streams.handler(), [Options::default(), far]).await;
            let dropping = spawn({
                let streams = streams.clone();
                async move {
                    let mut stream = streams.next().await;
                    drop(stream.next_chunk().await);
                }
            });
            let (request, mut writer) = open(&ends.near).await.expect("a channel");
            for _ in 0..6 {
                writer.write_chunk(vec![7; 12]).await.expect("taken");
            }
            writer.finish().expect("whole");
            assert_eq!(call(ends.near.clone(), 1).await, Outcome::Replied);
            dropping.await.expect("no panic");
            drop(request);
            ends.part().await;
        });
    });
}

async fn open(connection: &Connection) -> Result<(Request, StreamWriter), SendError> {
    let message = Draft::new("stream").with_stream().create();
    let mut request = connection.send(message).await?;
    let writer = request.take_writer().expect("a stream");
    Ok((request, writer))
}

/// Streams that have begun to arrive, for tasks that read them.
#[derive(Clone, Default)]
struct Streams(Arc<StdMutex<Vec<ByteStream>>>);

impl Streams {
    fn handler(&self) -> MessageHandler {
        let streams = self.clone();
        MessageHandler::new()
            .action("stream", move |message: Message| {
                streams
                    .0
                    .lock()
                    .expect("no panic")
                    .extend(message.take_stream());
                std::future::ready(FastReply::ACCEPT)
            })
            .action("call", |_| std::future::ready(FastReply::ACCEPT))
    }

    async fn next(&self) -> ByteStream {
        loop {
            let stream = self.0.lock().expect("no panic").pop();
            match stream {
                Some(stream) => return stream,
                None => yield_now().await,
            }
        }
    }

    /// Reads `count` streams at once, each to its end, and returns their sizes.
    async fn read(self, count: usize) -> Vec<usize> {
        let mut readers = Vec::new();
        for _ in 0..count {
            let stream = self.next().await;
            readers.push(spawn(size(stream)));
        }
        all(readers).await
    }
}

async fn size(mut stream: ByteStream) -> usize {
    let mut size = 0;
    while let Some(chunk) = stream.next_chunk().await.expect("a whole stream") {
        size += chunk.len();
    }
    size
}
