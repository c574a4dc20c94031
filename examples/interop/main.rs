//! A test service for every part of the protocol, and a client that checks it.
//!
//! The server can be written with any implementation of Sockety, and the client checks any of them. Both are on the
//! dynamic layer: actions, payloads, files and streams as they are. Read `server.rs` first.
//!
//! # The service
//!
//! | Action | Takes | Answers |
//! | --- | --- | --- |
//! | `ping` | nothing | code 0 |
//! | `echo` | any MessagePack value | a response with the same bytes |
//! | `raw` | any payload, or none | a response with the same bytes, or without a payload |
//! | `code` | a MessagePack integer | that code; 4 when it is none |
//! | `upload` | files | an array of `{name, size, sha256}`, in the order of the files |
//! | `download` | an array of `{name, size}` | a response with these files; byte i of each is i mod 251 |
//! | `stream-sum` | a stream | `{bytes, sha256}` |
//! | `stream-echo` | a stream | a response with a stream of the same bytes, as they come |
//! | `everything` | payload, files, stream | `{data, files, stream}`, see below |
//! | `note` | a MessagePack value | nothing: one-way; the server remembers the value |
//! | `notes` | nothing | an array of all values remembered, in order |
//! | `close` | nothing | code 0 if anything, and the connection is closed |
//!
//! - `everything` answers for its parts: `data` is `{bytes, sha256}` of the payload as it stands on the wire, `files`
//!   is as the answer of `upload`, `stream` as that of `stream-sum`.
//! - `sha256` is written in lower-case hexadecimal digits.
//! - A stream that is not there counts as an empty one, and files that are not there as no files.
//! - A payload that is not what the action takes is answered with code 4, and so is none where one is needed.
//! - Any other action is answered with code 2, whatever it carries.
//! - What an action does not take is ignored.
//! - A one-way message is never answered.
//!
//! The server takes payloads of 64 MiB with a million MessagePack values, 64 deep, actions of 65,535 bytes, 1,024 files
//! in a message, and offers 4,096 channels.

use std::{
    env,
    error::Error,
    ffi::{OsStr, OsString},
    fmt::Display,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

mod checks;
mod client;
mod content;
mod digest;
mod server;
mod service;
mod tls;

use tls::{Files, Tls};

const USAGE: &str = "\
Usage: interop server [--port N] [--tls CERTIFICATE KEY]
                                    serves on 127.0.0.1 and prints `PORT n`; without --port on a free port
       interop client PORT [--tls ROOTS]
                                    checks the server on 127.0.0.1:PORT; exit code 1 when a check fails
       interop certificate CERTIFICATE KEY
                                    writes a certificate for 127.0.0.1, which is its own root, and its key

CERTIFICATE, KEY and ROOTS are PEM files.";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let done = match Command::parse(&arguments) {
        Some(Command::Help) => {
            say(USAGE);
            Ok(true)
        }
        Some(Command::Server(options)) => serve(options).await.map(|()| true),
        Some(Command::Client(port, roots)) => check(port, roots).await,
        Some(Command::Certificate(files)) => tls::make(&files).map(|()| true),
        None => {
            complain(USAGE);
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(format_args!("interop: {}", explain(&*error)));
            ExitCode::FAILURE
        }
    }
}

enum Command {
    Help,
    Server(ServerOptions),
    /// With the roots of TLS.
    Client(u16, Option<PathBuf>),
    Certificate(Files),
}

#[derive(Default)]
struct ServerOptions {
    /// 0 takes a free port.
    port: u16,
    tls: Option<Files>,
}

impl Command {
    fn parse(arguments: &[OsString]) -> Option<Self> {
        match arguments {
            [flag] if flag == "--help" || flag == "-h" => Some(Self::Help),
            [mode, options @ ..] if mode == "server" => {
                ServerOptions::parse(options).map(Self::Server)
            }
            [mode, port] if mode == "client" => {
                parse_port(port).map(|port| Self::Client(port, None))
            }
            [mode, port, flag, roots] if mode == "client" && flag == "--tls" => {
                parse_port(port).map(|port| Self::Client(port, Some(roots.into())))
            }
            [mode, certificate, key] if mode == "certificate" => {
                let (certificate, key) = (certificate.into(), key.into());
                Some(Self::Certificate(Files { certificate, key }))
            }
            _ => None,
        }
    }
}

impl ServerOptions {
    fn parse(mut arguments: &[OsString]) -> Option<Self> {
        let mut options = Self::default();
        loop {
            arguments = match arguments {
                [] => return Some(options),
                [flag, port, rest @ ..] if flag == "--port" => {
                    options.port = parse_port(port)?;
                    rest
                }
                [flag, certificate, key, rest @ ..] if flag == "--tls" => {
                    let (certificate, key) = (certificate.into(), key.into());
                    options.tls = Some(Files { certificate, key });
                    rest
                }
                _ => return None,
            };
        }
    }
}

fn parse_port(text: &OsStr) -> Option<u16> {
    text.to_str()?.parse().ok()
}

async fn serve(options: ServerOptions) -> Result<(), Box<dyn Error + Send + Sync>> {
    server::run(options.port, options.tls.as_ref()).await
}

async fn check(port: u16, roots: Option<PathBuf>) -> Result<bool, Box<dyn Error + Send + Sync>> {
    let tls = roots.as_deref().map(Path::new).map(Tls::trusting);
    Ok(client::run(port, tls.transpose()?).await)
}

/// Prints a line at once, also into a pipe. A reader that has gone away (`| head`) is no panic.
fn say(line: impl Display) {
    let mut out = io::stdout();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn complain(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// An error with its causes.
fn explain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}
