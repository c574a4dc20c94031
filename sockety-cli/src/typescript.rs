use std::{path::PathBuf, time::Duration};

use clap::Args;

use crate::{
    describe::{self, ask},
    exit::{Exit, Failure, explain},
    out,
    target::{Target, duration},
};

/// Arguments of `typescript`: writes TypeScript for the services of a peer.
#[derive(Debug, Args)]
pub struct TypescriptArgs {
    #[command(flatten)]
    target: Target,
    /// Write to FILE instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Longest wait for the answer
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    timeout: Duration,
}

/// Writes types, a client and handlers for the services of a peer.
pub async fn run(args: TypescriptArgs) -> Result<Exit, Failure> {
    let peer = args.target.address.to_string();
    let services = ask(&args.target, args.timeout).await?;
    let schema = describe::schema(&services).map_err(|failure| failure.about(&peer))?;
    let text = sockety_typescript::typescript(&schema)
        .map_err(|error| Failure::new(Exit::Refused, explain(&error)).about(&peer))?;
    match &args.out {
        None => out::raw(text.as_bytes())?,
        Some(path) => std::fs::write(path, text)
            .map_err(|error| Failure::local(format!("cannot write {}: {error}", path.display())))?,
    }
    Ok(Exit::Done)
}
