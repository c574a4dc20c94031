//! The client as a program.

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

use sockety::error::chain;
use sockety_shared_client::{Command, run};

const USAGE: &str = "\
Usage: sockety-shared-client ADDRESS NAME get KEY
       sockety-shared-client ADDRESS NAME put KEY VALUE
       sockety-shared-client ADDRESS NAME load FILE
       sockety-shared-client ADDRESS NAME dump
       sockety-shared-client ADDRESS NAME watch PREFIX COUNT";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some((address, name, command)) = parse(&arguments) else {
        let _ = writeln!(io::stderr(), "{USAGE}");
        return ExitCode::from(2);
    };
    let say = |line| {
        let _ = writeln!(io::stdout(), "{line}");
    };
    match run(address, name, command, say).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: &[String]) -> Option<(&str, &str, Command)> {
    let [address, name, command @ ..] = arguments else {
        return None;
    };
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let command = match command[..] {
        ["get", key] => Command::Get { key: key.into() },
        ["put", key, value] => Command::Put {
            key: key.into(),
            value: value.into(),
        },
        ["load", path] => Command::Load { path: path.into() },
        ["dump"] => Command::Dump,
        ["watch", prefix, changes] => Command::Watch {
            prefix: prefix.into(),
            changes: changes.parse().ok()?,
        },
        _ => return None,
    };
    Some((address, name, command))
}
