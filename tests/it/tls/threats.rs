//! A test for every row of the threats that concerns TLS, by its id.

use tokio::io::duplex;

use sockety::error::chain;

use super::*;
use crate::streams::{Asks, head};
use crate::support::{Log, PIPE, reset, settled};

/// Waits until the other side ends the link.
async fn is_ended(mut io: impl AsyncReadExt + Unpin) {
    let mut rest = Vec::new();
    // A reset is an end too.
    let _ = io.read_to_end(&mut rest).await;
}

fn hasty() -> Options {
    Options::default().handshake_timeout(Duration::from_millis(50))
}

#[tokio::test]
async fn t_h2_a_peer_that_does_not_finish_its_handshake_is_let_go() {
    let (running, authority) = running_with(hasty(), |tls| tls).await;
    // Nothing; the beginning of a ClientHello; TLS but no connection header, and half of one.
    is_ended(
        TcpStream::connect(running.address)
            .await
            .expect("connected"),
    )
    .await;
    let mut stream = TcpStream::connect(running.address)
        .await
        .expect("connected");
    stream
        .write_all(&bytes("16 03 01 02 00 01"))
        .await
        .expect("sent");
    is_ended(stream).await;
    let config = Arc::new(raw_config(&authority, &[ALPN]));
    is_ended(raw_client(&running, &config).await.expect("TLS")).await;
    let mut stream = raw_client(&running, &config).await.expect("TLS");
    stream.write_all(&bytes("E2")).await.expect("sent");
    stream.flush().await.expect("sent");
    is_ended(stream).await;
    running.stop().await;
}

#[tokio::test]
async fn t_h2_a_server_that_does_not_finish_its_handshake_is_an_error() {
    let authority = Authority::new("servers");
    let server = RawServer::new(&authority.issue(&["localhost"]), |_| {}).await;
    let connect = || {
        let tls = TlsClient::new(&authority.roots());
        sockety::connect(server.address()).tls(tls).options(hasty())
    };
    let (no_tls, _stream) = tokio::join!(connect().into_future(), server.listener.accept());
    let (no_header, _stream) = tokio::join!(connect().into_future(), server.accept());
    for error in [no_tls, no_header].map(|made| made.map(drop).expect_err("no connection")) {
        assert!(
            matches!(error.problem(), ConnectProblem::HandshakeTimedOut(at) if at.as_millis() == 50),
            "{error:?}"
        );
    }
}

#[test]
fn t_h7_and_t_l3_the_tls_crates_are_not_older_than_their_advisories() {
    let lock = include_str!("../../../Cargo.lock");
    for (name, least) in [
        ("rustls", [0, 23, 18]),
        ("rustls-webpki", [0, 103, 13]),
        ("tokio-rustls", [0, 26, 0]),
    ] {
        let package = format!("name = \"{name}\"\nversion = \"");
        let (_, rest) = lock.split_once(&package).expect(name);
        let (version, _) = rest.split_once('"').expect("a version");
        let numbers: Vec<u32> = version
            .split('.')
            .map_while(|part| part.parse().ok())
            .collect();
        assert!(numbers[..] >= least[..], "{name} {version}");
    }
}

#[tokio::test]
async fn t_h8_plain_bytes_on_a_port_of_tls_are_refused() {
    let (running, authority) = running(|tls| tls).await;
    let (log, _guard) = Log::of_warnings();
    let error = sockety::connect(running.address).await.expect_err("no TLS");
    assert!(
        matches!(error.problem(), ConnectProblem::Handshake(_)),
        "{error:?}"
    );
    assert!(
        chain(&error)
            .to_string()
            .ends_with("the peer speaks TLS, use tls:// on both sides"),
        "{}",
        chain(&error)
    );
    let events = log.events();
    assert!(
        matches!(&events[..], [event] if event.contains(
            "reason=peer does not speak TLS: it must connect with tls://: "
        )),
        "{events:#?}"
    );
    let tls = TlsClient::new(&authority.roots());
    let connection = sockety::connect(at(&running)).tls(tls).await;
    ping(&connection.expect("connected")).await;
    running.stop().await;
}

#[tokio::test]
async fn t_h8_tls_on_a_plain_port_is_refused() {
    let running = Running::with(ping_handler()).await;
    let tls = TlsClient::new(&Authority::new("servers").roots());
    let error = refusal(&running, tls).await;
    assert!(
        matches!(error.problem(), ConnectProblem::NotTls { .. }),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        format!(
            "cannot connect to {} ({}): peer does not speak TLS: connect without tls://, if that is \
             what the server expects",
            at(&running),
            running.address
        )
    );
    running.client(Router::new()).await;
    running.stop().await;
}

#[tokio::test]
async fn what_a_peer_without_tls_speaks_is_named_and_health_checks_are_no_failures() {
    let (running, authority) = running(|tls| tls).await;
    let stats = || running.handle.stats();
    let stream = TcpStream::connect(running.address).await;
    drop(stream.expect("connected"));
    while stats().silent_connections < 1 {
        tokio::task::yield_now().await;
    }
    // A check that speaks TLS.
    let config = Arc::new(raw_config(&authority, &[ALPN]));
    let mut checked = raw_client(&running, &config).await.expect("TLS");
    checked.shutdown().await.expect("shut down");
    is_ended(checked).await;
    while stats().silent_connections < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(stats().failed_handshakes, 0);

    let (log, _guard) = Log::of_warnings();
    let mut stream = (TcpStream::connect(running.address).await).expect("connected");
    stream
        .write_all(b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n")
        .await
        .expect("sent");
    is_ended(stream).await;
    while stats().failed_handshakes < 1 {
        tokio::task::yield_now().await;
    }
    let events = log.events();
    assert!(
        matches!(&events[..], [event] if event.contains(
            "reason=peer does not speak TLS: the peer speaks HTTP, or a proxy sends a PROXY \
             protocol header: "
        )),
        "{events:#?}"
    );
    running.stop().await;
}

/// HAProxy's `check-ssl` does so. The reset is there when the server reads beyond the handshake, and
/// when it writes tickets.
#[tokio::test]
async fn a_client_that_resets_after_its_tls_handshake_is_no_failure() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let authority = Authority::new("servers");
        let tls = raw_server_config(&authority.issue(&["localhost"]), &[version]);
        let server = Server::bind("127.0.0.1:0").await.expect("bound");
        let running = Running::of(server.tls(TlsServer::from(tls)), ping_handler());
        let config = Arc::new(raw_config(&authority, &[ALPN]));
        let stats = || running.handle.stats();
        // From the second on, sessions may be resumed.
        for count in 1..=4 {
            let stream = raw_client(&running, &config).await.expect("TLS");
            reset(stream.into_inner().0);
            while stats().silent_connections + stats().failed_handshakes < count {
                tokio::task::yield_now().await;
            }
            assert_eq!(stats().failed_handshakes, 0, "{version:?}, {count}");
        }
        running.stop().await;
    }
}

#[tokio::test]
async fn a_client_that_resets_inside_its_tls_handshake_is_a_failure() {
    let (running, _) = running(|tls| tls).await;
    let (log, _guard) = Log::of_warnings();
    let mut stream = (TcpStream::connect(running.address).await).expect("connected");
    let half = bytes("16 03 01 02 00 01");
    stream.write_all(&half).await.expect("sent");
    reset(stream);
    while running.handle.stats().failures.tls < 1 {
        tokio::task::yield_now().await;
    }
    let events = log.events();
    let [event] = &events[..] else {
        panic!("{events:#?}")
    };
    let reason = "reason=peer closed during the TLS handshake: ";
    assert!(event.contains(reason), "{event}");
    assert!(event.contains(": Connection reset"), "{event}");
    running.stop().await;
}

#[tokio::test]
async fn a_server_that_closes_after_the_tls_handshake_may_have_refused_the_certificate() {
    let authority = Authority::new("servers");
    let server = RawServer::new(&authority.issue(&["localhost"]), |_| {}).await;
    let tls = TlsClient::new(&authority.roots());
    let connecting = sockety::connect(server.address()).tls(tls).into_future();
    let (error, ()) = tokio::join!(connecting, async {
        drop(server.accept().await);
    });
    let error = error.map(drop).expect_err("no connection");
    assert_eq!(
        error.problem().to_string(),
        "peer closed after the TLS handshake: it may have refused the certificate of this side, \
         or require one"
    );
}

#[tokio::test]
async fn t_h9_a_client_that_names_another_protocol_is_refused() {
    let (running, authority) = running(|tls| tls).await;
    let config = Arc::new(raw_config(&authority, &[b"h2", b"http/1.1"]));
    let error = raw_client(&running, &config).await.expect_err("refused");
    assert!(
        error.to_string().contains("NoApplicationProtocol"),
        "{error}"
    );
    let config = Arc::new(raw_config(&authority, &[b"h2", ALPN]));
    let stream = raw_client(&running, &config).await.expect("TLS");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(ALPN));
    running.stop().await;
}

#[tokio::test]
async fn t_h9_a_client_without_alpn_is_accepted_unless_it_is_required() {
    let (running, authority) = running(|tls| tls).await;
    let config = Arc::new(raw_config(&authority, &[]));
    let stream = raw_client(&running, &config).await.expect("TLS");
    answers_ping(&mut Peer::greeted(stream).await).await;
    running.stop().await;

    let (running, authority) = self::running(TlsServer::require_alpn).await;
    let config = Arc::new(raw_config(&authority, &[]));
    // With TLS 1.3 the client is done before the server can refuse it.
    if let Ok(stream) = raw_client(&running, &config).await {
        Peer::silent(stream).expect_end().await;
    }
    let tls = TlsClient::new(&authority.roots()).require_alpn();
    let connection = sockety::connect(at(&running)).tls(tls).await;
    ping(&connection.expect("connected")).await;
    running.stop().await;
}

#[tokio::test]
async fn t_h9_a_server_that_agrees_to_no_protocol_is_accepted_unless_it_is_required() {
    let authority = Authority::new("servers");
    let issued = authority.issue(&["localhost"]);
    let silent = RawServer::new(&issued, |_| {}).await;
    let tls = TlsClient::new(&authority.roots());
    let connecting = sockety::connect(silent.address()).tls(tls.clone());
    let (connection, _peer) = tokio::join!(connecting.into_future(), async {
        Peer::greeted(silent.accept().await.expect("TLS")).await
    });
    connection.expect("connected");

    let connecting = sockety::connect(silent.address()).tls(tls.clone().require_alpn());
    let (connection, _peer) = tokio::join!(connecting.into_future(), silent.accept());
    let error = connection.expect_err("refused");
    assert!(
        matches!(error.problem(), ConnectProblem::NoAlpn),
        "{error:?}"
    );

    let other = RawServer::new(&issued, |config| {
        config.alpn_protocols = vec![b"h2".to_vec()];
    })
    .await;
    let connecting = sockety::connect(other.address()).tls(tls);
    let (connection, _) = tokio::join!(connecting.into_future(), other.accept());
    let error = connection.expect_err("refused");
    assert!(
        matches!(error.problem(), ConnectProblem::Tls(_)),
        "{error:?}"
    );
}

#[tokio::test]
async fn t_h10_only_the_name_that_was_dialled_counts() {
    let authority = Authority::new("servers");
    let identity = authority.issue(&["other.example", "127.0.0.1"]).identity();
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let running = Running::of(server.tls(TlsServer::new(identity)), ping_handler());
    let tls = TlsClient::new(&authority.roots());
    let error = refusal(&running, tls.clone()).await;
    let error = tls_error(&error);
    assert!(
        matches!(
            error,
            rustls::Error::InvalidCertificate(
                rustls::CertificateError::NotValidForNameContext { .. }
            )
        ),
        "{error:?}"
    );
    let by_address = sockety::connect(running.address).tls(tls.clone()).await;
    ping(&by_address.expect("connected")).await;
    let tls = tls.server_name("other.example").expect("a name");
    let by_name = sockety::connect(at(&running)).tls(tls).await;
    ping(&by_name.expect("connected")).await;
    running.stop().await;
}

#[tokio::test]
async fn t_h11_a_refused_certificate_is_an_error_of_connecting() {
    let clients = Authority::new("clients");
    let (running, servers) = running(|tls| tls.require_clients(&clients.roots())).await;
    let nobody = TlsClient::new(&servers.roots());
    let error = refusal(&running, nobody.clone()).await;
    assert!(
        matches!(
            tls_error(&error),
            rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired)
        ),
        "{error:?}"
    );
    let stranger = Authority::new("others").issue(&["a"]).identity();
    let error = refusal(&running, nobody.identity(stranger)).await;
    assert!(
        matches!(tls_error(&error), rustls::Error::AlertReceived(_)),
        "{error:?}"
    );
    // Nobody was a connection, not for a moment.
    assert!(running.handle.connections().is_empty());
    running.stop().await;
}

#[tokio::test]
async fn t_h12_certificates_are_renewed_while_connections_go_on() {
    let (running, first) = running(|tls| tls).await;
    let old = TlsClient::new(&first.roots());
    let before = sockety::connect(at(&running)).tls(old.clone()).await;
    let before = before.expect("connected");

    let second = Authority::new("renewed");
    let directory = tempfile::tempdir().expect("a directory");
    let (certificate, key) = (
        directory.path().join("a.pem"),
        directory.path().join("a.key"),
    );
    let renew = || -> Result<(), TlsError> {
        running
            .handle
            .set_tls(TlsServer::from_pem_files(&certificate, &key)?);
        Ok(())
    };
    // The new certificate is there, but its key is still the one of another.
    let issued = second.issue(&["localhost"]);
    fs::write(&certificate, &issued.certificate).expect("written");
    fs::write(&key, second.issue(&["localhost"]).key).expect("written");
    let error = renew().expect_err("a broken pair");
    assert!(error.subject().ends_with("a.key"), "{error}");
    let meanwhile = sockety::connect(at(&running)).tls(old.clone()).await;
    ping(&meanwhile.expect("connected")).await;

    fs::write(&key, &issued.key).expect("written");
    renew().expect("a pair");
    let after = TlsClient::new(&second.roots());
    ping(
        &sockety::connect(at(&running))
            .tls(after)
            .await
            .expect("connected"),
    )
    .await;
    let error = refusal(&running, TlsClient::new(&first.roots())).await;
    assert!(
        matches!(error.problem(), ConnectProblem::Tls(_)),
        "{error:?}"
    );
    ping(&before).await;
    running.stop().await;
}

/// A connection of ours, and the server's end of its TLS.
async fn to_raw_server(handler: MessageHandler) -> (Connection, server::TlsStream<TcpStream>) {
    let authority = Authority::new("servers");
    let server = RawServer::new(&authority.issue(&["localhost"]), |_| {}).await;
    let tls = TlsClient::new(&authority.roots());
    let connecting = sockety::connect(server.address()).tls(tls).serve(handler);
    let (connection, stream) = tokio::join!(connecting.into_future(), async {
        let mut stream = server.accept().await.expect("TLS");
        stream.write_all(&bytes(HEADER)).await.expect("sent");
        stream.flush().await.expect("sent");
        stream
    });
    (connection.expect("connected"), stream)
}

/// Ends the link of TCP, without a word of TLS.
async fn cut(mut stream: server::TlsStream<TcpStream>) {
    let (link, _) = stream.get_mut();
    link.shutdown().await.expect("up");
    is_ended(link).await;
}

#[tokio::test]
async fn t_l1_a_link_cut_between_messages_is_closed_by_the_peer() {
    let (connection, stream) = to_raw_server(ping_handler()).await;
    let mut request = connection.send(&Draft::new("wait")).await.expect("sent");
    cut(stream).await;
    let error = connection.closed().await;
    assert!(
        is_closed_by(&error, ClosedBy::PeerWithoutGoAway),
        "{error:?}"
    );
    request.response().await.expect_err("no reply");
}

#[tokio::test]
async fn t_l1_a_link_cut_inside_a_message_is_truncated() {
    let (connection, mut stream) = to_raw_server(ping_handler()).await;
    let whole = message(id(1), "ping", true, b"hello");
    stream
        .write_all(&whole[..whole.len() - 1])
        .await
        .expect("sent");
    stream.flush().await.expect("sent");
    cut(stream).await;
    let error = connection.closed().await;
    assert!(matches!(error, ConnectionError::Truncated(_)), "{error:?}");
}

#[tokio::test]
async fn t_l1_a_link_cut_inside_a_stream_is_not_its_end() {
    let (results, mut result) = tokio::sync::mpsc::unbounded_channel();
    let handler = MessageHandler::new().action("read", move |message| {
        let results = results.clone();
        async move {
            let mut stream = message.take_stream().expect("a stream");
            while let Some(chunk) = stream.next_chunk().await.transpose() {
                let is_error = chunk.is_err();
                results.send(chunk).expect("received");
                if is_error {
                    break;
                }
            }
            FastReply::ACCEPT
        }
    });
    let authority = Authority::new("servers");
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let identity = authority.issue(&["localhost"]).identity();
    let running = Running::of(server.tls(TlsServer::new(identity)), handler);
    let config = Arc::new(raw_config(&authority, &[ALPN]));
    let mut client = raw_client(&running, &config).await.expect("TLS");
    client.write_all(&bytes(HEADER)).await.expect("sent");
    let head = head(id(1), "read", Asks::Reply, 0, true, &[]);
    client.write_all(&head).await.expect("sent");
    client
        .write_all(&bytes("70 05 68656c6c6f"))
        .await
        .expect("sent");
    client.flush().await.expect("sent");
    let first = result.recv().await.expect("a chunk");
    assert_eq!(first.expect("a chunk"), "hello");
    let (link, _) = client.get_mut();
    link.shutdown().await.expect("up");
    let second = result.recv().await.expect("an error");
    second.expect_err("the stream was cut");
    running.stop().await;
}

#[tokio::test]
async fn t_l2_early_data_is_never_accepted() {
    let authority = Authority::new("servers");
    let issued = authority.issue(&["localhost"]);
    let mut config = raw_server_config(&issued, rustls::DEFAULT_VERSIONS);
    // Even when it is asked for.
    config.max_early_data_size = 16_384;
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let running = Running::of(server.tls(TlsServer::from(config)), ping_handler());
    let mut config = raw_config(&authority, &[ALPN]);
    config.enable_early_data = true;
    let config = Arc::new(config);
    for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let stream = TcpStream::connect(running.address)
            .await
            .expect("connected");
        let name = ServerName::try_from("localhost").expect("a name");
        let connector = TlsConnector::from(Arc::clone(&config));
        let stream = connector.connect_with(name, stream, |session| {
            assert!(session.early_data().is_none());
        });
        let stream = stream.await.expect("TLS");
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(expected));
        answers_ping(&mut Peer::greeted(stream).await).await;
    }
    running.stop().await;
}

#[tokio::test]
async fn t_l2_early_data_is_never_sent() {
    let authority = Authority::new("servers");
    let server = RawServer::new(&authority.issue(&["localhost"]), |config| {
        config.max_early_data_size = 16_384;
    })
    .await;
    let mut config = raw_config(&authority, &[]);
    config.enable_early_data = true;
    let tls = TlsClient::from(config);
    for _ in 0..2 {
        let connecting = sockety::connect(server.address()).tls(tls.clone());
        let (connection, peer) = tokio::join!(connecting.into_future(), async {
            let mut stream = server.accept().await.expect("TLS");
            assert!(stream.get_mut().1.early_data().is_none());
            Peer::greeted(stream).await
        });
        let connection = connection.expect("connected");
        drop(peer);
        connection.closed().await;
    }
}

#[tokio::test(start_paused = true)]
async fn t_l3_records_that_nobody_reads_do_not_pile_up() {
    let authority = Authority::new("servers");
    let config = raw_server_config(&authority.issue(&["localhost"]), rustls::DEFAULT_VERSIONS);
    let (near, far) = duplex(PIPE);
    let (served, peer) = tokio::join!(
        async {
            let stream = TlsAcceptor::from(Arc::new(config)).accept(near).await;
            let holding = MessageHandler::new().action("hold", |message| async move {
                let _stream = message.take_stream();
                std::future::pending::<()>().await;
            });
            Connection::over(stream.expect("TLS"), holding, Options::default()).await
        },
        async {
            let config = Arc::new(raw_config(&authority, &[]));
            let name = ServerName::try_from("localhost").expect("a name");
            let stream = TlsConnector::from(config).connect(name, far).await;
            Peer::greeted(stream.expect("TLS")).await
        },
    );
    let (_served, mut peer) = (served.expect("connected"), peer);
    peer.send_bytes(&head(id(1), "hold", Asks::Reply, 0, true, &[]))
        .await;
    let packet = [&[0x74, 0xE8, 0x03][..], &[7; 1000]].concat();
    let mut written = 0;
    loop {
        tokio::select! {
            biased;
            () = peer.send_bytes(&packet) => written += packet.len(),
            () = settled() => break,
        }
    }
    // The window of a message, one read, the pipe, and what TLS holds at either end.
    assert!(
        (256 * 1024..768 * 1024).contains(&written),
        "{written} bytes"
    );
}
