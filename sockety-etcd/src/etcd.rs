//! Where in etcd the servers of a service are.

use std::{fmt, sync::Arc, time::Duration};

use etcd_client::{Client, ConnectOptions};
use sockety::client::IntoAddress;

use crate::{
    error::{EtcdError, TargetError},
    pause::{ANSWER, within},
    registration::RegistrationBuilder,
};

/// The servers of a service in etcd: the keys that begin with a prefix and a slash.
///
/// It is what finds the servers for a fleet, as a [`Discover`](sockety::fleet::Discover), and what a server
/// [registers](Self::registration) in. Clones are cheap.
///
/// The value of a key is `{"Op":0,"Addr":"host:port","Metadata":…}`, the layout of gRPC's naming for etcd in Go, so
/// that services of both share one etcd. `Metadata` may hold `weight`, `zone` and `tlsName`, which set those of the
/// [`Endpoint`](sockety::fleet::Endpoint); what else it holds becomes [metadata](sockety::fleet::Endpoint::metadata),
/// as text. The key is that of the endpoint. A value that does not parse is skipped, and reported as
/// [`DiscoverError::Entry`](sockety::fleet::DiscoverError::Entry).
///
/// As a `Discover` it reads all keys, then watches them. When the watch ends or fails, when etcd no longer answers or has
/// lost data, it reads all keys again, after pauses of random length up to 10 s. Each attempt that fails is
/// reported once, and the servers stay as they are. If etcd returns with less than it had (its revision went back: a wiped
/// disk, a backup), they stay for another 15 s, in which servers register again.
///
/// A fleet is called like the text of [`connect`](Self::connect), or like the prefix of [`new`](Self::new).
#[derive(Clone)]
pub struct Etcd {
    source: Source,
    prefix: Arc<str>,
    /// What errors name.
    target: Arc<str>,
}

#[derive(Clone)]
enum Source {
    Client(Arc<Client>),
    Connect(Arc<Connect>),
}

struct Connect {
    urls: Vec<String>,
    options: ConnectOptions,
}

impl Etcd {
    /// The servers that a text like `etcd://host:2379/bank` names, with one or more members of an etcd cluster:
    /// `etcd://a:2379,b:2379/bank`. With `etcds://` they are connected to by TLS.
    ///
    /// Nothing is connected to yet: etcd may be started later. Each discovery and each registration makes a client with the
    /// [`options`]; [`new`](Self::new) shares one.
    ///
    /// # Errors
    /// [`TargetError`] if the text is invalid.
    pub fn connect(target: &str) -> Result<Self, TargetError> {
        Self::connect_with(target, options())
    }

    /// Like [`connect`](Self::connect), with other options: a user, certificates. Begin with [`options`], whose time limits
    /// find an etcd that hangs.
    ///
    /// # Errors
    /// [`TargetError`] if the text is invalid.
    pub fn connect_with(target: &str, options: ConnectOptions) -> Result<Self, TargetError> {
        let (urls, prefix) = parse(target)?;
        Ok(Self {
            source: Source::Connect(Connect { urls, options }.into()),
            prefix: prefix.into(),
            target: target.into(),
        })
    }

    /// The servers whose keys begin with this prefix and a slash, read by a client of yours.
    ///
    /// The client should have been made with [`options`]: one that does not
    /// [require a leader](ConnectOptions::with_require_leader) notices no changes on a member that has lost the others, and one
    /// that pings etcd more often than every 5 s is disconnected.
    pub fn new(client: Client, prefix: impl AsRef<str>) -> Self {
        let prefix: Arc<str> = prefix.as_ref().trim_end_matches('/').into();
        Self {
            source: Source::Client(client.into()),
            target: prefix.clone(),
            prefix,
        }
    }

    /// Begins the registration of the server that clients reach at this address.
    pub fn registration(&self, address: impl IntoAddress) -> RegistrationBuilder {
        RegistrationBuilder::new(self.clone(), address.into_address())
    }

    /// What the keys begin with, without the slash.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(crate) fn target(&self) -> &Arc<str> {
        &self.target
    }

    /// Connects, if no client was given. With a user, that is a request to etcd.
    pub(crate) async fn client(&self) -> Result<Client, EtcdError> {
        match &self.source {
            Source::Client(client) => Ok(Client::clone(client)),
            Source::Connect(it) => {
                let connecting = Client::connect(&it.urls, Some(it.options.clone()));
                within(ANSWER, "connecting", connecting).await
            }
        }
    }
}

impl fmt::Debug for Etcd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Etcd").field(&self.target).finish()
    }
}

/// What clients of etcd should have in common: a leader is required, connecting takes 5 s at most, and a connection
/// on which a ping every 10 s is not answered within 5 s ends. Expired tokens of users are renewed.
///
/// etcd disconnects clients that ping more often than every 5 s.
pub fn options() -> ConnectOptions {
    ConnectOptions::new()
        .with_require_leader(true)
        .with_connect_timeout(ANSWER)
        .with_keep_alive(Duration::from_secs(10), ANSWER)
        .with_auto_token_refresh(true)
}

/// Renews the token of the user, if that was what was wrong: etcd forgets tokens after 5 min without a request. Clients do
/// that by themselves only if their options say so, and never for streams.
pub(crate) async fn renew_token(client: &Client, error: &EtcdError) {
    if error.is_unauthenticated() {
        // If it fails, so does the next attempt, which is reported.
        let _ = within(ANSWER, "a token", client.refresh_token()).await;
    }
}

/// Returns the URLs of the hosts, and the prefix.
fn parse(text: &str) -> Result<(Vec<String>, &str), TargetError> {
    let owned = || Box::from(text);
    // The text may contain a password, wherever the user is written.
    if text
        .split("://")
        .any(|part| part.split('/').next().is_some_and(|it| it.contains('@')))
    {
        return Err(TargetError::User);
    }
    let (scheme, rest) = match text.split_once("://") {
        Some(("etcd", rest)) => ("http", rest),
        Some(("etcds", rest)) => ("https", rest),
        _ => return Err(TargetError::Scheme { text: owned() }),
    };
    let (hosts, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let hosts = hosts.split(',').map(str::trim);
    let urls = hosts.map(|host| match is_host(host) {
        true => Ok(format!("{scheme}://{host}")),
        false => Err(TargetError::Host {
            text: owned(),
            host: host.into(),
        }),
    });
    let urls = urls.collect::<Result<_, _>>()?;
    let prefix = prefix.trim_end_matches('/');
    if prefix.is_empty() {
        return Err(TargetError::NoPrefix { text: owned() });
    }
    if scheme == "https" && !cfg!(feature = "_tls") {
        return Err(TargetError::NeedsTls { text: owned() });
    }
    Ok((urls, prefix))
}

/// Whether it is `HOST:PORT`, and safe in a URL.
fn is_host(text: &str) -> bool {
    let is_url = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
    is_url && text.into_address().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_name_hosts_and_a_prefix() {
        let (urls, prefix) = parse("etcd://a:2379, [::1]:2380/team/bank/").unwrap();
        assert_eq!(urls, ["http://a:2379", "http://[::1]:2380"]);
        assert_eq!(prefix, "team/bank");
        assert_eq!(parse("etcd://a:1//bank").unwrap().1, "/bank");
    }

    #[test]
    fn what_is_wrong_with_a_text_is_said() {
        let error = |text| parse(text).unwrap_err().to_string();
        let scheme = r#""http://a:1/b" does not begin with etcd:// or etcds://"#;
        assert_eq!(error("http://a:1/b"), scheme);
        let host = r#""etcd://a/bank" has an invalid host "a": it is not HOST:PORT"#;
        assert_eq!(error("etcd://a/bank"), host);
        for text in [
            "etcd:///bank",
            "etcd://a:1,/bank",
            "etcd://a b:1/c",
            "etcd://a:1?x/c",
        ] {
            let error = parse(text).unwrap_err();
            assert!(matches!(error, TargetError::Host { .. }), "{text}: {error}");
        }
        for text in ["etcd://a:1", "etcd://a:1/", "etcd://a:1//"] {
            let error = parse(text).unwrap_err();
            assert!(
                matches!(error, TargetError::NoPrefix { .. }),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn a_password_is_not_repeated() {
        for text in [
            "etcd://root:secret@a:1/bank",
            "http://root:secret@a:1",
            "root:secret@a",
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error, TargetError::User);
            assert!(!format!("{error:?} {error}").contains("secret"));
        }
        assert_eq!(parse("etcd://a:1/user@bank").unwrap().1, "user@bank");
    }

    #[test]
    fn tls_needs_its_feature() {
        let result = parse("etcds://a:1/bank").map(|(urls, _)| urls);
        match cfg!(feature = "_tls") {
            true => assert_eq!(result.unwrap(), ["https://a:1"]),
            false => assert!(matches!(result, Err(TargetError::NeedsTls { .. }))),
        }
    }
}
