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

use clap::Parser;

use crate::{
    cli::{Cli, Command},
    exit::{Exit, Failure},
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.color.apply();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return end(Err(Failure::local(error.to_string()))),
    };
    let ended = runtime.block_on(run(cli.command));
    interrupt::shut_down(runtime);
    end(ended)
}

async fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Call(args) => call::run(args).await,
        Command::Pass(args) => pass::run(args).await,
        Command::Listen(args) => listen::run(args).await,
        Command::Describe(args) => describe::run(args).await,
        Command::Check(args) => check::run(args).await,
        Command::Typescript(args) => typescript::run(args).await,
        Command::Health(args) => health::run(args).await,
        Command::Ping(args) => ping::run(args).await,
        Command::Bench(args) => bench::run(args).await,
        Command::Fleet(args) => fleet::run(args).await,
        Command::Tap(args) => tap::run(args).await,
        Command::Decode(args) => decode::run(args).await,
        Command::Man { command } => cli::man(command.as_deref()),
        Command::Completions { shell } => cli::completions(shell),
    }
}

fn end(ended: Result<Exit, Failure>) -> ExitCode {
    match ended {
        Ok(exit) => exit.into(),
        Err(Failure::OutputClosed) => Exit::Done.into(),
        Err(Failure::Said(exit, text)) => {
            out::complain(&text);
            exit.into()
        }
    }
}
