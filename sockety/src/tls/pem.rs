use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read},
    path::Path,
    sync::Arc,
};

use tokio_rustls::rustls::pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{Error, PemObject},
};

use super::form::{Wanted, other_form};
use crate::error::tls::{TlsError, TlsProblem};

/// Text with certificates or a key, and what to call it in errors.
pub(super) struct Pem<'a> {
    name: Cow<'a, str>,
    text: Cow<'a, [u8]>,
}

/// The largest file that is read: all roots of the world are 300 KiB.
const FILE_BYTES: u64 = 16 * 1024 * 1024;

impl<'a> Pem<'a> {
    pub(super) fn new(name: &'a str, text: &'a [u8]) -> Self {
        let (name, text) = (name.into(), without_mark(text).into());
        Self { name, text }
    }

    pub(super) fn of_file(path: &'a Path) -> Result<Self, TlsError> {
        let name = path.to_string_lossy();
        match read(path) {
            Ok(text) => {
                let text = without_mark(&text).to_owned().into();
                Ok(Self { name, text })
            }
            Err(error) => Err(TlsError::new(
                &name,
                TlsProblem::Unreadable(Arc::new(error)),
            )),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn error(&self, problem: TlsProblem) -> TlsError {
        TlsError::new(&self.name, problem)
    }

    /// All certificates; at least one.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.text).collect();
        match found {
            Ok(found) if found.is_empty() => {
                Err(self.unfound(Wanted::Certificate, TlsProblem::NoCertificate))
            }
            Ok(found) => Ok(found),
            Err(error) => Err(self.unfound(Wanted::Certificate, invalid(error))),
        }
    }

    /// The first private key.
    pub(super) fn key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        PrivateKeyDer::from_pem_slice(&self.text).map_err(|error| {
            let problem = match error {
                Error::NoItemsFound => TlsProblem::NoKey,
                error => invalid(error),
            };
            self.unfound(Wanted::Key, problem)
        })
    }

    /// Nothing was found: because it has another form, if that is known.
    fn unfound(&self, wanted: Wanted, problem: TlsProblem) -> TlsError {
        self.error(other_form(&self.text, wanted).unwrap_or(problem))
    }
}

fn invalid(error: Error) -> TlsProblem {
    TlsProblem::InvalidPem(Arc::new(error))
}

/// Some editors write a mark before UTF-8.
fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(FILE_BYTES).read_to_end(&mut text)?;
    Ok(text)
}
