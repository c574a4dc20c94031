//! What a peer says of the types of an action, so that JSON is sent and shown as these.

use std::{sync::Arc, time::Duration};

use clap::Args;
use sockety::{
    CallError, Connection,
    describe::{ServiceDescription, describe},
    error::NoError,
};
use sockety_schema::Schema;
use tokio::{sync::OnceCell, time::timeout};

use crate::{
    exit::{Exit, Failure, explain},
    out,
    shown::escaped,
    target::{Dial, Target},
    typed::Typed,
};

/// Arguments for what JSON means.
#[derive(Debug, Clone, Args)]
pub struct SchemaArgs {
    /// Send and show JSON as plain MessagePack, without asking the peer for the types of the action
    #[arg(long)]
    no_schema: bool,
}

/// The types of an action, which the peer is asked for when they are needed.
#[derive(Debug)]
pub struct ActionTypes<'a> {
    target: &'a Target,
    action: &'a str,
    is_wanted: bool,
    found: OnceCell<Option<Arc<Typed>>>,
}

impl SchemaArgs {
    /// The types of an action of this peer.
    pub fn of<'a>(&self, target: &'a Target, action: &'a str) -> ActionTypes<'a> {
        ActionTypes {
            target,
            action,
            is_wanted: !self.no_schema,
            found: OnceCell::new(),
        }
    }
}

impl ActionTypes<'_> {
    /// Asks before anything else is sent, on a separate connection: a server may authorize a
    /// connection by its first message, and that is not the question. None if the peer has no
    /// schema, or none for the action.
    pub async fn before(&self, dial: &Dial<'_>) -> Result<Option<Arc<Typed>>, Failure> {
        if !self.is_wanted {
            return Ok(None);
        }
        let asking = async {
            let connection = dial.connect().await?;
            let found = self.ask(&connection).await;
            connection.close().await;
            found.map_err(|problem| {
                // Text that is meant as bytes would be sent as text.
                let text = format!(
                    "{}: {problem}; --no-schema sends JSON without it (not sent)",
                    self.target.naming(self.action)
                );
                Failure::new(Exit::NotSent, text)
            })
        };
        self.found.get_or_try_init(|| asking).await.cloned()
    }

    /// Asks on a connection that is in use, for what has arrived on it.
    pub async fn after(&self, connection: &Connection) -> Option<Arc<Typed>> {
        if !self.is_wanted {
            return None;
        }
        let asking = async {
            self.ask(connection).await.unwrap_or_else(|problem| {
                out::warn(format_args!("{}; shown without it", escaped(&problem)));
                None
            })
        };
        self.found.get_or_init(|| asking).await.clone()
    }

    /// What was found so far.
    pub fn known(&self) -> Option<Arc<Typed>> {
        self.found.get().cloned().flatten()
    }

    async fn ask(&self, connection: &Connection) -> Result<Option<Arc<Typed>>, String> {
        let limit = self.target.connect_timeout;
        let asked = timeout(limit, describe(connection)).await;
        let services = match asked.map_err(|_| unanswered(limit))? {
            Ok(services) => services,
            Err(error) if has_no_schema(&error) => return Ok(None),
            Err(error) => return Err(format!("no schema: {}", explain(&error))),
        };
        let Some(text) = schema_of(&services, self.action) else {
            return Ok(None);
        };
        let schema = Schema::from_json(text)
            .map_err(|error| format!("the peer's schema is refused: {}", explain(&error)))?;
        Ok(Typed::of(&schema, self.action).map(Arc::new))
    }
}

fn unanswered(limit: Duration) -> String {
    let limit = humantime::format_duration(limit);
    format!("no answer to the question for a schema within {limit}")
}

/// Whether the answer is that of a peer that does not describe its services: whatever it answers
/// to an action that it does not know. What this framework itself refuses is no answer.
fn has_no_schema(error: &CallError<NoError>) -> bool {
    const FIRST_OF_FRAMEWORK: u16 = 3840;
    match error {
        CallError::Refused { code, .. } => code.code() < FIRST_OF_FRAMEWORK,
        CallError::Request { .. } => false,
        _ => true,
    }
}

/// The schema of the service with this action.
fn schema_of<'a>(services: &'a [ServiceDescription], action: &str) -> Option<&'a str> {
    let service = services.iter().find(|service| {
        service
            .actions
            .iter()
            .any(|it| it.name == action || it.aliases.iter().any(|alias| alias == action))
    });
    service?.schema.as_deref()
}
