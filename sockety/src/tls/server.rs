use std::{path::Path, sync::Arc};

use tokio_rustls::rustls::{
    ServerConfig,
    server::{ResolvesServerCert, WebPkiClientVerifier, danger::ClientCertVerifier},
};

use super::{
    PROTOCOL,
    handshake::{Alpn, Handshake},
    identity::Identity,
    provider::{provider, ticketer},
    roots::Roots,
};
use crate::error::tls::TlsError;

/// TLS of a server: its certificate, and what it asks of clients. For [`Server::tls`](crate::server::Server::tls).
#[derive(Debug, Clone)]
pub struct TlsServer {
    config: Arc<ServerConfig>,
    alpn: Alpn,
}

impl TlsServer {
    /// Shows this certificate, and asks clients for none.
    pub fn new(identity: Identity) -> Self {
        Self::from(config(
            identity.resolver(),
            WebPkiClientVerifier::no_client_auth(),
        ))
    }

    /// Shows the certificate of PEM files, see [`Identity::from_pem_files`].
    ///
    /// # Errors
    /// [`TlsError`] with the path of the file that cannot be used, and why.
    pub fn from_pem_files(
        certificates: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        Ok(Self::new(Identity::from_pem_files(certificates, key)?))
    }

    /// Refuses clients without a certificate that these roots vouch for.
    pub fn require_clients(self, roots: &Roots) -> Self {
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.store(), provider());
        self.with(verifier.build().expect("roots are never empty"))
    }

    /// Refuses clients whose certificate these roots do not vouch for, but none that show no certificate.
    pub fn accept_clients(self, roots: &Roots) -> Self {
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.store(), provider());
        let verifier = verifier.allow_unauthenticated().build();
        self.with(verifier.expect("roots are never empty"))
    }

    /// Refuses clients that do not offer `sockety/1` by ALPN, as some implementations of the protocol do not.
    pub fn require_alpn(mut self) -> Self {
        self.alpn = Alpn::Required;
        self
    }

    pub(crate) fn handshake(&self) -> Handshake {
        Handshake::Server(Arc::clone(&self.config).into(), self.alpn, None)
    }

    fn with(self, clients: Arc<dyn ClientCertVerifier>) -> Self {
        let resolver = Arc::clone(&self.config.cert_resolver);
        Self {
            alpn: self.alpn,
            ..Self::from(config(resolver, clients))
        }
    }
}

/// A configuration of one's own, for what has no method here. ALPN and early data are set as the protocol needs them.
/// [`TlsServer::require_clients`] and [`TlsServer::accept_clients`] keep nothing of it but its certificates.
impl From<ServerConfig> for TlsServer {
    fn from(mut config: ServerConfig) -> Self {
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        // What comes early may be a copy of what came before.
        config.max_early_data_size = 0;
        Self {
            config: Arc::new(config),
            alpn: Alpn::Optional,
        }
    }
}

fn config(
    identity: Arc<dyn ResolvesServerCert>,
    clients: Arc<dyn ClientCertVerifier>,
) -> ServerConfig {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider has all versions")
        .with_client_cert_verifier(clients)
        .with_cert_resolver(identity);
    if let Some(ticketer) = ticketer() {
        config.ticketer = ticketer;
    }
    config
}
