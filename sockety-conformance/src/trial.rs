//! A running case: its connections and what it expects.

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

/// The settings of all cases.
pub struct Settings {
    pub target: Target,
    /// Whether recommendations count as rules.
    pub is_strict: bool,
    /// The limit of each wait of a case.
    pub timeout: Duration,
    /// How many times faster than the defaults the clocks of the target run. If `None`, slow cases
    /// are skipped.
    pub clocks: Option<f64>,
    /// The process of the target, for checks of its memory.
    pub pid: Option<u32>,
    /// Whether each byte is written separately.
    pub is_bytewise: bool,
}

/// A running case. Clones share its state.
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

    /// A connection on which both sides have sent their headers, the suite's with 256 channels.
    pub async fn peer(&self) -> Outcome<Peer> {
        self.peer_with(256).await
    }

    /// Like [`Self::peer`], with this number of channels.
    pub async fn peer_with(&self, channels: u16) -> Outcome<Peer> {
        self.peer_after(channels, &packet::header(channels), false)
            .await
    }

    /// A connection on which both sides have offered the extension, and the suite has sent nothing
    /// else. Skips the case if the endpoint does not offer it.
    pub async fn offering(&self) -> Outcome<Peer> {
        let peer = self.peer_after(256, &packet::OFFER, true).await?;
        match peer.look(Received::is_offered) {
            true => Ok(peer),
            false => skip("the endpoint does not offer the extension"),
        }
    }

    /// Like [`Self::offering`], after settings of the suite that are all defaults.
    pub async fn extended(&self) -> Outcome<Peer> {
        let mut peer = self.offering().await?;
        peer.send(packet::SETTINGS).await?;
        Ok(peer)
    }

    /// Like [`Self::offering`], after settings of the suite with these ids and values.
    pub async fn extended_with(&self, settings: &[(u8, u64)]) -> Outcome<Peer> {
        let mut peer = self.offering().await?;
        for &(id, value) in settings {
            if id == 3 {
                peer.receive_on(value as u16);
            }
        }
        peer.send(packet::settings(settings)).await?;
        Ok(peer)
    }

    async fn peer_after(&self, channels: u16, header: &[u8], offers: bool) -> Outcome<Peer> {
        // A client may have connected long ago and disconnected since.
        let mut attempts_left = if self.settings.target.is_client() {
            5
        } else {
            1
        };
        loop {
            attempts_left -= 1;
            let mut peer = self.bare(channels).await?;
            if offers {
                peer.offer();
            }
            peer.send(header).await?;
            match peer.header().await {
                Err(_) if attempts_left > 0 => {}
                Err(error) => return Err(error),
                Ok(_) => return Ok(peer),
            }
        }
    }

    /// A connection on which the suite has sent nothing. The case must send a header with this
    /// number of channels.
    pub async fn bare(&self, channels: u16) -> Outcome<Peer> {
        let connected = self.settings.target.connect(&self.session).await;
        let connected = connected.map_err(|error| failed(format!("cannot connect: {error}")))?;
        let mut peer = Peer::new(connected, channels, self.settings.timeout);
        if self.settings.is_bytewise {
            peer.write_bytewise();
        }
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.push(peer.received());
        Ok(peer)
    }

    /// Checks a recommendation: with `--strict` a failure, otherwise a warning.
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

    /// Like [`Self::recommended`], for an outcome that takes several steps.
    pub fn recommend(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Err(Stop::Failed(what)) => self.recommended(false, what),
            other => other,
        }
    }

    /// How long to wait for a timeout that is `seconds` by default.
    pub fn clock(&self, seconds: f64) -> Outcome<Duration> {
        match self.settings.clocks {
            // Implementations check their clocks from time to time.
            Some(factor) => Ok(Duration::from_secs_f64(1.5 * seconds / factor + 15.0)),
            None => skip(
                "slow case: pass how fast the clocks of the target run, --clocks 1 for the defaults",
            ),
        }
    }

    /// Connects again and pings: the endpoint must still work, whatever the case did.
    pub async fn expect_life(&self) -> Outcome {
        let life = async { self.peer().await?.ping().await };
        life.await.map_err(|stop| match stop {
            Stop::Failed(why) => failed(format!("afterwards, on a new connection: {why}")),
            skipped => skipped,
        })
    }

    /// Judges what the endpoint did on all connections, in addition to the checks of the case.
    /// Returns the warnings.
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
                    format!("the endpoint does not follow {rule} when it writes"),
                )?;
            }
        }
        let warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(warnings.clone())
    }
}
