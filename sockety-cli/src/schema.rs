//! What a peer says of the types of an action, so that JSON is sent and shown as these.

use std::{
    iter, slice,
    sync::{Arc, OnceLock},
    time::Duration,
};

use clap::Args;
use sockety::{
    CallError, Connection, FastReply, Outcome,
    describe::{ActionDescription, PartKind, ServiceDescription, describe},
    error::NoError,
};
use sockety_schema::Schema;
use tokio::{sync::OnceCell, time::timeout};

use crate::{
    exit::{Exit, Failure, explain},
    out,
    payload::Input,
    shown::{cut, escaped},
    target::{Dial, Target},
    typed::{Typed, misspelt},
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
    /// Set if the peer describes itself without this action: to the nearest name that it describes.
    undescribed: OnceLock<Option<String>>,
}

/// What is known before the message is sent.
#[derive(Debug, Default)]
pub struct Known {
    types: Option<Arc<Typed>>,
    /// The connection on which the peer was asked, if the message can follow on it.
    connection: Option<Connection>,
}

impl Known {
    /// The types of the action, if the peer has a schema for it.
    pub fn types(&self) -> Option<&Typed> {
        self.types.as_deref()
    }

    /// A connection for the message.
    pub async fn connect(self, dial: &Dial<'_>) -> Result<Connection, Failure> {
        match self.connection {
            Some(connection) if !connection.is_closed() => Ok(connection),
            _ => dial.connect().await,
        }
    }
}

impl SchemaArgs {
    /// The types of an action of this peer.
    pub fn of<'a>(&self, target: &'a Target, action: &'a str) -> ActionTypes<'a> {
        ActionTypes {
            target,
            action,
            is_wanted: !self.no_schema,
            found: OnceCell::new(),
            undescribed: OnceLock::new(),
        }
    }
}

/// Whether the message that is sent gets a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Awaited,
    None,
}

/// Whether a type, as it is written in the trait, is an option.
fn is_option(ty: &str) -> bool {
    let name = ty.split('<').next().unwrap_or_default();
    name.rsplit("::").next().map(str::trim) == Some("Option")
}

/// The longest wait for a description without which the message can be sent, too.
const BRIEFLY: Duration = Duration::from_secs(2);

impl ActionTypes<'_> {
    /// Asks before anything else is sent. Fails if the message is not what the peer says of the
    /// action, or if it is JSON and cannot be known to be.
    ///
    /// The message follows on the same connection where it may: after a first message, or if the
    /// peer has described itself or does not know the question. Otherwise the question may have been
    /// taken for the message that authorizes the connection, and the message is the first on another
    /// one.
    pub async fn before(
        &self,
        dial: &Dial<'_>,
        input: &Input,
        has_items: bool,
        expects: Answer,
    ) -> Result<Known, Failure> {
        if !self.is_wanted || matches!(input, Input::Bytes(_)) && !has_items {
            return Ok(Known::default());
        }
        let is_needed = input.is_json() || has_items;
        let limit = match is_needed {
            true => self.target.connect_timeout,
            false => self.target.connect_timeout.min(BRIEFLY),
        };
        let connection = dial.connect().await?;
        let answer = match self.ask(&connection, limit).await {
            Ok(answer) => answer,
            Err(problem) => {
                connection.close().await;
                // Text that is meant as bytes would be sent as text.
                return match is_needed {
                    true => Err(self.not_sent(Exit::NotSent, &problem, "sends JSON without it")),
                    false => {
                        // Nor is it asked about the reply.
                        let _ = self.found.set(None);
                        Ok(Known::default())
                    }
                };
            }
        };
        let types = answer.types();
        if types.is_some() || is_needed || answer.is_harmless() {
            let _ = self.found.set(types.clone());
        }
        if let Some(problem) = self.problem(&answer, input, expects) {
            connection.close().await;
            return Err(self.not_sent(Exit::Usage, &problem, "sends it anyway"));
        }
        let connection = match dial.has_first() || answer.is_harmless() {
            true => Some(connection),
            false => {
                connection.close().await;
                None
            }
        };
        Ok(Known { types, connection })
    }

    fn not_sent(&self, exit: Exit, problem: &str, way: &str) -> Failure {
        let what = self.target.naming(self.action);
        let text = format!("{what}: {problem}; --no-schema {way} (not sent)");
        Failure::new(exit, text).outcome(Outcome::NotSent)
    }

    /// Why the message is not one for this peer. Handlers are not described, so that an action may
    /// be there all the same.
    fn problem(&self, answer: &Described, input: &Input, expects: Answer) -> Option<String> {
        const MOST: usize = 12;
        const LONGEST: usize = 60;
        let services = answer.services.as_deref()?;
        let Some(action) = find(services, self.action) else {
            let actions = services.iter().flat_map(|it| &*it.actions);
            let names = actions.flat_map(|it| iter::once(&it.name).chain(&*it.aliases));
            let names: Vec<_> = names.map(|name| &**name).collect();
            let near = misspelt(self.action, &names).map(|near| format!("{near:?}"));
            let near = self.undescribed.get_or_init(|| near);
            // Of others, the answer says whether there is a handler.
            let near = near.as_ref().filter(|_| expects == Answer::None)?;
            return Some(format!(
                "the peer describes no such action; the nearest is {near}"
            ));
        };
        // A schema says more, when the payload is made.
        if answer.schema.is_some() || !matches!(input, Input::None) {
            return None;
        }
        let missing: Vec<_> = action
            .parameters
            .iter()
            .filter(|it| it.kind == PartKind::Payload && !it.has_default)
            .filter(|it| !is_option(&it.ty))
            .map(|it| {
                let ((name, more), (ty, more_ty)) = (cut(&it.name, LONGEST), cut(&it.ty, LONGEST));
                format!("{name:?}{more} ({ty}{more_ty})")
            })
            .take(MOST)
            .collect();
        let plural = if missing.len() == 1 { "" } else { "s" };
        (!missing.is_empty()).then(|| {
            let missing = missing.join(", ");
            format!("missing parameter{plural} {missing}, see --json")
        })
    }

    /// Asks on a connection that is in use, for what has arrived on it.
    pub async fn after(&self, connection: &Connection) -> Option<Arc<Typed>> {
        if !self.is_wanted {
            return None;
        }
        let asking = async {
            let asked = self.ask(connection, self.target.connect_timeout).await;
            match asked {
                Ok(answer) => answer.types(),
                Err(problem) => {
                    out::warn(format_args!("{}; shown without it", escaped(&problem)));
                    None
                }
            }
        };
        self.found.get_or_init(|| asking).await.clone()
    }

    /// What was found so far.
    pub fn known(&self) -> Option<Arc<Typed>> {
        self.found.get().cloned().flatten()
    }

    /// What to say of the peer's answer that it has no such action.
    pub fn hint(&self) -> String {
        match self.undescribed.get() {
            Some(Some(near)) => format!("; the nearest that the peer describes is {near}"),
            Some(None) => "; `sockety describe` lists the actions of the peer".to_owned(),
            None => String::new(),
        }
    }

    async fn ask(&self, connection: &Connection, limit: Duration) -> Result<Described, String> {
        let asked = timeout(limit, describe(connection)).await;
        let services = match asked.map_err(|_| unanswered(limit))? {
            Ok(services) => services,
            Err(error) if has_no_schema(&error) => {
                let unknown = FastReply::NOT_IMPLEMENTED;
                let is_unknown =
                    matches!(error, CallError::Refused { code, .. } if code == unknown);
                return Ok(Described {
                    is_unknown,
                    ..Described::default()
                });
            }
            Err(error) => return Err(format!("no schema: {}", explain(&error))),
        };
        let schema = match schema_of(&services, self.action) {
            None => None,
            Some(text) => {
                let schema = Schema::from_json(text).map_err(|error| {
                    format!("the peer's schema is refused: {}", explain(&error))
                })?;
                Typed::of(&schema, self.action).map(Arc::new)
            }
        };
        Ok(Described {
            services: Some(services),
            is_unknown: false,
            schema,
        })
    }
}

/// What a peer says of itself.
#[derive(Debug, Default)]
struct Described {
    /// None if it does not describe itself.
    services: Option<Vec<ServiceDescription>>,
    /// Whether it does not know the question.
    is_unknown: bool,
    /// The types of the action.
    schema: Option<Arc<Typed>>,
}

impl Described {
    fn types(&self) -> Option<Arc<Typed>> {
        self.schema.clone()
    }

    /// Whether the question cannot have authorized the connection, or failed to.
    fn is_harmless(&self) -> bool {
        self.services.is_some() || self.is_unknown
    }
}

/// The action that is served by this name.
fn find<'a>(services: &'a [ServiceDescription], name: &str) -> Option<&'a ActionDescription> {
    let mut actions = services.iter().flat_map(|it| &*it.actions);
    actions.find(|it| it.name == name || it.aliases.iter().any(|alias| alias == name))
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
    let has_it = |service: &&ServiceDescription| find(slice::from_ref(service), action).is_some();
    services.iter().find(has_it)?.schema.as_deref()
}
