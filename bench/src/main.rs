//! Measures Sockety, its peers, and the limits of the machine. See the README.

mod calls;
mod client;
mod clock;
mod comparison;
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
mod page;
mod payloads;
mod plan;
mod plots;
mod process;
mod report;
mod results;
mod runner;
mod server;
mod shown;
mod tls;
mod workload;

use std::{fs, path::PathBuf};

use clap::Parser;

/// Any error: a benchmark reports it and goes on with the next.
type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Parser)]
#[command(about)]
enum Command {
    /// Measures, and writes a table and its figures.
    Run(runner::Arguments),
    /// Writes the benchmarks of the guide, with plots, from the figures of a run.
    Publish {
        /// What a run wrote.
        #[arg(default_value = "target/results/figures.json")]
        figures: PathBuf,
        /// The pages of the guide.
        #[arg(long, default_value = "../docs/src")]
        guide: PathBuf,
    },
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
        Command::Publish { figures, guide } => {
            page::write(&serde_json::from_slice(&fs::read(figures)?)?, &guide)
        }
        Command::Client { plan } => client::run(&serde_json::from_str(&plan)?),
        Command::Server { plan } => server::run(&serde_json::from_str(&plan)?),
    }
}
