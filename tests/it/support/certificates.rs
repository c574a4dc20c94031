use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use sockety::tls::{Identity, Roots};

/// Who issues certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(parameters, key).expect("a certificate"))
    }

    /// For DNS names, addresses, and URIs, which have a `://`.
    pub(crate) fn issue(&self, names: &[&str]) -> Issued {
        let owned = names.iter().map(|name| String::from(*name));
        let (uris, names): (Vec<_>, Vec<_>) = owned.partition(|name| name.contains("://"));
        let mut parameters = CertificateParams::new(names).expect("names");
        for uri in uris {
            let uri = uri.try_into().expect("ASCII");
            parameters.subject_alt_names.push(SanType::URI(uri));
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.signed_by(&key, &self.0).expect("signed");
        Issued {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// As if the authority were the peer.
    pub(crate) fn identity(&self) -> Identity {
        let key = self.0.key().serialize_pem();
        Identity::from_pem(self.pem(), key).expect("an identity")
    }

    pub(crate) fn roots(&self) -> Roots {
        Roots::from_pem(self.pem()).expect("roots")
    }
}

impl Issued {
    pub(crate) fn identity(&self) -> Identity {
        Identity::from_pem(&self.certificate, &self.key).expect("an identity")
    }
}
