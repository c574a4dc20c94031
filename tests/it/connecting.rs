//! Connecting to one of several addresses.

use std::{io, net::SocketAddr, time::Duration};

use sockety::{
    Address, Options,
    client::IntoAddresses,
    error::{AddressProblem, ConnectError, chain},
};
use tokio::net::{TcpListener, TcpStream};

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
    assert!(matches!(error, ConnectError::Unreachable(..)), "{error:?}");
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
        assert!(matches!(error, ConnectError::TimedOut(..)), "{error:?}");
        let refusal = refusal(refused).await;
        let silent = silent.address;
        assert_eq!(
            chain(&error).to_string(),
            format!(
                "connecting to {silent}, {refused} timed out after 1s: {silent}: no answer, {refused}: {refusal}"
            )
        );
    }
}
