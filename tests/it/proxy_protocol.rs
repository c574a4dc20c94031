//! Servers behind proxies that name their clients: the PROXY protocol.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sockety::{
    Connection, Options, Router, Server,
    error::{ConnectError, ConnectProblem, ProxyProtocolError, ServerLimit, chain},
    serve::IntoRouter,
    server::{ProxyProtocol, ServerHandle},
    tls::TlsServer,
};
use tokio::io::{AsyncWriteExt, DuplexStream, copy_bidirectional, duplex};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::links::{Here, WhereClient, WhereServer};
use crate::support::{
    Authority, HEADER, Log, OFFER, PIPE, Peer, Running, answers_ping, bytes, ping_handler, reset,
};
use crate::tls::raw_config;

const PROXY: &str = "10.1.2.3:5000";
const STRANGER: &str = "192.0.2.9:5000";
const V1: &[u8] = b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 9000\r\n";
const CLIENT: &str = "203.0.113.7:4711";
/// The addresses of [`V1`] in version 2.
const V2_ADDRESSES: &str = "CB 00 71 07  0A 00 00 01  12 67  23 28";
const PROXY_TCP4: [u8; 2] = [0x21, 0x11];
const LOCAL: [u8; 2] = [0x20, 0x00];

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn proxies() -> ProxyProtocol {
    let networks = ["10.0.0.0/8", "fd00::/8"];
    ProxyProtocol::from_networks(networks.map(|network| network.parse().expect("a network")))
}

fn server() -> Server {
    Server::new().proxy_protocol(proxies())
}

fn start(server: Server) -> ServerHandle {
    let handle = server.handle();
    tokio::spawn(server.serve(ping_handler().into_router()));
    handle
}

fn v2(kind: [u8; 2], rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).expect("a length").to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &kind[..], &length[..], rest].concat()
}

/// Two ends, of which the near one receives a byte at a time.
fn bytewise() -> (DuplexStream, DuplexStream) {
    let (near, mut between) = duplex(1);
    let (mut behind, far) = duplex(PIPE);
    tokio::spawn(async move { copy_bidirectional(&mut between, &mut behind).await });
    (near, far)
}

/// What becomes of a link from this peer that begins with this, before the connection header.
async fn link(
    handle: &ServerHandle,
    (near, mut far): (DuplexStream, DuplexStream),
    peer: Option<&str>,
    header: &[u8],
) -> Result<(Connection, Peer), ConnectError> {
    far.write_all(&[header, &bytes(HEADER)].concat())
        .await
        .expect("the pipe has room");
    let taken = handle.serve_link(near, peer.map(address)).await;
    let connection = taken.expect("taken").await?;
    let mut peer = Peer::silent(far);
    peer.expect(OFFER).await;
    Ok((connection, peer))
}

/// The address that the server believes this peer to have, after it has answered a ping.
async fn believed(server: Server, peer: Option<&str>, header: &[u8]) -> Option<String> {
    let handle = start(server);
    let established = link(&handle, duplex(PIPE), peer, header).await;
    let (connection, mut peer) = established.expect("a connection");
    answers_ping(&mut peer).await;
    handle.stop();
    connection.peer_addr().map(|address| address.to_string())
}

/// Why the server refuses this.
async fn refused(server: Server, peer: Option<&str>, header: &[u8]) -> ConnectError {
    let handle = start(server);
    let error = link(&handle, duplex(PIPE), peer, header).await.map(|_| ());
    let error = error.expect_err("refused");
    assert_eq!(handle.stats().failed_handshakes, 1, "{error:?}");
    assert_eq!(handle.stats().accepted, 1, "{error:?}");
    handle.stop();
    error
}

fn reason(error: ConnectError) -> ProxyProtocolError {
    match error.problem() {
        ConnectProblem::ProxyProtocol(reason) => reason.clone(),
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn the_address_of_a_header_is_that_of_the_peer() {
    let v4 = v2(PROXY_TCP4, &bytes(V2_ADDRESSES));
    let with_fields = [&bytes(V2_ADDRESSES)[..], b"\x04\x00\x03abc\xE0\x00\x00"].concat();
    let with_fields = v2(PROXY_TCP4, &with_fields);
    let longest = [bytes(V2_ADDRESSES), vec![0; 16 * 1024 - 12]].concat();
    let longest = v2(PROXY_TCP4, &longest);
    for header in [V1, &v4, &with_fields, &longest] {
        let believed = believed(server(), Some(PROXY), header).await;
        assert_eq!(believed.as_deref(), Some(CLIENT), "{header:02X?}");
    }
}

#[tokio::test]
async fn addresses_of_ipv6_arrive() {
    let v1 = b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 9000\r\n";
    let addresses = format!(
        "20010DB8 00000000 00000000 00000007  20010DB8 00000000 00000000 00000001 {}",
        "1267 2328"
    );
    let v2 = v2([0x21, 0x21], &bytes(&addresses));
    for header in [&v1[..], &v2] {
        let believed = believed(server(), Some("[fd00::1]:5000"), header).await;
        assert_eq!(believed.as_deref(), Some("[2001:db8::7]:4711"));
    }
    let mapped = Some("[::ffff:10.1.2.3]:5000");
    let believed = believed(server(), mapped, V1).await;
    assert_eq!(believed.as_deref(), Some(CLIENT));
}

#[tokio::test]
async fn a_header_without_addresses_keeps_that_of_the_socket() {
    let local = v2(LOCAL, b"");
    let local_of_no_family = v2([0x20, 0xFF], &[1, 2, 3]);
    let unspecified = v2([0x21, 0x00], b"");
    let unix = v2([0x21, 0x31], &[0; 216]);
    let datagrams = v2([0x21, 0x12], &bytes(V2_ADDRESSES));
    for header in [
        &b"PROXY UNKNOWN\r\n"[..],
        b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n",
        &local,
        &local_of_no_family,
        &unspecified,
        &unix,
        &datagrams,
    ] {
        let believed = believed(server(), Some(PROXY), header).await;
        assert_eq!(believed.as_deref(), Some(PROXY), "{header:02X?}");
    }
}

#[tokio::test]
async fn a_header_of_one_byte_at_a_time_is_read() {
    for header in [V1, &v2(PROXY_TCP4, &bytes(V2_ADDRESSES))] {
        let handle = start(server());
        let established = link(&handle, bytewise(), Some(PROXY), header).await;
        let (connection, mut peer) = established.expect("a connection");
        assert_eq!(connection.peer_addr(), Some(address(CLIENT)));
        answers_ping(&mut peer).await;
        handle.stop();
    }
}

#[tokio::test]
async fn t_h13_a_header_from_a_peer_that_is_no_proxy_is_refused() {
    let v4 = v2(PROXY_TCP4, &bytes(V2_ADDRESSES));
    for header in [V1, &v4, &v2(LOCAL, b"")] {
        for server in [server, || {
            Server::new().proxy_protocol(proxies().optional())
        }] {
            let error = refused(server(), Some(STRANGER), header).await;
            assert_eq!(
                error.to_string(),
                "PROXY protocol header from 192.0.2.9:5000, which is no known proxy: if it is \
                 one, add its network to ProxyProtocol::from_networks"
            );
            let peer = Some(address(STRANGER));
            assert_eq!(reason(error), ProxyProtocolError::Untrusted { peer });
        }
    }
    let error = refused(server(), None, V1).await;
    assert_eq!(
        error.to_string(),
        "PROXY protocol header from a peer without an IP address, which is no known proxy: if it is \
         one, add ProxyProtocol::with_unix_sockets"
    );
    assert_eq!(reason(error), ProxyProtocolError::Untrusted { peer: None });
}

#[tokio::test]
async fn peers_that_are_no_proxies_need_no_header() {
    for peer in [Some(STRANGER), None] {
        assert_eq!(believed(server(), peer, b"").await.as_deref(), peer);
    }
    let error = refused(server(), Some(STRANGER), b"POST / HTTP/1.1\r\n").await;
    assert!(
        matches!(error.problem(), ConnectProblem::Handshake(_)),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_proxy_without_a_header_is_refused_unless_it_is_optional() {
    let peer = Some(address(PROXY));
    for header in [&b""[..], b"POST / HTTP/1.1\r\n", b"\r\n\r\n\r\n"] {
        let error = refused(server(), Some(PROXY), header).await;
        assert_eq!(
            error.to_string(),
            "no PROXY protocol header from 10.1.2.3:5000: make the proxy send one, or allow \
             connections without it with ProxyProtocol::optional"
        );
        assert_eq!(reason(error), ProxyProtocolError::Missing { peer });
    }
    let optional = || Server::new().proxy_protocol(proxies().optional());
    let without = believed(optional(), Some(PROXY), b"").await;
    assert_eq!(without.as_deref(), Some(PROXY));
    let with = believed(optional(), Some(PROXY), V1).await;
    assert_eq!(with.as_deref(), Some(CLIENT));
    let error = refused(optional(), Some(PROXY), b"POST / HTTP/1.1\r\n").await;
    assert!(chain(&error).to_string().contains("HTTP"), "{error:?}");
}

#[tokio::test]
async fn proxies_of_unix_sockets_name_their_clients() {
    let server = || Server::new().proxy_protocol(proxies().with_unix_sockets());
    for header in [V1, &v2(PROXY_TCP4, &bytes(V2_ADDRESSES))] {
        let known = believed(server(), None, header).await;
        assert_eq!(known.as_deref(), Some(CLIENT));
    }
    assert_eq!(believed(server(), None, &v2(LOCAL, b"")).await, None);
    let error = refused(server(), None, b"").await;
    assert_eq!(
        error.to_string(),
        "no PROXY protocol header from a peer without an IP address: make the proxy send one, or \
         allow connections without it with ProxyProtocol::optional"
    );
    assert_eq!(reason(error), ProxyProtocolError::Missing { peer: None });
    // Peers with an address are judged by it.
    let error = refused(server(), Some(STRANGER), V1).await;
    let peer = Some(address(STRANGER));
    assert_eq!(reason(error), ProxyProtocolError::Untrusted { peer });
}

#[tokio::test]
async fn t_h14_long_headers_are_refused() {
    let peer = Some(address(PROXY));
    let endless = [&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat();
    let error = refused(server(), Some(PROXY), &endless).await;
    assert_eq!(
        error.to_string(),
        "PROXY protocol header from 10.1.2.3:5000 is too long: maximum is 107 bytes"
    );
    // Its length alone is enough.
    let announced = [&v2(PROXY_TCP4, b"")[..14], &[0x40, 0x01]].concat();
    let error = reason(refused(server(), Some(PROXY), &announced).await);
    let max = 16 * 1024;
    assert_eq!(error, ProxyProtocolError::TooLong { peer, max });
    let longest = [&b"PROXY UNKNOWN "[..], &[b'x'; 107 - 16], b"\r\n"].concat();
    let longest = believed(server(), Some(PROXY), &longest).await;
    assert_eq!(longest.as_deref(), Some(PROXY));
}

#[tokio::test]
async fn t_h14_malformed_headers_are_refused() {
    let peer = Some(address(PROXY));
    let short = v2(PROXY_TCP4, &[1, 2, 3]);
    let version = v2([0x11, 0x11], &bytes(V2_ADDRESSES));
    let family = v2([0x21, 0xFF], &bytes(V2_ADDRESSES));
    for header in [
        &b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 99999\r\n"[..],
        b"PROXY TCP4 2001:db8::7 10.0.0.1 4711 9000\r\n",
        b"PROXY TCP4 203.0.113.7 10.0.0.1 4711\r\n",
        b"PROXY SCTP 203.0.113.7 10.0.0.1 4711 9000\r\n",
        b"PROXY TCP4 \xFF\xFF\xFF\xFF\r\n",
        &short,
        &version,
        &family,
    ] {
        let error = refused(server(), Some(PROXY), header).await;
        assert_eq!(
            error.to_string(),
            "malformed PROXY protocol header from 10.1.2.3:5000"
        );
        assert_eq!(reason(error), ProxyProtocolError::Malformed { peer });
    }
}

#[tokio::test(start_paused = true)]
async fn t_h14_a_header_that_never_ends_has_the_time_of_a_handshake() {
    let announced = v2(PROXY_TCP4, &[0; 100]);
    for begun in [&V1[..9], &V1[..20], &announced[..5], &announced[..50]] {
        let options = Options::default().handshake_timeout(Duration::from_secs(3));
        let handle = start(server().options(options));
        let (near, mut far) = duplex(PIPE);
        let taken = handle.serve_link(near, address(PROXY)).await;
        far.write_all(begun).await.expect("sent");
        let error = taken.expect("taken").await.expect_err("too slow");
        assert_eq!(
            error.to_string(),
            "PROXY protocol header from 10.1.2.3:5000 is incomplete after 3s"
        );
        let (peer, within) = (Some(address(PROXY)), Duration::from_secs(3));
        assert_eq!(
            reason(error),
            ProxyProtocolError::Incomplete { peer, within }
        );
        assert_eq!(handle.stats().failures.proxy_header, 1);
        handle.stop();
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_behind_a_header_is_not_the_header() {
    let handle = start(server());
    let (near, mut far) = duplex(PIPE);
    let taken = handle.serve_link(near, address(PROXY)).await;
    far.write_all(V1).await.expect("sent");
    let error = taken.expect("taken").await.expect_err("too slow");
    let is_timeout = matches!(error.problem(), ConnectProblem::HandshakeTimedOut(_));
    assert!(is_timeout, "{error:?}");
    handle.stop();
}

#[tokio::test]
async fn a_proxy_that_closes_in_a_header_is_no_client() {
    for (begun, is_silent) in [(&V1[..0], true), (&V1[..9], false), (&V1[..20], false)] {
        let handle = start(server());
        let (near, mut far) = duplex(PIPE);
        let taken = handle.serve_link(near, address(PROXY)).await;
        far.write_all(begun).await.expect("sent");
        drop(far);
        let error = taken.expect("taken").await.expect_err("closed");
        let stats = handle.stats();
        match error.problem() {
            ConnectProblem::ClosedSilently if is_silent => assert_eq!(stats.silent_connections, 1),
            ConnectProblem::Closed if !is_silent => assert_eq!(stats.failed_handshakes, 1),
            error => panic!("{error:?}"),
        }
        handle.stop();
    }
}

#[tokio::test]
async fn a_header_comes_before_tls() {
    let authority = Authority::new("servers");
    let tls = TlsServer::new(authority.issue(&["localhost"]).identity());
    let handle = start(server().tls(tls));
    let (near, mut far) = duplex(PIPE);
    let taken = handle.serve_link(near, address(PROXY)).await;
    far.write_all(V1).await.expect("sent");
    let connector = TlsConnector::from(Arc::new(raw_config(&authority, &[b"sockety/1"])));
    let name = "localhost".try_into().expect("a name");
    let io = connector.connect(name, far).await.expect("TLS");
    let mut peer = Peer::greeted(io).await;
    answers_ping(&mut peer).await;
    let connection = taken.expect("taken").await.expect("established");
    assert_eq!(connection.peer_addr(), Some(address(CLIENT)));
    handle.stop();
}

#[tokio::test]
async fn t_h13_a_host_has_only_so_many_connections_behind_a_proxy() {
    let (log, _guard) = Log::of_warnings();
    let handle = start(server().max_connections_per_host(1));
    let first = link(&handle, duplex(PIPE), Some(PROXY), V1).await;
    let (_first, _far) = first.expect("a connection");
    let second = link(&handle, duplex(PIPE), Some(PROXY), V1)
        .await
        .map(|_| ());
    let error = second.expect_err("too many");
    let ConnectProblem::AtLimit(ServerLimit::OfHost(ip)) = error.problem() else {
        panic!("{error:?}");
    };
    assert_eq!(*ip, address(CLIENT).ip());
    let other = b"PROXY TCP4 203.0.113.8 10.0.0.1 4711 9000\r\nGET";
    let other = link(&handle, duplex(PIPE), Some(PROXY), other)
        .await
        .map(|_| ());
    other.expect_err("another protocol");
    // What is logged is the address of the client.
    let [refused, failed] = &log.events()[..] else {
        panic!("{:?}", log.events())
    };
    let expected = "connection refused peer=203.0.113.7:4711";
    assert!(refused.contains(expected), "{refused}");
    let expected = "handshake failed peer=203.0.113.8:4711";
    assert!(failed.contains(expected), "{failed}");
    handle.stop();
}

#[tokio::test]
async fn handlers_see_the_client_behind_a_proxy() {
    let proxies = ProxyProtocol::from_networks(["127.0.0.0/8".parse().expect("a network")]);
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let running = Running::of(server.proxy_protocol(proxies), WhereServer::new(Here));
    for header in [V1, &v2(PROXY_TCP4, &bytes(V2_ADDRESSES))] {
        let mut stream = TcpStream::connect(running.address)
            .await
            .expect("connected");
        stream.write_all(header).await.expect("sent");
        let connection = Connection::over(stream, Router::new(), Options::default()).await;
        let client = WhereClient::new(connection.expect("a connection"));
        assert_eq!(
            client.am_i().await.expect("an answer").as_deref(),
            Some(CLIENT)
        );
    }
    running.stop().await;
}

/// The check of a balancer does so whose time is over before the server gets to it. The system no
/// longer knows the address of its peer then.
#[tokio::test]
async fn a_proxy_that_resets_before_it_is_accepted_is_still_known() {
    let proxies = ProxyProtocol::from_networks(["127.0.0.0/8".parse().expect("a network")]);
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let stream = TcpStream::connect(server.local_addr().expect("an address")).await;
    let mut stream = stream.expect("connected");
    stream.write_all(V1).await.expect("sent");
    reset(stream);
    let running = Running::of(server.proxy_protocol(proxies), ping_handler());
    let stats = || running.handle.stats();
    while stats().silent_connections + stats().failed_handshakes < 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(stats().failed_handshakes, 0, "{:?}", stats().failures);
    running.stop().await;
}
