//! Certificates and keys in a form that is not read, and how they become one that is.

use crate::error::tls::TlsProblem;

/// What a file should hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Certificate,
    Key,
}

/// Labels of PEM sections, what they hold, and what to do. The first that is found counts.
const KEYS: &[(&str, &str, &str)] = &[
    (
        "-----BEGIN ENCRYPTED PRIVATE KEY-----",
        "has an encrypted private key",
        "decrypt it with `openssl pkey -in encrypted.key -out plain.key`",
    ),
    (
        "Proc-Type: 4,ENCRYPTED",
        "has an encrypted private key",
        "decrypt it with `openssl pkey -in encrypted.key -out plain.key`",
    ),
    (
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "has a private key in the format of OpenSSH",
        "convert it with `ssh-keygen -p -m PKCS8 -f file.key`",
    ),
    (
        "PUBLIC KEY-----",
        "has a public key",
        "the private key that belongs to it is another file",
    ),
];

const CERTIFICATES: &[(&str, &str, &str)] = &[
    (
        "-----BEGIN TRUSTED CERTIFICATE-----",
        "has a certificate with trust settings of OpenSSL",
        "convert it with `openssl x509 -in trusted.pem -out certificate.pem`",
    ),
    (
        "-----BEGIN PKCS7-----",
        "has certificates as PKCS#7",
        "convert them with `openssl pkcs7 -print_certs -in file.p7b -out certificates.pem`",
    ),
    (
        "CERTIFICATE REQUEST-----",
        "has a certificate request",
        "the certificate that an authority issued for it is another file",
    ),
];

/// The form of a text in which nothing was found, if it is known.
pub(super) fn other_form(text: &[u8], wanted: Wanted) -> Option<TlsProblem> {
    let (found, remedy) = binary(text, wanted).or_else(|| section(text, wanted))?;
    Some(TlsProblem::OtherForm { found, remedy })
}

fn section(text: &[u8], wanted: Wanted) -> Option<(&'static str, &'static str)> {
    let sections = match wanted {
        Wanted::Certificate => CERTIFICATES,
        Wanted::Key => KEYS,
    };
    let known = sections
        .iter()
        .find(|(label, ..)| contains(text, label.as_bytes()));
    known.map(|&(_, found, remedy)| (found, remedy))
}

fn binary(text: &[u8], wanted: Wanted) -> Option<(&'static str, &'static str)> {
    if text.starts_with(&[0xFF, 0xFE]) || text.starts_with(&[0xFE, 0xFF]) {
        return Some(("is UTF-16 text", "save it as UTF-8"));
    }
    // A sequence of ASN.1 whose length is not that of a few bytes.
    let [0x30, 0x81..=0x84 | 0x10..=0x7F, rest @ ..] = text else {
        return None;
    };
    // Its version, 3, and another sequence, after at most four bytes of a length.
    let is_pkcs12 = contains(&rest[..rest.len().min(8)], &[0x02, 0x01, 0x03, 0x30]);
    Some(match (is_pkcs12, wanted) {
        (true, Wanted::Certificate) => (
            "is PKCS#12",
            "convert it with `openssl pkcs12 -nokeys -in file.p12 -out certificate.pem`",
        ),
        (true, Wanted::Key) => (
            "is PKCS#12",
            "convert it with `openssl pkcs12 -nocerts -nodes -in file.p12 -out file.key`",
        ),
        (false, Wanted::Certificate) => (
            "is DER",
            "convert it with `openssl x509 -inform DER -in file.der -out certificate.pem`",
        ),
        (false, Wanted::Key) => (
            "is DER",
            "convert it with `openssl pkey -inform DER -in file.der -out file.key`",
        ),
    })
}

/// The algorithm or curve of a private key that cannot be used, if it is known.
pub(super) fn algorithm(key: &[u8]) -> Option<&'static str> {
    const IDENTIFIERS: &[(&[u8], &str)] = &[
        (&[0x06, 5, 0x2B, 0x81, 4, 0, 0x23], "curve P-521"),
        (&[0x06, 5, 0x2B, 0x81, 4, 0, 0x21], "curve P-224"),
        (&[0x06, 5, 0x2B, 0x81, 4, 0, 0x0A], "curve secp256k1"),
        (
            &[0x06, 9, 0x2B, 0x24, 3, 3, 2, 8, 1, 1],
            "a Brainpool curve",
        ),
        (&[0x06, 3, 0x2B, 0x65, 0x71], "Ed448"),
        (&[0x06, 7, 0x2A, 0x86, 0x48, 0xCE, 0x38, 4, 1], "DSA"),
        (
            &[0x06, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 0x0A],
            "RSA-PSS",
        ),
    ];
    let known = IDENTIFIERS
        .iter()
        .find(|(identifier, _)| contains(key, identifier));
    known.map(|&(_, name)| name)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
