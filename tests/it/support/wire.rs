use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::watch;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    ToServer,
    ToClient,
}

/// A link in memory that can be held and cut. It counts what it has carried.
#[derive(Clone)]
pub(crate) struct Wire {
    state: watch::Sender<State>,
    carried: Arc<Mutex<[u64; 2]>>,
    cut: Option<(Way, u64)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// What the client sends does not go on.
    Held,
    Cut,
}

impl Wire {
    pub(crate) fn whole() -> Self {
        Self::with(None)
    }

    /// Is cut, both ways, when this many bytes have gone this way. What was accepted beyond is lost.
    pub(crate) fn cut_after(way: Way, bytes: u64) -> Self {
        Self::with(Some((way, bytes)))
    }

    fn with(cut: Option<(Way, u64)>) -> Self {
        Self {
            state: watch::Sender::new(State::Open),
            carried: Arc::default(),
            cut,
        }
    }

    /// The ends for client and server. Each pipe holds this many bytes.
    pub(crate) fn ends(&self, pipe: usize) -> (DuplexStream, DuplexStream) {
        let (client, near) = duplex(pipe);
        let (far, server) = duplex(pipe);
        let wire = self.clone();
        tokio::spawn(async move { wire.carry(near, far).await });
        (client, server)
    }

    pub(crate) fn hold(&self) {
        self.state.send_replace(State::Held);
    }

    pub(crate) fn release(&self) {
        self.state.send_replace(State::Open);
    }

    pub(crate) fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    pub(crate) fn carried(&self, way: Way) -> u64 {
        self.carried.lock().unwrap_or_else(PoisonError::into_inner)[way as usize]
    }

    async fn carry(&self, mut near: DuplexStream, mut far: DuplexStream) {
        let mut state = self.state.subscribe();
        let (mut to_server, mut to_client) = ([0; 4096], [0; 4096]);
        loop {
            let now = *state.borrow_and_update();
            if now == State::Cut || self.is_cut() {
                return;
            }
            let (way, sent) = tokio::select! {
                _ = state.changed() => continue,
                read = near.read(&mut to_server), if now == State::Open => (Way::ToServer, read),
                read = far.read(&mut to_client) => (Way::ToClient, read),
            };
            let count = self.allowed(way, sent.unwrap_or(0));
            let passed = match way {
                Way::ToServer => far.write_all(&to_server[..count]).await,
                Way::ToClient => near.write_all(&to_client[..count]).await,
            };
            if count == 0 || passed.is_err() {
                return;
            }
            self.carried.lock().unwrap_or_else(PoisonError::into_inner)[way as usize] +=
                count as u64;
        }
    }

    fn allowed(&self, way: Way, count: usize) -> usize {
        match self.cut {
            Some((cut, after)) if cut == way => {
                let left = after - self.carried(way);
                count.min(usize::try_from(left).unwrap_or(usize::MAX))
            }
            _ => count,
        }
    }

    fn is_cut(&self) -> bool {
        self.cut
            .is_some_and(|(way, after)| self.carried(way) == after)
    }
}
