//! A text index with a server and a client, which call each other over one connection.
//!
//! Read `service.rs` first: what the two sides ask of each other. Then read `server.rs` and
//! `client.rs`.

use std::{
    env,
    error::Error,
    ffi::OsString,
    fmt::Display,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use sockety::{Server, error::chain};

mod client;
mod index;
mod server;
mod service;

const USAGE: &str = "\
Usage: quickstart                       server and client in one process, on texts of the repository
       quickstart server ADDRESS        the server alone, such as on 127.0.0.1:9000
       quickstart client ADDRESS FILE…  a client that sends files to such a server, and asks about them";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let done = match Command::parse(&arguments) {
        Some(Command::Help) => {
            say(USAGE);
            Ok(true)
        }
        Some(Command::Tour) => tour().await,
        Some(Command::Server(address)) => server::run(&address).await.map(|()| true),
        Some(Command::Client(address, files)) => client::run(&address, &sources(&files)).await,
        None => {
            complain(USAGE);
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(format_args!("quickstart: {}", chain(&*error)));
            ExitCode::FAILURE
        }
    }
}

enum Command {
    Help,
    Tour,
    Server(String),
    Client(String, Vec<PathBuf>),
}

impl Command {
    fn parse(arguments: &[OsString]) -> Option<Self> {
        match arguments {
            [] => Some(Self::Tour),
            [flag] if flag == "--help" || flag == "-h" => Some(Self::Help),
            [mode, address] if mode == "server" => Some(Self::Server(address.to_str()?.to_owned())),
            [mode, address, files @ ..] if mode == "client" && !files.is_empty() => {
                let files = files.iter().map(PathBuf::from).collect();
                Some(Self::Client(address.to_str()?.to_owned(), files))
            }
            _ => None,
        }
    }
}

/// Server and client in one process. They communicate over TCP.
async fn tour() -> Result<bool, Box<dyn Error>> {
    let server = Server::bind("127.0.0.1:0").await?;
    let address = server.local_addr()?;
    let handle = server.handle();
    let serving = tokio::spawn(server.serve(server::service()));

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let sources = ["README.md", "LICENSE-MIT"].map(|name| client::Source {
        name: name.to_owned(),
        path: root.join(name),
    });
    let done = client::run(&address.to_string(), &sources).await;

    handle.stop();
    serving.await??;
    done
}

fn sources(files: &[PathBuf]) -> Vec<client::Source> {
    let source = |path: &PathBuf| client::Source {
        name: path.display().to_string(),
        path: path.clone(),
    };
    files.iter().map(source).collect()
}

/// Prints a line. Unlike with `println!`, it is not a panic if the reader has gone away (`| head`).
fn say(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

fn say_part(text: impl Display) {
    let _ = write!(io::stdout(), "{text}").and_then(|()| io::stdout().flush());
}

fn complain(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Text from files must not control the terminal.
fn printable(text: &str) -> String {
    text.replace('\t', "    ").replace(char::is_control, "·")
}
