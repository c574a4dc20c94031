//! TLS for both sides, with certificates from files.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use sockety::{
    serve::BoxError,
    tls::{
        Roots, TlsClient,
        rustls::{
            ClientConfig, RootCertStore,
            crypto::aws_lc_rs,
            pki_types::{CertificateDer, IpAddr, ServerName, pem::PemObject},
        },
    },
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// The TLS configuration of a server.
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// The TLS configuration of a client: one for Sockety, and one for the checks that look at bytes.
#[derive(Clone)]
pub struct Tls {
    pub client: TlsClient,
    connector: TlsConnector,
}

impl Tls {
    /// Trusts the certificates of a PEM file.
    pub fn trusting(roots: &Path) -> Result<Self, BoxError> {
        let client = TlsClient::new(&Roots::from_pem_file(roots)?);
        let mut store = RootCertStore::empty();
        for root in CertificateDer::pem_file_iter(roots)? {
            store.add(root?)?;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(store)
            .with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Self { client, connector })
    }

    pub async fn secure(&self, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::IpAddress(IpAddr::from(socket.peer_addr()?.ip()));
        self.connector.connect(name, socket).await
    }
}

/// Writes a self-signed certificate for 127.0.0.1, and its key.
pub fn make(files: &Files) -> Result<(), BoxError> {
    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names)?;
    fs::write(&files.certificate, made.cert.pem())?;
    fs::write(&files.key, made.signing_key.serialize_pem())?;
    Ok(())
}
