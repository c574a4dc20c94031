//! A client of the store: one command over one connection.

use sockety::{BoxError, CallError, Streaming};
use sockety_shared_api::{Change, StoreClient, StoreError, Visitor, VisitorServer};

/// What to ask of the store.
#[derive(Debug)]
pub enum Command {
    /// Shows the value of a key.
    Get {
        /// The key.
        key: String,
    },
    /// Gives a key a value.
    Put {
        /// The key.
        key: String,
        /// Its value.
        value: String,
    },
    /// Shows changes.
    Watch {
        /// How the keys begin.
        prefix: String,
        /// After how many changes it ends.
        changes: usize,
    },
}

/// Connects under a name and executes a command; `say` takes what there is to show, line by line.
///
/// # Errors
/// There is no such server, or a call failed.
pub async fn run(
    address: &str,
    name: &str,
    command: Command,
    mut say: impl FnMut(String),
) -> Result<(), BoxError> {
    // Both sides of a connection may call: this one serves `Visitor`, and calls `Store`.
    let store = StoreClient::connect(address)
        .serve(VisitorServer::new(Named(name.to_owned())))
        .await?;
    match command {
        // What the service itself answers is apart from what went wrong on the way.
        Command::Get { key } => match store.get(key).await {
            Ok(value) => say(format!("{value:?}")),
            Err(CallError::Service(StoreError::NoSuchKey)) => say("no such key".to_owned()),
            Err(error) => return Err(error.into()),
        },
        Command::Put { key, value } => match store.put(key, value).await {
            Ok(()) => say("stored".to_owned()),
            Err(CallError::Service(StoreError::Full { keys })) => {
                say(format!("not stored: there are {keys} keys already"));
            }
            Err(error) => return Err(error.into()),
        },
        Command::Watch { prefix, changes } => watch(&store, prefix, changes, say).await?,
    }
    store.connection().close().await;
    Ok(())
}

async fn watch(
    store: &StoreClient,
    prefix: String,
    changes: usize,
    mut say: impl FnMut(String),
) -> Result<(), BoxError> {
    // Open while this function runs; dropped, it ends the stream of changes.
    let (_listening, until) = Streaming::channel(1);
    let mut watched = store.watch(prefix, until).await?;
    say("watching".to_owned());
    for _ in 0..changes {
        let Some(change) = watched.next().await.transpose()? else {
            break;
        };
        let Change { key, value, by } = change;
        let by = by.as_deref().unwrap_or("somebody");
        say(format!("{key:?} is {value:?}, says {by:?}"));
    }
    Ok(())
}

struct Named(String);

impl Visitor for Named {
    async fn name(&self) -> String {
        self.0.clone()
    }
}
