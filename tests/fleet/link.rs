//! A proxy in front of one server, whose links can be cut without either side being told, and healed again.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

pub(crate) struct Link {
    pub(crate) address: SocketAddr,
    is_cut: watch::Sender<bool>,
}

impl Link {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (is_cut, watched) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let watched = watched.clone();
                tokio::spawn(async move {
                    // Without a server, the client is told at once.
                    if let Ok(server) = TcpStream::connect(server).await {
                        carry(client, server, watched).await;
                    }
                });
            }
        });
        Self { address, is_cut }
    }

    /// Nothing arrives any longer, on any connection. What was sent meanwhile arrives later, as TCP would have it.
    pub(crate) fn cut(&self, is_cut: bool) {
        self.is_cut.send_replace(is_cut);
    }
}

async fn carry(client: TcpStream, server: TcpStream, is_cut: watch::Receiver<bool>) {
    for socket in [&client, &server] {
        socket.set_nodelay(true).expect("a socket");
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::join!(
        one_way(from_client, to_server, is_cut.clone()),
        one_way(from_server, to_client, is_cut)
    );
}

async fn one_way(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut is_cut: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await;
        // The test has ended if nobody can heal it any longer.
        if is_cut.wait_for(|is_cut| !is_cut).await.is_err() {
            return;
        }
        match read {
            Ok(0) | Err(_) => break,
            Ok(count) => {
                if to.write_all(&buffer[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
    let _ = to.shutdown().await;
}
