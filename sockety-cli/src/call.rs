use std::{
    cell::Cell,
    num::NonZeroU32,
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::{Args, ValueEnum};
use futures_util::FutureExt;
use serde_json::{Value as Json, json};
use sockety::{
    ByteStream, Connection, FastReply, File, Outcome,
    error::RequestError,
    message::{Reply, Request, Response},
    metadata::RetryAfter,
};
use tokio::time::timeout;

use crate::{
    exit::{Exit, Failure},
    interrupt::{give_up, interrupted},
    metadata::MetadataArgs,
    out::{self, BAD, FAINT, GOOD, styled},
    payload::{self, Form, PayloadArgs},
    progress::Progress,
    saving::{Arrived, SaveArgs},
    schema::{ActionTypes, Answer, SchemaArgs},
    serving::{self, ServeArgs},
    shown::{escaped, escaped_json},
    streams::{self, Sink},
    target::{Target, some_duration},
    typed::Typed,
    value::Shown,
};

/// Arguments of `call`: sends a message and shows the replies.
#[derive(Debug, Args)]
pub struct CallArgs {
    #[command(flatten)]
    target: Target,
    /// The action to call
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
    #[arg(long, value_name = "PATH")]
    stream: Option<PathBuf>,
    /// Write the stream of the reply to this file; - is standard output, and the payload then goes
    /// to standard error
    #[arg(long, value_name = "PATH", default_value = "-")]
    stream_to: PathBuf,
    /// Treat streams as MessagePack values, each shown or read as a line of JSON
    #[arg(long)]
    items: bool,
    #[command(flatten)]
    serve: ServeArgs,
    #[command(flatten)]
    save: SaveArgs,
    /// What to print of a reply
    #[arg(long, value_enum, value_name = "FORM", default_value = "text")]
    output: Output,
    /// Longest wait for each reply, not counting its files and stream
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = some_duration)]
    timeout: Duration,
    /// Wait for this many replies, if the peer sends several; a code is always the last
    #[arg(long, value_name = "N", default_value = "1")]
    replies: NonZeroU32,
    /// Call this many times in sequence, on the same connection
    #[arg(long, value_name = "N", default_value = "1")]
    repeat: NonZeroU32,
}

/// What to print of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// The payload as JSON; everything else goes to standard error
    Text,
    /// Objects, one on each line, with everything: payload or code, files, stream, duration
    Json,
    /// The payload unchanged; everything else goes to standard error
    Raw,
}

/// Calls as often as asked, and returns the worst result.
pub async fn run(args: CallArgs) -> Result<Exit, Failure> {
    let action = args.action.clone();
    let called = call(args).await;
    called.map_err(|failure| failure.of(&action))
}

async fn call(args: CallArgs) -> Result<Exit, Failure> {
    args.check().await?;
    let limit = args.target.max_payload.as_u64();
    let input = args.payload.read(limit)?;
    let metadata = args.metadata.read()?;
    let handler = serving::calls_back(
        args.serve.read(limit)?,
        args.save.clone(),
        args.output == Output::Json,
    );
    let dial = args.target.dial()?.serve(handler);
    let dial = dial.extension(metadata.extension());
    let what = args.target.naming(&args.action);
    let types = args.schema.of(&args.target, &args.action);
    let connecting = async {
        let has_items = args.stream.is_some() && args.items;
        let known = types
            .before(&dial, &input, has_items, Answer::Awaited)
            .await?;
        let form = input.form(&args.action, known.types())?;
        Ok::<_, Failure>((form, known.connect(&dial).await?))
    };
    let mut interrupted = pin!(interrupted());
    let (form, connection) = tokio::select! {
        connected = connecting => connected?,
        () = &mut interrupted => return Err(Failure::interrupted(&what, Outcome::NotSent)),
    };
    metadata.check(&connection);
    let run = Run {
        form: form.with_metadata(metadata),
        connection: &connection,
        types: &types,
        known: Cell::new(Outcome::NotSent),
    };
    let ended = tokio::select! {
        ended = args.calls(&run) => ended,
        () = interrupted => {
            give_up(&connection).await;
            return Err(Failure::interrupted(&what, run.known.get()));
        }
    };
    let worst = ended?;
    connection.close().await;
    Ok(worst)
}

/// What the calls of one connection have in common.
struct Run<'a> {
    form: Form,
    connection: &'a Connection,
    types: &'a ActionTypes<'a>,
    /// What is known of the last call, for when this is interrupted.
    known: Cell<Outcome>,
}

impl CallArgs {
    async fn check(&self) -> Result<(), Failure> {
        let stream_is_stdin = self.stream.as_deref() == Some(Path::new("-"));
        payload::check_stdin(&[
            (self.target.first.is_stdin(), "first message"),
            (self.payload.is_stdin(), "payload"),
            (stream_is_stdin, "stream"),
        ])?;
        if stream_is_stdin && self.repeat.get() > 1 {
            return Err(Failure::usage(
                "standard input can be sent only once: not with --repeat",
            ));
        }
        self.save.prepare().await
    }

    async fn calls(&self, run: &Run<'_>) -> Result<Exit, Failure> {
        let mut worst = Exit::Done;
        for _ in 0..self.repeat.get() {
            worst = worst.max(self.once(run).await?);
        }
        Ok(worst)
    }

    async fn once(&self, run: &Run<'_>) -> Result<Exit, Failure> {
        let progress = Progress::default();
        let files = payload::files(&self.files).await?;
        let mut message =
            (run.form.create().asking_for_reasons()).with_files(watched(files, &progress));
        if let Some(path) = &self.stream {
            let form = self.form_of_streams(run.types.known());
            message = message.with_stream_from(streams::outgoing(path, form).await?);
        }
        let begun = Instant::now();
        let what = self.target.naming(&self.action);
        run.known.set(Outcome::Unknown);
        let request = run.connection.send(message).await;
        let mut request = request.map_err(|error| Failure::unsent(&what, error))?;
        let exit = match self.replies(&mut request, begun, &progress, run).await {
            Ok(exit) => exit,
            // If one of our files or streams failed, that is the cause of everything else.
            Err(failure) => match request.sent().now_or_never() {
                Some(Err(error @ RequestError::Source(_))) => {
                    return Err(Failure::request(&what, &error));
                }
                _ => return Err(failure),
            },
        };
        if exit == Exit::Done {
            // A peer may answer before it has received everything, and still expects the rest.
            let sent = request.sent().await;
            sent.map_err(|error| Failure::request(&what, &error))?;
        }
        Ok(exit)
    }

    async fn replies(
        &self,
        request: &mut Request,
        begun: Instant,
        progress: &Progress,
        run: &Run<'_>,
    ) -> Result<Exit, Failure> {
        let what = self.target.naming(&self.action);
        let mut worst = Exit::Done;
        for _ in 0..self.replies.get() {
            let reply = timeout(self.timeout, request.response()).await;
            let reply = reply.map_err(|_| Failure::timed_out(&what, "no reply", self.timeout))?;
            let reply = reply.map_err(|error| Failure::request(&what, &error))?;
            let elapsed = begun.elapsed();
            run.known.set(Outcome::Replied);
            match reply {
                Reply::Fast(code) => {
                    self.show_code(code, None, request.retry_after(), elapsed, run)?;
                    return Ok(worst.max(Exit::of(code)));
                }
                Reply::Response(response) if let Some(refusal) = response.refusal() => {
                    let reason = Some(&*refusal.reason);
                    self.show_code(refusal.code, reason, refusal.retry_after, elapsed, run)?;
                    return Ok(worst.max(Exit::Refused));
                }
                Reply::Response(response) => {
                    worst = worst.max(self.show(response, elapsed, progress, run).await?);
                }
            }
        }
        Ok(worst)
    }

    fn show_code(
        &self,
        code: FastReply,
        reason: Option<&str>,
        retry: Option<RetryAfter>,
        elapsed: Duration,
        run: &Run<'_>,
    ) -> Result<(), Failure> {
        if self.output == Output::Json {
            let mut json = json!({
                "type": "reply",
                "code": code.code(),
                "name": code.name(),
                "outcome": code.outcome().to_string(),
                "ms": ms(elapsed),
            });
            if let Some(reason) = reason {
                json["reason"] = reason.into();
            }
            if let Some(retry) = retry {
                json["retry_after_ms"] = retry.wait().map(ms).into();
            }
            return out::object(&json);
        }
        let style = match Exit::of(code) {
            Exit::Done => GOOD,
            _ => BAD,
        };
        let what = self.target.naming(&self.action);
        let mut text = format!("{}: code {code}, {}", escaped(&what), code.outcome());
        if let Some(reason) = reason {
            text = format!("{text}: {}", escaped(reason));
        }
        text += &match retry.map(RetryAfter::wait) {
            Some(Some(wait)) => format!("; retry after {} ms", ms(wait)),
            Some(None) => "; do not retry".to_owned(),
            None => String::new(),
        };
        text += self.target.hint(code, reason);
        if code == FastReply::NOT_IMPLEMENTED {
            text += &run.types.hint();
        }
        out::note(format_args!("{} {}", styled(style, text), took(elapsed)));
        Ok(())
    }

    async fn show(
        &self,
        mut response: Response,
        elapsed: Duration,
        progress: &Progress,
        run: &Run<'_>,
    ) -> Result<Exit, Failure> {
        let (files, stream) = (response.take_files(), response.take_stream());
        let sink = match self.output {
            Output::Json if Sink::from(&*self.stream_to) == Sink::Output => Sink::Objects,
            _ => Sink::from(&*self.stream_to),
        };
        // A program that reads the stream must get nothing else.
        let place = match stream.is_some() && sink == Sink::Output {
            true => Place::Stderr,
            false => Place::Stdout,
        };
        let payload = response.payload();
        let has_items = stream.is_some() && self.items;
        let types = match has_items || !payload.is_empty() && self.output != Output::Raw {
            true => run.types.after(run.connection).await,
            false => None,
        };
        let shown = (!payload.is_empty()).then(|| match &types {
            Some(types) => types.shown(payload),
            None => Shown::of(payload),
        });
        if let Some(shown) = &shown {
            self.print_payload(payload, shown, place)?;
        }
        // Concurrently, because the peer may interleave them.
        let (files, stream_bytes) = tokio::join!(
            self.save.take(files, progress),
            self.copy(stream, &sink, types)
        );
        let shown = ShownResponse {
            payload: shown,
            files,
            stream_bytes: stream_bytes?,
            elapsed,
        };
        match self.output {
            Output::Json => out::object(&shown.json())?,
            Output::Text | Output::Raw => shown.note(),
        }
        Ok(shown.exit())
    }

    fn print_payload(&self, payload: &[u8], shown: &Shown, place: Place) -> Result<(), Failure> {
        match (self.output, place) {
            (Output::Text, _) => print_value(shown, place),
            (Output::Raw, Place::Stdout) => out::raw(payload),
            (Output::Raw, Place::Stderr) => {
                out::note(format_args!("payload of {} bytes not shown", payload.len()));
                Ok(())
            }
            (Output::Json, _) => Ok(()),
        }
    }

    async fn copy(
        &self,
        stream: Option<ByteStream>,
        sink: &Sink,
        types: Option<Arc<Typed>>,
    ) -> Result<Option<u64>, Failure> {
        let Some(stream) = stream else {
            return Ok(None);
        };
        let what = self.target.naming(&self.action);
        let copied = streams::copy(stream, &what, sink, self.form_of_streams(types)).await;
        copied.map(Some)
    }

    fn form_of_streams(&self, types: Option<Arc<Typed>>) -> streams::Form {
        let limit = usize::try_from(self.target.max_payload.as_u64()).unwrap_or(usize::MAX);
        match self.items {
            true => streams::Form::Items { limit, types },
            false => streams::Form::Bytes,
        }
    }
}

/// Wraps files so that each shows a bar with how much of it was sent.
pub fn watched(files: Vec<File>, progress: &Progress) -> Vec<File> {
    let watch = |(index, file): (usize, File)| {
        let (name, size) = (file.name().to_owned(), file.size());
        let bar = progress.file(index, "sending", &name, size);
        match bar.is_hidden() {
            true => file,
            false => File::from_reader(name, size, bar.wrap_async_read(file)),
        }
    };
    files.into_iter().enumerate().map(watch).collect()
}

/// Where the JSON of a reply is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Stdout,
    /// Standard output is taken by the stream of the reply.
    Stderr,
}

fn print_value(shown: &Shown, place: Place) -> Result<(), Failure> {
    match shown {
        Shown::Value(_) => {}
        Shown::Error(_) => out::note(styled(BAD, "error of the service")),
        Shown::Raw(_, problem) => {
            out::warn(format_args!(
                "the payload is {problem}; --output raw prints its bytes"
            ));
        }
    }
    print(shown.json(), place)
}

/// Prints JSON, on one line unless it goes to a terminal.
fn print(json: &Json, place: Place) -> Result<(), Failure> {
    match place {
        Place::Stderr => {
            out::note(escaped_json(&json.to_string()));
            Ok(())
        }
        Place::Stdout if out::is_terminal() => out::line(escaped_json(&format!("{json:#}"))),
        Place::Stdout => out::line(escaped_json(&json.to_string())),
    }
}

/// A response of which everything has arrived.
struct ShownResponse {
    payload: Option<Shown>,
    files: Vec<Arrived>,
    stream_bytes: Option<u64>,
    elapsed: Duration,
}

impl ShownResponse {
    fn json(&self) -> Json {
        let mut json = json!({ "type": "reply", "ms": ms(self.elapsed) });
        match &self.payload {
            None => {}
            Some(Shown::Error(error)) => json["error"] = error.clone(),
            Some(Shown::Value(payload) | Shown::Raw(payload, _)) => {
                json["payload"] = payload.clone();
            }
        }
        if !self.files.is_empty() {
            json["files"] = self.files.iter().map(Arrived::json).collect();
        }
        if let Some(bytes) = self.stream_bytes {
            json["stream_bytes"] = bytes.into();
        }
        json
    }

    /// Prints everything but the payload on standard error.
    fn note(&self) {
        if self.payload.is_none() && self.files.is_empty() && self.stream_bytes.is_none() {
            let took = took(self.elapsed);
            out::note(format_args!("response without a payload {took}"));
        }
        for file in &self.files {
            out::note(file.text());
        }
        if let Some(bytes) = self.stream_bytes {
            out::note(styled(FAINT, format_args!("stream of {bytes} bytes")));
        }
    }

    fn exit(&self) -> Exit {
        let payload = match &self.payload {
            Some(Shown::Error(_)) => Exit::Refused,
            Some(Shown::Value(_) | Shown::Raw(..)) | None => Exit::Done,
        };
        let files = self.files.iter().map(Arrived::exit);
        files.fold(payload, Exit::max)
    }
}

fn took(elapsed: Duration) -> String {
    styled(FAINT, format_args!("({:.3} ms)", ms(elapsed)))
}

/// In milliseconds.
pub fn ms(elapsed: Duration) -> f64 {
    elapsed.as_secs_f64() * 1000.0
}
