use std::{error::Error, fmt, io, sync::Arc};

use tokio_rustls::rustls;

/// A part of a TLS configuration that cannot be used, and why.
#[derive(Clone)]
pub struct TlsError {
    subject: Box<str>,
    problem: TlsProblem,
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.problem.source()
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.subject, self.problem)
    }
}

impl TlsError {
    pub(crate) fn new(subject: &str, problem: TlsProblem) -> Self {
        let subject = subject.into();
        Self { subject, problem }
    }

    /// Returns what has the problem: the path of a file, or a description such as `certificate`.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Returns what is wrong with it.
    pub fn problem(&self) -> &TlsProblem {
        &self.problem
    }
}

/// What is wrong with a part of a TLS configuration.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TlsProblem {
    /// The file cannot be read.
    #[error("cannot be read")]
    Unreadable(#[source] Arc<io::Error>),
    /// It is not valid PEM.
    #[error("is not valid PEM")]
    InvalidPem(#[source] Arc<rustls::pki_types::pem::Error>),
    /// It has no PEM section with a certificate.
    #[error("has no certificate")]
    NoCertificate,
    /// It has no PEM section with an unencrypted private key.
    #[error("has no private key")]
    NoKey,
    /// It has what is needed, but in a form that is not read: encrypted, binary, or of another kind.
    #[error("{found}: {remedy}")]
    OtherForm {
        /// What was found, such as "has an encrypted private key".
        found: &'static str,
        /// What to do about it.
        remedy: &'static str,
    },
    /// Its private key is of an algorithm or a curve that is not supported.
    #[error(
        "has a private key of {algorithm}, which is not supported: make one with `openssl genpkey \
         -algorithm EC -pkeyopt ec_paramgen_curve:P-256`"
    )]
    UnsupportedKey {
        /// The algorithm or the curve.
        algorithm: &'static str,
        /// The error of rustls.
        #[source]
        source: rustls::Error,
    },
    /// Its certificate cannot be parsed or used.
    #[error("has a certificate that cannot be used")]
    InvalidCertificate(#[source] rustls::Error),
    /// Its private key cannot be parsed or used.
    #[error("has a private key that cannot be used")]
    InvalidKey(#[source] rustls::Error),
    /// Its private key belongs to another certificate.
    #[error("does not belong to {certificate}")]
    KeyMismatch {
        /// What has the certificate.
        certificate: Box<str>,
    },
    /// The operating system has no certificates to trust, or they cannot be read.
    #[error("cannot be used")]
    NoSystemRoots(#[source] rustls::Error),
    /// No certificate can have this name: it is neither a DNS name nor an IP address.
    #[error("is not a name that a certificate can have")]
    InvalidServerName,
    /// The address names no host, so a name for the certificate must be given.
    #[error("names no host: give a server name")]
    NoServerName,
}
