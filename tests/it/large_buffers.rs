//! Large buffers as parameters and results of typed methods: they are not copied, and callers see
//! no difference.

use bytes::Bytes;
use sockety::{
    client::{CallNext, OutgoingCall},
    message::{Response, ResponseDraft},
    msgpack::to_vec,
    serve::{Message, MessageHandler},
    service,
};

use crate::support::{Log, pair_serving};

#[service]
trait Vault {
    async fn echo(&self, buffer: Bytes) -> Bytes;
    async fn measure(&self, name: String, buffer: Bytes) -> u64;
}

struct Memory;

impl Vault for Memory {
    async fn echo(&self, buffer: Bytes) -> Bytes {
        buffer
    }

    async fn measure(&self, name: String, buffer: Bytes) -> u64 {
        (name.len() + buffer.len()) as u64
    }
}

/// Around all the borders between one way of sending and another.
const SIZES: [usize; 9] = [
    0, 255, 16_379, 16_384, 65_535, 65_536, 65_537, 300_000, 1_048_576,
];

fn buffer(size: usize) -> Bytes {
    (0..size).map(|index| (index % 251) as u8).collect()
}

#[tokio::test]
async fn buffers_of_all_sizes_come_back_as_they_were() {
    let (connection, _server) = pair_serving(VaultServer::new(Memory)).await;
    let client = VaultClient::new(connection);
    for size in SIZES {
        let sent = buffer(size);
        assert_eq!(client.echo(sent.clone()).await.expect("an echo"), sent);
        let measured = client.measure("name".into(), sent).await;
        assert_eq!(measured.expect("a size"), 4 + size as u64);
    }
}

#[tokio::test]
async fn buffers_are_on_the_wire_what_messagepack_writes() {
    let handler = MessageHandler::new().action("echo", |message: Message| async move {
        let reply = ResponseDraft::new().data();
        message
            .respond(reply.create(message.payload().clone()))
            .await
    });
    let (to_handler, _handler) = pair_serving(handler).await;
    let (to_service, _service) = pair_serving(VaultServer::new(Memory)).await;
    for size in SIZES {
        let sent = buffer(size);
        let expected = to_vec(&sent).expect("encoded");
        // From a typed client, and from a typed server.
        for connection in [&to_handler, &to_service] {
            let request = connection.send(VaultDraft::echo(sent.clone())).await;
            let reply = request.expect("sent").response().await.expect("a reply");
            let response: Response = reply.into_response().expect("a response");
            assert_eq!(response.payload(), &expected, "{size}");
        }
    }
}

#[tokio::test]
async fn middleware_sees_the_whole_payload() {
    let log = Log::default();
    let seen = log.clone();
    let (connection, _server) = pair_serving(VaultServer::new(Memory)).await;
    let handle = connection.layer(move |call: OutgoingCall, next: CallNext| {
        let expected = to_vec(&buffer(100_000)).expect("encoded");
        seen.note(format!("as sent: {}", call.payload() == expected));
        next.run(call)
    });
    let echo = VaultClient::new(handle).echo(buffer(100_000)).await;
    assert_eq!(echo.expect("an echo"), buffer(100_000));
    assert_eq!(log.events(), ["as sent: true"]);
}
