//! Two of our connections, used in any order, over a link that is cut anywhere: every call has one outcome, and a true one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arbitrary::Unstructured;
use sockety::{
    ByteStream, Connection, FastReply, File, Options, Outcome, Router,
    error::RequestError,
    message::{Draft, Reply, ResponseDraft},
    serve::{Message, MessageHandler},
};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::wire::{cut_after, simulate};

const ACTIONS: [&str; 10] = [
    "run",
    "nothing",
    "hold",
    "slow",
    "fail",
    "large",
    "upload",
    "stream",
    "drop",
    "unheard of",
];

/// Calls of one input.
const MANY: usize = 64;

/// When a connection has ended, everybody who waits is told.
const SOON: Duration = Duration::from_millis(100);

/// Every clock has run out.
const LONG: Duration = Duration::from_secs(300);

pub(crate) fn run(data: &[u8]) {
    simulate(async {
        let mut input = Unstructured::new(data);
        let Some(mut site) = Site::new(&mut input).await else {
            return;
        };
        while !input.is_empty() && site.calls.len() < MANY {
            if site.step(&mut input).await.is_err() {
                break;
            }
        }
        site.end().await;
    });
}

/// How often the handler of each call began.
type Ledger = Arc<Mutex<BTreeMap<u32, u32>>>;

struct Site {
    client: Connection,
    server: Connection,
    ledger: Ledger,
    calls: Vec<JoinHandle<Outcome>>,
    others: Vec<JoinHandle<()>>,
}

impl Site {
    /// Nothing when the link is cut before both sides have greeted.
    async fn new(input: &mut Unstructured<'_>) -> Option<Self> {
        let pipe = 1 + usize::from(input.arbitrary::<u16>().ok()?);
        let cut = |bytes: u16| if bytes == 0 { usize::MAX } else { bytes.into() };
        let cuts = [cut(input.arbitrary().ok()?), cut(input.arbitrary().ok()?)];
        let ledger = Ledger::default();
        let (near, far) = cut_after(pipe, cuts);
        let few = Options::default()
            .max_requests_executing(4)
            .max_unread_per_message(1000);
        let (client, server) = tokio::try_join!(
            Connection::over(near, Router::new(), Options::default()),
            Connection::over(far, serve(&ledger), few),
        )
        .ok()?;
        Some(Self {
            client,
            server,
            ledger,
            calls: Vec::new(),
            others: Vec::new(),
        })
    }

    async fn step(&mut self, input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        match input.arbitrary::<u8>()? % 16 {
            0..8 => self.call(input.arbitrary()?, input.arbitrary()?),
            8 => sleep(Duration::from_millis(input.arbitrary::<u16>()?.into())).await,
            9 => sleep(Duration::from_millis(1)).await,
            10 | 11 => self.give_up(input.arbitrary()?),
            12 => self.shut_down(self.client.clone(), input.arbitrary()?),
            13 => self.shut_down(self.server.clone(), input.arbitrary()?),
            14 => self.pass(input.arbitrary()?),
            _ => self.close(input.arbitrary()?),
        }
        Ok(())
    }

    fn call(&mut self, action: u8, size: u8) {
        let number = self.calls.len() as u32;
        let client = self.client.clone();
        let action = ACTIONS[usize::from(action) % ACTIONS.len()];
        let call = call(client, action, number, usize::from(size) * 40);
        self.calls.push(tokio::spawn(call));
    }

    fn give_up(&mut self, call: u8) {
        if let Some(call) = self.calls.get(usize::from(call)) {
            call.abort();
        }
    }

    fn shut_down(&mut self, connection: Connection, seconds: u8) {
        let limit = Duration::from_secs(seconds.into());
        let end = async move { connection.shutdown(limit).await };
        self.others.push(tokio::spawn(end));
    }

    fn pass(&mut self, size: u8) {
        let client = self.client.clone();
        let message = Draft::new("nothing").data();
        let message = message.create(vec![0xFF; 4 + usize::from(size)]);
        let pass = async move { drop(client.pass(message).await) };
        self.others.push(tokio::spawn(pass));
    }

    fn close(&mut self, which: u8) {
        let end = match which % 2 {
            0 => self.client.clone(),
            _ => self.server.clone(),
        };
        self.others
            .push(tokio::spawn(async move { end.close().await }));
    }

    /// Lets everything come to its end, and compares what is said of the calls with what happened.
    async fn end(self) {
        sleep(LONG).await;
        tokio::join!(self.client.close(), self.server.close());
        tokio::join!(self.client.closed(), self.server.closed());
        for other in self.others {
            timeout(SOON, other)
                .await
                .expect("in time")
                .expect("no panic");
        }
        for (number, call) in (0..).zip(self.calls) {
            let outcome = timeout(SOON, call).await.expect("an outcome in time");
            let begun = self.ledger.lock().expect("no panic").get(&number).copied();
            check(number, outcome.ok(), begun.unwrap_or(0));
        }
    }
}

/// Who was given up has no outcome.
fn check(call: u32, outcome: Option<Outcome>, begun: u32) {
    let is_true = match outcome {
        Some(Outcome::NotSent | Outcome::NotExecuted) => begun == 0,
        None | Some(Outcome::Unknown) => begun <= 1,
        Some(Outcome::Executed | Outcome::Replied) => begun == 1,
    };
    assert!(
        is_true,
        "call {call}: {outcome:?}, but it began {begun} times"
    );
}

async fn call(client: Connection, action: &'static str, number: u32, size: usize) -> Outcome {
    let mut payload = number.to_le_bytes().to_vec();
    payload.resize(4 + size, 0xCA);
    let mut message = Draft::new(action).data().create(payload);
    if action == "upload" {
        message = message
            .with_file(File::from_bytes("a", vec![1; size]))
            .with_stream_from(ByteStream::from_reader(&b"a stream"[..]));
    }
    match client.send(message).await {
        Err(error) => RequestError::from(error).outcome(),
        Ok(mut request) => {
            let reply = request.response().await;
            read(reply).await
        }
    }
}

async fn read(reply: Result<Reply, RequestError>) -> Outcome {
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) => return error.outcome(),
    };
    if let Some(code) = reply.code() {
        return code.outcome();
    }
    let response = reply.into_response();
    if let Some(mut stream) = response.and_then(|mut response| response.take_stream()) {
        while let Ok(Some(_)) = stream.next_chunk().await {}
    }
    Outcome::Replied
}

fn serve(ledger: &Ledger) -> MessageHandler {
    let noting =
        |act: fn(Message) -> futures_util::future::BoxFuture<'static, Option<FastReply>>| {
            let ledger = Arc::clone(ledger);
            move |message: Message| {
                let number = message
                    .payload()
                    .first_chunk()
                    .map_or(u32::MAX, |bytes| u32::from_le_bytes(*bytes));
                let mut ledger = ledger.lock().expect("no panic");
                *ledger.entry(number).or_default() += 1;
                act(message)
            }
        };
    MessageHandler::new()
        .action(
            "run",
            noting(|message| Box::pin(respond(message, 100, false))),
        )
        .action(
            "large",
            noting(|message| Box::pin(respond(message, 100_000, false))),
        )
        .action(
            "stream",
            noting(|message| Box::pin(respond(message, 10, true))),
        )
        .action(
            "nothing",
            noting(|_| Box::pin(async { Some(FastReply::ACCEPT) })),
        )
        .action("hold", noting(|message| Box::pin(hold(message))))
        .action(
            "fail",
            noting(|_| Box::pin(async { Some(FastReply::REJECT) })),
        )
        .action(
            "drop",
            noting(|_| Box::pin(async { Some(FastReply::INTERNAL_ERROR) })),
        )
        .action(
            "slow",
            noting(|_| {
                Box::pin(async {
                    sleep(Duration::from_secs(5)).await;
                    Some(FastReply::ACCEPT)
                })
            }),
        )
        .action("upload", noting(|message| Box::pin(take(message))))
}

async fn respond(message: Message, size: usize, has_stream: bool) -> Option<FastReply> {
    let mut response = ResponseDraft::new().data().create(vec![7; size]);
    if has_stream {
        response = response.with_stream_from(ByteStream::from_reader(&[9; 5000][..]));
    }
    if let Ok(mut sent) = message.respond(response).await {
        drop(sent.sent().await);
    }
    None
}

async fn take(message: Message) -> Option<FastReply> {
    for mut file in message.take_files() {
        while let Ok(Some(_)) = file.next_chunk().await {}
    }
    // Only the beginning of the stream, and then it is abandoned.
    let mut stream = message.take_stream()?;
    stream.next_chunk().await.ok()?;
    Some(FastReply::ACCEPT)
}

/// Until the connection ends: what it answers then has nowhere to go.
async fn hold(message: Message) -> Option<FastReply> {
    message.connection().clone().closed().await;
    None
}
