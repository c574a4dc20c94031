use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;
use sockety::{Address, Connection, Options, config::Limits};

use crate::{exit::Failure, tls::ClientTls};

/// The peer to connect to.
#[derive(Debug, Clone, Args)]
pub struct Target {
    /// host:port, tls://host:port or unix://PATH
    #[arg(value_name = "ADDR")]
    pub address: Address,
    #[command(flatten)]
    pub tls: ClientTls,
    /// Longest time to connect, including TLS and the handshake
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub connect_timeout: Duration,
    /// Largest payload to send or accept
    #[arg(long, value_name = "SIZE", default_value = "64MiB")]
    pub max_payload: ByteSize,
}

impl Target {
    /// Connects, without retrying.
    pub async fn connect(&self) -> Result<Connection, Failure> {
        let connect = sockety::connect(self.address.clone()).options(self.options());
        let connect = match self.tls.is_wanted() {
            true => connect.tls(self.tls.client()?),
            false => connect,
        };
        Ok(connect.await?)
    }

    /// Limits are wider than the defaults: the user chose this peer.
    fn options(&self) -> Options {
        Options::default()
            .limits(limits(self.max_payload))
            .connect_timeout(self.connect_timeout)
            .handshake_timeout(self.connect_timeout)
            // Commands have their own timeouts.
            .call_timeout(None)
            .idle_timeout(None)
    }
}

/// Limits for a peer: payloads as large as the user says, file names of any length.
pub fn limits(max_payload: ByteSize) -> Limits {
    Limits::default()
        .max_payload(max_payload.as_u64())
        .max_file_name_bytes(usize::from(u16::MAX))
}

/// A longer time is a mistake.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Parses a duration such as `1s`, `250ms` or `1m 30s`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text);
    match duration.map_err(|error| format!("{error}; write 250ms, 10s or 5m"))? {
        long if long > LONGEST => Err("longer than a year".into()),
        duration => Ok(duration),
    }
}
