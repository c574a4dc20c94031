//! Idle connections: what they wake up for, and that this goes unnoticed.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use sockety::{Connection, Options, Router, error::ConnectionError, message::Draft};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::time::{Instant, advance, sleep, sleep_until};

use crate::support::{PIPE, Peer, code_of, dialogue_with, settled};

const SECOND: Duration = Duration::from_secs(1);

/// A stream that notes when its driver was awake. The clock must be paused: it does not advance while anything runs.
struct Watched {
    io: DuplexStream,
    wakes: Wakes,
}

#[derive(Clone)]
struct Wakes {
    begin: Instant,
    moments: Arc<Mutex<Vec<Instant>>>,
}

impl Wakes {
    fn note(&self) {
        let mut moments = self.moments.lock().expect("no panic");
        if moments.last() != Some(&Instant::now()) {
            moments.push(Instant::now());
        }
    }

    /// In whole seconds since the beginning.
    fn seconds(&self) -> Vec<u64> {
        let moments = self.moments.lock().expect("no panic");
        let seconds = moments.iter().map(|at| (*at - self.begin).as_secs());
        seconds.collect()
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.wakes.note();
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// A connection with a scripted peer, and when its driver was awake.
async fn watched(options: Options) -> (Connection, Peer, Wakes) {
    let (io, far) = duplex(PIPE);
    let wakes = Wakes {
        begin: Instant::now(),
        moments: Arc::default(),
    };
    let watched = Watched {
        io,
        wakes: wakes.clone(),
    };
    let (connection, peer) = tokio::join!(
        Connection::over(watched, Router::new(), options),
        Peer::greeted(far)
    );
    (connection.expect("a connection"), peer, wakes)
}

fn patient() -> Options {
    Options::default().idle_timeout(None)
}

async fn until(wakes: &Wakes, second: u64) {
    sleep_until(wakes.begin + Duration::from_secs(second)).await;
}

// What it wakes up for.

#[tokio::test(start_paused = true)]
async fn a_quiet_connection_wakes_for_its_heartbeats_alone() {
    let (_connection, mut peer, wakes) = watched(patient()).await;
    until(&wakes, 610).await;
    let expected: Vec<u64> = (0..=600).step_by(20).collect();
    assert_eq!(wakes.seconds(), expected);
    peer.expect(&"A0 ".repeat(30)).await;
}

#[tokio::test(start_paused = true)]
async fn a_sign_of_life_costs_no_other_look_at_the_clock() {
    let (connection, mut peer, wakes) = watched(Options::default()).await;
    let mut expected = vec![0];
    for round in 0..30 {
        until(&wakes, 20 * round + 7).await;
        peer.send("A0").await;
        expected.extend([20 * round + 7, 20 * round + 20]);
    }
    until(&wakes, 610).await;
    assert_eq!(wakes.seconds(), expected);
    assert!(!connection.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_owes_nothing_wakes_when_its_peer_is_given_up() {
    let options = Options::default().heartbeat(3600 * SECOND);
    let (connection, _peer, wakes) = watched(options).await;
    let error = connection.closed().await;
    assert!(matches!(error, ConnectionError::Idle(_)), "{error:?}");
    assert_eq!(wakes.seconds()[..2], [0, 90]);
}

#[tokio::test(start_paused = true)]
async fn after_a_message_there_are_two_looks_until_the_next_heartbeat() {
    let (connection, mut peer, wakes) = watched(patient()).await;
    until(&wakes, 7).await;
    for _ in 0..3 {
        connection.pass(&Draft::new("note")).await.expect("sent");
        peer.expect_message("note").await;
        settled().await;
    }
    until(&wakes, 60).await;
    let mut seconds = wakes.seconds();
    seconds.dedup();
    assert_eq!(seconds, [0, 7, 12, 17, 32, 52]);
    peer.expect("A0 A0").await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_quiet_again_when_its_call_is_answered() {
    let (connection, mut peer, wakes) = watched(patient()).await;
    until(&wakes, 10).await;
    let request = connection.send(&Draft::new("ask")).await.expect("sent");
    let (id, _) = peer.expect_message("ask").await;
    sleep(2500 * SECOND / 1000).await;
    peer.reply(id, 0).await;
    assert_eq!(code_of(request).await, 0);
    until(&wakes, 60).await;
    assert_eq!(wakes.seconds(), [0, 10, 11, 12, 12, 13, 31, 51]);
}

// Heartbeats.

/// Writes, and hears something, at these intervals. The peer never waits for longer than a heartbeat may be late.
async fn is_never_quiet_for_long(write: Option<u64>, read: Option<u64>) {
    let interval =
        |millis: Option<u64>| Duration::from_millis(millis.unwrap_or(u64::from(u32::MAX)));
    let (write, read) = (interval(write), interval(read));
    let (connection, mut peer) = dialogue_with(Router::new(), patient(), PIPE).await;
    let begin = Instant::now();
    let (mut next_write, mut next_read) = (begin + write, begin + read);
    let mut written = begin;
    while begin.elapsed() < 600 * SECOND {
        tokio::select! {
            biased;
            packet = peer.next() => {
                assert!(packet.is_some(), "an end");
                written = Instant::now();
            }
            () = sleep_until(written + 25 * SECOND + SECOND / 100) => {
                panic!("nothing was written for 25 s: {write:?} {read:?}");
            }
            () = sleep_until(next_write) => {
                connection.pass(&Draft::new("note")).await.expect("sent");
                next_write += write;
            }
            () = sleep_until(next_read) => {
                peer.send("A0").await;
                next_read += read;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_waits_for_25_seconds_at_most() {
    let intervals = [
        900, 4900, 5000, 5100, 7300, 14_900, 19_900, 20_100, 24_900, 60_000,
    ];
    let intervals = || intervals.into_iter().map(Some).chain([None]);
    for write in intervals() {
        for read in intervals() {
            is_never_quiet_for_long(write, read).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_comes_20_to_25_seconds_after_the_last_message() {
    for tenths in (1..300).step_by(3) {
        let (connection, mut peer) = dialogue_with(Router::new(), patient(), PIPE).await;
        sleep(tenths * SECOND / 10).await;
        connection.pass(&Draft::new("note")).await.expect("sent");
        let begin = Instant::now();
        let heartbeats = if tenths >= 200 { "A0" } else { "" };
        peer.expect(heartbeats).await;
        peer.expect_message("note").await;
        peer.expect("A0").await;
        let elapsed = begin.elapsed();
        let allowed = 20 * SECOND..=25 * SECOND + SECOND / 100;
        assert!(allowed.contains(&elapsed), "{tenths}: {elapsed:?}");
        // And further ones at their intervals.
        peer.expect("A0").await;
        let interval = begin.elapsed() - elapsed;
        assert!((19..=20).contains(&interval.as_secs()), "{interval:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn heartbeats_of_a_second_come_each_second() {
    let options = patient().heartbeat(SECOND);
    let (_connection, mut peer) = dialogue_with(Router::new(), options, PIPE).await;
    let begin = Instant::now();
    peer.expect(&"A0 ".repeat(60)).await;
    assert_eq!(begin.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn the_longest_times_are_no_mistake() {
    let options = patient().heartbeat(Duration::MAX);
    let (connection, mut peer) = dialogue_with(Router::new(), options, PIPE).await;
    let options = Options::default().heartbeat(Duration::MAX);
    let options = options.idle_timeout(Some(Duration::MAX));
    let (other, mut other_peer) = dialogue_with(Router::new(), options, PIPE).await;
    sleep(24 * 3600 * SECOND).await;
    peer.expect_silence().await;
    other_peer.expect_silence().await;
    assert!(!connection.is_closed() && !other.is_closed());
}

// The silence of the peer.

/// A peer says something at these times and then nothing: it is given up 90 s later, or soon after.
async fn is_given_up_in_time(options: Options, signs: &[u64]) {
    let (connection, mut peer, wakes) = watched(options).await;
    for tenths in signs {
        sleep_until(wakes.begin + Duration::from_millis(100 * tenths)).await;
        assert!(!connection.is_closed(), "{signs:?}");
        peer.send("A0").await;
    }
    let begin = Instant::now();
    let error = connection.closed().await;
    assert!(matches!(error, ConnectionError::Idle(_)), "{error:?}");
    let elapsed = begin.elapsed();
    let allowed = 90 * SECOND..=96 * SECOND;
    assert!(allowed.contains(&elapsed), "{signs:?}: {elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_given_up_in_time_whenever_it_was_heard_last() {
    for heartbeat in [1, 20, 3600] {
        let options = Options::default().heartbeat(heartbeat * SECOND);
        for first in (1..900).step_by(37) {
            is_given_up_in_time(options.clone(), &[first]).await;
            for later in (1..890).step_by(97) {
                is_given_up_in_time(options.clone(), &[first, first + later]).await;
            }
            is_given_up_in_time(options.clone(), &[first, first + 1, first + 2]).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_something_now_and_then_is_never_given_up() {
    for heartbeat in [20, 3600] {
        for tenths in [3, 49, 199, 201, 613, 899] {
            let options = Options::default().heartbeat(heartbeat * SECOND);
            let (connection, mut peer) = dialogue_with(Router::new(), options, PIPE).await;
            for _ in 0..100 {
                sleep(tenths * SECOND / 10).await;
                peer.send("A0").await;
            }
            assert!(!connection.is_closed(), "{tenths}");
        }
    }
}

// A process that was suspended.

#[tokio::test(start_paused = true)]
async fn t_s9_after_a_suspension_a_quiet_peer_has_time_to_be_heard() {
    for heartbeat in [1, 20, 3600] {
        for silent in 1..84 {
            let options = Options::default().heartbeat(heartbeat * SECOND);
            let (connection, mut peer) = dialogue_with(Router::new(), options, PIPE).await;
            sleep(silent * SECOND).await;
            advance(3600 * SECOND).await;
            sleep(SECOND / 2).await;
            assert!(!connection.is_closed(), "{silent}");
            peer.send("A0").await;
            sleep(89 * SECOND).await;
            assert!(!connection.is_closed(), "{silent}");
            let error = connection.closed().await;
            assert!(matches!(error, ConnectionError::Idle(_)), "{error:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn t_s9_after_a_suspension_the_peer_is_sent_a_sign_of_life_at_once() {
    let (_connection, mut peer) = dialogue_with(Router::new(), patient(), PIPE).await;
    sleep(SECOND).await;
    advance(3600 * SECOND).await;
    let begin = Instant::now();
    peer.expect("A0").await;
    assert!(begin.elapsed() < SECOND, "{:?}", begin.elapsed());
}
