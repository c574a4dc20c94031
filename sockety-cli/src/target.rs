use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;
use sockety::{
    Address, Connection, FastReply, Options,
    config::{Extension, Limits},
    serve::MessageHandler,
    tls::TlsClient,
};

use crate::{
    exit::Failure,
    first::{First, FirstArgs},
    tls::ClientTls,
};

/// The peer to connect to.
#[derive(Debug, Clone, Args)]
pub struct Target {
    /// host:port, tls://host:port or unix://PATH
    #[arg(value_name = "ADDR")]
    pub address: Address,
    #[command(flatten)]
    pub tls: ClientTls,
    /// Longest time to connect, including TLS and the handshake, and for the first message
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = some_duration)]
    pub connect_timeout: Duration,
    /// Largest payload to send or accept
    #[arg(long, value_name = "SIZE", default_value = "64MiB")]
    pub max_payload: ByteSize,
    #[command(flatten)]
    pub first: FirstArgs,
}

impl Target {
    /// Connects, without retrying.
    pub async fn connect(&self) -> Result<Connection, Failure> {
        self.dial()?.connect().await
    }

    /// Reads what connections need: files, the environment, standard input.
    pub fn dial(&self) -> Result<Dial<'_>, Failure> {
        let tls = match self.tls.is_wanted() {
            true => Some(self.tls.client()?),
            false => None,
        };
        let first = self.first.read(self.max_payload.as_u64())?;
        Ok(Dial {
            target: self,
            tls,
            first,
            handler: MessageHandler::new(),
            extension: Extension::default(),
        })
    }

    /// An action of this peer, as failures name it.
    pub fn naming(&self, action: &str) -> String {
        format!("{action} at {}", self.address)
    }

    /// The peer refused a message, and will do so again.
    pub fn refused(&self, action: &str, code: FastReply, reason: Option<&str>) -> Failure {
        let what = self.naming(action);
        let shown = reason.map_or_else(String::new, |reason| format!(": {reason}"));
        let hint = self.hint(code, reason);
        let text = format!("{what}: refused with code {code}{shown}{hint}");
        Failure::refused(text, code, reason).of(action)
    }

    /// What to do about a code. A reason says more than a guess.
    pub fn hint(&self, code: FastReply, reason: Option<&str>) -> &'static str {
        match code {
            FastReply::UNAUTHORIZED if reason.is_none() && !self.first.is_wanted() => {
                "; the peer may authorize a connection by its first message, see --first"
            }
            _ => "",
        }
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

/// All that connecting to a peer takes.
#[derive(Debug)]
pub struct Dial<'a> {
    target: &'a Target,
    tls: Option<TlsClient>,
    first: Option<First>,
    handler: MessageHandler,
    extension: Extension,
}

impl Dial<'_> {
    /// Whether each connection begins with a first message, so that others can follow.
    pub fn has_first(&self) -> bool {
        self.first.is_some()
    }

    /// What the peer may call.
    pub fn serve(mut self, handler: MessageHandler) -> Self {
        self.handler = handler;
        self
    }

    /// Whether the extension of the protocol is offered.
    pub fn extension(mut self, extension: Extension) -> Self {
        self.extension = extension;
        self
    }

    /// Connects, and sends the first message if there is one.
    pub async fn connect(&self) -> Result<Connection, Failure> {
        let target = self.target;
        let options = target.options().extension(self.extension);
        let connect = sockety::connect(target.address.clone()).options(options);
        let connect = connect.serve(self.handler.clone());
        let connect = match &self.tls {
            Some(tls) => connect.tls(tls.clone()),
            None => connect,
        };
        let connection = connect.await.map_err(|error| Failure::connect(&error))?;
        if let Some(first) = &self.first {
            let (peer, limit) = (target.address.to_string(), target.connect_timeout);
            first.send(&connection, &peer, limit).await?;
        }
        Ok(connection)
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

/// Parses a duration that is not zero.
pub fn some_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be longer than 0s".into()),
        duration => Ok(duration),
    }
}

/// Parses a duration such as `1s`, `250ms` or `1m 30s`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text);
    match duration.map_err(|error| format!("{error}; write 250ms, 10s or 5m"))? {
        long if long > LONGEST => Err("longer than a year".into()),
        duration => Ok(duration),
    }
}
