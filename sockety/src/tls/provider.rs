use std::sync::{Arc, LazyLock};

#[cfg(feature = "tls-aws-lc-rs")]
use tokio_rustls::rustls::crypto::aws_lc_rs as cryptography;
#[cfg(not(feature = "tls-aws-lc-rs"))]
use tokio_rustls::rustls::crypto::ring as cryptography;
use tokio_rustls::rustls::{crypto::CryptoProvider, server::ProducesTickets};

#[cfg(not(any(feature = "tls-aws-lc-rs", feature = "tls-ring")))]
compile_error!("the feature `_tls` is internal: enable `tls` or `tls-ring`");

/// The cryptography that the features chose; what the process has installed is not asked.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(cryptography::default_provider()));
    Arc::clone(&PROVIDER)
}

/// What makes sessions resumable without memory of each; `None` without random numbers.
pub(super) fn ticketer() -> Option<Arc<dyn ProducesTickets>> {
    cryptography::Ticketer::new().ok()
}
