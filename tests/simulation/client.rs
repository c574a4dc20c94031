//! A client host. It connects again whenever its connection is lost, until its time is over.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use sockety::{
    ByteStream, CallError, Connection, File, Options, Outcome,
    config::Extension,
    error::{NoError, chain},
    serve::IntoRouter,
};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use turmoil::net::TcpStream;

use crate::SECOND;
use crate::dice::Dice;
use crate::history::{Ended, History};
use crate::link::{Link, Valve};
use crate::server::PORT;
use crate::work::{WorkClient, WorkServer, Worker, content, read};

/// The default deadline of a call.
const DEFAULT: Duration = Duration::from_secs(30);

/// Nothing of a client is left this long after its last handle was dropped: 5 s to write, and 1 s for the farewell.
const GONE: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) name: &'static str,
    pub(crate) extension: Extension,
    pub(crate) history: History,
    pub(crate) dice: Dice,
    pub(crate) callers: usize,
    /// Bytes of the largest file or stream.
    pub(crate) largest: u64,
    /// Whether it pings on the same connection.
    pub(crate) pings: bool,
    /// After which it begins nothing new.
    pub(crate) time: Duration,
    /// Holds up what comes to it.
    pub(crate) valve: Valve,
}

impl Client {
    pub(crate) async fn run(mut self) -> turmoil::Result {
        let end = Instant::now() + self.time;
        while Instant::now() < end {
            let Some(connection) = self.connect().await else {
                sleep(SECOND / 2).await;
                continue;
            };
            let work = WorkClient::new(connection);
            let callers: Vec<_> = (0..self.callers).map(|_| self.caller(&work)).collect();
            let calls = callers.into_iter().map(|caller| caller.run(end));
            let pings = async {
                if self.pings {
                    self.ping(&work, end).await;
                }
            };
            tokio::join!(join_all(calls), pings);
        }
        self.is_gone().await;
        Ok(())
    }

    /// It serves the same as its server.
    pub(crate) async fn connect(&self) -> Option<Connection> {
        let connecting = TcpStream::connect(("server", PORT));
        let stream = timeout(5 * SECOND, connecting).await.ok()?.ok()?;
        let worker = Worker {
            history: self.history.clone(),
        };
        let link = Link::new(stream, self.valve.clone());
        let serve = WorkServer::new(worker).into_router();
        let options = Options::default().extension(self.extension);
        Connection::over(link, serve, options).await.ok()
    }

    fn caller(&mut self, work: &WorkClient) -> Caller {
        Caller {
            history: self.history.clone(),
            dice: self.dice.split(),
            largest: self.largest,
            work: work.clone(),
        }
    }

    async fn ping(&self, work: &WorkClient, end: Instant) {
        while Instant::now() < end && !work.connection().is_closed() {
            ping(&self.history, self.name, work).await;
            sleep(SECOND).await;
        }
    }

    /// No task may be left.
    pub(crate) async fn is_gone(&self) {
        let end = Instant::now() + GONE;
        let metrics = Handle::current().metrics();
        while metrics.num_alive_tasks() > 0 && Instant::now() < end {
            sleep(SECOND / 10).await;
        }
        self.history.tasks(self.name, metrics.num_alive_tasks());
    }
}

pub(crate) async fn ping(history: &History, from: &str, work: &WorkClient) {
    let (at, begun) = (now(), Instant::now());
    let pinged = work.ping().timeout(DEFAULT).await;
    let error = pinged.err().map(|error| explain(&error));
    history.ping(from, at, begun.elapsed(), error);
}

pub(crate) fn now() -> Duration {
    turmoil::sim_elapsed().expect("in a simulation")
}

struct Caller {
    history: History,
    dice: Dice,
    largest: u64,
    work: WorkClient,
}

impl Caller {
    async fn run(mut self, end: Instant) {
        while Instant::now() < end && !self.work.connection().is_closed() {
            let outcome = self.call().await;
            let pause = match outcome {
                Outcome::NotSent | Outcome::NotExecuted => SECOND / 4,
                Outcome::Unknown | Outcome::Executed | Outcome::Replied => self.dice.millis(0..200),
            };
            sleep_until((Instant::now() + pause).min(end)).await;
        }
    }

    /// Makes a call of a kind that is drawn.
    async fn call(&mut self) -> Outcome {
        let (call, at, begun) = (self.history.number(), now(), Instant::now());
        let kinds = ["echo", "wait", "gather", "store", "produce"];
        let what = self.dice.pick(&kinds);
        let carries = matches!(what, "gather" | "store");
        let own = (carries || self.dice.coin()).then(|| self.dice.millis(500..20_000));
        let deadline = own.unwrap_or(DEFAULT);
        let made = self.make(what, call, own).await;
        let took = begun.elapsed();
        let (outcome, error) = match &made {
            Ok(_) => (Outcome::Replied, String::new()),
            Err(error) => (error.outcome(), explain(error)),
        };
        self.history.end(
            call,
            Ended {
                what,
                at,
                took,
                deadline,
                outcome,
                error,
            },
        );
        if let Ok(Some((stream, size))) = made {
            // It has been answered: what its stream takes longer has no deadline.
            drop(timeout(DEFAULT, read(&self.history, call, size, stream)).await);
        }
        outcome
    }

    /// Gives the stream that it is answered with, and how long that is.
    async fn make(
        &mut self,
        what: &str,
        call: u64,
        own: Option<Duration>,
    ) -> Result<Option<(ByteStream, u64)>, CallError<NoError>> {
        let (work, history) = (&self.work, &self.history);
        let size = self.dice.within(1..self.largest + 1);
        macro_rules! within {
            ($call:expr) => {
                match own {
                    Some(own) => $call.timeout(own).await?,
                    None => $call.await?,
                }
            };
        }
        match what {
            "echo" => {
                let text = "x".repeat(size.min(40_000) as usize);
                let echo = within!(work.echo(call, text.clone()));
                if echo != text {
                    history.wrong(format!("call {call}: another echo"));
                }
            }
            "wait" => {
                let same = within!(work.wait(call, self.dice.within(0..2000)));
                history.is_whole(call, same, call);
            }
            "gather" => {
                let gathered = within!(work.gather(call, size, content(history, call, size)));
                history.is_whole(call, gathered, size);
            }
            "store" => {
                let file = File::from_bytes("a", Bytes::from(vec![7; size as usize]));
                let stored = within!(work.store(call, file));
                history.is_whole(call, stored, size);
            }
            _ => {
                let stream = within!(work.produce(call, size));
                return Ok(Some((stream, size)));
            }
        }
        Ok(None)
    }
}

pub(crate) fn explain<E: sockety::ServiceError>(error: &CallError<E>) -> String {
    match error {
        CallError::Request { error, .. } => chain(error).to_string(),
        error => format!("{error:?}"),
    }
}
