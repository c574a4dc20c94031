//! A case while it runs: its connections, what it expects, and how it ends.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sockety_conformance::wire::packet;
use tokio::sync::watch;

use crate::{
    outcome::{Outcome, Stop, failed, skip},
    peer::Peer,
    received::Received,
    target::{Session, Target},
};

/// What is the same for all cases.
pub struct Settings {
    pub target: Target,
    /// Recommendations are rules.
    pub is_strict: bool,
    /// How long each wait of a case lasts.
    pub timeout: Duration,
    /// How many times as fast as the defaults the clocks of the target run. Without it slow cases are skipped.
    pub clocks: Option<f64>,
    /// The process of the target, to look at its memory.
    pub pid: Option<u32>,
    /// What is written is cut after each byte.
    pub is_bytewise: bool,
}

/// A case that runs. Clones are the same.
#[derive(Clone)]
pub struct Trial {
    pub settings: Arc<Settings>,
    session: Arc<Session>,
    peers: Arc<Mutex<Vec<watch::Receiver<Received>>>>,
    warnings: Arc<Mutex<Vec<String>>>,
}

impl Trial {
    pub fn new(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            session: Arc::default(),
            peers: Arc::default(),
            warnings: Arc::default(),
        }
    }

    /// A connection on which both sides have said their headers, the suite's with 256 channels.
    pub async fn peer(&self) -> Outcome<Peer> {
        self.peer_with(256).await
    }

    /// As [`Self::peer`], with so many channels.
    pub async fn peer_with(&self, channels: u16) -> Outcome<Peer> {
        // A client may have connected long ago, and have given up since.
        let mut attempts_left = if self.settings.target.is_client() {
            5
        } else {
            1
        };
        loop {
            attempts_left -= 1;
            let mut peer = self.bare(channels).await?;
            peer.send(packet::header(channels)).await?;
            match peer.header().await {
                Err(_) if attempts_left > 0 => {}
                Err(error) => return Err(error),
                Ok(_) => return Ok(peer),
            }
        }
    }

    /// A connection on which the suite has said nothing, and where it is about to say that it receives on so many
    /// channels.
    pub async fn bare(&self, channels: u16) -> Outcome<Peer> {
        let connected = self.settings.target.connect(&self.session).await;
        let connected = connected.map_err(|error| failed(format!("no connection: {error}")))?;
        let mut peer = Peer::new(connected, channels, self.settings.timeout);
        if self.settings.is_bytewise {
            peer.write_bytewise();
        }
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.push(peer.received());
        Ok(peer)
    }

    /// Something that is recommended: with `--strict` a rule, otherwise a warning.
    pub fn recommended(&self, holds: bool, what: impl Into<String>) -> Outcome {
        if holds {
            return Ok(());
        }
        if self.settings.is_strict {
            return Err(failed(what));
        }
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        warnings.push(what.into());
        Ok(())
    }

    /// What is recommended and takes some steps to find out.
    pub fn recommend(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Err(Stop::Failed(what)) => self.recommended(false, what),
            other => other,
        }
    }

    /// How long to wait for something that has a clock of so many seconds by default.
    pub fn clock(&self, seconds: f64) -> Outcome<Duration> {
        match self.settings.clocks {
            // Implementations look at their clocks now and then.
            Some(factor) => Ok(Duration::from_secs_f64(1.5 * seconds / factor + 15.0)),
            None => skip(
                "it is slow: say how fast the clocks of the target run, --clocks 1 for the defaults",
            ),
        }
    }

    /// Connects once more and asks: whatever was done to it, the endpoint goes on.
    pub async fn expect_life(&self) -> Outcome {
        let life = async { self.peer().await?.ping().await };
        life.await.map_err(|stop| match stop {
            Stop::Failed(why) => failed(format!("afterwards, on a new connection: {why}")),
            skipped => skipped,
        })
    }

    /// What the endpoint did on all connections of the case, beside what the case looked at.
    pub fn judge(&self) -> Outcome<Vec<String>> {
        let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        for peer in peers.iter() {
            if let Some(broken) = peer.borrow().broken.first() {
                return Err(failed(broken));
            }
        }
        for peer in peers.iter() {
            for rule in &peer.borrow().oddities {
                self.recommended(
                    false,
                    format!("what the endpoint writes is not as {rule} has it"),
                )?;
            }
        }
        let warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(warnings.clone())
    }
}
