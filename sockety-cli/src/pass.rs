use std::{
    cell::Cell,
    num::NonZeroU32,
    path::{Path, PathBuf},
    pin::pin,
    time::{Duration, Instant},
};

use clap::Args;
use serde_json::json;
use sockety::{Connection, Outcome};
use tokio::time::timeout;

use crate::{
    call::{ms, watched},
    exit::{Exit, Failure},
    interrupt::{give_up, interrupted},
    metadata::MetadataArgs,
    out::{self, OutputArgs},
    payload::{self, Form, PayloadArgs},
    progress::Progress,
    schema::{ActionTypes, Answer, SchemaArgs},
    streams,
    target::{Target, some_duration},
};

/// Arguments of `pass`: sends a message that expects no reply.
#[derive(Debug, Args)]
pub struct PassArgs {
    #[command(flatten)]
    target: Target,
    /// The action of the message
    action: String,
    #[command(flatten)]
    payload: PayloadArgs,
    #[command(flatten)]
    schema: SchemaArgs,
    #[command(flatten)]
    metadata: MetadataArgs,
    /// Send this file with the message; can be repeated
    #[arg(long = "file", value_name = "PATH")]
    files: Vec<PathBuf>,
    /// Send this file as the stream of the message; - is standard input, sent as it arrives
    #[arg(long, value_name = "PATH", conflicts_with = "repeat")]
    stream: Option<PathBuf>,
    /// Read the stream as lines of JSON, each sent as a MessagePack value
    #[arg(long)]
    items: bool,
    #[command(flatten)]
    output: OutputArgs,
    /// Longest time until the whole message is handed to the operating system [default: none]
    #[arg(long, value_name = "TIME", value_parser = some_duration)]
    timeout: Option<Duration>,
    /// Send the message this many times
    #[arg(long, value_name = "N", default_value = "1")]
    repeat: NonZeroU32,
}

/// Returns when everything was handed to the operating system.
pub async fn run(args: PassArgs) -> Result<Exit, Failure> {
    let action = args.action.clone();
    let passed = pass(args).await;
    passed.map_err(|failure| failure.of(&action))
}

async fn pass(args: PassArgs) -> Result<Exit, Failure> {
    let stream_is_stdin = args.stream.as_deref() == Some(Path::new("-"));
    payload::check_stdin(&[
        (args.target.first.is_stdin(), "first message"),
        (args.payload.is_stdin(), "payload"),
        (stream_is_stdin, "stream"),
    ])?;
    let limit = args.target.max_payload.as_u64();
    let input = args.payload.read(limit)?;
    let metadata = args.metadata.read()?;
    let dial = args.target.dial()?.extension(metadata.extension());
    let what = args.target.naming(&args.action);
    let types = args.schema.of(&args.target, &args.action);
    let connecting = async {
        let has_items = args.stream.is_some() && args.items;
        let known = types.before(&dial, &input, has_items, Answer::None).await?;
        let form = input.form(&args.action, known.types())?;
        Ok::<_, Failure>((form, known.connect(&dial).await?))
    };
    let mut interrupted = pin!(interrupted());
    let (form, connection) = tokio::select! {
        connected = connecting => connected?,
        () = &mut interrupted => return Err(Failure::interrupted(&what, Outcome::NotSent)),
    };
    metadata.check(&connection);
    let form = form.with_metadata(metadata);
    let known = Cell::new(Outcome::NotSent);
    let ended = tokio::select! {
        ended = args.messages(&connection, &form, &types, &known) => ended,
        () = interrupted => {
            give_up(&connection).await;
            return Err(Failure::interrupted(&what, known.get()));
        }
    };
    ended?;
    connection.close().await;
    Ok(Exit::Done)
}

impl PassArgs {
    /// `known` is what is known of the messages, for when this is interrupted.
    async fn messages(
        &self,
        connection: &Connection,
        form: &Form,
        types: &ActionTypes<'_>,
        known: &Cell<Outcome>,
    ) -> Result<(), Failure> {
        for _ in 0..self.repeat.get() {
            self.once(connection, form, types, known).await?;
        }
        Ok(())
    }

    async fn once(
        &self,
        connection: &Connection,
        form: &Form,
        types: &ActionTypes<'_>,
        known: &Cell<Outcome>,
    ) -> Result<(), Failure> {
        let files = payload::files(&self.files).await?;
        let mut message = form
            .create()
            .with_files(watched(files, &Progress::default()));
        if let Some(path) = &self.stream {
            let limit = usize::try_from(self.target.max_payload.as_u64()).unwrap_or(usize::MAX);
            let form = match self.items {
                true => {
                    let types = types.known();
                    streams::Form::Items { limit, types }
                }
                false => streams::Form::Bytes,
            };
            message = message.with_stream_from(streams::outgoing(path, form).await?);
        }
        let (what, begun) = (self.target.naming(&self.action), Instant::now());
        known.set(Outcome::Unknown);
        let passing = connection.pass(message);
        match self.timeout {
            None => passing.await,
            Some(limit) => timeout(limit, passing)
                .await
                .map_err(|_| Failure::timed_out(&what, "not fully sent", limit))?,
        }
        .map_err(|error| Failure::request(&what, &error))?;
        match self.output.is_json() {
            true => out::object(&json!({ "type": "sent", "ms": ms(begun.elapsed()) })),
            false => Ok(()),
        }
    }
}
