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

/// The section of a PEM text, with these bytes.
fn section(label: &str, bytes: &[u8]) -> String {
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

fn der(pem: &str) -> Vec<u8> {
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).expect("a key");
    key.secret_der().to_vec()
}

#[test]
fn another_form_of_a_key_is_named_with_what_to_do() {
    let issued = Authority::new("a").issue(&["localhost"]);
    let encrypted = "private key has an encrypted private key: decrypt it with \
                     `openssl pkey -in encrypted.key -out plain.key`";
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\
               DEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let utf16: Vec<u8> = [0xFF, 0xFE, b'-', 0].into();
    let pkcs12 = [
        &[0x30, 0x82, 0x09, 0, 0x02, 0x01, 0x03, 0x30][..],
        &[0; 200],
    ]
    .concat();
    for (key, expected) in [
        (
            section("ENCRYPTED PRIVATE KEY", b"0").into_bytes(),
            encrypted,
        ),
        (old.as_bytes().to_vec(), encrypted),
        (
            section("OPENSSH PRIVATE KEY", b"0").into_bytes(),
            "private key has a private key in the format of OpenSSH: convert it with \
             `ssh-keygen -p -m PKCS8 -f file.key`",
        ),
        (
            section("PUBLIC KEY", b"0").into_bytes(),
            "private key has a public key: the private key that belongs to it is another file",
        ),
        (
            der(&issued.key),
            "private key is DER: convert it with \
             `openssl pkey -inform DER -in file.der -out file.key`",
        ),
        (
            pkcs12,
            "private key is PKCS#12: convert it with \
             `openssl pkcs12 -nocerts -nodes -in file.p12 -out file.key`",
        ),
        (utf16, "private key is UTF-16 text: save it as UTF-8"),
    ] {
        let error = Identity::from_pem(&issued.certificate, key).expect_err("another form");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn another_form_of_a_certificate_is_named_with_what_to_do() {
    let issued = Authority::new("a").issue(&["localhost"]);
    let certificate = CertificateDer::from_pem_slice(issued.certificate.as_bytes());
    let der = certificate.expect("a certificate").to_vec();
    for (text, expected) in [
        (
            section("TRUSTED CERTIFICATE", b"0").into_bytes(),
            "roots has a certificate with trust settings of OpenSSL: convert it with \
             `openssl x509 -in trusted.pem -out certificate.pem`",
        ),
        (
            section("PKCS7", b"0").into_bytes(),
            "roots has certificates as PKCS#7: convert them with \
             `openssl pkcs7 -print_certs -in file.p7b -out certificates.pem`",
        ),
        (
            section("CERTIFICATE REQUEST", b"0").into_bytes(),
            "roots has a certificate request: the certificate that an authority issued for it is \
             another file",
        ),
        (
            der,
            "roots is DER: convert it with \
             `openssl x509 -inform DER -in file.der -out certificate.pem`",
        ),
    ] {
        let error = Roots::from_pem(text).expect_err("another form");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_mark_before_utf_8_is_skipped() {
    let issued = Authority::new("a").issue(&["localhost"]);
    let marked = |text: &str| format!("\u{feff}{text}");
    let (certificate, key) = (marked(&issued.certificate), marked(&issued.key));
    Identity::from_pem(&certificate, &key).expect("an identity");
    Roots::from_pem(&certificate).expect("roots");
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("all.pem");
    fs::write(&path, certificate + &issued.key).expect("written");
    Identity::from_pem_files(&path, &path).expect("an identity");
}

/// Made by `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1`.
const SECP256K1: &str = "\
-----BEGIN PRIVATE KEY-----\n\
MIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQgs4EqNkVlvXO8sqZaNmZ9\n\
xPFznutVbYK4s83DT37jUi2hRANCAAQhLcX8WWcY4m6qtn6OfqKqpTctxQWLczIZ\n\
wHk404hiAf29iE0tqwZJeSuXMq6FBD007s8Omd9JkabAE5zUU9H8\n\
-----END PRIVATE KEY-----\n";

#[test]
fn a_key_of_an_unsupported_curve_is_named() {
    let issued = Authority::new("a").issue(&["localhost"]);
    let error = Identity::from_pem(&issued.certificate, SECP256K1).expect_err("unsupported");
    assert_eq!(
        error.to_string(),
        "private key has a private key of curve secp256k1, which is not supported: make one with \
         `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`"
    );
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
