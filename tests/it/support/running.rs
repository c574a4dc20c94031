use std::io;
use std::net::SocketAddr;

use sockety::{Connection, Server, message::Draft, serve::IntoRouter, server::ServerHandle};
use tokio::task::JoinHandle;

use super::code_of;

/// A server that runs.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) handle: ServerHandle,
    pub(crate) serving: JoinHandle<io::Result<()>>,
}

impl Running {
    pub(crate) async fn with(serve: impl IntoRouter + Send + 'static) -> Self {
        let server = Server::bind("127.0.0.1:0").await.expect("bound");
        Self::of(server, serve)
    }

    pub(crate) fn of(server: Server, serve: impl IntoRouter) -> Self {
        let address = server.local_addr().expect("an address");
        let handle = server.handle();
        let serving = tokio::spawn(server.serve(serve.into_router()));
        Self {
            address,
            handle,
            serving,
        }
    }

    /// A client that the server knows.
    pub(crate) async fn client(&self, serve: impl IntoRouter) -> Connection {
        let connection = sockety::connect(self.address).serve(serve).await;
        let connection = connection.expect("connected");
        ping(&connection).await;
        connection
    }

    pub(crate) async fn stop(self) {
        self.handle.stop();
        self.serving.await.expect("no panic").expect("stopped");
    }
}

pub(crate) async fn ping(connection: &Connection) {
    let request = connection.send(&Draft::new("ping")).await.expect("sent");
    assert_eq!(code_of(request).await, 0);
}
