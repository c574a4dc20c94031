//! Servers found in etcd, and their changes.

mod snapshot;
mod watch;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use etcd_client::Client;
use futures_util::stream;
use sockety::fleet::{Change, Changes, Discover, DiscoverError};
use tokio::time::{Instant, sleep_until};

use self::{snapshot::Snapshot, watch::Watch};
use crate::{
    entry,
    error::EtcdError,
    etcd::{Etcd, renew_token},
    pause::Pauses,
};

/// The longest pause between attempts to read etcd.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How long the servers stay after etcd has lost data. Registrations with the default TTL notice it within 5 s,
/// and try again after pauses of at most 5 s.
const AFTER_LOSS: Duration = Duration::from_secs(15);

impl Discover for Etcd {
    fn changes(self) -> Changes {
        let follower = Follower {
            etcd: self,
            client: None,
            watch: None,
            changes: VecDeque::new(),
            revision: 0,
            not_before: None,
            pauses: Pauses::new(LONGEST_PAUSE),
        };
        Box::pin(stream::unfold(follower, |mut follower| async move {
            let change = follower.next().await;
            Some((change, follower))
        }))
    }

    fn name(&self) -> Option<Arc<str>> {
        Some(self.target().clone())
    }
}

/// Reads all, then watches; when anything goes wrong with that, from the beginning.
struct Follower {
    etcd: Etcd,
    client: Option<Client>,
    watch: Option<Watch>,
    /// What is to be returned next: of one page or one message of etcd at a time.
    changes: VecDeque<Result<Change, DiscoverError>>,
    /// The newest revision that was seen.
    revision: i64,
    /// When etcd is read again after it has lost data.
    not_before: Option<Instant>,
    pauses: Pauses,
}

impl Follower {
    async fn next(&mut self) -> Result<Change, DiscoverError> {
        loop {
            if let Some(change) = self.changes.pop_front() {
                return change;
            }
            let result = match &mut self.watch {
                Some(watch) => watch.next(&mut self.revision, &mut self.changes).await,
                None => self.begin().await,
            };
            if let Err(error) = result {
                self.watch = None;
                self.pauses.failed();
                if let Some(client) = &self.client {
                    renew_token(client, &error).await;
                }
                return Err(DiscoverError::unavailable(
                    self.etcd.target().clone(),
                    error,
                ));
            }
        }
    }

    /// Reads all servers, and begins to watch them.
    async fn begin(&mut self) -> Result<(), EtcdError> {
        if let Some(instant) = self.not_before.take() {
            sleep_until(instant).await;
        }
        self.pauses.pause().await;
        let client = match &mut self.client {
            Some(client) => client,
            none => none.insert(self.etcd.client().await?),
        };
        let Snapshot { revision, entries } = Snapshot::read(client, self.etcd.prefix()).await?;
        let known = std::mem::replace(&mut self.revision, revision);
        if revision < known {
            self.not_before = Some(Instant::now() + AFTER_LOSS);
            return Err(EtcdError::Behind { revision, known });
        }
        self.watch = Some(Watch::begin(client, self.etcd.prefix(), revision + 1).await?);
        let mut servers = Vec::with_capacity(entries.len());
        let mut skipped = Vec::new();
        for (key, value) in entries {
            match read(&key, &value) {
                Ok(endpoint) => servers.push(endpoint),
                Err(error) => skipped.push(Err(error)),
            }
        }
        self.changes.push_back(Ok(Change::Snapshot(servers)));
        self.changes.extend(skipped);
        Ok(())
    }
}

fn read(key: &[u8], value: &[u8]) -> Result<sockety::fleet::Endpoint, DiscoverError> {
    let Ok(key) = std::str::from_utf8(key) else {
        let key = String::from_utf8_lossy(key).into_owned();
        return Err(DiscoverError::entry(key, entry::EntryError::Key));
    };
    entry::read(key, value).map_err(|error| DiscoverError::entry(key, error))
}
