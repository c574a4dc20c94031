use std::{fmt, path::Path, sync::Arc};

use tokio_rustls::rustls::RootCertStore;

use super::pem::Pem;
use crate::error::tls::{TlsError, TlsProblem};

/// Certificates that are trusted to vouch for others; at least one.
#[derive(Clone)]
pub struct Roots(Arc<RootCertStore>);

impl Roots {
    /// All certificates of a PEM file. A certificate that vouches for itself is its own root. Reads the file at once,
    /// which blocks for a moment.
    ///
    /// # Errors
    /// [`TlsError`] with the path, when the file cannot be read, has no certificate, or one that cannot be used.
    pub fn from_pem_file(path: impl AsRef<Path>) -> Result<Self, TlsError> {
        Self::new(&Pem::of_file(path.as_ref())?)
    }

    /// All certificates of a PEM text, as [`Roots::from_pem_file`].
    ///
    /// # Errors
    /// [`TlsError`] when it has no certificate, or one that cannot be used.
    pub fn from_pem(text: impl AsRef<[u8]>) -> Result<Self, TlsError> {
        Self::new(&Pem::new("roots", text.as_ref()))
    }

    /// The roots that Mozilla trusts, as a part of the program: for systems without their own roots. They are as
    /// new as the crate `webpki-roots` that was built in.
    #[cfg(feature = "tls-webpki-roots")]
    pub fn webpki() -> Self {
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
        Self(Arc::new(roots))
    }

    fn new(pem: &Pem<'_>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in pem.certificates()? {
            let added = roots.add(certificate);
            added.map_err(|error| pem.error(TlsProblem::InvalidCertificate(error)))?;
        }
        Ok(Self(Arc::new(roots)))
    }

    pub(super) fn store(&self) -> Arc<RootCertStore> {
        Arc::clone(&self.0)
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roots")
            .field("certificates", &self.0.len())
            .finish()
    }
}
