use std::{fs, path::Path};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sockety::tls::{Roots, TlsServer};
use tempfile::{TempDir, tempdir};

use crate::{Running, failed, server, sockety, stdout};

/// A folder with `ca.pem` and certificates signed by it.
fn certificates(names: &[&str]) -> TempDir {
    let folder = tempdir().unwrap();
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = CertifiedIssuer::self_signed(parameters, key).unwrap();
    write("ca.pem", authority.pem());
    for name in names {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new([String::from(*name)]).unwrap();
        let certificate = parameters.signed_by(&key, &authority).unwrap();
        write(&format!("{name}.pem"), certificate.pem());
        write(&format!("{name}.key"), key.serialize_pem());
    }
    folder
}

fn server(folder: &Path) -> TlsServer {
    let path = |name: &str| folder.join(name);
    TlsServer::from_pem_files(path("127.0.0.1.pem"), path("127.0.0.1.key")).unwrap()
}

#[test]
fn a_certificate_is_checked_unless_nobody_wants_that() {
    let folder = certificates(&["127.0.0.1", "other"]);
    let address = server::start_with(Some(server(folder.path())));
    let call = |options: &str| {
        let mut call = sockety(&format!("call tls://{address} ping {options}"));
        call.current_dir(folder.path());
        call
    };
    failed(&mut call("--ca ca.pem"), 0);
    // Unknown to the system; the wrong name; a certificate that did not sign it; no TLS at all.
    let (_, said) = failed(&mut call(""), 3);
    let text = format!("sockety: cannot connect to tls://{address}: TLS handshake failed: ");
    assert!(said.starts_with(&text), "{said}");
    let (_, said) = failed(&mut call("--ca ca.pem --server-name other"), 3);
    assert!(said.contains("TLS handshake failed"), "{said}");
    failed(&mut call("--ca other.pem"), 3);
    failed(
        &mut sockety(&format!("call {address} ping --connect-timeout 3s")),
        3,
    );
    let fleet = |options: &str| {
        let mut fleet = sockety(&format!("fleet tls://{address} {options}"));
        fleet.current_dir(folder.path());
        fleet
    };
    failed(&mut fleet("--ca ca.pem"), 0);
    let (listed, _) = failed(&mut fleet("--ca other.pem"), 3);
    assert!(listed.contains("TLS handshake failed"), "{listed}");
    let (_, said) = failed(&mut call("--insecure"), 0);
    assert!(said.contains("warning: --insecure"), "{said}");
}

#[test]
fn a_client_shows_its_certificate() {
    let folder = certificates(&["127.0.0.1", "ada.example"]);
    let roots = Roots::from_pem_file(folder.path().join("ca.pem")).unwrap();
    let address = server::start_with(Some(server(folder.path()).require_clients(&roots)));
    let mut call = sockety(&format!("call {address} who --ca ca.pem"));
    failed(call.current_dir(folder.path()), 3);
    let mut call = sockety(&format!(
        "call {address} who --ca ca.pem --cert ada.example.pem --key ada.example.key"
    ));
    assert_eq!(
        stdout(call.current_dir(folder.path())),
        "[\"ada.example\"]\n"
    );
}

#[test]
fn listeners_and_taps_have_certificates_too() {
    let folder = certificates(&["127.0.0.1", "ada.example"]);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (ca, cert, key) = (path("ca.pem"), path("127.0.0.1.pem"), path("127.0.0.1.key"));
    let (ada, ada_key) = (path("ada.example.pem"), path("ada.example.key"));
    let listening = Running::start(&[
        "listen",
        "127.0.0.1:0",
        "--cert",
        &cert,
        "--key",
        &key,
        "--client-ca",
        &ca,
    ]);
    // The tap sees the decrypted packets.
    let upstream = format!("tls://{}", listening.address);
    let mut tap = Running::start(&[
        "tap",
        "127.0.0.1:0",
        &upstream,
        "--ca",
        &ca,
        "--cert",
        &ada,
        "--key",
        &ada_key,
        "--listen-cert",
        &cert,
        "--listen-key",
        &key,
        "--output",
        "json",
    ]);
    let mut call = sockety(&format!(
        "call tls://{} hello --ca {ca} --no-schema",
        tap.address
    ));
    failed(&mut call, 0);
    let lines = tap.lines(7).join("\n");
    assert!(lines.contains("\"action\":\"hello\""), "{lines}");
    // Without a certificate, the listener itself refuses a client.
    failed(&mut sockety(&format!("call {upstream} hello --ca {ca}")), 3);
}
