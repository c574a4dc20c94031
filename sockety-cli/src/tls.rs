//! TLS configured by arguments, for the connections of the library and for those of the proxy.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use sockety::tls::{
    TlsClient, TlsServer,
    rustls::{
        self, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
        client::{
            Resumption, WebPkiServerVerifier,
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        },
        crypto::{CryptoProvider, aws_lc_rs},
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
        server::WebPkiClientVerifier,
    },
};

use crate::{
    exit::{Failure, explain},
    out,
};

/// The protocol name for ALPN, on both sides.
const PROTOCOL: &[u8] = b"sockety/1";

/// Arguments for TLS towards a server.
#[derive(Debug, Clone, Args)]
pub struct ClientTls {
    /// Use TLS; implied by an address `tls://host:port`
    #[arg(help_heading = "TLS", long)]
    pub tls: bool,
    /// Trust the certificates in this PEM file instead of the system's
    #[arg(help_heading = "TLS", long, value_name = "PEM")]
    pub ca: Option<PathBuf>,
    /// Present this certificate to servers that ask for one (mutual TLS)
    #[arg(help_heading = "TLS", long, value_name = "PEM", requires = "key")]
    pub cert: Option<PathBuf>,
    /// The private key of the certificate
    #[arg(help_heading = "TLS", long, value_name = "PEM", requires = "cert")]
    pub key: Option<PathBuf>,
    /// Expect this name in the server's certificate, instead of the host of the address
    #[arg(help_heading = "TLS", long, value_name = "NAME")]
    pub server_name: Option<String>,
    /// Do not check the server's certificate: anyone on the path can read and change everything
    #[arg(help_heading = "TLS", long, conflicts_with = "ca")]
    pub insecure: bool,
}

/// Arguments for TLS towards clients.
#[derive(Debug, Clone, Args)]
pub struct ServerTls {
    /// Use TLS, and present this certificate to clients
    #[arg(help_heading = "TLS", long, value_name = "PEM", requires = "key")]
    cert: Option<PathBuf>,
    /// The private key of the certificate
    #[arg(help_heading = "TLS", long, value_name = "PEM", requires = "cert")]
    key: Option<PathBuf>,
    /// Require client certificates signed by one of these (mutual TLS)
    #[arg(help_heading = "TLS", long, value_name = "PEM", requires = "cert")]
    client_ca: Option<PathBuf>,
}

/// Arguments for TLS towards the clients of a proxy; [`ClientTls`] has those towards its server.
#[derive(Debug, Clone, Args)]
pub struct ProxyTls {
    /// Use TLS with clients, and present this certificate to them
    #[arg(
        help_heading = "TLS towards clients",
        long,
        value_name = "PEM",
        requires = "listen_key"
    )]
    listen_cert: Option<PathBuf>,
    /// The private key of the certificate
    #[arg(
        help_heading = "TLS towards clients",
        long,
        value_name = "PEM",
        requires = "listen_cert"
    )]
    listen_key: Option<PathBuf>,
    /// Require client certificates signed by one of these (mutual TLS)
    #[arg(
        help_heading = "TLS towards clients",
        long,
        value_name = "PEM",
        requires = "listen_cert"
    )]
    listen_client_ca: Option<PathBuf>,
}

impl From<ProxyTls> for ServerTls {
    fn from(tls: ProxyTls) -> Self {
        Self {
            cert: tls.listen_cert,
            key: tls.listen_key,
            client_ca: tls.listen_client_ca,
        }
    }
}

impl ClientTls {
    /// Whether any of the options asks for TLS.
    pub fn is_wanted(&self) -> bool {
        let asked = self.tls || self.insecure || self.server_name.is_some();
        asked || self.ca.is_some() || self.cert.is_some()
    }

    /// The configuration for connections of the library.
    pub fn client(&self) -> Result<TlsClient, Failure> {
        let client = TlsClient::from(self.config()?);
        match &self.server_name {
            None => Ok(client),
            Some(name) => client
                .server_name(name)
                .map_err(|error| Failure::usage(explain(&error))),
        }
    }

    /// The configuration for connections of the proxy to its server.
    pub fn config(&self) -> Result<ClientConfig, Failure> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::local(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(self.verifier(provider)?);
        let mut config = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => builder
                .with_client_auth_cert(certificates(cert)?, private_key(key)?)
                .map_err(|error| unusable(cert, error))?,
            _ => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    fn verifier(
        &self,
        provider: Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ServerCertVerifier>, Failure> {
        if self.insecure {
            out::warn(
                "--insecure: the server's certificate is not checked; anyone on the path can read and change everything",
            );
            return Ok(Arc::new(Anyone(provider)));
        }
        let Some(ca) = &self.ca else {
            let system = rustls_platform_verifier::Verifier::new(provider).map_err(|error| {
                Failure::usage(format!(
                    "cannot use the system's root certificates: {error}"
                ))
            })?;
            return Ok(Arc::new(system));
        };
        let verifier = WebPkiServerVerifier::builder_with_provider(roots(ca)?, provider)
            .build()
            .map_err(|error| unusable(ca, error))?;
        Ok(verifier)
    }
}

impl ServerTls {
    /// The configuration for the server of the library.
    pub fn server(&self) -> Result<Option<TlsServer>, Failure> {
        Ok(self.config()?.map(TlsServer::from))
    }

    /// The configuration for the listener of the proxy.
    pub fn config(&self) -> Result<Option<ServerConfig>, Failure> {
        let (Some(cert), Some(key)) = (&self.cert, &self.key) else {
            return Ok(None);
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let clients = match &self.client_ca {
            None => WebPkiClientVerifier::no_client_auth(),
            Some(ca) => {
                WebPkiClientVerifier::builder_with_provider(roots(ca)?, Arc::clone(&provider))
                    .build()
                    .map_err(|error| unusable(ca, error))?
            }
        };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::local(error.to_string()))?
            .with_client_cert_verifier(clients)
            .with_single_cert(certificates(cert)?, private_key(key)?)
            .map_err(|error| unusable(cert, error))?;
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Some(config))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let read: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).and_then(|certificates| certificates.collect());
    match read {
        Ok(found) if found.is_empty() => Err(unusable(path, "it contains no certificate")),
        Ok(found) => Ok(found),
        Err(error) => Err(unusable(path, error)),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Failure> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| unusable(path, error))
}

fn roots(path: &Path) -> Result<Arc<RootCertStore>, Failure> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots
            .add(certificate)
            .map_err(|error| unusable(path, error))?;
    }
    Ok(Arc::new(roots))
}

fn unusable(path: &Path, problem: impl std::fmt::Display) -> Failure {
    Failure::usage(format!("cannot use {}: {problem}", path.display()))
}

/// Accepts every certificate. It still checks that the server has the key, because that costs
/// nothing.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
