use std::time::Duration;

use clap::Args;
use futures_util::future::join_all;
use serde_json::{Value as Json, json};
use sockety::{
    Connection, Options,
    fleet::{Eject, EndpointState, EndpointStatus, Fleet, Retry},
    health,
};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    exit::{Exit, Failure, explain},
    first::FirstArgs,
    interrupt::interrupted,
    out::{self, BAD, FAINT, GOOD, OutputArgs, WARN, styled},
    shown::{cut, escaped},
    target::some_duration,
    tls::ClientTls,
};

/// Arguments of `fleet`: connects to the servers of a fleet, and lists them.
#[derive(Debug, Args)]
pub struct FleetArgs {
    /// Addresses of servers, separated by commas, or dns://NAME:PORT
    #[arg(value_name = "TARGET")]
    fleet: String,
    #[command(flatten)]
    tls: ClientTls,
    /// Longest time to connect to each, including TLS and the handshake, and for the first message
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = some_duration)]
    connect_timeout: Duration,
    #[command(flatten)]
    first: FirstArgs,
    /// Print the list once, when each server is connected or has failed, instead of each second
    ///
    /// It is printed once in any case if the output is JSON or goes elsewhere than to a terminal.
    #[arg(long)]
    once: bool,
    /// Longest wait before the list is printed once
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = some_duration)]
    timeout: Duration,
    #[command(flatten)]
    output: OutputArgs,
}

const SECOND: Duration = Duration::from_secs(1);

/// How often it looks whether something has changed.
const STEP: Duration = Duration::from_millis(50);

/// Questions at a time.
const MOST_QUESTIONS: usize = 256;

/// The size limit of the payload of the first message, in bytes.
const MOST_FIRST: u64 = 4 << 20;

/// Lists the servers of a fleet; it fails if none is ready.
pub async fn run(args: FleetArgs) -> Result<Exit, Failure> {
    let fleet = args.fleet()?;
    let is_once = args.once || args.output.is_json() || !out::is_terminal();
    let ended = match is_once {
        true => args.once(&fleet).await,
        false => args.live(&fleet).await,
    };
    let is_ready = fleet.is_ready();
    fleet.shutdown(SECOND).await;
    ended?;
    Ok(if is_ready { Exit::Done } else { Exit::NotSent })
}

impl FleetArgs {
    fn fleet(&self) -> Result<Fleet<Connection>, Failure> {
        let limit = self.connect_timeout;
        let options = Options::default()
            .connect_timeout(limit)
            .handshake_timeout(limit)
            .call_timeout(None);
        let mut fleet = Fleet::<Connection>::of(&self.fleet)
            .options(options)
            .retry(Retry::none())
            .eject(Eject::off());
        if self.tls.is_wanted() {
            fleet = fleet.tls(self.tls.client()?);
        }
        if let Some(first) = self.first.read(MOST_FIRST)? {
            let target = self.fleet.clone();
            fleet = fleet.on_connect(move |connection: Connection| {
                let (first, target) = (first.clone(), target.clone());
                async move {
                    let peer = connection.peer_addr().map_or(target, |it| it.to_string());
                    let sent = first.send(&connection, &peer, limit).await;
                    sent.map_err(Failure::into_text)
                }
            });
        }
        fleet
            .lazy()
            .map_err(|error| Failure::usage(explain(&error)))
    }

    /// Prints the list when there is something to say about each server.
    async fn once(&self, fleet: &Fleet<Connection>) -> Result<(), Failure> {
        let settled = async {
            while !is_settled(fleet) {
                sleep(STEP).await;
            }
            // Fleets notice latencies each second.
            let end = Instant::now() + 3 * SECOND;
            while !is_measured(fleet) && Instant::now() < end {
                ask(fleet).await;
                sleep(STEP).await;
            }
        };
        tokio::select! {
            _ = timeout(self.timeout, settled) => {}
            () = interrupted() => {}
        }
        if !self.output.is_json() {
            return out::line(text(fleet));
        }
        fleet
            .endpoints()
            .iter()
            .try_for_each(|it| out::object(&json(it)))
    }

    /// Prints the list each second, over the one before.
    async fn live(&self, fleet: &Fleet<Connection>) -> Result<(), Failure> {
        let interrupted = interrupted();
        tokio::pin!(interrupted);
        loop {
            // Not through the styles, which remove it if no colours are wanted.
            out::raw(b"\x1b[H\x1b[J")?;
            out::line(text(fleet))?;
            let second = async { tokio::join!(sleep(SECOND), ask(fleet)) };
            tokio::select! {
                _ = second => {}
                () = &mut interrupted => return Ok(()),
            }
        }
    }
}

/// Whether each server is connected, or has failed once.
fn is_settled(fleet: &Fleet<Connection>) -> bool {
    let endpoints = fleet.endpoints();
    let is_begun = |it: &EndpointStatus| {
        let is_open = !matches!(it.state, EndpointState::Connecting | EndpointState::Waiting);
        is_open || it.error.is_some()
    };
    !endpoints.is_empty() && endpoints.iter().all(is_begun)
}

/// Whether each server that is ready has a latency.
fn is_measured(fleet: &Fleet<Connection>) -> bool {
    let endpoints = fleet.endpoints();
    let mut ready = endpoints.iter().filter(|it| is_ready(it));
    ready.all(|it| it.latency.is_some())
}

fn is_ready(endpoint: &EndpointStatus) -> bool {
    endpoint.state == EndpointState::Ready
}

/// Asks the servers whether they serve, so that there are latencies. Any answer will do.
async fn ask(fleet: &Fleet<Connection>) {
    let ready = fleet.endpoints().iter().filter(|it| is_ready(it)).count();
    let client = fleet.client();
    // Not `Connection::send`, whose replies may be taken long after they have come, so that they are no samples.
    let questions = (0..(2 * ready).min(MOST_QUESTIONS)).map(|_| health::check(&client));
    let _ = timeout(SECOND, join_all(questions)).await;
}

/// The table, with a line about all of it.
fn text(fleet: &Fleet<Connection>) -> String {
    let endpoints = fleet.endpoints();
    let ready = endpoints.iter().filter(|it| is_ready(it)).count();
    let mut text = table(&endpoints);
    text += &styled(
        FAINT,
        format_args!("{ready} of {} servers are ready", endpoints.len()),
    );
    if let Some(error) = fleet.discover_error() {
        let error = escaped(&explain(&error));
        text += &format!("\n{}", styled(WARN, error));
    }
    text
}

const HEAD: [&str; 9] = [
    "KEY", "ADDRESS", "STATE", "CONN", "CALLS", "LATENCY", "WEIGHT", "ZONE", "ERROR",
];

/// The column of states, which are coloured.
const STATE: usize = 2;

fn table(endpoints: &[EndpointStatus]) -> String {
    let rows: Vec<_> = endpoints.iter().map(row).collect();
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|column| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([HEAD[column].len()]).max().unwrap_or_default()
        })
        .collect();
    let mut text = line(&HEAD.map(str::to_owned), &widths, FAINT.into()) + "\n";
    for (row, endpoint) in rows.iter().zip(endpoints) {
        let style = match endpoint.state {
            EndpointState::Ready => GOOD,
            EndpointState::Ejected | EndpointState::NotServing => BAD,
            EndpointState::Unused => FAINT,
            _ => WARN,
        };
        text += &line(row, &widths, Style::State(style));
        text += "\n";
    }
    text
}

/// What of a line has a style.
enum Style {
    All(anstyle::Style),
    State(anstyle::Style),
}

impl From<anstyle::Style> for Style {
    fn from(style: anstyle::Style) -> Self {
        Self::All(style)
    }
}

fn line(cells: &[String; 9], widths: &[usize], style: Style) -> String {
    let padded = cells.iter().zip(widths).enumerate();
    let cells: Vec<_> = padded
        .map(|(column, (cell, width))| {
            let cell = format!("{cell:width$}");
            match style {
                Style::State(style) if column == STATE => styled(style, cell),
                _ => cell,
            }
        })
        .collect();
    let line = cells.join("  ");
    match style {
        Style::All(style) => styled(style, line.trim_end()),
        Style::State(_) => line.trim_end().to_owned(),
    }
}

fn row(status: &EndpointStatus) -> [String; 9] {
    const LONGEST: usize = 64;
    let short = |text: &str| {
        let (start, more) = cut(text, LONGEST);
        escaped(start) + more
    };
    let endpoint = &status.endpoint;
    let none = || "-".to_owned();
    [
        short(endpoint.key()),
        short(&endpoint.address().to_string()),
        status.state.to_string(),
        status.connections.to_string(),
        status.in_flight.to_string(),
        status
            .latency
            .map_or_else(none, |it| format!("{:.3} ms", ms(it))),
        endpoint.weight().to_string(),
        endpoint.zone().map_or_else(none, short),
        status
            .error
            .as_ref()
            .map_or_else(none, |it| escaped(&explain(&**it))),
    ]
}

fn json(status: &EndpointStatus) -> Json {
    let endpoint = &status.endpoint;
    let mut json = json!({
        "type": "endpoint",
        "key": &**endpoint.key(),
        "address": endpoint.address().to_string(),
        "state": status.state.to_string().replace(' ', "_"),
        "connections": status.connections,
        "in_flight": status.in_flight,
        "weight": endpoint.weight(),
    });
    if let Some(latency) = status.latency {
        json["latency_ms"] = ms(latency).into();
    }
    if let Some(zone) = endpoint.zone() {
        json["zone"] = zone.into();
    }
    if let Some(error) = &status.error {
        json["error"] = explain(&**error).into();
    }
    json
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
