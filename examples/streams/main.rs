//! Streams: a live tail of typed items, statistics that answer while numbers still arrive, and
//! bytes through a program.
//!
//! Read `service.rs` first: what the two sides agree on. Then read the server's half of each method
//! in `tail.rs`, `statistics.rs` and `pipe.rs`, and the other half in `client.rs`; `tour.rs` shows
//! all of them.

use std::{
    env,
    ffi::OsString,
    fmt::Display,
    io::{self, Write},
    path::{Path, PathBuf},
};

use sockety::{error::chain, serve::BoxError};

use crate::{
    client::{Client, Task},
    service::Program,
};

mod client;
mod pipe;
mod replaced;
mod server;
mod service;
mod statistics;
mod tail;
mod tour;

const USAGE: &str = "\
Usage: streams                            all of it, server and client in one process
       streams server ADDRESS [FOLDER]    the server alone, such as on 127.0.0.1:9000; logs are in FOLDER or below it,
                                          else in the current one
       streams client ADDRESS tail PATH   prints the lines of a log, and those that are appended, until Ctrl-C
       streams client ADDRESS statistics  of the numbers on standard input, a line for each
       streams client ADDRESS PROGRAM     standard input through `sort`, `wc` or `tr` on the server";

#[tokio::main]
async fn main() {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let done = match Command::parse(&arguments) {
        Some(Command::Help) => {
            say(USAGE);
            Ok(())
        }
        Some(Command::Tour) => tour::run().await,
        Some(Command::Server(address, folder)) => server::run(&address, &folder).await,
        Some(Command::Client(address, task)) => run_client(&address, task).await,
        None => {
            complain(USAGE);
            std::process::exit(2);
        }
    };
    let code = match done {
        Ok(()) => 0,
        Err(error) => {
            complain(format_args!("streams: {}", chain(&*error)));
            1
        }
    };
    // Exit immediately: the runtime would wait for a pending read from a terminal, even if the
    // result is no longer needed.
    std::process::exit(code);
}

enum Command {
    Help,
    Tour,
    Server(String, PathBuf),
    Client(String, Task),
}

impl Command {
    fn parse(arguments: &[OsString]) -> Option<Self> {
        let arguments: Option<Vec<&str>> = arguments.iter().map(|word| word.to_str()).collect();
        Some(match arguments?[..] {
            [] => Self::Tour,
            ["--help" | "-h"] => Self::Help,
            ["server", address] => Self::Server(address.to_owned(), PathBuf::from(".")),
            ["server", address, folder] => Self::Server(address.to_owned(), PathBuf::from(folder)),
            ["client", address, ref task @ ..] => {
                Self::Client(address.to_owned(), parse_task(task)?)
            }
            _ => return None,
        })
    }
}

fn parse_task(words: &[&str]) -> Option<Task> {
    Some(match words {
        ["tail", path] => Task::Tail((*path).to_owned()),
        ["statistics"] => Task::Statistics,
        ["sort"] => Task::Pipe(Program::Sort),
        ["wc"] => Task::Pipe(Program::Wc),
        ["tr"] => Task::Pipe(Program::Tr),
        _ => return None,
    })
}

async fn run_client(address: &str, task: Task) -> Result<(), BoxError> {
    Client::connect(address).await?.run(task).await
}

/// Text of the repository itself.
fn readme() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")
}

/// Prints a line. Unlike with `println!`, it is not a panic if the reader has gone away (`| head`).
fn say(line: impl Display) {
    let _ = try_say(line);
}

fn try_say(line: impl Display) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

fn complain(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Text from a peer must not control the terminal.
fn printable(text: &str) -> String {
    text.replace('\t', "    ").replace(char::is_control, "·")
}
