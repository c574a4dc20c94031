use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::{Args, ValueEnum};
use futures_util::FutureExt;
use serde_json::{Value as Json, json};
use sockety::{Connection, FastReply, File, Reply, Request, RequestError, Response};
use tokio::time::timeout;

use crate::{
    exit::{Exit, Failure},
    out::{self, BAD, FAINT, GOOD, styled},
    payload::{self, Form, PayloadArgs},
    progress::Progress,
    saving::{Arrived, SaveArgs},
    shown::escaped_json,
    streams::{self, Sink},
    target::{Target, duration},
    value::Shown,
};

/// Sends a message and shows what answers it.
#[derive(Debug, Args)]
pub struct CallArgs {
    #[command(flatten)]
    target: Target,
    /// The action to call
    action: String,
    #[command(flatten)]
    payload: PayloadArgs,
    /// Send this file with it; may be given several times
    #[arg(long = "file", value_name = "PATH")]
    files: Vec<PathBuf>,
    /// Send this file as the stream of the message; - is standard input, as it comes
    #[arg(long, value_name = "PATH")]
    stream: Option<PathBuf>,
    /// Where the stream of the reply goes; - is standard output, which it then has for itself: the payload goes to
    /// standard error
    #[arg(long, value_name = "PATH", default_value = "-")]
    stream_to: PathBuf,
    /// Streams are MessagePack values, each a line of JSON, both ways
    #[arg(long)]
    items: bool,
    #[command(flatten)]
    save: SaveArgs,
    /// What is printed of a reply
    #[arg(long, value_enum, default_value = "value")]
    output: Output,
    /// Longest wait for each reply; its files and stream may take longer
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    timeout: Duration,
    /// How many replies to wait for, where a peer sends several; a code is always the last
    #[arg(long, value_name = "N", default_value = "1")]
    replies: NonZeroU32,
    /// Call this many times, one after another, on the same connection
    #[arg(long, value_name = "N", default_value = "1")]
    repeat: NonZeroU32,
}

/// What is printed of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Its payload as JSON; a code goes to standard error
    Value,
    /// Its payload as it is; a code goes to standard error
    Raw,
    /// One line of JSON with everything: payload or code, files, the bytes of the stream, the time
    Full,
}

/// Calls, and gives the worst of what came of it.
pub async fn run(args: CallArgs) -> Result<Exit, Failure> {
    args.check()?;
    let limit = args.target.max_payload.as_u64();
    let form = args.payload.form(&args.action, limit)?;
    let connection = args.target.connect().await?;
    let mut worst = Exit::Done;
    for _ in 0..args.repeat.get() {
        worst = worst.max(args.once(&connection, &form).await?);
    }
    connection.close().await;
    Ok(worst)
}

impl CallArgs {
    fn check(&self) -> Result<(), Failure> {
        let stream_is_stdin = self.stream.as_deref() == Some(Path::new("-"));
        if stream_is_stdin && self.payload.is_stdin() {
            return Err(Failure::usage(
                "standard input cannot be both payload and stream",
            ));
        }
        if stream_is_stdin && self.repeat.get() > 1 {
            return Err(Failure::usage(
                "standard input can be sent only once: not with --repeat",
            ));
        }
        self.save.prepare()
    }

    async fn once(&self, connection: &Connection, form: &Form) -> Result<Exit, Failure> {
        let progress = Progress::default();
        let files = payload::files(&self.files).await?;
        let mut message = form.create().files(watched(files, &progress));
        if let Some(path) = &self.stream {
            message = message.stream_from(streams::outgoing(path, self.form_of_streams()).await?);
        }
        let begun = Instant::now();
        let mut request = connection.send(message).await?;
        let exit = match self.replies(&mut request, begun, &progress).await {
            Ok(exit) => exit,
            // When a file or stream of ours failed, all else follows from that.
            Err(failure) => match request.sent().now_or_never() {
                Some(Err(error @ RequestError::Source(_))) => return Err(error.into()),
                _ => return Err(failure),
            },
        };
        if exit == Exit::Done {
            // A peer may answer before it has everything, and wants the rest all the same.
            request.sent().await?;
        }
        Ok(exit)
    }

    async fn replies(
        &self,
        request: &mut Request,
        begun: Instant,
        progress: &Progress,
    ) -> Result<Exit, Failure> {
        let mut worst = Exit::Done;
        for _ in 0..self.replies.get() {
            let reply = timeout(self.timeout, request.response()).await;
            let reply = reply.map_err(|_| {
                let limit = humantime::format_duration(self.timeout);
                let text = format!("no reply within {limit} (unknown whether it was executed)");
                Failure::new(Exit::Unknown, text)
            })??;
            let elapsed = begun.elapsed();
            match reply {
                Reply::Fast(code) => {
                    self.show_code(code, elapsed)?;
                    return Ok(worst.max(Exit::of(code)));
                }
                Reply::Response(response) => {
                    worst = worst.max(self.show(response, elapsed, progress).await?);
                }
            }
        }
        Ok(worst)
    }

    fn show_code(&self, code: FastReply, elapsed: Duration) -> Result<(), Failure> {
        if self.output == Output::Full {
            let outcome = code.outcome().to_string();
            let json = json!({ "code": code.code(), "name": code.name(), "outcome": outcome, "ms": ms(elapsed) });
            return out::line(json);
        }
        let style = match Exit::of(code) {
            Exit::Done => GOOD,
            _ => BAD,
        };
        let text = format!("code {code}, {}", code.outcome());
        out::note(format_args!("{} {}", styled(style, text), took(elapsed)));
        Ok(())
    }

    async fn show(
        &self,
        mut response: Response,
        elapsed: Duration,
        progress: &Progress,
    ) -> Result<Exit, Failure> {
        let (files, stream) = (response.files(), response.stream());
        let sink = Sink::from(&*self.stream_to);
        // What is piped on must be the stream alone.
        let is_taken = stream.is_some() && sink == Sink::Output;
        let payload = Some(response.payload()).filter(|payload| !payload.is_empty());
        let shown = payload.map(|payload| Shown::of(payload));
        let mut exit = match &shown {
            Some(Shown::Error(_)) => Exit::Refused,
            _ => Exit::Done,
        };
        match (self.output, payload, &shown) {
            (Output::Value, _, Some(shown)) => print_value(shown, is_taken)?,
            (Output::Raw, Some(payload), _) if !is_taken => out::raw(payload)?,
            (Output::Raw, Some(payload), _) => {
                out::note(format_args!("payload of {} bytes not shown", payload.len()));
            }
            _ => {}
        }
        let copying = async {
            match stream {
                None => Ok(None),
                Some(stream) => {
                    let copied = streams::copy(stream, &sink, self.form_of_streams()).await;
                    copied.map(Some)
                }
            }
        };
        // At the same time, as a peer may mix them.
        let (arrived, copied) = tokio::join!(self.save.take(files, progress), copying);
        let streamed = copied?;
        exit = arrived.iter().map(Arrived::exit).fold(exit, Exit::max);
        if self.output == Output::Full {
            print(&full(shown.as_ref(), &arrived, streamed, elapsed), is_taken)?;
        } else {
            tell(payload.is_none(), &arrived, streamed, elapsed);
        }
        Ok(exit)
    }

    fn form_of_streams(&self) -> streams::Form {
        let limit = usize::try_from(self.target.max_payload.as_u64()).unwrap_or(usize::MAX);
        match self.items {
            true => streams::Form::Items { limit },
            false => streams::Form::Bytes,
        }
    }
}

/// The same files, each with a bar that shows how much of it was sent.
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

fn print_value(shown: &Shown, is_taken: bool) -> Result<(), Failure> {
    match shown {
        Shown::Value(_) => {}
        Shown::Error(_) => out::note(styled(BAD, "error of the service")),
        Shown::Raw(_, problem) => {
            out::warn(format_args!(
                "the payload is no MessagePack: {problem}; --output raw gives its bytes"
            ));
        }
    }
    print(shown.json(), is_taken)
}

/// Prints JSON, on one line where a program reads it.
fn print(json: &Json, is_taken: bool) -> Result<(), Failure> {
    let text = match out::is_terminal() && !is_taken {
        true => format!("{json:#}"),
        false => json.to_string(),
    };
    let text = escaped_json(&text);
    match is_taken {
        true => {
            out::note(text);
            Ok(())
        }
        false => out::line(text),
    }
}

fn full(
    shown: Option<&Shown>,
    arrived: &[Arrived],
    streamed: Option<u64>,
    elapsed: Duration,
) -> Json {
    let mut json = json!({ "ms": ms(elapsed) });
    match shown {
        None => {}
        Some(Shown::Error(error)) => json["error"] = error.clone(),
        Some(Shown::Value(payload) | Shown::Raw(payload, _)) => json["payload"] = payload.clone(),
    }
    if !arrived.is_empty() {
        json["files"] = arrived.iter().map(Arrived::json).collect();
    }
    if let Some(bytes) = streamed {
        json["stream_bytes"] = bytes.into();
    }
    json
}

fn tell(is_empty: bool, arrived: &[Arrived], streamed: Option<u64>, elapsed: Duration) {
    if is_empty && arrived.is_empty() && streamed.is_none() {
        out::note(format_args!("response without a payload {}", took(elapsed)));
    }
    for file in arrived {
        out::note(file.text());
    }
    if let Some(bytes) = streamed {
        out::note(styled(FAINT, format_args!("stream of {bytes} bytes")));
    }
}

fn took(elapsed: Duration) -> String {
    styled(FAINT, format_args!("({:.3} ms)", ms(elapsed)))
}

fn ms(elapsed: Duration) -> f64 {
    elapsed.as_secs_f64() * 1000.0
}
