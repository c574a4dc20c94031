//! What hostile peers cost in memory and file descriptors, row by row of THREATS.md. A separate
//! binary whose tests take turns, because it counts for the whole process.

use std::sync::{Mutex, MutexGuard, PoisonError};

use peak_alloc::PeakAlloc;
use sockety::{
    Connection, FastReply, Options,
    config::Limits,
    message::Draft,
    serve::{FirstMessage, IntoRouter, Message, MessageHandler},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{Duration, sleep, timeout};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

const KIB: usize = 1024;

const MIB: usize = 1024 * KIB;

/// What the pipe between the peer and the connection holds.
const PIPE: usize = 4 * KIB;

/// For what tokio and the test harness allocate meanwhile.
const NOISE: usize = 16 * KIB;

/// The id 1, and the beginning of every message here.
const ID: &str = "50050000000040008000000000000001";

/// A connection, and the raw end of its pipe.
struct Attack {
    connection: Connection,
    peer: DuplexStream,
    before: usize,
}

impl Attack {
    /// What was allocated before counts no more: the connection has answered a ping, and its pipe was full once.
    async fn begin(options: Options) -> Self {
        Self::begin_with(&[0xE2, 0, 1], &[], options).await
    }

    /// Like [`Attack::begin`], with the extension.
    async fn begin_extended(options: Options) -> Self {
        // The settings of our default options.
        let settings = bytes("F0 08 00 0B 307500000000");
        Self::begin_with(&[0xE2, 0xEE, 0, 0xF0, 1, 0], &settings, options).await
    }

    /// With the connection header of the peer and what follows, and what is answered after ours.
    async fn begin_with(header: &[u8], settings: &[u8], options: Options) -> Self {
        let (near, mut peer) = tokio::io::duplex(PIPE);
        peer.write_all(header).await.expect("open");
        let connection = Connection::over(near, handler(), options).await;
        let mut attack = Self {
            connection: connection.expect("a connection"),
            peer,
            before: 0,
        };
        let payload = vec![0; PIPE];
        attack
            .send(&format!("21 18 80 {ID} 04 70696e67 0010 E8 001000"))
            .await;
        attack.peer.write_all(&payload).await.expect("open");
        // The connection header, the settings, and the code.
        let mut answer = vec![0; 3 + settings.len() + 17];
        let reading = attack.peer.read_exact(&mut answer);
        reading.await.expect("an answer");
        assert_eq!(answer[3..3 + settings.len()], *settings);
        attack.count();
        attack
    }

    fn count(&mut self) {
        HEAP.reset_peak_usage();
        self.before = HEAP.current_usage();
    }

    async fn send(&mut self, digits: &str) {
        self.peer.write_all(&bytes(digits)).await.expect("open");
    }

    /// Sends the same over and over, this many times or until the connection takes no more or ends.
    async fn send_often(&mut self, bytes: &[u8], times: usize) -> usize {
        for time in 0..times {
            let sending = timeout(Duration::from_millis(1), self.peer.write_all(bytes));
            if !matches!(sending.await, Ok(Ok(()))) {
                return time;
            }
        }
        times
    }

    /// Lets the connection do all it can. The clock is paused: it moves when all wait.
    async fn settle(&self) {
        sleep(Duration::from_millis(1)).await;
    }

    /// The most that was allocated since.
    fn peak(&self) -> usize {
        HEAP.peak_usage().saturating_sub(self.before)
    }

    fn costs_at_most(&self, limit: usize) {
        let peak = self.peak();
        assert!(peak <= limit + NOISE, "{} KiB", peak / KIB);
    }
}

fn bytes(digits: &str) -> Vec<u8> {
    let digits: String = digits.split_whitespace().collect();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits"))
        .collect()
}

/// Answers `ping`, keeps `hold` unread, reads the files of `last` backwards.
fn handler() -> MessageHandler {
    MessageHandler::new()
        .action("ping", |_| async { FastReply::ACCEPT })
        .action("hold", |message: Message| async move {
            std::future::pending::<()>().await;
            drop(message);
        })
        .action("last", |message: Message| async move {
            let mut files = message.take_files();
            while let Some(mut file) = files.pop() {
                let mut size = 0;
                while let Some(chunk) = file.next_chunk().await? {
                    size += chunk.len();
                }
                assert_eq!(size, 300);
            }
            Ok::<_, std::io::Error>(FastReply::ACCEPT)
        })
}

fn run(attack: impl Future<Output = ()>) {
    let _turn = turn();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(attack);
}

#[test]
fn t_f3_a_packet_of_four_gigabytes_costs_what_arrived_of_it() {
    run(async {
        let options = Options::default().limits(Limits::default().max_payload(1 << 40));
        let mut attack = Attack::begin(options).await;
        attack
            .send(&format!(
                "20 1C C0 {ID} 04 70696e67 000000000100 EC FFFFFFFF"
            ))
            .await;
        attack.settle().await;
        attack.costs_at_most(0);
        let content = vec![7; 64 * KIB];
        attack.count();
        attack.send_often(&content, 16).await;
        attack.settle().await;
        // A growing buffer has its old and its new place for a moment.
        attack.costs_at_most(3 * MIB);
    });
}

#[test]
fn t_f5_packets_of_one_byte_cost_no_more_than_the_window() {
    run(async {
        let mut attack = Attack::begin(Options::default()).await;
        attack.send(&format!("22 16 00 {ID} 04 686f6c64")).await;
        let packets = [0x70, 1, 7].repeat(1000);
        attack.count();
        let sent = attack.send_often(&packets, 10_000).await;
        assert!((256..10_000).contains(&sent), "{sent}");
        // The window, what one read brings beyond it, and the rest of the last buffer.
        attack.costs_at_most((256 + 64 + 64) * KIB);
    });
}

#[test]
fn t_m2_announced_files_cost_nothing() {
    run(async {
        let mut attack = Attack::begin(Options::default()).await;
        attack
            .send(&format!("21 1B 30 {ID} 04 70696e67 FFFFFF 0000"))
            .await;
        attack.settle().await;
        attack.costs_at_most(0);
    });
}

#[test]
fn t_m3_headers_of_refused_files_cost_nothing() {
    run(async {
        let mut attack = Attack::begin(Options::default()).await;
        attack
            .send(&format!("2D FFFFFFFF 30 {ID} 04 70696e67 FFFFFF 0000"))
            .await;
        let headers = vec![0; 3 * KIB];
        attack.count();
        attack.send_often(&headers, 100).await;
        assert!(attack.connection.is_closed());
        attack.costs_at_most(0);
    });
}

#[test]
fn t_m4_an_announced_payload_costs_nothing() {
    run(async {
        let mut attack = Attack::begin(Options::default()).await;
        attack
            .send(&format!("21 1C C0 {ID} 04 70696e67 FFFFFFFFFFFF"))
            .await;
        let content = [&bytes("E8 000001")[..], &vec![7; 64 * KIB]].concat();
        attack.count();
        attack.send_often(&content, 100).await;
        attack.costs_at_most(0);
    });
}

#[test]
fn t_m16_headers_begun_on_all_channels_cost_no_more_than_their_bytes() {
    run(async {
        let mut attack = Attack::begin(Options::default()).await;
        let mut headers = Vec::new();
        for channel in 0..238 {
            headers.extend([0x10, channel as u8]);
            // All of an action of 1,000 bytes but its last.
            headers.extend(bytes(&format!("25 FA03 02 {ID} E803")));
            headers.extend([b'a'; 999]);
        }
        attack.count();
        attack.peer.write_all(&headers).await.expect("open");
        attack.settle().await;
        assert!(!attack.connection.is_closed());
        // Buffers that double, a table, and what is kept of each header.
        attack.costs_at_most(2 * headers.len() + 64 * KIB);
    });
}

/// Metadata goes with the header that it belongs to.
#[test]
fn t_e9_metadata_of_aborted_headers_costs_nothing() {
    run(async {
        let mut attack = Attack::begin_extended(Options::default()).await;
        // 8 KiB of metadata, a header that breaks off, and an abort.
        let mut message = bytes("F5 0020 58 01 6B FB1F");
        message.resize(3 + 8_192, 7);
        message.extend(bytes("21 02 00 50 90"));
        attack.count();
        let sent = attack.send_often(&message, 512).await;
        assert_eq!(sent, 512);
        attack.settle().await;
        assert!(!attack.connection.is_closed());
        attack.costs_at_most(64 * KIB);
        // All of those that are not aborted share one limit.
        for channel in 1..=255 {
            let mut begun = vec![0x10, channel];
            begun.extend(&message[..message.len() - 1]);
            attack.send_often(&begun, 1).await;
        }
        attack.settle().await;
        assert!(attack.connection.is_closed());
        attack.costs_at_most(3 * MIB);
    });
}

#[test]
fn t_m22_messages_that_wait_to_be_authorized_cost_no_more_than_the_bound() {
    // The hook waits for its peer, so reading cannot pause.
    let hook = |first: FirstMessage| async move {
        let question = first.connection().send(&Draft::new("who")).await;
        let _ = question.expect("sent").response().await;
        first.refuse()
    };
    for size in [300_u16, 1_000, 16_000, 60_000] {
        run(async {
            let (near, mut peer) = tokio::io::duplex(128 * KIB);
            peer.write_all(&[0xE2, 0, 1]).await.expect("open");
            let router = handler().into_router().authorize(hook);
            let connection = Connection::over(near, router, Options::default()).await;
            let mut attack = Attack {
                connection: connection.expect("a connection"),
                peer,
                before: 0,
            };
            attack.send(&format!("21 16 00 {ID} 04 61757468")).await;
            attack.settle().await;
            let [low, high] = size.to_le_bytes();
            let size_digits = format!("{low:02X}{high:02X}");
            let head = format!("21 18 80 {ID} 04 70696e67 {size_digits} E8 {size_digits} 00");
            let message = [bytes(&head), vec![7; size.into()]].concat();
            attack.count();
            // Each is answered with a code of 17 bytes, which the pipe holds.
            let sent = attack.send_often(&message, 3_000).await;
            assert_eq!(sent, 3_000);
            attack.settle().await;
            assert!(!attack.connection.is_closed());
            let unauthorized = attack.connection.stats().unauthorized;
            assert!((1_900..3_000).contains(&unauthorized), "{unauthorized}");
            // What waits, the last of which goes beyond; the pipe in both directions, whose
            // buffers grow, and codes to be written.
            attack.costs_at_most((512 + 60 + 6 * 128) * KIB);
        });
    }
}

#[test]
fn t_m22_files_that_wait_to_be_authorized_cost_no_more_than_the_bound() {
    // Where reading can pause, and where the hook waits for its peer.
    for is_asking in [false, true] {
        let hook = move |first: FirstMessage| async move {
            if is_asking {
                let question = first.connection().send(&Draft::new("who")).await;
                let _ = question.expect("sent").response().await;
            }
            std::future::pending::<()>().await;
            first.refuse()
        };
        run(async {
            let (near, mut peer) = tokio::io::duplex(128 * KIB);
            peer.write_all(&[0xE2, 0, 1]).await.expect("open");
            let router = handler().into_router().authorize(hook);
            let connection = Connection::over(near, router, Options::default()).await;
            let mut attack = Attack {
                connection: connection.expect("a connection"),
                peer,
                before: 0,
            };
            attack.send(&format!("21 16 00 {ID} 04 61757468")).await;
            attack.settle().await;
            attack.count();
            for channel in 1..40 {
                // 1,024 files of 300 bytes, without names.
                let head = format!("25 1C10 28 {ID} 04 6c617374 0004 00B00400");
                let headers = bytes("04 2C01 00").repeat(1024);
                let message = [vec![0x10, channel], bytes(&head), headers].concat();
                attack.send_often(&message, 1).await;
                attack.settle().await;
            }
            assert!(!attack.connection.is_closed());
            // What waits, with one message beyond the bound; a place for each channel that is still
            // open, which knows where its files are; the pipe.
            attack.costs_at_most((512 + 300 + 39 * 25 + 6 * 128) * KIB);
        });
    }
}

#[test]
fn t_c12_a_stream_that_nobody_reads_costs_no_more_than_the_window() {
    run(async {
        let mut attack = Attack::begin(Options::default()).await;
        attack.send(&format!("22 16 00 {ID} 04 686f6c64")).await;
        let packet = [&bytes("78 004000")[..], &vec![7; 16 * KIB]].concat();
        attack.count();
        let sent = attack.send_often(&packet, 10_000).await;
        assert!((16..100).contains(&sent), "{sent}");
        attack.costs_at_most((256 + 64 + 16) * KIB);
    });
}

#[test]
fn t_r8_replies_that_nobody_reads_cost_no_more_than_the_queue() {
    run(async {
        let mut attack = Attack::begin(Options::default()).await;
        let pings = bytes(&format!("21 16 00 {ID} 04 70696e67")).repeat(100);
        attack.count();
        attack.send_often(&pings, 10_000).await;
        // 256 KiB and 4,096 codes, in buffers that double when they are full, 256 handlers that wait
        // for a place, and 16,384 requests that wait for their turn, with 320 bytes each.
        attack.costs_at_most(5 * MIB / 4 + 16_384 * 320);
    });
}

#[test]
fn t_c9_a_thousand_files_that_come_mixed_open_one() {
    run(async {
        let mut attack = Attack::begin(Options::default()).await;
        let before = descriptors();
        // 1,024 files of 300 bytes, without names.
        let mut message = bytes(&format!("25 1C10 28 {ID} 04 6c617374 0004 00B00400"));
        message.extend(bytes("04 2C01 00").repeat(1024));
        for index in 0..1023_u16 {
            message.extend(bytes("C6 2C01"));
            message.extend(index.to_le_bytes());
            message.extend([7; 300]);
        }
        attack.peer.write_all(&message).await.expect("open");
        attack.settle().await;
        // The last is waited for, the others are more than the window: they are on disk.
        assert_eq!(descriptors(), before + 1);
        let mut rest = bytes("C6 2C01 FF03");
        rest.extend([7; 300]);
        for index in 0..1024_u16 {
            rest.push(0xD2);
            rest.extend(index.to_le_bytes());
        }
        attack.peer.write_all(&rest).await.expect("open");
        let mut answer = [0; 17];
        attack
            .peer
            .read_exact(&mut answer)
            .await
            .expect("an answer");
        assert_eq!(answer[0], 0x30);
        assert_eq!(descriptors(), before);
    });
}

/// File descriptors that the process has open.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("a list").count()
}
