//! Servers that listen on one port, each with a listener of its own.

use std::{io, net::SocketAddr, sync::mpsc, thread, time::Duration};

use sockety::{
    Router, Server, connect,
    message::Draft,
    server::{ServerHandle, ServerStats},
};
use tokio::net::{TcpListener, TcpSocket};

use crate::support::{Running, code_of, ping, ping_handler};

/// As in the guide.
fn shared(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    socket.listen(1024)
}

fn loopback(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

/// A server in a separate thread, with its own runtime, as another process would have.
struct Elsewhere {
    address: SocketAddr,
    handle: ServerHandle,
    thread: thread::JoinHandle<io::Result<()>>,
}

impl Elsewhere {
    fn start(address: SocketAddr, router: Router) -> Self {
        let (bound, is_bound) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_all().build()?.block_on(async {
                let server = Server::from(shared(address)?);
                let at = (server.local_addr()?, server.handle());
                bound.send(at).expect("it is waited for");
                server.serve(router).await
            })
        });
        let (address, handle) = is_bound.recv().expect("bound");
        Self {
            address,
            handle,
            thread,
        }
    }

    fn stop(self) -> ServerStats {
        self.handle.stop();
        self.thread.join().expect("no panic").expect("served");
        self.handle.stats()
    }
}

#[tokio::test]
async fn servers_of_several_runtimes_share_a_port_and_all_get_connections() {
    let router = Router::new().handler(ping_handler());
    let first = Elsewhere::start(loopback(0), router.clone());
    let address = first.address;
    let servers = [first, Elsewhere::start(address, router)];
    let mut connected = 0;
    // The system chooses by the port of the client: that all of these come to one server is as
    // likely as that of 1,000 coins all show the same side.
    while servers.iter().any(|it| it.handle.stats().accepted == 0) {
        assert!(connected < 1000, "one server gets no connection");
        ping(&connect(address).await.expect("connected")).await;
        connected += 1;
    }
    let accepted = servers.map(|server| server.stop().accepted);
    assert_eq!(accepted.iter().sum::<u64>(), connected, "{accepted:?}");
}

#[tokio::test]
async fn a_server_takes_a_shared_port_over_and_no_call_fails() {
    let old = Running::of(
        Server::from(shared(loopback(0)).expect("bound")),
        ping_handler(),
    );
    let client = connect(old.address).reconnecting();
    let answered = async || {
        let connection = client.get().await.expect("connected");
        let request = connection.send(&Draft::new("ping")).await.expect("sent");
        assert_eq!(code_of(request).await, 0);
    };
    answered().await;
    let new = shared(old.address).expect("bound too");
    let new = Running::of(Server::from(new), ping_handler());
    old.handle.shutdown(Duration::from_secs(10)).await;
    old.serving.await.expect("no panic").expect("served");
    answered().await;
    assert_eq!(new.handle.stats().accepted, 1);
    new.stop().await;
}
