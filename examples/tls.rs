//! Mutual TLS: the server identifies its callers by their certificates, and renews its own
//! certificate while they stay connected.
//!
//! This example creates its certificates with rcgen. In production they are files: see
//! `TlsServer::from_pem_files`, `Identity::from_pem_files` and `Roots::from_pem_file`.

use std::io::{self, Write};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sockety::{
    Context, Server, ServiceError,
    error::chain,
    serve::BoxError,
    service,
    tls::{Identity, Roots, TlsClient, TlsServer},
};

#[service]
trait Vault {
    /// Returns the caller's own secret.
    async fn secret(&self, cx: &Context) -> Result<String, VaultError>;
}

#[derive(Debug, ServiceError, serde::Serialize, serde::Deserialize)]
enum VaultError {
    /// the caller has no name
    #[code(16)]
    NoName,
}

struct Secrets;

impl Vault for Secrets {
    async fn secret(&self, cx: &Context) -> Result<String, VaultError> {
        // The certificate was checked before the first message could arrive.
        let names = cx.peer_identity().map(|caller| caller.dns_names());
        let name = names.into_iter().flatten().next();
        Ok(format!("{} likes tea", name.ok_or(VaultError::NoName)?))
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let servers = Authority::new()?;
    let clients = Authority::new()?;

    let tls = TlsServer::new(servers.issue("localhost")?).require_clients(&clients.roots()?);
    let server = Server::bind("localhost:0").await?.tls(tls);
    let address = format!("tls://localhost:{}", server.local_addr()?.port());
    let handle = server.handle();
    let serving = tokio::spawn(server.serve(VaultServer::new(Secrets)));

    let trusting = TlsClient::new(&servers.roots()?);
    let ada = trusting.clone().identity(clients.issue("ada.example")?);
    let vault = VaultClient::connect(&address).tls(ada.clone()).await?;
    say(format!("ada: {}", vault.secret().await?));

    // No trusted authority signed this one, so not even a connection is established.
    let mallory = trusting.identity(Authority::new()?.issue("ada.example")?);
    match VaultClient::connect(&address).tls(mallory).await {
        Ok(_) => return Err("mallory was let in".into()),
        Err(error) => say(format!("mallory: {}", chain(&error))),
    }

    // New connections get the new certificate. A broken one would already have been an error when
    // creating it.
    let renewed = TlsServer::new(servers.issue("localhost")?).require_clients(&clients.roots()?);
    handle.set_tls(renewed);
    let second = VaultClient::connect(&address).tls(ada).await?;
    say(format!(
        "ada, on the old connection: {}",
        vault.secret().await?
    ));
    say(format!("ada, on a new one: {}", second.secret().await?));

    handle.stop();
    Ok(serving.await??)
}

/// The authority that signs the certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Result<Self, BoxError> {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate()?)?;
        Ok(Self(issuer))
    }

    fn issue(&self, name: &str) -> Result<Identity, BoxError> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new([name.to_owned()])?.signed_by(&key, &self.0)?;
        Ok(Identity::from_pem(certificate.pem(), key.serialize_pem())?)
    }

    fn roots(&self) -> Result<Roots, BoxError> {
        Ok(Roots::from_pem(self.0.pem())?)
    }
}

/// Prints a line. Unlike with `println!`, it is not a panic if the reader has gone away (`| head`).
fn say(line: String) {
    let _ = writeln!(io::stdout(), "{line}");
}
