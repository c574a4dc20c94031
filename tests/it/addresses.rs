//! Addresses as text.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use sockety::{
    Address, Server,
    client::IntoAddress,
    error::{AddressError, AddressProblem, ConnectProblem},
};

fn shown(text: &str) -> String {
    text.parse::<Address>().expect(text).to_string()
}

#[test]
fn every_kind_of_address_is_read_and_shown() {
    for text in [
        "localhost:9000",
        "127.0.0.1:9000",
        "[::1]:9000",
        "tls://example.com:443",
        "tls://[::1]:443",
        "unix:///run/app.sock",
        "unix://relative/app.sock",
    ] {
        assert_eq!(shown(text), text);
        assert_eq!(text.into_address().expect(text).to_string(), text);
        assert_eq!(shown(&shown(text)), text);
    }
    assert_eq!(shown("tcp://localhost:0"), "localhost:0");
    assert_eq!(shown("tcp://[::1]:65535"), "[::1]:65535");
    let shown = |address: Result<Address, AddressError>| address.expect("an address").to_string();
    assert_eq!(shown(("localhost", 1).into_address()), "localhost:1");
    assert_eq!(shown(("::1", 1).into_address()), "[::1]:1");
    assert_eq!(shown(("::1".to_owned(), 1).into_address()), "[::1]:1");
    let ip = IpAddr::from([127, 0, 0, 1]);
    assert_eq!(shown((ip, 1).into_address()), "127.0.0.1:1");
    let path = PathBuf::from("/run/app.sock");
    assert_eq!(shown((&path).into_address()), "unix:///run/app.sock");
    assert_eq!(shown(path.into_address()), "unix:///run/app.sock");
    let path = Address::from(Path::new("/run/app.sock"));
    assert_eq!(Ok(path), "unix:///run/app.sock".parse());
}

#[test]
fn a_text_that_is_no_address_says_why() {
    use AddressProblem::*;
    for (text, problem) in [
        ("", NoPort),
        ("localhost", NoPort),
        ("tcp://localhost", NoPort),
        ("[::1]", NoPort),
        (":9000", NoHost),
        ("tls://:9000", NoHost),
        ("localhost:", InvalidPort),
        ("localhost:http", InvalidPort),
        ("localhost:65536", InvalidPort),
        ("localhost:+1", InvalidPort),
        ("tcp://localhost:9000/", InvalidPort),
        ("::1:9000", NoBrackets),
        ("a:b:9000", NoBrackets),
        ("unix://", NoPath),
        ("http://localhost:9000", UnknownScheme),
        ("TLS://localhost:9000", UnknownScheme),
        ("://localhost:9000", UnknownScheme),
    ] {
        let error = text.parse::<Address>().expect_err(text);
        assert_eq!(error.problem(), problem, "{text:?}");
        assert_eq!(error.text(), text);
        assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
    }
}

#[tokio::test]
async fn connecting_to_what_is_no_address_is_an_error_with_the_text() {
    let error = sockety::connect("http://localhost:1")
        .await
        .expect_err("no address");
    assert_eq!(
        error.to_string(),
        "address \"http://localhost:1\" has a scheme other than tcp://, tls:// and unix://"
    );
    assert!(
        matches!(error.problem(), ConnectProblem::Address(_)),
        "{error:?}"
    );
    let error = sockety::connect(("a:b", 9000))
        .await
        .expect_err("no address");
    assert!(
        matches!(error.problem(), ConnectProblem::Address(_)),
        "{error:?}"
    );
}

#[tokio::test]
async fn listening_on_what_is_no_address_is_an_error_with_the_text() {
    let error = Server::bind("localhost").await.expect_err("no address");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert_eq!(error.to_string(), "address \"localhost\" has no port");
    let inner = error.get_ref().expect("an inner error");
    let inner: &AddressError = inner.downcast_ref().expect("typed");
    assert_eq!(inner.problem(), AddressProblem::NoPort);
}
