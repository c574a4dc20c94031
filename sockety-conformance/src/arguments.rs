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
/// The endpoint serves the actions of the `interop` example; see the README. Exit code 0: all passed, 1: some failed, 2: the
/// arguments are wrong, or the endpoint cannot be reached.
#[derive(Parser)]
#[command(version, group = ArgGroup::new("target").args(["server", "client", "client_command", "list"]).required(true))]
pub struct Arguments {
    /// The server to check, as `host:port`.
    pub server: Option<String>,
    /// Checks a client: the suite listens on this port (0: a free one) of 127.0.0.1, prints `PORT n`, and the client connects
    /// and, whenever its connection has ended, connects again.
    #[arg(long, value_name = "PORT")]
    client: Option<u16>,
    /// Checks a client that is started for each case. `{port}` in the command is where it connects.
    #[arg(long, value_name = "COMMAND")]
    client_command: Option<String>,
    /// TLS: the roots to trust in a PEM file; when checking a client the certificate to show.
    #[arg(long, value_name = "PEM")]
    tls: Option<PathBuf>,
    /// The key of the certificate, when checking a client.
    #[arg(long, value_name = "PEM", requires = "tls")]
    key: Option<PathBuf>,
    /// Makes failures of what is only recommended, and would be warnings.
    #[arg(long)]
    pub strict: bool,
    /// Runs the cases of this section alone. May be repeated.
    #[arg(long, value_name = "N", value_parser = parse_section)]
    section: Vec<u32>,
    /// Runs this case alone, such as 5/17. May be repeated.
    #[arg(long, value_name = "ID")]
    case: Vec<Id>,
    /// Lists the cases and runs none.
    #[arg(long)]
    pub list: bool,
    /// How long each wait of a case lasts, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = seconds)]
    timeout: f64,
    /// Runs the slow cases too, with a target whose clocks run so many times as fast as the defaults; 1 for the defaults.
    #[arg(long, value_name = "FACTOR", value_parser = factor)]
    pub clocks: Option<f64>,
    /// The process of the target on this machine, to look at its memory.
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,
    /// Writes byte by byte, each in a segment of its own as far as the system lets it, but for what is large.
    #[arg(long)]
    pub bytewise: bool,
    /// How many cases run at the same time.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = jobs)]
    pub jobs: usize,
    /// Writes the report to this file as well, as JUnit's XML.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

impl Arguments {
    /// Whether a case was chosen. Without a choice all are.
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
            (Some(_), None) => return Err("a client's check over TLS needs --key as well".into()),
            (None, _) => None,
        };
        if let Some(command) = &self.client_command {
            let words = shlex::split(command).filter(|words| !words.is_empty());
            let words = words.ok_or("the command has a quote that is not closed, or no words")?;
            return Ok(Target::Command { words, tls });
        }
        let listener = TcpListener::bind(("127.0.0.1", self.client.unwrap_or(0))).await?;
        Ok(Target::Client { listener, tls })
    }

    fn server_at(&self, address: &str) -> Result<Target, Box<dyn Error>> {
        let (host, _) = address
            .rsplit_once(':')
            .ok_or("the address is not of the form host:port")?;
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
    let number: f64 = text.parse().map_err(|_| "it is no number")?;
    let is_within = (least..=most).contains(&number);
    is_within
        .then_some(number)
        .ok_or_else(|| format!("it is not within {least} and {most}"))
}
