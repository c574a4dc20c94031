use std::sync::Arc;

use bytesize::ByteSize;
use clap::Args;
use sockety::{
    Address, FastReply, Options, Server,
    config::Extension,
    message::ResponseDraft,
    serve::{BoxError, Message, MessageHandler},
};
use tokio::sync::mpsc;

use crate::{
    exit::{Exit, Failure, explain},
    interrupt::interrupted,
    out::{self, FAINT, OutputArgs, styled},
    received::Received,
    saving::SaveArgs,
    serving::{ServeArgs, Served},
    target::limits,
    tls::ServerTls,
    value,
};

/// Arguments of `listen`: accepts every message and shows it.
#[derive(Debug, Args)]
pub struct ListenArgs {
    /// host:port or unix://PATH; port 0 picks a free port
    #[arg(value_name = "ADDR")]
    address: Address,
    /// Answer with this code: 0 to 4095
    #[arg(long, value_name = "CODE", default_value = "0", value_parser = code)]
    reply: FastReply,
    /// Answer with a response that has this payload instead
    #[arg(
        long,
        value_name = "JSON",
        allow_negative_numbers = true,
        conflicts_with = "reply"
    )]
    reply_json: Option<String>,
    #[command(flatten)]
    serve: ServeArgs,
    #[command(flatten)]
    save: SaveArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Show at most this many bytes of a payload's JSON; ignored with --output json
    #[arg(long, value_name = "N", default_value = "500")]
    show: usize,
    /// Stop after this many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Largest payload to accept
    #[arg(long, value_name = "SIZE", default_value = "64MiB")]
    max_payload: ByteSize,
    #[command(flatten)]
    tls: ServerTls,
}

fn code(text: &str) -> Result<FastReply, String> {
    let code = text.parse().map_err(|_| "not a number from 0 to 4095")?;
    FastReply::new(code).map_err(|error| error.to_string())
}

/// The action under which peers describe their services, which this one has none of.
const DESCRIBE: &str = "$sockety.describe";

/// State shared by all handlers.
struct Listening {
    args: ListenArgs,
    served: Served,
    answer: Answer,
    /// Receives the result of printing each message; a failure ends the program.
    done: mpsc::Sender<Result<(), Failure>>,
}

enum Answer {
    Code(FastReply),
    Response(bytes::Bytes),
}

/// Serves until interrupted, or until `--count` messages were shown.
pub async fn run(args: ListenArgs) -> Result<Exit, Failure> {
    args.save.prepare().await?;
    let answer = match &args.reply_json {
        Some(json) => {
            let payload =
                value::from_json(json).map_err(|error| Failure::usage(error.to_string()))?;
            Answer::Response(payload.into())
        }
        None => Answer::Code(args.reply),
    };
    let served = args.serve.read(args.max_payload.as_u64())?;
    let bound = Server::bind(args.address.clone()).await;
    // It names the address.
    let mut server = bound.map_err(|error| Failure::local(explain(&error)))?;
    let options = Options::default().limits(limits(args.max_payload));
    server = server.options(options.extension(Extension::Auto));
    if let Some(tls) = args.tls.server()? {
        server = server.tls(tls);
    }
    let interrupted = interrupted();
    let address = server.local_addr();
    let name = address.map_or_else(|_| args.address.to_string(), |address| address.to_string());
    out::note(styled(FAINT, format_args!("listening on {name}")));
    let handle = server.handle();
    let (done, mut ended) = mpsc::channel(64);
    let left = args.count;
    let listening = Arc::new(Listening {
        args,
        served,
        answer,
        done,
    });
    let handler = MessageHandler::new().fallback(move |message| {
        let listening = Arc::clone(&listening);
        async move { listening.take(message).await }
    });
    let mut serving = tokio::spawn(server.serve(handler));
    let result = tokio::select! {
        served = &mut serving => return match served {
            Ok(Err(error)) => Err(Failure::usage(explain(&error))),
            _ => Ok(Exit::Done),
        },
        result = enough(&mut ended, left) => result,
        () = interrupted => Ok(Exit::Done),
    };
    drop(ended);
    // Messages that were already accepted get their answers.
    handle.shutdown(std::time::Duration::from_secs(3)).await;
    // The server removes the file of a Unix socket when it ends.
    let _ = serving.await;
    result
}

async fn enough(
    ended: &mut mpsc::Receiver<Result<(), Failure>>,
    mut left: Option<u64>,
) -> Result<Exit, Failure> {
    while left != Some(0) {
        let Some(shown) = ended.recv().await else {
            break;
        };
        shown?;
        left = left.map(|left| left - 1);
    }
    Ok(Exit::Done)
}

impl Listening {
    async fn take(&self, message: Message) -> Result<Option<FastReply>, BoxError> {
        // What tools ask before they send what they were told to is no message to show.
        if message.action() == DESCRIBE {
            return Ok(Some(FastReply::NOT_IMPLEMENTED));
        }
        let received = Received::take(message, &self.args.save).await;
        // Answer before reporting the message: the program ends after the last report.
        let answered = self.answer(&received).await;
        let printed = match self.args.output.is_json() {
            true => out::object(&received.json()),
            false => out::line(received.text(self.args.show)),
        };
        let _ = self.done.send(printed).await;
        answered
    }

    async fn answer(&self, received: &Received) -> Result<Option<FastReply>, BoxError> {
        let message = received.message();
        if !message.expects_response() {
            return Ok(None);
        }
        if !received.is_complete() {
            return Ok(Some(FastReply::REJECT));
        }
        if self.served.answer(message).await? {
            return Ok(None);
        }
        match &self.answer {
            Answer::Code(code) => message.fast_reply(*code).await?,
            Answer::Response(payload) => {
                let response = ResponseDraft::new().with_data(payload.clone());
                message.respond(&response).await?;
            }
        }
        Ok(None)
    }
}
