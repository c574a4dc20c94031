//! A client of the store: one command over one connection.

use std::path::PathBuf;

use sockety::{CallError, File, Streaming, serve::BoxError};
use sockety_shared_api::{Change, LoadError, StoreClient, StoreError, Visitor, VisitorServer};

/// A command for the store.
#[derive(Debug)]
pub enum Command {
    /// Shows the value of a key.
    Get {
        /// The key.
        key: String,
    },
    /// Stores a value for a key.
    Put {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// Stores the keys and values of a file.
    Load {
        /// Where it is.
        path: PathBuf,
    },
    /// Shows all keys and values.
    Dump,
    /// Shows changes.
    Watch {
        /// The prefix of the keys.
        prefix: String,
        /// The number of changes after which it ends.
        changes: usize,
    },
}

/// Bytes of a dump that is shown.
const DUMP: u64 = 64 << 20;

/// Connects under a name and executes a command; `say` receives the output, line by line.
///
/// # Errors
/// There is no such server, or a call failed.
pub async fn run(
    address: &str,
    name: &str,
    command: Command,
    mut say: impl FnMut(String),
) -> Result<(), BoxError> {
    // Either side of a connection can call: this side serves `Visitor` and calls `Store`.
    let store = StoreClient::connect(address)
        .serve(VisitorServer::new(Named(name.to_owned())))
        .await?;
    match command {
        // An answer of the service is distinct from a failure on the way.
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
        Command::Load { path } => match store.load(File::open(path).await?).await {
            Ok(lines) => say(format!("stored {lines} lines")),
            Err(CallError::Service(LoadError::NoValue { line })) => {
                say(format!("line {line} has no value"));
            }
            Err(error) => return Err(error.into()),
        },
        Command::Dump => {
            let bytes = store.dump().await?.bytes(DUMP).await?;
            String::from_utf8_lossy(&bytes)
                .lines()
                .for_each(|line| say(line.to_owned()));
        }
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
    // Its end ends the stream of changes.
    let (listening, until) = Streaming::channel(1);
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
    listening.finish();
    Ok(())
}

struct Named(String);

impl Visitor for Named {
    async fn name(&self) -> String {
        self.0.clone()
    }
}
