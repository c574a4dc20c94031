//! A drop box: files and folders go to a server, which saves them. Both sides print a table of the
//! files, which must be the same.
//!
//! Read `service.rs` first: what the two sides agree on. Then read `client.rs` and `server.rs`.

use std::{
    env,
    error::Error,
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
};

use sockety::{Server, error::chain};

use crate::{client::Report, screen::Screen};

mod client;
mod hashing;
mod screen;
mod server;
mod service;
mod sources;

const USAGE: &str = "\
Usage: files [PATH…]                       server and client in one process
       files server [ADDRESS] [--into DIR]  the server alone; without DIR into a folder that it removes at its end
       files client ADDRESS [PATH…]         a client that sends files and folders to such a server

Without PATH the sources of the library are sent. A server without ADDRESS listens on 127.0.0.1:9000.
Exit codes: 0 all files arrived as they are, 1 some did not, 2 wrong arguments.";

#[tokio::main]
async fn main() -> ExitCode {
    let screen = Screen::default();
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let done = match Command::parse(&arguments) {
        Some(Command::Help) => {
            screen.say(USAGE);
            Ok(true)
        }
        Some(Command::Tour(paths)) => tour(&paths, &screen).await,
        Some(Command::Server(address, into)) => serve(&address, into, &screen).await,
        Some(Command::Client(address, paths)) => send(&address, &paths, &screen).await,
        None => {
            screen.complain(USAGE);
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            screen.complain(format_args!("files: {}", chain(&*error)));
            ExitCode::FAILURE
        }
    }
}

enum Command {
    Help,
    Tour(Vec<PathBuf>),
    Server(String, Option<PathBuf>),
    Client(String, Vec<PathBuf>),
}

impl Command {
    fn parse(arguments: &[OsString]) -> Option<Self> {
        match arguments {
            [flag] if flag == "--help" || flag == "-h" => Some(Self::Help),
            [mode, rest @ ..] if mode == "server" => Self::parse_server(rest),
            [mode, address, paths @ ..] if mode == "client" => {
                Some(Self::Client(address.to_str()?.to_owned(), paths_of(paths)?))
            }
            [mode] if mode == "client" => None,
            paths => Some(Self::Tour(paths_of(paths)?)),
        }
    }

    fn parse_server(arguments: &[OsString]) -> Option<Self> {
        let (mut address, mut into) = (None, None);
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            if argument == "--into" && into.is_none() {
                into = Some(PathBuf::from(arguments.next()?));
            } else if address.is_none() && !is_flag(argument) {
                address = Some(argument.to_str()?.to_owned());
            } else {
                return None;
            }
        }
        Some(Self::Server(
            address.unwrap_or_else(|| "127.0.0.1:9000".to_owned()),
            into,
        ))
    }
}

/// Write a path that begins with a hyphen as `./-…`.
fn is_flag(argument: &OsString) -> bool {
    argument.to_string_lossy().starts_with('-')
}

fn paths_of(arguments: &[OsString]) -> Option<Vec<PathBuf>> {
    if arguments.iter().any(is_flag) {
        return None;
    }
    if arguments.is_empty() {
        return Some(vec![
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../sockety/src"),
        ]);
    }
    Some(arguments.iter().map(PathBuf::from).collect())
}

/// Server and client in one process. They communicate over TCP.
async fn tour(paths: &[PathBuf], screen: &Screen) -> Result<bool, Box<dyn Error>> {
    // Removed when dropped, whatever happens in between.
    let folder = tempfile::tempdir()?;
    let server = Server::bind("127.0.0.1:0").await?;
    let address = server.local_addr()?.to_string();
    let handle = server.handle();
    let serving = tokio::spawn(server.serve(server::service(folder.path(), screen)));

    // The receiver prints its table too; one is enough here.
    let report = client::run(&address, paths, screen).await;

    handle.stop();
    serving.await??;
    folder.close()?;
    Ok(conclude(&report?, screen))
}

async fn serve(
    address: &str,
    into: Option<PathBuf>,
    screen: &Screen,
) -> Result<bool, Box<dyn Error>> {
    match into {
        Some(folder) => {
            tokio::fs::create_dir_all(&folder)
                .await
                .map_err(|error| format!("{}: {}", folder.display(), chain(&error)))?;
            server::run(address, &folder, screen).await?;
        }
        None => {
            let folder = tempfile::tempdir()?;
            server::run(address, folder.path(), screen).await?;
            folder.close()?;
        }
    }
    Ok(true)
}

async fn send(address: &str, paths: &[PathBuf], screen: &Screen) -> Result<bool, Box<dyn Error>> {
    let report = client::run(address, paths, screen).await?;
    for entry in &report.sent {
        screen.say(entry);
    }
    Ok(conclude(&report, screen))
}

/// Prints a summary, and returns whether everything went well.
fn conclude(report: &Report, screen: &Screen) -> bool {
    screen.say(report);
    match (report.is_equal(), report.failed) {
        (true, 0) => screen.say("The tables of sender and receiver are equal."),
        (true, failed) => screen.complain(format_args!("Files that were not saved: {failed}.")),
        (false, _) => screen.complain("The tables of sender and receiver DIFFER."),
    }
    report.is_equal() && report.failed == 0
}
