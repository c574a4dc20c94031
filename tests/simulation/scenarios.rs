//! The scenarios: what goes wrong.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use sockety::{CallError, Outcome, error::NoError};
use tokio::time::{Instant, advance, sleep, sleep_until, timeout};

use crate::SECOND;
use crate::client::{Client, explain, now, ping};
use crate::dice::Dice;
use crate::history::{Ended, History};
use crate::server::Order;
use crate::site::{Event, Side, Site};
use crate::work::WorkClient;

/// Runs with what the dice say, and checks what came of it.
pub(crate) type Scenario = fn(&mut Dice) -> History;

pub(crate) const ALL: [(&str, Scenario); 8] = [
    ("echo_under_latency", echo_under_latency),
    ("partition", partition),
    ("one_direction_held", one_direction_held),
    ("crash_and_restart", crash_and_restart),
    ("symmetric_pressure", symmetric_pressure),
    ("slow_readers", slow_readers),
    ("going_away", going_away),
    ("clock_gap", clock_gap),
];

const CALLERS: usize = 8;

/// Nothing but distance: every call that has the time for it is answered.
pub(crate) fn echo_under_latency(dice: &mut Dice) -> History {
    let latency = dice.millis(2..500);
    let mut site = Site::new(dice, latency);
    site.client(dice, CALLERS, 10 * SECOND);
    site.bystander(dice, 10 * SECOND);
    let history = site.run();
    let is_lost = |ended: &Ended| ended.outcome != Outcome::Replied && ended.took < ended.deadline;
    assert_eq!(history.count(is_lost), 0);
    assert!(history.count(|ended| ended.outcome == Outcome::Replied) > 10);
    history.check_pings("bystander", 3, PROMPT);
    history
}

/// The network between two hosts stops for a moment, for long, or for ever.
pub(crate) fn partition(dice: &mut Dice) -> History {
    let mut site = Site::new(dice, 100 * MILLISECOND);
    let at = dice.millis(300..6000);
    let seconds = dice.pick(&[5, 5, 120]);
    let is_final = seconds == 120 && dice.coin();
    site.at(at, if is_final { Event::Cut } else { Event::Hold });
    if !is_final {
        site.at(at + SECOND * seconds, Event::Release);
    }
    let time = SECOND * dice.pick(&[8, 20]);
    site.client(dice, CALLERS, time);
    site.bystander(dice, time);
    let history = site.run();
    if seconds == 5 {
        // TCP has sent again what was held up: nothing is lost but time.
        let is_lost =
            |ended: &Ended| ended.outcome != Outcome::Replied && ended.took < ended.deadline;
        assert_eq!(history.count(is_lost), 0);
    }
    history.check_pings("bystander", 5, PROMPT);
    history
}

/// One direction stops, for a while or for ever: the other side hears nothing of that.
pub(crate) fn one_direction_held(dice: &mut Dice) -> History {
    let mut site = Site::new(dice, 100 * MILLISECOND);
    let at = dice.millis(300..6000);
    let side = dice.pick(&[Side::Client, Side::Server]);
    if dice.coin() {
        site.at(at, Event::Shut(side));
        site.at(at + SECOND * dice.pick(&[3, 12, 40]), Event::Open(side));
    } else {
        let cut = match side {
            Side::Client => Event::CutToClient,
            Side::Server => Event::CutToServer,
        };
        site.at(at, cut);
    }
    site.client(dice, CALLERS, 10 * SECOND);
    site.bystander(dice, 10 * SECOND);
    let history = site.run();
    history.check_pings("bystander", 5, PROMPT);
    history
}

/// The server crashes in the middle of everything, some say without a word, and comes back.
pub(crate) fn crash_and_restart(dice: &mut Dice) -> History {
    let mut site = Site::new(dice, 50 * MILLISECOND);
    let mut at = Duration::ZERO;
    for _ in 0..dice.within(1..4) {
        at += dice.millis(50..3000);
        site.at(
            at,
            Event::Crash {
                silently: dice.coin(),
            },
        );
        at += dice.millis(100..2000);
        site.at(at, Event::Restart);
    }
    site.client(dice, CALLERS, 12 * SECOND);
    // Whoever waits for a server that has gone without a word may wait to the end: nothing is promised but that end.
    let history = site.run();
    assert!(history.len() >= CALLERS);
    history
}

/// Both sides write as much as they can to handlers that read nothing.
pub(crate) fn symmetric_pressure(dice: &mut Dice) -> History {
    let mut site = Site::new(dice, 30 * MILLISECOND);
    let streams = dice.within(1..5);
    let time = 15 * SECOND;
    let client = site.new_client("client", dice, 0, time);
    site.add("client", press(client, streams, time));
    site.bystander(dice, time);
    let history = site.run();
    // On the way there and on the way back.
    let limit = 2 * (STALL_ALONE + STALL * (streams as u32 - 1));
    history.check_pings("client", 1, limit);
    history.check_pings("bystander", 10, PROMPT);
    history
}

/// No ping takes longer, whatever else its connection carries, as long as that is read.
const PROMPT: Duration = Duration::from_secs(5);

/// How long a stream that nobody reads holds up what comes behind it, one after the other: 5 s when nobody else is seen
/// to wait, else 1 s, and in both cases until the clock has been looked at twice.
const STALL_ALONE: Duration = Duration::from_secs(7);
const STALL: Duration = Duration::from_secs(3);

async fn press(client: Client, streams: u64, time: Duration) -> turmoil::Result {
    let connection = client.connect().await.ok_or("no connection")?;
    let (work, end) = (WorkClient::new(connection), Instant::now() + time);
    let history = &client.history;
    let goes_on = || Instant::now() < end && !work.connection().is_closed();
    let to_server = (0..streams).map(|_| async {
        while goes_on() {
            bulk(history, &work, "neglect", 0, end).await;
        }
    });
    let to_client = (0..streams).map(|_| async {
        while goes_on() {
            neglect(history, &work, end).await;
        }
    });
    let pings = async {
        while Instant::now() < end {
            ping(history, "client", &work).await;
            sleep(SECOND).await;
        }
    };
    tokio::join!(join_all(to_server), join_all(to_client), pings);
    drop(work);
    client.is_gone().await;
    Ok(())
}

/// A reply whose stream is not read, for a long time, or until the connection abandons it.
async fn neglect(history: &History, work: &WorkClient, end: Instant) {
    let (call, at, begun) = (history.number(), now(), Instant::now());
    let deadline = 30 * SECOND;
    let answered = work.produce(call, 3_000_000).timeout(deadline).await;
    let took = begun.elapsed();
    let (outcome, error) = match &answered {
        Ok(_) => (Outcome::Replied, String::new()),
        Err(error) => (error.outcome(), explain(error)),
    };
    let what = "produce";
    history.end(
        call,
        Ended {
            what,
            at,
            took,
            deadline,
            outcome,
            error,
        },
    );
    if let Ok(mut stream) = answered {
        sleep_until(end.min(Instant::now() + 8 * SECOND)).await;
        while let Ok(Some(chunk)) = stream.next_chunk().await {
            history.take(call, chunk.len() as u64);
            if Instant::now() >= end {
                break;
            }
        }
    }
    history.take(call, u64::MAX / 2);
}

/// A message whose stream is written as fast as it is taken.
async fn bulk(history: &History, work: &WorkClient, what: &'static str, millis: u64, end: Instant) {
    let (call, at, begun) = (history.number(), now(), Instant::now());
    let notes = history.clone();
    let chunks = futures_util::stream::unfold((), move |()| {
        let notes = notes.clone();
        async move {
            (Instant::now() < end).then(|| {
                notes.hand_over(call, CHUNK as u64);
                (Ok(Bytes::from_static(&[7; CHUNK])), ())
            })
        }
    });
    let stream = sockety::ByteStream::from_stream(Box::pin(chunks));
    let deadline = end - begun + 40 * SECOND;
    let result: Result<(), CallError<NoError>> = match what {
        "neglect" => work.neglect(call, stream).timeout(deadline).await,
        _ => work.dawdle(call, millis, stream).timeout(deadline).await,
    };
    let (outcome, error) = match result {
        Ok(()) => (Outcome::Replied, String::new()),
        Err(error) => (error.outcome(), explain(&error)),
    };
    history.take(call, u64::MAX / 2);
    let took = begun.elapsed();
    history.end(
        call,
        Ended {
            what,
            at,
            took,
            deadline,
            outcome,
            error,
        },
    );
}

const CHUNK: usize = 8 * 1024;

/// What may be between the writer and the reader of one stream: what waits to be sent, the outbox, the network, the
/// window of the receiver, and what one read brings beyond it.
const BETWEEN: u64 = (256 + 256 + 128 + 256 + 256 + 64) * 1024;

/// What may be between the writers and the readers of a connection besides what waits in each writer.
const BETWEEN_ALL: u64 = (256 + 128 + 256 + 8 * 1024 + 64) * 1024;

/// Very many streams on one connection that are read slowly, and somebody who only wants a word.
pub(crate) fn slow_readers(dice: &mut Dice) -> History {
    let mut site = Site::new(dice, 20 * MILLISECOND);
    let readers = dice.pick(&[16, 255]);
    let pause = dice.pick(&[50, 400]);
    let time = 12 * SECOND;
    let client = site.new_client("client", dice, 0, time);
    site.limit(BETWEEN, BETWEEN_ALL + readers * (256 + 8) * 1024);
    site.add("client", dawdle(client, readers, pause, time));
    site.bystander(dice, time);
    let history = site.run();
    history.check_pings("client", 3, PROMPT);
    history.check_pings("bystander", 5, PROMPT);
    history
}

async fn dawdle(client: Client, readers: u64, pause: u64, time: Duration) -> turmoil::Result {
    let connection = client.connect().await.ok_or("no connection")?;
    let (work, end) = (WorkClient::new(connection), Instant::now() + time);
    let history = &client.history;
    let streams = (0..readers).map(|_| bulk(history, &work, "dawdle", pause, end));
    let pings = async {
        while Instant::now() < end {
            ping(history, "client", &work).await;
            sleep(SECOND / 4).await;
        }
    };
    tokio::join!(join_all(streams), pings);
    drop(work);
    client.is_gone().await;
    Ok(())
}

/// One side leaves while calls are made: what it has accepted it finishes, the rest is known not to have run.
pub(crate) fn going_away(dice: &mut Dice) -> History {
    let mut site = Site::new(dice, 100 * MILLISECOND);
    let order = dice.pick(&[
        Order::Shutdown(30 * SECOND),
        Order::Shutdown(30 * SECOND),
        Order::Shutdown(SECOND),
        Order::Close,
    ]);
    for _ in 0..dice.within(1..4) {
        site.at(dice.millis(100..8000), Event::Order(order));
    }
    site.client(dice, CALLERS, 10 * SECOND);
    let history = site.run();
    if order == Order::Shutdown(30 * SECOND) {
        let is_lost = |ended: &Ended| {
            let is_known = matches!(
                ended.outcome,
                Outcome::Replied | Outcome::NotSent | Outcome::NotExecuted
            );
            !is_known && ended.took < ended.deadline
        };
        assert_eq!(history.count(is_lost), 0, "lost by an orderly end");
    }
    history
}

/// The client is suspended for minutes, and its clocks see that all at once. The server has waited no longer than ever.
pub(crate) fn clock_gap(dice: &mut Dice) -> History {
    let mut site = Site::new(dice, 100 * MILLISECOND);
    let client = site.new_client("client", dice, 0, 10 * SECOND);
    let (before, gap) = (dice.millis(100..5000), SECOND * dice.pick(&[30, 120, 3600]));
    site.add("client", stand_still(client, before, gap));
    site.run()
}

async fn stand_still(client: Client, before: Duration, gap: Duration) -> turmoil::Result {
    let connection = client.connect().await.ok_or("no connection")?;
    let work = WorkClient::new(connection.clone());
    let history = &client.history;
    let held = async {
        // Its deadline passes in the gap.
        let (call, at, begun) = (history.number(), now(), Instant::now());
        let deadline = before + gap;
        let held = work.wait(call, 1000).timeout(deadline).await;
        let (outcome, error) = match held {
            Ok(_) => (Outcome::Replied, String::new()),
            Err(error) => (error.outcome(), explain(&error)),
        };
        let took = begun.elapsed();
        let what = "wait";
        history.end(
            call,
            Ended {
                what,
                at,
                took,
                deadline,
                outcome,
                error,
            },
        );
    };
    let gap = async {
        sleep(before).await;
        advance(gap).await;
        sleep(6 * SECOND).await;
        timeout(5 * SECOND, work.ping()).await
    };
    let ((), pinged) = tokio::join!(held, gap);
    match pinged {
        Ok(Ok(())) => {}
        failed => history.wrong(format!("lost by a gap of the clock: {failed:?}")),
    }
    drop((work, connection));
    client.is_gone().await;
    Ok(())
}

const MILLISECOND: Duration = Duration::from_millis(1);
