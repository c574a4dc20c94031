use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;
use sockety::{Address, Connection, Limits, Options};

use crate::{exit::Failure, tls::ClientTls};

/// The peer to connect to.
#[derive(Debug, Clone, Args)]
pub struct Target {
    /// host:port, tls://host:port or unix://PATH
    #[arg(value_name = "ADDR")]
    pub address: Address,
    #[command(flatten)]
    pub tls: ClientTls,
    /// Longest time to connect, TLS and handshake included
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub connect_timeout: Duration,
    /// Largest payload, sent and received
    #[arg(long, value_name = "SIZE", default_value = "64MiB")]
    pub max_payload: ByteSize,
}

impl Target {
    /// Connects, once.
    pub async fn connect(&self) -> Result<Connection, Failure> {
        let connect = sockety::connect(self.address.clone()).options(self.options());
        let connect = match self.tls.is_wanted() {
            true => connect.tls(self.tls.client()?),
            false => connect,
        };
        Ok(connect.await?)
    }

    /// Of whom one calls by hand, more is taken than of strangers.
    fn options(&self) -> Options {
        Options::default()
            .limits(limits(self.max_payload))
            .connect_timeout(self.connect_timeout)
            .handshake_timeout(self.connect_timeout)
            // Commands have clocks of their own.
            .call_timeout(None)
            .idle_timeout(None)
    }
}

/// What is taken of a peer: payloads as large as the user says, and names as they come.
pub fn limits(max_payload: ByteSize) -> Limits {
    Limits {
        payload: max_payload.as_u64(),
        file_name_bytes: usize::from(u16::MAX),
        ..Limits::default()
    }
}

/// More would be no time that anybody waits.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// `1s`, `250ms`, `1m 30s`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text);
    match duration.map_err(|error| format!("{error}; write 250ms, 10s or 5m"))? {
        long if long > LONGEST => Err("longer than a year".into()),
        duration => Ok(duration),
    }
}
