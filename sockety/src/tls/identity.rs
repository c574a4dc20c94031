use std::{fmt, path::Path, sync::Arc};

use tokio_rustls::rustls::{
    Error, InconsistentKeys,
    sign::{CertifiedKey, SingleCertAndKey},
};

use super::{form::algorithm, pem::Pem, provider::provider};
use crate::error::tls::{TlsError, TlsProblem};

/// Our own certificate, with those that vouch for it, and its private key.
#[derive(Clone)]
pub struct Identity(Arc<CertifiedKey>);

impl Identity {
    /// From PEM files: one with the certificate first and those that vouch for it after it, one with the key.
    /// They may be the same file. Reads the files at once, which blocks for a moment.
    ///
    /// # Errors
    /// [`TlsError`] with the path of the file that cannot be used, and why.
    pub fn from_pem_files(
        certificates: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        let certificates = Pem::of_file(certificates.as_ref())?;
        Self::new(&certificates, &Pem::of_file(key.as_ref())?)
    }

    /// From PEM texts, as [`Identity::from_pem_files`].
    ///
    /// # Errors
    /// [`TlsError`] that names the text that cannot be used, `certificate` or `private key`, and why.
    pub fn from_pem(
        certificates: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Result<Self, TlsError> {
        let certificates = Pem::new("certificate", certificates.as_ref());
        Self::new(&certificates, &Pem::new("private key", key.as_ref()))
    }

    fn new(certificates: &Pem<'_>, key: &Pem<'_>) -> Result<Self, TlsError> {
        let chain = certificates.certificates()?;
        let der = key.key()?;
        let algorithm = algorithm(der.secret_der());
        let signer = provider().key_provider.load_private_key(der);
        let signer = signer.map_err(|source| {
            key.error(match algorithm {
                Some(algorithm) => TlsProblem::UnsupportedKey { algorithm, source },
                None => TlsProblem::InvalidKey(source),
            })
        })?;
        let identity = CertifiedKey::new(chain, signer);
        match identity.keys_match() {
            // Some keys do not tell their public half; then the first handshake fails instead.
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
                Ok(Self(Arc::new(identity)))
            }
            Err(Error::InconsistentKeys(_)) => Err(key.error(TlsProblem::KeyMismatch {
                certificate: certificates.name().into(),
            })),
            Err(error) => Err(certificates.error(TlsProblem::InvalidCertificate(error))),
        }
    }

    /// Shows it to every peer that asks.
    pub(super) fn resolver(&self) -> Arc<SingleCertAndKey> {
        Arc::new(SingleCertAndKey::from(Arc::clone(&self.0)))
    }
}

/// Without the key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificates", &self.0.cert.len())
            .finish_non_exhaustive()
    }
}
