//! A test service for every part of the protocol, and a client that checks it.
//!
//! The server can be written with any implementation of Sockety, and the client checks any of them.
//! Both use the dynamic layer directly: actions, payloads, files and streams. Read `server.rs`
//! first.
//!
//! # The service
//!
//! | Action | Takes | Answers |
//! | --- | --- | --- |
//! | `ping` | nothing | code 0 |
//! | `echo` | any MessagePack value | a response with the same bytes |
//! | `raw` | any payload, or none | a response with the same bytes, or without a payload |
//! | `code` | a MessagePack integer | that code; 4 if it is not one |
//! | `upload` | files | an array of `{name, size, sha256}`, in the order of the files |
//! | `download` | an array of `{name, size}` | a response with these files; byte i is i mod 251 |
//! | `stream-sum` | a stream | `{bytes, sha256}` |
//! | `stream-echo` | a stream | a response with a stream of the same bytes, as they arrive |
//! | `everything` | payload, files, stream | `{data, files, stream}`, see below |
//! | `note` | a MessagePack value | nothing: one-way; the server remembers the value |
//! | `notes` | nothing | an array of all values remembered, in order |
//! | `close` | nothing | code 0 if anything, and the connection is closed |
//! | `hold` | a number of milliseconds | code 0 after that time; reads nothing until then |
//! | `relay` | `{action, replies, answer, stream}` | an array of replies, see below |
//!
//! - `everything` answers for all its parts: `data` is `{bytes, sha256}` of the encoded payload,
//!   `files` is like the answer of `upload`, `stream` like that of `stream-sum`.
//! - `relay` sends a message with that action back over the connection, with a stream of that many
//!   bytes if `stream` is a number, and returns an array of `{code, data, files, stream, error}` for
//!   the first `replies` replies to it: each is a code, or a response whose parts are described as
//!   by `everything`. Without `stream`, no stream is sent; without replies, the call is abandoned
//!   immediately. Responses that expect a reply are answered with the code `answer`, if it is one.
//!   `error` says why a reply is missing, and is in the last entry.
//! - `sha256` is written in lower-case hexadecimal digits.
//! - A missing stream counts as an empty one, and missing files as no files.
//! - A payload that the action cannot accept is answered with code 4, and so is a missing payload
//!   where one is needed.
//! - Any other action is answered with code 2, whatever it carries.
//! - Parts that an action does not take are ignored.
//! - A one-way message is never answered.
//!
//! The server accepts payloads of 64 MiB with a million MessagePack values, 64 deep, actions of
//! 65,535 bytes, 1,024 files in a message, and offers 4,096 channels. With `--defaults`, it uses
//! Sockety's limits for untrusted peers. `--clocks 5` makes the clocks of connections run five
//! times as fast, for tests that wait for them.
//!
//! `client PORT --serve` is for tests of clients: it connects, serves the same actions on the
//! connection, and connects again when it has ended, until the server no longer listens.
#![allow(unreachable_pub, reason = "a program has no public items")]

use std::{
    env,
    error::Error,
    ffi::{OsStr, OsString},
    fmt::Display,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

mod checks;
mod client;
mod content;
mod digest;
mod server;
mod service;
mod tls;

use service::Profile;
use sockety::error::chain;
use tls::{Files, Tls};

const USAGE: &str = "\
Usage: interop server [--port N] [--tls CERTIFICATE KEY] [--defaults] [--clocks FACTOR] [--extension]
                                    serves on 127.0.0.1 and prints `PORT n`; without --port on a free port
       interop client PORT [--tls ROOTS] [--serve] [--defaults] [--clocks FACTOR] [--extension]
                                    checks the server on 127.0.0.1:PORT; exit code 1 when a check fails;
                                    with --serve it serves on the connections that it makes
       interop certificate CERTIFICATE KEY
                                    writes a certificate for 127.0.0.1, which is its own root, and its key

CERTIFICATE, KEY and ROOTS are PEM files. --defaults has the limits for unknown peers, --clocks clocks that run FACTOR
times as fast; --extension offers the extension to peers that have it.";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let done = match Command::parse(&arguments) {
        Some(Command::Help) => {
            say(USAGE);
            Ok(true)
        }
        Some(Command::Server(options)) => serve(options).await.map(|()| true),
        Some(Command::Client(options)) => check(options).await,
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
            complain(format_args!("interop: {}", chain(&*error)));
            ExitCode::FAILURE
        }
    }
}

enum Command {
    Help,
    Server(ServerOptions),
    Client(ClientOptions),
    Certificate(Files),
}

#[derive(Default)]
struct ServerOptions {
    /// 0 picks a free port.
    port: u16,
    tls: Option<Files>,
    profile: Profile,
}

struct ClientOptions {
    port: u16,
    /// The root certificates for TLS.
    roots: Option<PathBuf>,
    serves: bool,
    profile: Profile,
}

impl Command {
    fn parse(arguments: &[OsString]) -> Option<Self> {
        match arguments {
            [flag] if flag == "--help" || flag == "-h" => Some(Self::Help),
            [mode, options @ ..] if mode == "server" => {
                ServerOptions::parse(options).map(Self::Server)
            }
            [mode, port, options @ ..] if mode == "client" => {
                ClientOptions::parse(port, options).map(Self::Client)
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
                rest => options.profile.parse(rest)?,
            };
        }
    }
}

impl ClientOptions {
    fn parse(port: &OsStr, mut arguments: &[OsString]) -> Option<Self> {
        let mut options = Self {
            port: parse_port(port)?,
            roots: None,
            serves: false,
            profile: Profile::default(),
        };
        loop {
            arguments = match arguments {
                [] => return Some(options),
                [flag, roots, rest @ ..] if flag == "--tls" => {
                    options.roots = Some(roots.into());
                    rest
                }
                [flag, rest @ ..] if flag == "--serve" => {
                    options.serves = true;
                    rest
                }
                rest => options.profile.parse(rest)?,
            };
        }
    }
}

impl Profile {
    /// Removes the first option.
    fn parse<'a>(&mut self, arguments: &'a [OsString]) -> Option<&'a [OsString]> {
        match arguments {
            [flag, rest @ ..] if flag == "--defaults" => {
                self.has_defaults = true;
                Some(rest)
            }
            [flag, rest @ ..] if flag == "--extension" => {
                self.is_extended = true;
                Some(rest)
            }
            [flag, factor, rest @ ..] if flag == "--clocks" => {
                let factor = factor.to_str()?.parse().ok();
                self.clocks = factor.filter(|factor| (1..=1000).contains(factor))?;
                Some(rest)
            }
            _ => None,
        }
    }
}

fn parse_port(text: &OsStr) -> Option<u16> {
    text.to_str()?.parse().ok()
}

async fn serve(options: ServerOptions) -> Result<(), Box<dyn Error + Send + Sync>> {
    server::run(options.port, options.tls.as_ref(), &options.profile).await
}

async fn check(options: ClientOptions) -> Result<bool, Box<dyn Error + Send + Sync>> {
    let tls = options.roots.as_deref().map(Tls::trusting).transpose()?;
    if options.serves {
        server::run_on_client(options.port, tls, &options.profile).await;
        return Ok(true);
    }
    Ok(client::run(options.port, tls).await)
}

/// Prints a line immediately, even into a pipe. It is not a panic if the reader has gone away (`|
/// head`).
fn say(line: impl Display) {
    let mut out = io::stdout();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn complain(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
