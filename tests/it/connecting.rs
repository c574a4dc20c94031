//! Connecting to one of several addresses.

use std::{io, net::SocketAddr, time::Duration};

use sockety::{
    Address, Options,
    client::IntoAddresses,
    config::Extension,
    error::{AddressProblem, ConnectProblem, chain},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::support::{Running, ping, ping_handler};

/// An address where nobody listens.
async fn refused() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    listener.local_addr().expect("an address")
}

/// What the system says of it.
async fn refusal(address: SocketAddr) -> io::Error {
    let connecting = TcpStream::connect(address).await;
    connecting.expect_err("nobody listens")
}

fn patience(seconds: u64) -> Options {
    Options::default().connect_timeout(Duration::from_secs(seconds))
}

#[test]
fn one_address_or_a_list_is_taken_and_shown() {
    let shown = |addresses: Result<sockety::client::Addresses, _>| {
        let addresses = addresses.map_err(|error: sockety::error::AddressError| error.problem());
        addresses.map(|addresses| addresses.to_string())
    };
    assert_eq!(shown("a:1".into_addresses()), Ok("a:1".into()));
    assert_eq!(shown(("a", 1).into_addresses()), Ok("a:1".into()));
    let (two, texts) = (Ok("a:1, b:2".into()), ["a:1", "b:2"]);
    assert_eq!(shown(texts.into_addresses()), two);
    assert_eq!(shown(texts[..].into_addresses()), two);
    assert_eq!(shown(texts.to_vec().into_addresses()), two);
    assert_eq!(shown([("a", 1), ("b", 2)].into_addresses()), two);
    let owned = texts.map(|text| text.parse::<Address>().expect("an address"));
    assert_eq!(shown((&owned.to_vec()).into_addresses()), two);
    assert_eq!(
        shown(["a:1", "b"].into_addresses()),
        Err(AddressProblem::NoPort)
    );
    let nothing: [&str; 0] = [];
    assert_eq!(
        shown(nothing.into_addresses()),
        Err(AddressProblem::EmptyList)
    );
}

#[tokio::test]
async fn an_address_that_refuses_is_followed_by_the_next() {
    let running = Running::with(ping_handler()).await;
    let addresses = [refused().await, refused().await, running.address];
    let connection = sockety::connect(addresses).await.expect("connected");
    assert_eq!(connection.peer_addr(), Some(running.address));
    ping(&connection).await;
    let client = sockety::connect(&addresses[..]).reconnecting();
    ping(&client.get().await.expect("connected")).await;
    assert_eq!(running.handle.stats().accepted, 2);
}

#[tokio::test]
async fn if_nobody_listens_the_error_says_what_each_address_answered() {
    let (first, second) = (refused().await, refused().await);
    let error = sockety::connect([first, second]).await.expect_err("nobody");
    assert!(
        matches!(error.problem(), ConnectProblem::Unreachable(..)),
        "{error:?}"
    );
    let refusal = refusal(first).await;
    assert_eq!(
        chain(&error).to_string(),
        format!("cannot connect to {first}, {second}: {first}: {refusal}, {second}: {refusal}")
    );
    let error = sockety::connect(first).await.expect_err("nobody");
    assert_eq!(
        chain(&error).to_string(),
        format!("cannot connect to {first}: {refusal}")
    );
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_one_of_the_answers() {
    let running = Running::with(ping_handler()).await;
    let unknown = ("name.invalid".to_owned(), 9);
    let port = running.address.port();
    let addresses = vec![unknown.clone(), ("127.0.0.1".to_owned(), port)];
    let connection = sockety::connect(addresses).await.expect("connected");
    ping(&connection).await;
    let refused = refused().await;
    let addresses = vec![unknown, ("127.0.0.1".to_owned(), refused.port())];
    let error = sockety::connect(addresses).await.expect_err("nobody");
    let text = chain(&error).to_string();
    let begin = format!("cannot connect to name.invalid:9, {refused}: name.invalid:9: ");
    assert!(text.starts_with(&begin), "{text}");
    assert!(text.contains(&format!("{refused}: ")), "{text}");
}

/// A server that answers each link with these bytes and closes it, or sends nothing and keeps it.
async fn answering(bytes: Option<&'static [u8]>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut link, _)) = listener.accept().await {
            match bytes {
                Some(bytes) => {
                    link.write_all(bytes).await.expect("sent");
                    link.shutdown().await.expect("closed");
                    // Closing a link whose bytes nobody has read would reset it.
                    let _ = link.read_to_end(&mut Vec::new()).await;
                }
                None => kept.push(link),
            }
        }
    });
    address
}

#[tokio::test]
async fn errors_of_a_peer_name_the_address_that_was_given_and_that_of_the_peer() {
    let patient = Options::default();
    let hasty = Options::default().handshake_timeout(Duration::from_millis(20));
    let strict = Options::default().extension(Extension::Require);
    let cases = [
        (
            Some(&b"HTTP/1.1 400"[..]),
            &patient,
            "peer does not speak Sockety: ",
        ),
        (Some(b""), &patient, "peer closed before it sent anything: "),
        (
            Some(b"\xE1"),
            &patient,
            "peer closed before its connection header was complete",
        ),
        (None, &hasty, "no connection header from peer within 20ms"),
        (
            Some(b"\xE1\xFF"),
            &strict,
            "peer does not offer the extension, which is required",
        ),
    ];
    for (bytes, options, problem) in cases {
        let peer = answering(bytes).await;
        // The second is a name; the third is not tried, because the second answers.
        let addresses = [
            refused().await.to_string(),
            format!("localhost:{}", peer.port()),
            "a:1".into(),
        ];
        let connecting = sockety::connect(addresses).options(options.clone());
        let error = connecting.await.expect_err("no connection");
        let text = format!(
            "cannot connect to localhost:{} ({peer}): {problem}",
            peer.port()
        );
        assert!(
            chain(&error).to_string().starts_with(&text),
            "{error:?} is not {text}"
        );
        // The text of the error without its causes has all of it but them.
        assert!(
            error.to_string().starts_with(text.trim_end_matches(": ")),
            "{error}"
        );
        let given = error.addresses().map(ToString::to_string);
        assert_eq!(given, Some(format!("localhost:{}", peer.port())));
        assert_eq!(error.peer_addr(), Some(peer));

        // A number is said once.
        let connecting = sockety::connect(peer).options(options.clone());
        let error = connecting.await.expect_err("no connection");
        let text = format!("cannot connect to {peer}: {problem}");
        assert!(
            format!("{error:?}").starts_with(&text),
            "{error:?} is not {text}"
        );
    }
}

#[cfg(target_os = "linux")]
mod silent {
    use tokio::net::TcpSocket;

    use super::*;

    /// An address that takes no connection and refuses none: its queue is full.
    struct Silent {
        address: SocketAddr,
        _listener: TcpListener,
        _queued: [TcpStream; 2],
    }

    impl Silent {
        async fn new() -> Self {
            let socket = TcpSocket::new_v4().expect("a socket");
            socket.bind(([127, 0, 0, 1], 0).into()).expect("bound");
            let listener = socket.listen(1).expect("listens");
            let address = listener.local_addr().expect("an address");
            let queued = [
                TcpStream::connect(address).await.expect("queued"),
                TcpStream::connect(address).await.expect("queued"),
            ];
            Self {
                address,
                _listener: listener,
                _queued: queued,
            }
        }
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_is_overtaken() {
        let running = Running::with(ping_handler()).await;
        let (first, second) = (Silent::new().await, Silent::new().await);
        let addresses = [first.address, second.address, running.address];
        let connection = sockety::connect(addresses).await.expect("connected");
        ping(&connection).await;
    }

    #[tokio::test]
    async fn if_nobody_answers_in_time_the_error_says_what_each_address_answered() {
        let (silent, refused) = (Silent::new().await, refused().await);
        let connecting = sockety::connect([silent.address, refused]);
        let error = connecting.options(patience(1)).await.expect_err("nobody");
        assert!(
            matches!(error.problem(), ConnectProblem::TimedOut(..)),
            "{error:?}"
        );
        let refusal = refusal(refused).await;
        let silent = silent.address;
        assert_eq!(
            chain(&error).to_string(),
            format!(
                "cannot connect to {silent}, {refused}: timed out after 1s: {silent}: no answer, {refused}: {refusal}"
            )
        );
    }
}
