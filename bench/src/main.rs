//! Measures Sockety beside its peers, and beside what the machine allows at most. See the README.

mod calls;
mod client;
mod clock;
mod contender;
mod contenders;
mod control;
mod figures;
mod goals;
mod link;
mod load;
mod machine;
mod measurement;
mod outcome;
mod payloads;
mod plan;
mod process;
mod report;
mod runner;
mod server;
mod tls;
mod workload;

use clap::Parser;

/// Any error: a benchmark reports it and goes on with the next.
type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Parser)]
#[command(about)]
enum Command {
    /// Measures, and writes a table and its figures.
    Run(runner::Arguments),
    /// The calling process of one measurement; `run` starts it.
    #[command(hide = true)]
    Client { plan: String },
    /// The serving process of one measurement; its client starts it.
    #[command(hide = true)]
    Server { plan: String },
}

fn main() -> Result<()> {
    match Command::parse() {
        Command::Run(arguments) => runner::run(&arguments),
        Command::Client { plan } => client::run(&serde_json::from_str(&plan)?),
        Command::Server { plan } => server::run(&serde_json::from_str(&plan)?),
    }
}
