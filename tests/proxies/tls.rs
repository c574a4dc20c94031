//! TLS that passes through a proxy, ends there, or begins anew.

use std::sync::Arc;

use sockety::{
    Server,
    error::{ConnectError, ConnectProblem},
    server::ProxyProtocol,
    tls::{
        Roots, TlsClient, TlsServer,
        rustls::{
            ClientConfig, RootCertStore, ServerConfig,
            crypto::aws_lc_rs,
            pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
        },
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::{
    PATIENCE, Running, WorkClient,
    programs::{Certificate, Proxy},
};

fn client_of(certificate: &Certificate) -> TlsClient {
    TlsClient::new(&Roots::from_pem(&certificate.pem).expect("a certificate"))
}

fn server_of(certificate: &Certificate) -> TlsServer {
    let (cert, key) = (certificate.path("cert.pem"), certificate.path("key.pem"));
    TlsServer::from_pem_files(cert, key).expect("a certificate")
}

async fn call(proxy: &Proxy, tls: TlsClient) -> Result<u64, ConnectError> {
    let client = WorkClient::connect(proxy.address()).tls(tls).await?;
    Ok(client.quick(7).await.expect("answered"))
}

#[tokio::test]
#[ignore = "needs haproxy and nginx"]
async fn tls_passes_through() {
    let certificate = Certificate::new();
    let server = Running::start_with(server_of(&certificate).require_alpn()).await;
    let upstream = format!("server 127.0.0.1:{};", server.port);
    for proxy in [
        Proxy::haproxy(server.port, "", "", ""),
        Proxy::nginx("", &upstream),
    ] {
        let tls = client_of(&certificate).require_alpn();
        assert_eq!(call(&proxy, tls).await.expect("connected"), 7);
    }
}

#[tokio::test]
#[ignore = "needs haproxy and nginx"]
async fn tls_ends_at_the_proxy() {
    let (certificate, server) = (Certificate::new(), Running::start().await);
    let upstream = format!("server 127.0.0.1:{};", server.port);
    let haproxy = |alpn: &str| {
        let bind = format!("ssl crt {} {alpn}", certificate.text("both.pem"));
        Proxy::haproxy(server.port, &bind, "", "")
    };
    let nginx = |alpn: &str| {
        let (cert, key) = (certificate.text("cert.pem"), certificate.text("key.pem"));
        let lines = format!("ssl_certificate {cert}; ssl_certificate_key {key}; {alpn}");
        Proxy::nginx_tls(&lines, &upstream)
    };
    for (name, proxy, agrees) in [
        ("HAProxy", haproxy("alpn sockety/1"), true),
        ("HAProxy without ALPN", haproxy(""), false),
        ("nginx", nginx("ssl_alpn sockety/1;"), true),
        ("nginx without ALPN", nginx(""), false),
    ] {
        assert_eq!(call(&proxy, client_of(&certificate)).await.expect(name), 7);
        let required = call(&proxy, client_of(&certificate).require_alpn()).await;
        match agrees {
            true => assert_eq!(required.expect(name), 7),
            false => {
                let error = required.expect_err(name);
                assert!(matches!(error.problem(), ConnectProblem::NoAlpn), "{name}");
            }
        }
    }
    // A list without sockety/1: HAProxy ignores it, nginx refuses the client.
    let proxy = haproxy("alpn h2,http/1.1");
    assert_eq!(
        call(&proxy, client_of(&certificate))
            .await
            .expect("connected"),
        7
    );
    let refused = call(&nginx("ssl_alpn h2;"), client_of(&certificate)).await;
    let refused = refused.expect_err("refused");
    assert!(
        matches!(refused.problem(), ConnectProblem::Tls(_)),
        "{refused:?}"
    );
}

#[tokio::test]
#[ignore = "needs haproxy and nginx"]
async fn tls_begins_anew_behind_the_proxy() {
    let certificate = Certificate::new();
    let server = Running::start_with(server_of(&certificate)).await;
    let bind = format!("ssl crt {} alpn sockety/1", certificate.text("both.pem"));
    let again = format!(
        "ssl verify required ca-file {} sni str(localhost) alpn sockety/1",
        certificate.text("cert.pem")
    );
    let haproxy = Proxy::haproxy(server.port, &bind, &again, "");
    assert_eq!(
        call(&haproxy, client_of(&certificate))
            .await
            .expect("connected"),
        7
    );
    // The server requires sockety/1, and HAProxy offers something else.
    let again = "ssl verify none alpn h2";
    let haproxy = Proxy::haproxy(server.port, &bind, again, "");
    call(&haproxy, client_of(&certificate))
        .await
        .expect_err("refused");
    let upstream = format!("server 127.0.0.1:{};", server.port);
    let nginx = Proxy::nginx("proxy_ssl on;", &upstream);
    let client = crate::connect(&nginx).await;
    assert_eq!(client.quick(7).await.expect("answered"), 7);
}

#[tokio::test]
#[ignore = "needs haproxy and nginx"]
async fn tls_passes_through_to_the_server_that_its_name_selects() {
    let certificate = Certificate::new();
    let servers = [
        Running::start_with(server_of(&certificate)).await,
        Running::start_with(server_of(&certificate)).await,
    ];
    let [one, two] = servers.each_ref().map(|server| server.port);
    let by_name = "tcp-request inspect-delay 5s
    tcp-request content accept if { req.ssl_hello_type 1 }
    use_backend one if { req.ssl_sni one.test }
    use_backend two if { req.ssl_sni two.test }";
    let backends = format!(
        "backend one\n    server s 127.0.0.1:{one}\nbackend two\n    server s 127.0.0.1:{two}"
    );
    let by_map = format!("one.test 127.0.0.1:{one}; two.test 127.0.0.1:{two};");
    for (program, proxy) in [
        (
            "HAProxy",
            Proxy::haproxy_sections("", "", by_name, &backends),
        ),
        ("nginx", Proxy::nginx_by_name(&by_map)),
    ] {
        let connect = async |name: &str| {
            let tls = client_of(&certificate).server_name(name).expect("a name");
            WorkClient::connect(proxy.address()).tls(tls).await
        };
        for (name, port) in [("one.test", one), ("two.test", two)] {
            let client = connect(name).await.expect(program);
            assert_eq!(client.port().await.expect("answered"), port, "{program}");
        }
        // No server has it.
        let error = connect("localhost").await.expect_err(program);
        assert!(
            matches!(error.problem(), ConnectProblem::ClosedDuringTls(_)),
            "{program}: {error:?}"
        );
    }
}

/// The header is in front of TLS, which only the server ends.
#[tokio::test]
#[ignore = "needs haproxy and nginx"]
async fn a_proxy_header_in_front_of_tls_has_the_address_of_the_client() {
    let certificate = Certificate::new();
    let network = "127.0.0.1/32".parse().expect("a network");
    let server = Server::bind("127.0.0.1:0").await.expect("a port");
    let server = server
        .tls(server_of(&certificate).require_alpn())
        .proxy_protocol(ProxyProtocol::from_networks([network]));
    let server = Running::of(server);
    let upstream = format!("server 127.0.0.1:{};", server.port);
    for proxy in [
        Proxy::haproxy(server.port, "", "send-proxy-v2", ""),
        Proxy::haproxy(server.port, "", "send-proxy", ""),
        Proxy::nginx("proxy_protocol on;", &upstream),
    ] {
        let tls = client_of(&certificate).require_alpn();
        let client = WorkClient::connect(proxy.address()).tls(tls).await;
        let client = client.expect("connected");
        let own = client.connection().local_addr().expect("an address");
        let seen = client.caller().await.expect("answered");
        assert_eq!(seen, Some(own.to_string()));
    }
    let stats = server.stats();
    assert_eq!(stats.failures.tls, 0, "{stats:?}");
    assert_eq!(stats.failures.proxy_header, 0, "{stats:?}");
}

/// What a server of HTTPS says in these tests.
const PAGE: &[u8] = b"a page";

/// A server with another protocol, which answers each client and closes. Returns its port.
async fn web(certificate: &Certificate) -> u16 {
    let chain = CertificateDer::from_pem_file(certificate.path("cert.pem")).expect("PEM");
    let key = PrivateKeyDer::from_pem_file(certificate.path("key.pem")).expect("PEM");
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions();
    let config = config.expect("versions").with_no_client_auth();
    let mut config = config.with_single_cert(vec![chain], key).expect("a key");
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // The test connects without TLS, too, to see whether the proxy accepts.
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            stream.write_all(PAGE).await.expect("written");
            stream.shutdown().await.expect("ended");
        }
    });
    port
}

/// What a client that offers these protocols is sent.
async fn page(proxy: &Proxy, certificate: &Certificate, alpn: &[&[u8]]) -> Vec<u8> {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(certificate.pem.as_bytes()).expect("PEM");
    roots.add(root).expect("a root");
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions();
    let config = config.expect("versions").with_root_certificates(roots);
    let mut config = config.with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let stream = TcpStream::connect(proxy.address()).await;
    let name = ServerName::try_from("localhost").expect("a name");
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector.connect(name, stream.expect("connected")).await;
    let mut page = Vec::new();
    let read = stream.expect("TLS").read_to_end(&mut page).await;
    read.expect("a page");
    page
}

#[tokio::test]
#[ignore = "needs haproxy and nginx"]
async fn one_port_serves_sockety_and_https_by_alpn() {
    let certificate = Certificate::new();
    let server = Running::start_with(server_of(&certificate).require_alpn()).await;
    let servers = [server.port, web(&certificate).await];
    for program in ["haproxy", "nginx"] {
        let proxy = Proxy::of_the_guide("One port with HTTPS", program, servers);
        let client = client_of(&certificate).require_alpn();
        assert_eq!(call(&proxy, client).await.expect(program), 7);
        for alpn in [&[&b"h2"[..], b"http/1.1"][..], &[]] {
            let page = timeout(PATIENCE, page(&proxy, &certificate, alpn)).await;
            assert_eq!(page.expect(program), PAGE, "{program}");
        }
    }
    let stats = server.stats();
    assert_eq!(stats.accepted, 2, "{stats:?}");
}
