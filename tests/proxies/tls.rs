//! TLS that passes through a proxy, ends there, or begins anew.

use sockety::{
    error::ConnectError,
    tls::{Roots, TlsClient, TlsServer},
};

use crate::{
    Running, WorkClient,
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
            false => assert!(matches!(required, Err(ConnectError::NoAlpn)), "{name}"),
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
    assert!(matches!(refused, Err(ConnectError::Tls(_))), "{refused:?}");
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
