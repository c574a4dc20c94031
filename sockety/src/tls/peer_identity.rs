use std::{fmt, sync::Arc};

use tokio_rustls::rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

#[cfg(feature = "test")]
use super::pem::Pem;

/// The certificate by which TLS knows a peer. It was checked during the handshake: for the name that was dialled, or
/// by the roots for clients.
///
/// Its names are those that certificates are checked for today. Whatever else it says is in the DER bytes, for a crate
/// such as `x509-parser`.
#[derive(Clone, PartialEq, Eq)]
pub struct PeerIdentity(Arc<[CertificateDer<'static>]>);

impl PeerIdentity {
    pub(super) fn new(chain: &[CertificateDer<'static>]) -> Self {
        Self(chain.into())
    }

    /// The identity of a peer that would show the certificates of this PEM text, its own first: for
    /// tests, because nothing is checked; see [`Pair::peer_identity`](crate::testing::Pair::peer_identity).
    ///
    /// # Errors
    /// [`TlsError`](super::TlsError) if it has no certificate.
    #[cfg(feature = "test")]
    pub fn from_pem(text: impl AsRef<[u8]>) -> Result<Self, super::TlsError> {
        let certificates = Pem::new("identity", text.as_ref()).certificates()?;
        Ok(Self::new(&certificates))
    }

    /// The peer's own certificate, in DER.
    pub fn certificate(&self) -> &[u8] {
        self.chain().next().unwrap_or_default()
    }

    /// The peer's certificate and those that it showed to vouch for it, each in DER.
    pub fn chain(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|certificate| &**certificate)
    }

    /// The DNS names of the peer's certificate, as `host.example` or `*.example`.
    pub fn dns_names(&self) -> Vec<String> {
        self.names(|certificate| certificate.valid_dns_names().map(String::from).collect())
    }

    /// The URIs of the peer's certificate, as `spiffe://example/service`.
    pub fn uris(&self) -> Vec<String> {
        self.names(|certificate| certificate.valid_uri_names().map(String::from).collect())
    }

    fn names(&self, read: impl FnOnce(&EndEntityCert<'_>) -> Vec<String>) -> Vec<String> {
        let certificate = self.0.first().map(EndEntityCert::try_from);
        match certificate {
            Some(Ok(certificate)) => read(&certificate),
            Some(Err(_)) | None => Vec::new(),
        }
    }
}

impl fmt::Debug for PeerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerIdentity")
            .field("dns_names", &self.dns_names())
            .field("uris", &self.uris())
            .finish_non_exhaustive()
    }
}
