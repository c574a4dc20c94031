//! The task that keeps a server registered.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use etcd_client::{Client, LeaseKeepAliveResponse, PutOptions};
use tokio::{sync::watch, time::timeout};
use tracing::{debug, warn};

use super::{MAX_TTL, MIN_TTL, State};
use crate::{
    error::EtcdError,
    etcd::{Etcd, renew_token},
    pause::{ANSWER, Pauses, within},
};

/// How often a lease is renewed within its time to live.
const BEATS: u32 = 3;

/// How long an entry is tried to be removed: less than what a drain waits for.
const REVOKING: Duration = Duration::from_secs(4);

/// Keeps a lease alive, and the entry with it.
pub(super) struct Keeper {
    etcd: Etcd,
    key: String,
    value: String,
    ttl: Duration,
    state: watch::Sender<State>,
    client: Option<Client>,
    lease: Option<Lease>,
    pauses: Pauses,
}

/// A lease that etcd has granted.
#[derive(Clone, Copy)]
struct Lease {
    id: i64,
    /// What etcd has chosen, which may be more than was asked for.
    ttl: Duration,
    /// The entry was written with it.
    has_entry: bool,
}

impl Keeper {
    pub(super) fn new(
        etcd: Etcd,
        key: &str,
        value: String,
        ttl: Duration,
        state: watch::Sender<State>,
    ) -> Self {
        Self {
            etcd,
            key: key.to_owned(),
            value,
            ttl,
            state,
            client: None,
            lease: None,
            pauses: Pauses::new(longest_pause(ttl)),
        }
    }

    /// Runs until this holds true, or its sender is dropped. Then revokes the lease.
    pub(super) async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => {}
            never = self.keep() => match never {},
        }
        let state = match timeout(REVOKING, self.revoke()).await {
            Ok(()) => State::Revoked,
            Err(_) => State::Expiring {
                error: EtcdError::NoAnswer {
                    request: "revoking the lease",
                    limit: REVOKING,
                },
            },
        };
        debug!(key = self.key, ?state, "the registration has ended");
        self.state.send_replace(state);
    }

    async fn keep(&mut self) -> Infallible {
        loop {
            self.pauses.pause().await;
            let Err(error) = self.attempt().await;
            self.pauses.failed();
            self.report(&error);
            if let Some(client) = &self.client {
                renew_token(client, &error).await;
            }
        }
    }

    fn report(&self, error: &EtcdError) {
        let since = match *self.state.borrow() {
            State::Retrying { since, .. } => since,
            // Once, not for every attempt.
            _ => {
                warn!(key = self.key, %error, "not registered in etcd, trying again");
                Instant::now()
            }
        };
        let error = error.clone();
        self.state.send_replace(State::Retrying { since, error });
    }

    /// Registers if need be, then keeps the lease alive as long as that works.
    async fn attempt(&mut self) -> Result<Infallible, EtcdError> {
        let client = match &mut self.client {
            Some(client) => client,
            none => none.insert(self.etcd.client().await?),
        };
        let lease = match &mut self.lease {
            Some(lease) => lease,
            none => none.insert(grant(client, self.ttl).await?),
        };
        self.pauses.set_longest(longest_pause(lease.ttl));
        let result = enter(client, lease, &self.key, &self.value).await;
        let result = match result {
            Ok(()) => beat(client, *lease, &self.state).await,
            Err(error) => Err(error),
        };
        if let Err(EtcdError::LeaseGone { .. }) = result {
            self.lease = None;
        }
        result
    }

    /// Revokes the lease, and with it the entry.
    async fn revoke(&mut self) {
        let (Some(client), Some(lease)) = (&mut self.client, self.lease) else {
            return;
        };
        let mut pauses = Pauses::new(REVOKING / BEATS);
        loop {
            pauses.pause().await;
            match within(ANSWER, "revoking the lease", client.lease_revoke(lease.id)).await {
                Ok(_) => return,
                Err(error) if error.is_not_found() => return,
                Err(error) => {
                    debug!(key = self.key, %error, "the lease is not revoked yet");
                    renew_token(client, &error).await;
                }
            }
            pauses.failed();
        }
    }
}

/// The longest pause between attempts, within which a lease that lives must be renewed.
fn longest_pause(ttl: Duration) -> Duration {
    (ttl / BEATS).min(ANSWER)
}

async fn grant(client: &mut Client, ttl: Duration) -> Result<Lease, EtcdError> {
    let seconds = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let granted = within(ANSWER, "a lease", client.lease_grant(seconds, None)).await?;
    let ttl = Duration::from_secs(u64::try_from(granted.ttl()).unwrap_or(0));
    Ok(Lease {
        id: granted.id(),
        ttl: ttl.clamp(MIN_TTL, MAX_TTL),
        has_entry: false,
    })
}

/// Writes the entry, unless that was done with this lease.
async fn enter(
    client: &mut Client,
    lease: &mut Lease,
    key: &str,
    value: &str,
) -> Result<(), EtcdError> {
    if !lease.has_entry {
        let options = PutOptions::new().with_lease(lease.id);
        match within(ANSWER, "the entry", client.put(key, value, Some(options))).await {
            Err(error) if error.is_not_found() => return Err(gone(*lease)),
            written => written?,
        };
        lease.has_entry = true;
    }
    Ok(())
}

/// Keeps the lease alive, on one stream.
async fn beat(
    client: &mut Client,
    lease: Lease,
    state: &watch::Sender<State>,
) -> Result<Infallible, EtcdError> {
    const REQUEST: &str = "keeping the lease alive";
    let pause = lease.ttl / BEATS;
    let limit = pause.min(ANSWER);
    let (mut keeper, mut answers) =
        match within(limit, REQUEST, client.lease_keep_alive(lease.id)).await {
            Err(EtcdError::Client(error))
                if matches!(*error, etcd_client::Error::LeaseKeepAliveError(_)) =>
            {
                return Err(gone(lease));
            }
            opened => opened?,
        };
    state.send_replace(State::Registered {
        since: Instant::now(),
        ttl: lease.ttl,
    });
    let renewed = |answer: Option<LeaseKeepAliveResponse>| match answer {
        None => Err(EtcdError::KeepAliveEnded),
        Some(answer) if answer.ttl() <= 0 => Err(gone(lease)),
        Some(_) => Ok(()),
    };
    loop {
        // Nothing comes between the beats, except for the end of the stream.
        if let Ok(early) = timeout(pause, answers.message()).await {
            renewed(early?)?;
        }
        within(limit, REQUEST, keeper.keep_alive()).await?;
        renewed(within(limit, REQUEST, answers.message()).await?)?;
    }
}

fn gone(lease: Lease) -> EtcdError {
    EtcdError::LeaseGone { lease: lease.id }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::EtcdServer;

    #[tokio::test]
    async fn an_entry_is_not_written_with_a_lease_that_is_gone() {
        let server = EtcdServer::start().await;
        let mut client = server.client().await;
        let mut lease = grant(&mut client, Duration::from_millis(1500))
            .await
            .unwrap();
        assert_eq!(lease.ttl, Duration::from_secs(2));
        client.lease_revoke(lease.id).await.unwrap();
        let error = enter(&mut client, &mut lease, "bank/1", "")
            .await
            .unwrap_err();
        assert!(matches!(error, EtcdError::LeaseGone { .. }), "{error}");
        assert!(!lease.has_entry);
    }
}
