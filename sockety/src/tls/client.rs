use std::sync::{Arc, OnceLock};

use rustls_platform_verifier::Verifier;
use tokio_rustls::rustls::{
    ClientConfig,
    client::{Resumption, WebPkiServerVerifier, danger::ServerCertVerifier},
    pki_types::ServerName,
};

use super::{
    PROTOCOL,
    handshake::{Alpn, Handshake},
    identity::Identity,
    provider::provider,
    roots::Roots,
};
use crate::{
    address::{Address, Endpoint, Host},
    error::tls::{TlsError, TlsProblem},
};

/// TLS of a client: whom it trusts, and what it shows. For [`Connect::tls`](crate::client::connect::Connect::tls).
///
/// Clones share the sessions that can be resumed, so one of them should make all connections.
#[derive(Debug, Clone)]
pub struct TlsClient {
    config: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
    alpn: Alpn,
}

impl TlsClient {
    /// Trusts servers that these roots vouch for.
    pub fn new(roots: &Roots) -> Self {
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.store(), provider());
        Self::from(config(verifier.build().expect("roots are never empty")))
    }

    /// Trusts servers that the operating system trusts. On Linux and other Unix systems that is a file or a folder of
    /// certificates, which is read here and which the environment may name (`SSL_CERT_FILE`, `SSL_CERT_DIR`); macOS,
    /// iOS and Windows are asked at each handshake. Android needs the preparation that `rustls-platform-verifier`
    /// describes.
    ///
    /// This is what `tls://` uses when no configuration is given; there the roots are read once for the process.
    ///
    /// # Errors
    /// [`TlsProblem::NoSystemRoots`] when there are none, or they cannot be read.
    pub fn system_roots() -> Result<Self, TlsError> {
        let verifier = Verifier::new(provider()).map_err(|error| {
            TlsError::new("roots of the system", TlsProblem::NoSystemRoots(error))
        })?;
        Ok(Self::from(config(Arc::new(verifier))))
    }

    /// Shows this certificate to servers that ask for one.
    pub fn identity(mut self, identity: Identity) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.client_auth_cert_resolver = identity.resolver();
        // A session of another identity must not be resumed as this one.
        config.resumption = Resumption::default();
        self.config = Arc::new(config);
        self
    }

    /// Checks the server's certificate for this DNS name or IP address, instead of the host that is dialled. For
    /// Unix sockets, and servers that are reached by an address that their certificate does not name.
    ///
    /// # Errors
    /// [`TlsProblem::InvalidServerName`] when it is neither.
    pub fn server_name(mut self, name: &str) -> Result<Self, TlsError> {
        let parsed = ServerName::try_from(name.to_owned());
        let invalid = |_| TlsError::new(name, TlsProblem::InvalidServerName);
        self.server_name = Some(parsed.map_err(invalid)?);
        Ok(self)
    }

    /// Checks for this name, unless the user has said another one.
    #[cfg(feature = "fleet")]
    pub(crate) fn or_server_name(self, name: &str) -> Result<Self, TlsError> {
        match self.server_name {
            Some(_) => Ok(self),
            None => self.server_name(name),
        }
    }

    /// Refuses servers that do not agree to `sockety/1` by ALPN, as some implementations of the protocol do not.
    pub fn require_alpn(mut self) -> Self {
        self.alpn = Alpn::Required;
        self
    }

    pub(crate) fn shared_system_roots() -> Result<Self, TlsError> {
        static SHARED: OnceLock<TlsClient> = OnceLock::new();
        if let Some(shared) = SHARED.get() {
            return Ok(shared.clone());
        }
        let read = Self::system_roots()?;
        Ok(SHARED.get_or_init(|| read).clone())
    }

    pub(crate) fn handshake_with(
        &self,
        address: &Address,
    ) -> Result<Handshake, crate::error::connect::ConnectProblem> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => dialled_name(address)?,
        };
        let config = Arc::clone(&self.config);
        Ok(Handshake::Client(config.into(), name, self.alpn))
    }
}

/// A configuration of one's own, for what has no method here. ALPN and early data are set as the protocol needs them.
impl From<ClientConfig> for TlsClient {
    fn from(mut config: ClientConfig) -> Self {
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        // What goes early may arrive twice.
        config.enable_early_data = false;
        Self {
            config: Arc::new(config),
            server_name: None,
            alpn: Alpn::Optional,
        }
    }
}

fn config(verifier: Arc<dyn ServerCertVerifier>) -> ClientConfig {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider has all versions")
        // It leaves out no check: this is how rustls takes any verifier but its own default.
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth()
}

/// Only what the user dialled counts, never what a peer calls itself.
fn dialled_name(
    address: &Address,
) -> Result<ServerName<'static>, crate::error::connect::ConnectProblem> {
    let problem = match address.endpoint() {
        Endpoint::Tcp(Host::Number(address)) => return Ok(ServerName::from(address.ip())),
        Endpoint::Tcp(Host::Name(name, _)) => match ServerName::try_from(name.to_string()) {
            Ok(name) => return Ok(name),
            Err(_) => TlsProblem::InvalidServerName,
        },
        Endpoint::Unix(_) => TlsProblem::NoServerName,
    };
    Err(TlsError::new(&address.to_string(), problem).into())
}
