use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use sockety::{
    Connection, FastReply,
    message::{Draft, Reply},
};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::{
    exit::{Exit, Failure},
    figures::Figures,
    interrupt::interrupted,
    out::{self, BAD, FAINT, OutputArgs, styled},
    shown::escaped,
    target::{Target, duration, some_duration},
};

/// Arguments of `ping`: measures how long a peer takes to answer.
#[derive(Debug, Args)]
pub struct PingArgs {
    #[command(flatten)]
    target: Target,
    /// Stop after this many round trips [default: until interrupted]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Time from the start of one round trip to the next
    #[arg(short, long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    interval: Duration,
    /// Longest wait for each answer
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = some_duration)]
    timeout: Duration,
    /// The action to call; any answer counts
    #[arg(long, default_value = "$sockety.ping")]
    action: String,
    /// Print only the summary
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// Pings until `--count` is reached or the program is interrupted.
pub async fn run(args: PingArgs) -> Result<Exit, Failure> {
    let action = args.action.clone();
    let ended = ping(args).await;
    ended.map_err(|failure| failure.of(&action))
}

async fn ping(args: PingArgs) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let connection = args.target.connect().await?;
    let connected = begun.elapsed();
    if !args.output.is_json() {
        let text = format!(
            "connected to {} in {:.3} ms, handshake included",
            args.target.address,
            ms(connected)
        );
        out::line(escaped(&text))?;
    }
    let mut round = Round {
        figures: Figures::new(),
        sent: 0,
    };
    let ended = tokio::select! {
        ended = round.run(&args, &connection) => ended,
        () = interrupted() => Ok(()),
    };
    match ended {
        Err(failure) if round.figures.count() == 0 => return Err(failure),
        ended => {
            round.tell(&args, connected)?;
            ended?;
        }
    }
    connection.close().await;
    match round.figures.count() == round.sent {
        true => Ok(Exit::Done),
        false => Ok(Exit::Unknown),
    }
}

/// The measurements so far.
struct Round {
    figures: Figures,
    sent: u64,
}

impl Round {
    async fn run(&mut self, args: &PingArgs, connection: &Connection) -> Result<(), Failure> {
        let draft = Draft::new(&*args.action);
        let mut clock = interval(args.interval.max(Duration::from_millis(1)));
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while args.count.is_none_or(|count| self.sent < count) {
            clock.tick().await;
            let begun = Instant::now();
            let what = args.target.naming(&args.action);
            let request = connection.send(draft.create().asking_for_reasons()).await;
            let mut request = request.map_err(|error| Failure::unsent(&what, error))?;
            self.sent += 1;
            let answered = match timeout(args.timeout, request.response()).await {
                Ok(Ok(reply)) => {
                    let elapsed = begun.elapsed();
                    let answer = Answer::of(&reply);
                    // More attempts would end the connection, and count against this host.
                    if let Answer::Code(code @ FastReply::UNAUTHORIZED, reason) = &answer {
                        let refused = args.target.refused(&args.action, *code, reason.as_deref());
                        return Err(refused);
                    }
                    Some((answer, elapsed))
                }
                // The connection has ended.
                Ok(Err(error)) => return Err(Failure::request(&what, &error)),
                Err(_) => None,
            };
            if let Some((_, elapsed)) = &answered {
                self.figures.add(*elapsed);
            }
            if !args.quiet {
                self.show(args, answered)?;
            }
        }
        Ok(())
    }

    /// Prints the last round trip.
    fn show(&self, args: &PingArgs, answered: Option<(Answer, Duration)>) -> Result<(), Failure> {
        let number = self.sent;
        if args.output.is_json() {
            let mut json = json!({ "type": "answer", "number": number });
            if let Some((answer, elapsed)) = answered {
                json["ms"] = ms(elapsed).into();
                match answer {
                    Answer::Code(code, _) => json["code"] = code.code().into(),
                    Answer::Bytes(bytes) => json["bytes"] = bytes.into(),
                }
            }
            return out::object(&json);
        }
        let text = match answered {
            Some((answer, elapsed)) => format!("{:>9.3} ms  {}", ms(elapsed), answer.text()),
            None => {
                let limit = humantime::format_duration(args.timeout);
                styled(BAD, format_args!("no answer within {limit}"))
            }
        };
        out::line(format_args!("{number} {text}"))
    }

    fn tell(&self, args: &PingArgs, connected: Duration) -> Result<(), Failure> {
        let (sent, answered) = (self.sent, self.figures.count());
        if args.output.is_json() {
            return out::object(&json!({
                "type": "summary",
                "address": args.target.address.to_string(),
                "connect_ms": ms(connected),
                "sent": sent,
                "answered": answered,
                "ms": self.figures.json(),
            }));
        }
        out::line(format_args!(
            "{sent} sent, {answered} answered, {} unanswered",
            sent - answered
        ))?;
        match answered {
            0 => Ok(()),
            _ => out::line(self.figures.text()),
        }
    }
}

/// What the peer answered.
enum Answer {
    /// A code, and the reason if there is one.
    Code(FastReply, Option<String>),
    /// A response, and the size of its payload.
    Bytes(usize),
}

impl Answer {
    fn of(reply: &Reply) -> Self {
        match reply {
            Reply::Fast(code) => Self::Code(*code, None),
            Reply::Response(response) => match response.refusal() {
                Some(refusal) => Self::Code(refusal.code, Some(refusal.reason.to_string())),
                None => Self::Bytes(response.payload().len()),
            },
        }
    }

    fn text(&self) -> String {
        let text = match self {
            Self::Code(code, _) => format!("code {code}"),
            Self::Bytes(bytes) => format!("response of {bytes} bytes"),
        };
        styled(FAINT, text)
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
