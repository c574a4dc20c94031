use std::time::Duration;

use clap::Args;
use serde_json::json;
use sockety::{
    CallError, Outcome,
    error::NoError,
    health::{self, HealthStatus},
};
use tokio::time::timeout;

use crate::{
    exit::{Exit, Failure, exit_of, explain},
    out::{self, BAD, GOOD, OutputArgs, WARN, styled},
    target::{Target, some_duration},
};

/// Arguments of `health`: asks a peer whether it is serving.
#[derive(Debug, Args)]
pub struct HealthArgs {
    #[command(flatten)]
    target: Target,
    /// Ask for this service, by the name of its trait, and not for the whole server
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    service: String,
    /// Longest time for all of it: connecting and the answer
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = some_duration)]
    timeout: Duration,
    #[command(flatten)]
    output: OutputArgs,
}

/// Prints one line, and says the same with the exit code.
pub async fn run(args: HealthArgs) -> Result<Exit, Failure> {
    let connect = async { args.target.connect().await };
    let limit = humantime::format_duration(args.timeout);
    let late = |outcome: Outcome, problem: &str| {
        let text = format!("{}: {problem} within {limit}", args.target.naming("health"));
        Failure::new(exit_of(outcome), text).outcome(outcome)
    };
    let begun = tokio::time::Instant::now();
    let connected = timeout(args.timeout, connect).await;
    let connection = connected.map_err(|_| late(Outcome::NotSent, "no connection"))??;
    let asked = health::check_service(&connection, &args.service);
    let left = args.timeout.saturating_sub(begun.elapsed());
    let asked = timeout(left, asked).await;
    let asked = asked.map_err(|_| late(Outcome::Unknown, "no answer"))?;
    let status = asked.map_err(|error| args.failure(&error))?;
    args.show(status)?;
    // In order, if the peer has the time for it.
    let left = args.timeout.saturating_sub(begun.elapsed());
    let _ = timeout(left, connection.close()).await;
    Ok(match status {
        HealthStatus::Serving => Exit::Done,
        HealthStatus::NotServing | HealthStatus::UnknownService => Exit::Refused,
    })
}

impl HealthArgs {
    fn show(&self, status: HealthStatus) -> Result<(), Failure> {
        let (style, text, status) = match status {
            HealthStatus::Serving => (GOOD, "serving", "serving"),
            HealthStatus::NotServing => (BAD, "not serving", "not_serving"),
            HealthStatus::UnknownService => (WARN, "unknown service", "unknown_service"),
        };
        if !self.output.is_json() {
            return out::line(styled(style, text));
        }
        let mut json = json!({ "type": "health", "status": status });
        if !self.service.is_empty() {
            json["service"] = self.service.as_str().into();
        }
        out::object(&json)
    }

    fn failure(&self, error: &CallError<NoError>) -> Failure {
        let what = self.target.naming("health");
        let (text, outcome) = (explain(error), error.outcome());
        match error {
            CallError::Refused { code, reason, .. } => {
                self.target.refused("health", *code, reason.as_deref())
            }
            // A code of its own.
            CallError::Remote { .. } => {
                Failure::new(Exit::Refused, format!("{what}: {text}")).outcome(outcome)
            }
            _ => {
                let text = format!("{what}: {text} ({outcome})");
                Failure::new(exit_of(outcome), text).outcome(outcome)
            }
        }
    }
}
