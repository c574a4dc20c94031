//! The command line of Sockety; `sockety --help` lists the commands.
#![expect(
    unreachable_pub,
    unnameable_types,
    reason = "a program has no public items"
)]

mod bench;
mod call;
mod check;
mod cli;
mod decode;
mod describe;
mod exit;
mod extension;
mod figures;
mod first;
mod fleet;
mod health;
mod interrupt;
mod items;
mod listen;
mod metadata;
mod out;
mod packets;
mod pass;
mod payload;
mod pcap;
mod ping;
mod printing;
mod progress;
mod received;
mod saving;
mod schema;
mod serving;
mod shown;
mod streams;
mod tap;
mod target;
mod tls;
mod typed;
mod types;
mod typescript;
mod value;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use crate::{
    cli::{Cli, Command},
    exit::{Exit, Failure},
    shown::escaped,
};

fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let is_json = out::is_json(&matches);
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    cli.color.apply();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return end(Err(Failure::local(error.to_string())), is_json),
    };
    let ended = runtime.block_on(run(cli.command));
    interrupt::shut_down(runtime);
    end(ended, is_json)
}

async fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Call(args) => call::run(args).await,
        Command::Pass(args) => pass::run(args).await,
        Command::Listen(args) => listen::run(args).await,
        Command::Describe(args) => describe::run(args).await,
        Command::Check(args) => check::run(args).await,
        Command::Typescript(args) => typescript::run(args).await,
        Command::Health(args) => {
            let asked = health::run(args).await;
            asked.map_err(|failure| failure.of("$sockety.health"))
        }
        Command::Ping(args) => ping::run(args).await,
        Command::Bench(args) => bench::run(args).await,
        Command::Fleet(args) => fleet::run(args).await,
        Command::Tap(args) => tap::run(args).await,
        Command::Decode(args) => decode::run(args).await,
        Command::Man { command } => cli::man(command.as_deref()),
        Command::Completions { shell } => cli::completions(shell),
    }
}

fn end(ended: Result<Exit, Failure>, is_json: bool) -> ExitCode {
    match ended {
        Ok(exit) => exit.into(),
        Err(Failure::OutputClosed) => Exit::Done.into(),
        Err(Failure::Said(said)) => {
            if is_json {
                // The text below says the same, whatever becomes of the output.
                let _ = out::object(&said.json());
            }
            out::complain(&escaped(said.text()));
            said.exit().into()
        }
    }
}
