//! A chat in the terminal: one server, any number of clients. It also works with the server and the
//! clients of the TypeScript chat.
//!
//! Read `service.rs` first: what the two sides ask of each other. Then read `server.rs` with
//! `room.rs`, and `client.rs` with `terminal.rs` and `text.rs`.

use std::{
    env,
    ffi::OsString,
    fmt::Display,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use sockety::{error::chain, serve::BoxError};

mod client;
mod room;
mod server;
mod service;
mod terminal;
#[cfg(test)]
mod tests;
mod text;

const USAGE: &str = "\
Usage: chat server [ADDRESS]
       chat client [ADDRESS] [--history FILE]

The address is 127.0.0.1:9000 unless another is given. A client whose input or output is no terminal
reads lines and writes lines.";

const ADDRESS: &str = "127.0.0.1:9000";

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Mode::parse(env::args_os().skip(1)) {
        Some(Mode::Help) => {
            say(USAGE);
            Ok(())
        }
        Some(Mode::Server(address)) => server::run(&address).await,
        Some(Mode::Client(address, history)) => chat(address, history).await,
        None => {
            complain(USAGE);
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("chat: {}", chain(&*error)));
            ExitCode::FAILURE
        }
    }
}

async fn chat(address: String, history: Option<PathBuf>) -> Result<(), BoxError> {
    client::run(address, terminal::desk(history)?).await
}

enum Mode {
    Help,
    Server(String),
    Client(String, Option<PathBuf>),
}

impl Mode {
    fn parse(mut arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let mode = arguments.next()?;
        let (mut address, mut history) = (None, None);
        while let Some(argument) = arguments.next() {
            if argument == "--history" {
                history = Some(PathBuf::from(arguments.next()?));
            } else if address.is_none() {
                address = Some(argument.into_string().ok()?);
            } else {
                return None;
            }
        }
        let address = address.unwrap_or_else(|| ADDRESS.into());
        match mode.to_str()? {
            "--help" | "-h" => Some(Self::Help),
            "server" if history.is_none() => Some(Self::Server(address)),
            "client" => Some(Self::Client(address, history)),
            _ => None,
        }
    }
}

/// Prints a line. Unlike with `println!`, it is not a panic if the reader has gone away (`| head`).
fn say(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

fn complain(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
