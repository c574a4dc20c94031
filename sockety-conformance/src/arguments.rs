//! The command line.

use std::{error::Error, path::PathBuf, time::Duration};

use clap::{ArgGroup, Parser};
use tokio::net::TcpListener;

use crate::{
    case::{Id, parse_section},
    target::{Target, tls},
};

/// Checks an endpoint of the Sockety protocol, rule by rule.
///
/// The endpoint must serve the actions of the `interop` example; see the README. Exit code 0: all
/// cases passed; 1: some failed; 2: the arguments are invalid, or the endpoint cannot be reached.
#[derive(Parser)]
#[command(version, group = ArgGroup::new("target").args(["server", "client", "client_command", "list"]).required(true))]
pub struct Arguments {
    /// The server to check, as `host:port`.
    pub server: Option<String>,
    /// Checks a client: the suite listens on this port of 127.0.0.1 (0: a free one) and prints
    /// `PORT n`. The client must connect, and connect again whenever its connection has ended.
    #[arg(long, value_name = "PORT")]
    client: Option<u16>,
    /// Checks a client that the suite starts for each case. `{port}` in the command is replaced by
    /// the port to connect to.
    #[arg(long, value_name = "COMMAND")]
    client_command: Option<String>,
    /// Uses TLS: a PEM file with the trusted roots or, when checking a client, the suite's
    /// certificate.
    #[arg(long, value_name = "PEM")]
    tls: Option<PathBuf>,
    /// The key of the certificate, when checking a client.
    #[arg(long, value_name = "PEM", requires = "tls")]
    key: Option<PathBuf>,
    /// Counts recommendations that are not followed as failures instead of warnings.
    #[arg(long)]
    pub strict: bool,
    /// Runs only the cases of this section. May be repeated.
    #[arg(long, value_name = "N", value_parser = parse_section)]
    section: Vec<u32>,
    /// Runs only this case, such as 5/17. May be repeated.
    #[arg(long, value_name = "ID")]
    case: Vec<Id>,
    /// Lists the cases instead of running them.
    #[arg(long)]
    pub list: bool,
    /// The limit of each wait of a case, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = seconds)]
    timeout: f64,
    /// Runs the slow cases too. The clocks of the target run this many times faster than the
    /// defaults; 1 for the defaults.
    #[arg(long, value_name = "FACTOR", value_parser = factor)]
    pub clocks: Option<f64>,
    /// The process of the target on this machine, for checks of its memory.
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,
    /// Writes each byte separately, if possible in separate segments, except in large writes.
    #[arg(long)]
    pub bytewise: bool,
    /// How many cases run at the same time.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = jobs)]
    pub jobs: usize,
    /// Also writes the report to this file, as JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

impl Arguments {
    /// Whether a case is selected. By default, all are.
    pub fn chooses(&self, id: Id) -> bool {
        let is_all = self.section.is_empty() && self.case.is_empty();
        is_all || self.section.contains(&id.section) || self.case.contains(&id)
    }

    pub fn timeout(&self) -> Duration {
        Duration::from_secs_f64(self.timeout)
    }

    pub async fn target(&self) -> Result<Target, Box<dyn Error>> {
        if let Some(address) = &self.server {
            return self.server_at(address);
        }
        let tls = match (&self.tls, &self.key) {
            (Some(certificate), Some(key)) => Some(tls::acceptor(certificate, key)?),
            (Some(_), None) => return Err("checking a client over TLS requires --key".into()),
            (None, _) => None,
        };
        if let Some(command) = &self.client_command {
            let words = shlex::split(command).filter(|words| !words.is_empty());
            let words = words.ok_or("invalid command: empty or with an unclosed quote")?;
            return Ok(Target::Command { words, tls });
        }
        let listener = TcpListener::bind(("127.0.0.1", self.client.unwrap_or(0))).await?;
        Ok(Target::Client { listener, tls })
    }

    fn server_at(&self, address: &str) -> Result<Target, Box<dyn Error>> {
        let (host, _) = address
            .rsplit_once(':')
            .ok_or("invalid address: expected host:port")?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let tls = self
            .tls
            .as_ref()
            .map(|roots| tls::connector(roots, host))
            .transpose()?;
        let address = address.to_owned();
        Ok(Target::Server { address, tls })
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    in_range(text, 0.01, 3600.0)
}

fn factor(text: &str) -> Result<f64, String> {
    in_range(text, 0.01, 1000.0)
}

fn jobs(text: &str) -> Result<usize, String> {
    Ok(in_range(text, 1.0, 256.0)? as usize)
}

fn in_range(text: &str, least: f64, most: f64) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number")?;
    let is_within = (least..=most).contains(&number);
    is_within
        .then_some(number)
        .ok_or_else(|| format!("must be from {least} to {most}"))
}
