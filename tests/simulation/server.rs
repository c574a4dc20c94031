//! The server host. It can be crashed and restarted, and told to send its clients away.

use std::time::Duration;

use sockety::{Connection, Options, config::Extension};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::sleep;
use turmoil::net::TcpListener;

use crate::SECOND;
use crate::history::History;
use crate::link::{Link, Valve};
use crate::work::{WorkServer, Worker};

pub(crate) const PORT: u16 = 9;

/// What the server is told to do with the connections it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Serve,
    Shutdown(Duration),
    Close,
}

#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) extension: Extension,
    pub(crate) history: History,
    /// Holds up what comes to it from the host `client`.
    pub(crate) valve: Valve,
    pub(crate) orders: watch::Receiver<Order>,
}

impl Server {
    pub(crate) async fn run(self) -> turmoil::Result {
        let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
        let metrics = Handle::current().metrics();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (stream, peer) = accepted?;
                    let is_client = turmoil::reverse_lookup(peer.ip()).is_some_and(|name| name == "client");
                    let valve = if is_client { self.valve.clone() } else { Valve::default() };
                    tokio::spawn(self.clone().serve(Link::new(stream, valve)));
                }
                () = sleep(SECOND / 10) => {}
            }
            self.history.tasks("server", metrics.num_alive_tasks());
        }
    }

    async fn serve(mut self, link: Link) {
        let worker = Worker {
            history: self.history.clone(),
        };
        let options = Options::default().extension(self.extension);
        let serving = Connection::over(link, WorkServer::new(worker), options);
        let Ok(connection) = serving.await else {
            return;
        };
        self.orders.mark_unchanged();
        tokio::select! {
            _ = connection.closed() => return,
            _ = self.orders.changed() => {}
        }
        let order = *self.orders.borrow();
        match order {
            Order::Serve => {
                connection.closed().await;
            }
            Order::Shutdown(deadline) => connection.shutdown(deadline).await,
            Order::Close => connection.close().await,
        }
    }
}
