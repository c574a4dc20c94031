//! A watch, and whether it still watches.

use std::{collections::VecDeque, time::Duration};

use etcd_client::{Client, Event, EventType, WatchOptions, WatchResponse, WatchStream};
use sockety::fleet::{Change, DiscoverError};
use tokio::time::{sleep, timeout};

use super::{read, snapshot::range};
use crate::{
    error::EtcdError,
    pause::{ANSWER, within},
};

/// How long a watch may be silent before etcd is asked whether it still watches.
const QUIET: Duration = Duration::from_secs(10);

/// How often it is asked. A newer etcd does not answer while a watch catches up with what has changed.
const QUESTIONS: u32 = 3;

/// How long a member that is behind has to catch up until it is asked again.
const LAG: Duration = Duration::from_secs(1);

const QUESTION: &str = "whether it watches";

/// A watch of the servers. A message leaves it in a state to go on from only if there was no error.
pub(super) struct Watch {
    stream: WatchStream,
    /// The revision from which it watches.
    from: i64,
    /// How often the member has said that it has not reached that revision.
    behind: u32,
}

impl Watch {
    /// Asks etcd to watch. Whether it does, its first message says.
    pub(super) async fn begin(
        client: &mut Client,
        prefix: &str,
        from: i64,
    ) -> Result<Self, EtcdError> {
        let (first, end) = range(prefix);
        // A revision with more than 4 MiB of changes would be too long for one message.
        let options = WatchOptions::new().with_range(end).with_fragment();
        let options = options.with_start_revision(from);
        let stream = within(ANSWER, "the watch", client.watch(first, Some(options))).await?;
        Ok(Self {
            stream,
            from,
            behind: 0,
        })
    }

    /// Waits for a message, and adds its changes. May add none.
    pub(super) async fn next(
        &mut self,
        revision: &mut i64,
        changes: &mut VecDeque<Result<Change, DiscoverError>>,
    ) -> Result<(), EtcdError> {
        let message = self.message().await?;
        // A canceled watch is silent from then on: the stream neither ends nor fails.
        if message.canceled() {
            return Err(match message.compact_revision() {
                0 => EtcdError::WatchCanceled {
                    reason: message.cancel_reason().to_owned(),
                },
                revision => EtcdError::Compacted { revision },
            });
        }
        let at = message.header().map_or(0, |header| header.revision());
        // etcd watches from a revision that it has not reached yet, too: in silence, until then. A member that lags behind
        // the others is there soon; one that has lost its data is not.
        if at < self.from - 1 {
            if self.behind == QUESTIONS {
                let known = *revision;
                return Err(EtcdError::Behind {
                    revision: at,
                    known,
                });
            }
            self.behind += 1;
            sleep(LAG).await;
            return within(ANSWER, QUESTION, self.stream.request_progress()).await;
        }
        self.behind = 0;
        *revision = at.max(*revision);
        for event in message.events() {
            add(event, changes);
        }
        Ok(())
    }

    async fn message(&mut self) -> Result<WatchResponse, EtcdError> {
        let mut limit = QUIET;
        for question in 0..=QUESTIONS {
            match timeout(limit, self.stream.message()).await {
                Ok(message) => return message?.ok_or(EtcdError::WatchEnded),
                Err(_) if question == QUESTIONS => break,
                Err(_) => within(ANSWER, QUESTION, self.stream.request_progress()).await?,
            }
            limit = ANSWER / QUESTIONS;
        }
        Err(EtcdError::NoAnswer {
            request: QUESTION,
            limit: ANSWER,
        })
    }
}

fn add(event: &Event, changes: &mut VecDeque<Result<Change, DiscoverError>>) {
    let Some(entry) = event.kv() else { return };
    let key = str::from_utf8(entry.key()).ok();
    let removed = || key.map(|key| Ok(Change::Remove(key.into())));
    match event.event_type() {
        EventType::Delete => changes.extend(removed()),
        EventType::Put => match read(entry.key(), entry.value()) {
            Ok(endpoint) => changes.push_back(Ok(Change::Insert(endpoint))),
            // What the key named before is no longer what it names: a snapshot would not have it.
            Err(error) => changes.extend(removed().into_iter().chain([Err(error)])),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::{EtcdServer, PATIENCE};

    async fn error(client: &mut Client, from: i64, known: i64) -> EtcdError {
        let mut watch = Watch::begin(client, "bank", from).await.unwrap();
        let (mut revision, mut changes) = (known, VecDeque::new());
        let watching = async {
            loop {
                if let Err(error) = watch.next(&mut revision, &mut changes).await {
                    return error;
                }
            }
        };
        timeout(PATIENCE, watching).await.expect("it watches on")
    }

    /// etcd answers, and is silent from then on.
    #[tokio::test]
    async fn a_watch_of_compacted_changes_is_an_error() {
        let server = EtcdServer::start().await;
        let mut client = server.client().await;
        for _ in 0..4 {
            server.put_server("bank/1", "a:1").await;
        }
        client.compact(4, None).await.unwrap();
        let error = error(&mut client, 2, 5).await;
        assert!(
            matches!(error, EtcdError::Compacted { revision: 4 }),
            "{error}"
        );
    }

    /// etcd accepts it, and is silent until it is there.
    #[tokio::test]
    async fn a_watch_from_a_revision_that_is_not_reached_is_an_error() {
        let server = EtcdServer::start().await;
        let mut client = server.client().await;
        let error = error(&mut client, 11, 10).await;
        let expected = EtcdError::Behind {
            revision: 1,
            known: 10,
        };
        assert_eq!(error.to_string(), expected.to_string());
    }

    /// Like that of a member that lags behind the one that was read.
    #[tokio::test]
    async fn a_watch_from_a_revision_that_is_reached_soon_watches() {
        let server = EtcdServer::start().await;
        let mut client = server.client().await;
        let mut watch = Watch::begin(&mut client, "bank", 4).await.unwrap();
        let (mut revision, mut changes) = (3, VecDeque::new());
        let first = watch.next(&mut revision, &mut changes);
        timeout(PATIENCE, first).await.unwrap().unwrap();
        assert_eq!((revision, watch.behind), (3, 1));
        for number in 0..3 {
            server.put_server(&format!("bank/{number}"), "a:1").await;
        }
        while changes.is_empty() {
            let next = watch.next(&mut revision, &mut changes);
            timeout(PATIENCE, next).await.unwrap().unwrap();
        }
        assert_eq!((revision, changes.len(), watch.behind), (4, 1, 0));
    }

    /// etcd sends all that was missed in one message, which would be too long.
    #[tokio::test]
    async fn a_watch_catches_up_with_more_than_fits_into_a_message() {
        let server = EtcdServer::start().await;
        let value = format!(r#"{{"Addr":"a:1","Metadata":"{}"}}"#, "x".repeat(1_000_000));
        for number in 0..6 {
            server.put(&format!("bank/{number}"), &value).await;
        }
        let mut client = server.client().await;
        let mut watch = Watch::begin(&mut client, "bank", 2).await.unwrap();
        let (mut revision, mut changes) = (1, VecDeque::new());
        while changes.len() < 6 {
            let next = watch.next(&mut revision, &mut changes);
            timeout(PATIENCE, next).await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn a_watch_says_why_it_is_canceled() {
        let server = EtcdServer::start().await;
        let mut client = server.client().await;
        let mut watch = Watch::begin(&mut client, "bank", 2).await.unwrap();
        let (mut revision, mut changes) = (1, VecDeque::new());
        watch.next(&mut revision, &mut changes).await.unwrap();
        watch.stream.cancel(0).await.unwrap();
        let result = watch.next(&mut revision, &mut changes).await;
        assert!(
            matches!(result, Err(EtcdError::WatchCanceled { .. })),
            "{result:?}"
        );
    }
}
