use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use sockety_typescript::{BigInts, Generator};

use crate::{
    describe::{self, ask},
    exit::{Exit, Failure, explain},
    out,
    target::{Target, some_duration},
};

/// Arguments of `typescript`: writes TypeScript for the services of a peer.
#[derive(Debug, Args)]
pub struct TypescriptArgs {
    #[command(flatten)]
    target: Target,
    /// Write to FILE instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What integers of 64 bits are: bigint beyond 2^53, or always
    #[arg(long, value_name = "WHEN", default_value = "large")]
    bigint: When,
    /// Longest wait for the answer
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = some_duration)]
    timeout: Duration,
}

/// When integers of 64 bits are a `bigint`.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum When {
    Large,
    Always,
}

/// Writes types, a client and handlers for the services of a peer.
pub async fn run(args: TypescriptArgs) -> Result<Exit, Failure> {
    let peer = args.target.address.to_string();
    let services = ask(&args.target, args.timeout).await?;
    let schema = describe::schema(&services).map_err(|failure| failure.about(&peer))?;
    let bigints = match args.bigint {
        When::Large => BigInts::Large,
        When::Always => BigInts::Always,
    };
    let text = Generator::new()
        .bigints(bigints)
        .typescript(&schema)
        .map_err(|error| Failure::new(Exit::Refused, explain(&error)).about(&peer))?;
    match &args.out {
        None => out::raw(text.as_bytes())?,
        Some(path) => std::fs::write(path, text)
            .map_err(|error| Failure::local(format!("cannot write {}: {error}", path.display())))?,
    }
    Ok(Exit::Done)
}
