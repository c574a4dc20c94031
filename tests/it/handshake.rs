//! The exchange of connection headers.

use std::time::Duration;

use sockety::{
    Connection, Options, Router,
    config::{Extension, Limits},
    error::{ConnectError, ConnectProblem, chain},
};
use sockety_codec::{ChannelCount, Violation};
use tokio::io::duplex;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::support::{HEADER, OFFER, PIPE, Peer, dialogue, id, ping_handler};

type Connecting = JoinHandle<Result<Connection, ConnectError>>;

fn connecting(options: Options) -> (Connecting, Peer) {
    let (near, far) = duplex(PIPE);
    let connecting = tokio::spawn(Connection::over(near, ping_handler(), options));
    (connecting, Peer::silent(far))
}

async fn refusal(connecting: Connecting) -> ConnectError {
    let result = connecting.await.expect("no panic");
    result.map(drop).expect_err("no connection")
}

/// Sends these digits as the peer's first bytes and returns the error.
async fn refusal_of(digits: &str) -> ConnectError {
    let (connecting, mut peer) = connecting(Options::default());
    peer.send(digits).await;
    let error = refusal(connecting).await;
    peer.expect(OFFER).await;
    peer.expect_end().await;
    error
}

async fn is_accepted(digits: &str) {
    let (connecting, mut peer) = connecting(Options::default());
    peer.send(digits).await;
    let result = connecting.await.expect("no panic");
    result.expect(digits);
}

// r[verify header.first]
// r[verify header.immediate]
// r[verify header.wait]
#[tokio::test(start_paused = true)]
async fn the_header_is_sent_at_once_and_nothing_else_before_that_of_the_peer() {
    let (connecting, mut peer) = connecting(Options::default());
    peer.expect(OFFER).await;
    peer.expect_silence().await;
    assert!(!connecting.is_finished());
    peer.send(HEADER).await;
    connecting.await.expect("no panic").expect("a connection");
}

async fn check_header(channels: u16, expected: &str) {
    let limits = Limits::default().max_channels(ChannelCount::new(channels).expect("a count"));
    let options = Options::default().limits(limits).extension(Extension::Off);
    let (_connecting, mut peer) = connecting(options);
    peer.expect(expected).await;
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn the_header_has_the_smallest_form_of_the_channel_count() {
    check_header(1, "E0").await;
    check_header(2, "E1 02").await;
    check_header(255, "E1 FF").await;
    check_header(256, "E2 00 01").await;
    check_header(4095, "E2 FF 0F").await;
    check_header(4096, "E3").await;
}

#[tokio::test(start_paused = true)]
async fn every_form_of_the_peers_header_is_accepted() {
    is_accepted("E0").await;
    is_accepted("E1 00").await;
    is_accepted("E1 FF").await;
    is_accepted("E2 00 10").await;
    is_accepted("E3").await;
    // Bits without a meaning.
    is_accepted("EC").await;
    is_accepted("EE 00 01").await;
}

#[tokio::test(start_paused = true)]
async fn t_h1_a_peer_that_speaks_something_else_is_refused_and_told_nothing() {
    for (digits, first) in [
        ("47 45 54 20", 0x47),
        ("16 03 01", 0x16),
        ("00", 0),
        ("F0", 0xF0),
    ] {
        let error = refusal_of(digits).await;
        let expected = Violation::NotSockety { byte: first };
        assert!(
            matches!(error.problem(), ConnectProblem::Handshake(violation) if *violation == expected),
            "{error:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_speaks_something_known_is_named() {
    for (digits, expected) in [
        ("15 03 03", "the peer speaks TLS, use tls:// on both sides"),
        ("16 03 01", "the peer speaks TLS, use tls:// on both sides"),
        ("48 54 54 50", "the peer speaks HTTP"),
        ("47 45 54 20", "the peer speaks HTTP"),
        (
            "50 52 4F 58 59",
            "the peer speaks HTTP, or a proxy sends a PROXY protocol header",
        ),
        (
            "0D 0A 0D 0A",
            "the peer, or a proxy before it, sends a PROXY protocol header",
        ),
        ("53 53 48", "the peer speaks SSH"),
    ] {
        let error = chain(&refusal_of(digits).await).to_string();
        let byte = digits[..2].to_lowercase();
        assert_eq!(
            error,
            format!(
                "peer does not speak Sockety: invalid connection header: first byte is \
                 0x{byte}: {expected}"
            )
        );
    }
}

async fn check_count(digits: &str, count: u16) {
    let error = refusal_of(digits).await;
    let expected = Violation::ChannelCount { count };
    assert!(
        matches!(error.problem(), ConnectProblem::Handshake(violation) if *violation == expected),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn t_h3_a_count_of_no_channels_is_refused() {
    check_count("E2 00 00", 0).await;
    is_accepted("E1 00").await;
}

#[tokio::test(start_paused = true)]
async fn t_h4_more_channels_than_there_can_be_are_refused() {
    check_count("E2 01 10", 4097).await;
    check_count("E2 FF FF", 0xFFFF).await;
}

#[tokio::test(start_paused = true)]
async fn t_h5_bits_without_a_meaning_are_ignored_unless_limits_are_strict() {
    let limits = Limits::default().strict(true);
    for digits in ["E4", "E5 01", "E6 00 01", "E7", "E8", "EB", "EC", "EF"] {
        is_accepted(digits).await;
        let (connecting, mut peer) = connecting(Options::default().limits(limits));
        peer.send(digits).await;
        let error = refusal(connecting).await;
        let byte = crate::support::bytes(digits)[0];
        let expected = Violation::ReservedBits { byte };
        assert!(
            matches!(error.problem(), ConnectProblem::Handshake(violation) if *violation == expected),
            "{error:?}"
        );
    }
}

async fn check_silence(first: &str, options: Options, limit: Duration) {
    let begin = Instant::now();
    let (connecting, mut peer) = connecting(options);
    peer.send(first).await;
    let error = refusal(connecting).await;
    assert!(
        matches!(error.problem(), ConnectProblem::HandshakeTimedOut(at) if *at == limit),
        "{error:?}"
    );
    assert_eq!(begin.elapsed(), limit);
    peer.expect(OFFER).await;
    peer.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn t_h2_a_peer_without_a_whole_header_is_given_up_in_time() {
    let options = Options::default();
    check_silence("", options.clone(), Duration::from_secs(10)).await;
    check_silence("E2", options.clone(), Duration::from_secs(10)).await;
    check_silence("E2 00", options.clone(), Duration::from_secs(10)).await;
    let limit = Duration::from_millis(300);
    check_silence("", options.handshake_timeout(limit), limit).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_closes_first_is_reported_as_closed() {
    for first in ["", "E2", "E2 00"] {
        let (connecting, mut peer) = connecting(Options::default());
        peer.send(first).await;
        drop(peer);
        let error = refusal(connecting).await;
        let is_gone = match first {
            "" => matches!(error.problem(), ConnectProblem::ClosedSilently),
            _ => matches!(
                error.problem(),
                ConnectProblem::Closed | ConnectProblem::Io(_)
            ),
        };
        assert!(is_gone, "{first}: {error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_header_in_pieces_is_a_header() {
    let (connecting, mut peer) = connecting(Options::default());
    for byte in ["E2", "00", "01"] {
        assert!(!connecting.is_finished());
        peer.send(byte).await;
        peer.expect(if byte == "E2" { OFFER } else { "" }).await;
        crate::support::settled().await;
    }
    connecting.await.expect("no panic").expect("a connection");
}

#[tokio::test(start_paused = true)]
async fn a_message_glued_to_the_header_is_handled() {
    let (connecting, mut peer) = connecting(Options::default());
    let ping = crate::support::message(id(1), "ping", true, b"");
    let glued = [crate::support::bytes(HEADER), ping].concat();
    peer.send_bytes(&glued).await;
    peer.expect(OFFER).await;
    peer.expect_code(id(1), 0).await;
    connecting.await.expect("no panic").expect("a connection");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_receives_on_one_channel_is_served() {
    let (connecting, mut peer) = connecting(Options::default());
    peer.send("E0").await;
    peer.expect(OFFER).await;
    let connection = connecting.await.expect("no panic").expect("a connection");
    let _request = connection.send(&sockety::message::Draft::new("ping")).await;
    peer.expect("21 16 00 <id> 04 70696e67").await;
}

#[tokio::test(start_paused = true)]
async fn giving_the_handshake_up_drops_the_link() {
    let (connecting, mut peer) = connecting(Options::default());
    peer.expect(OFFER).await;
    connecting.abort();
    peer.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn the_connection_header_is_sent_once() {
    let (_connection, mut peer) = dialogue(Router::new()).await;
    peer.expect_silence().await;
}
