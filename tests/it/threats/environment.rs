//! Networks and machines that fail: rows N.

use sockety::{
    FastReply, Outcome, Server,
    error::{ClosedBy, ConnectionError, RequestError},
    message::Draft,
    serve::{Message, MessageHandler},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::script;
use crate::support::{
    HEADER, answers_ping, bytes, code_of, dialogue, is_closed_by, ping_handler, tasks,
    tasks_are_back_to,
};

/// A message with a payload, a file and a stream, in pieces.
const DIALOGUE: &str = "23 06 50 5005000000 60 16 0040008000000000000001 05 73746f7265 02 01 \
    0200 00 60 04 02 02 6162 E0 01 07 70 01 01 C0 02 6869 E0 01 08 D0 70 02 0203 80";

/// What a handler that takes everything found of a message.
#[derive(Debug, PartialEq)]
struct Found {
    payload: Vec<u8>,
    file: Result<Vec<u8>, ()>,
    stream: Result<Vec<u8>, ()>,
}

/// Reports what each message `store` brings, and answers it.
fn storing() -> (MessageHandler, mpsc::UnboundedReceiver<Found>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let handler = ping_handler().action("store", move |message: Message| {
        let sender = sender.clone();
        async move {
            let (mut file, mut stream) = (Vec::new(), Vec::new());
            let files = message.take_files().pop();
            let found_file = match files {
                Some(mut reader) => reader.read_to_end(&mut file).await.map_err(drop),
                None => Err(()),
            };
            let found_stream = match message.take_stream() {
                Some(mut reader) => reader.read_to_end(&mut stream).await.map_err(drop),
                None => Err(()),
            };
            let found = Found {
                payload: message.payload().to_vec(),
                file: found_file.map(|_| file),
                stream: found_stream.map(|_| stream),
            };
            // The test may have seen enough.
            let _ = sender.send(found);
            FastReply::ACCEPT
        }
    });
    (handler, receiver)
}

#[tokio::test(start_paused = true)]
async fn t_n1_a_connection_cut_at_any_byte_delivers_nothing_as_whole() {
    let baseline = tasks();
    let whole = bytes(DIALOGUE);
    for cut in 0..=whole.len() {
        let (handler, mut found) = storing();
        let (connection, mut peer) = dialogue(handler).await;
        peer.send_bytes(&whole[..cut]).await;
        peer.finish().await;
        let error = connection.closed().await;
        drop((connection, peer));
        tasks_are_back_to(baseline).await;
        let is_whole = cut == whole.len();
        let is_clean = cut == 0 || is_whole;
        assert_eq!(
            is_closed_by(&error, ClosedBy::PeerWithoutGoAway),
            is_clean,
            "{cut}: {error:?}"
        );
        let found = found.try_recv().ok();
        let is_found_whole = found
            .as_ref()
            .is_some_and(|found| found.file.is_ok() && found.stream.is_ok());
        assert_eq!(is_found_whole, is_whole, "{cut}: {found:?}");
        if let Some(found) = found {
            assert_eq!(found.payload, [7, 8]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn t_n1_a_corrupted_byte_harms_its_own_connection_alone() {
    let baseline = tasks();
    let (_other, mut honest) = dialogue(ping_handler()).await;
    let with_other = tasks();
    let whole = bytes(DIALOGUE);
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            let (handler, _found) = storing();
            let (connection, mut peer) = dialogue(handler).await;
            peer.send_bytes(&damaged).await;
            drop(peer);
            connection.closed().await;
            drop(connection);
            tasks_are_back_to(with_other).await;
        }
        answers_ping(&mut honest).await;
    }
    drop((_other, honest));
    tasks_are_back_to(baseline).await;
}

#[tokio::test]
async fn t_n1_a_reset_in_the_middle_of_a_message_ends_its_connection_alone() {
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let address = server.local_addr().expect("an address");
    let handle = server.handle();
    tokio::spawn(server.serve(ping_handler()));
    let other = sockety::connect(address).await.expect("connected");
    let mut peer = TcpStream::connect(address).await.expect("connected");
    peer.write_all(&bytes(&script(&format!(
        "{HEADER} 21 17 40 U 04 70696e67 02 E0 01 01"
    ))))
    .await
    .expect("sent");
    // The answer to a ping behind it says that all of it was read.
    peer.write_all(&bytes(&script("01 21 16 00 V 04 70696e67")))
        .await
        .expect("sent");
    let mut answer = [0; 20];
    peer.read_exact(&mut answer).await.expect("answered");
    let reset = handle
        .connections()
        .into_iter()
        .find(|connection| connection.peer_addr() == peer.local_addr().ok())
        .expect("its connection");
    peer.set_zero_linger().expect("set");
    drop(peer);
    let error = reset.closed().await;
    assert!(
        matches!(
            error,
            ConnectionError::Io(_) | ConnectionError::Truncated(_)
        ),
        "{error:?}"
    );
    let request = other.send(&Draft::new("ping")).await.expect("sent");
    assert_eq!(code_of(request).await, 0);
}

#[tokio::test]
async fn t_n2_a_lost_connection_is_not_made_again_by_itself() {
    let baseline = tasks();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("an address");
    let accepting = async {
        let (mut peer, _) = listener.accept().await.expect("accepted");
        peer.write_all(&bytes(HEADER)).await.expect("sent");
        peer
    };
    let (client, peer) = tokio::join!(sockety::connect(address), accepting);
    let client = client.expect("connected");
    let mut request = client.send(&Draft::new("ask")).await.expect("sent");
    request.sent().await.expect("written");
    drop(peer);
    client.closed().await;
    let error = request.response().await.expect_err("lost");
    assert!(
        matches!(error, RequestError::Disconnected { .. }),
        "{error:?}"
    );
    assert_eq!(error.outcome(), Outcome::Unknown);
    let error = client.send(&Draft::new("ask")).await.expect_err("gone");
    assert_eq!(RequestError::from(error).outcome(), Outcome::NotSent);
    // Nothing is left that could connect.
    drop((client, request));
    tasks_are_back_to(baseline).await;
}
