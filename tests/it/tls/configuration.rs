//! Errors in a configuration name the part that is wrong.

use super::*;

fn problem(error: TlsError) -> (String, TlsProblem) {
    (error.subject().to_owned(), error.problem().clone())
}

fn identity_error(certificate: &str, key: &str) -> (String, TlsProblem) {
    problem(Identity::from_pem(certificate, key).expect_err("refused"))
}

#[test]
fn a_missing_file_is_named() {
    let missing = Path::new("/nonexistent/server.pem");
    let error = Identity::from_pem_files(missing, missing).expect_err("no file");
    assert_eq!(error.to_string(), "/nonexistent/server.pem cannot be read");
    assert_eq!(
        chain(&error).to_string(),
        "/nonexistent/server.pem cannot be read: No such file or directory (os error 2)"
    );
    let error = Roots::from_pem_file(missing).expect_err("no file");
    assert!(matches!(error.problem(), TlsProblem::Unreadable(_)));
}

#[test]
fn a_text_without_what_it_should_have_is_refused() {
    let issued = Authority::new("a").issue(&["localhost"]);
    let (subject, problem) = identity_error("", &issued.key);
    assert_eq!(subject, "certificate");
    assert!(matches!(problem, TlsProblem::NoCertificate), "{problem:?}");
    let (subject, problem) = identity_error(&issued.certificate, &issued.certificate);
    assert_eq!(subject, "private key");
    assert!(matches!(problem, TlsProblem::NoKey), "{problem:?}");
    let error = Roots::from_pem(&issued.key).expect_err("no certificate");
    assert_eq!(error.to_string(), "roots has no certificate");
}

#[test]
fn a_text_that_is_broken_is_refused() {
    let issued = Authority::new("a").issue(&["localhost"]);
    let cut = &issued.certificate[..100];
    let (_, problem) = identity_error(cut, &issued.key);
    assert!(matches!(problem, TlsProblem::InvalidPem(_)), "{problem:?}");
    let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let (subject, problem) = identity_error(empty, &issued.key);
    assert_eq!(subject, "certificate");
    assert!(
        matches!(problem, TlsProblem::InvalidCertificate(_)),
        "{problem:?}"
    );
    let error = Roots::from_pem(empty).expect_err("no certificate");
    assert!(matches!(error.problem(), TlsProblem::InvalidCertificate(_)));
    let empty = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let (subject, problem) = identity_error(&issued.certificate, empty);
    assert_eq!(subject, "private key");
    assert!(matches!(problem, TlsProblem::InvalidKey(_)), "{problem:?}");
}

#[test]
fn the_key_of_another_certificate_is_refused() {
    let authority = Authority::new("a");
    let (one, other) = (authority.issue(&["a"]), authority.issue(&["b"]));
    let error = Identity::from_pem(&one.certificate, &other.key).expect_err("another key");
    assert_eq!(
        error.to_string(),
        "private key does not belong to certificate"
    );
}

#[test]
fn nothing_shows_a_private_key() {
    let issued = Authority::new("a").issue(&["localhost"]);
    let identity = issued.identity();
    assert_eq!(format!("{identity:?}"), "Identity { certificates: 1, .. }");
}

#[test]
fn a_server_name_is_a_name_or_an_address() {
    let tls = || TlsClient::new(&Authority::new("a").roots());
    for name in ["localhost", "a.example", "127.0.0.1", "::1"] {
        tls().server_name(name).expect(name);
    }
    for name in ["", "a b", "a..b", "localhost:9000"] {
        let error = tls().server_name(name).expect_err(name);
        assert!(
            matches!(error.problem(), TlsProblem::InvalidServerName),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn an_own_configuration_is_taken() {
    let authority = Authority::new("servers");
    let issued = authority.issue(&["localhost"]);
    let mut config = raw_server_config(&issued, &[&rustls::version::TLS12]);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let tls = TlsServer::from(config).require_alpn();
    let running = Running::of(server.tls(tls), ping_handler());
    let tls = TlsClient::from(raw_config(&authority, &[])).require_alpn();
    let connection = sockety::connect(at(&running)).tls(tls).await;
    ping(&connection.expect("connected")).await;
    running.stop().await;
}
