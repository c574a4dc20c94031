//! Several hosts, users and TLS.

use etcd_client::{Client, ConnectOptions, PermissionType};
use sockety_etcd::{Etcd, options};
use tokio::time::timeout;

use crate::support::{EtcdServer, Found, PATIENCE};

#[tokio::test]
async fn one_of_several_hosts_is_enough() {
    let (dead, server) = (EtcdServer::stopped(), EtcdServer::start().await);
    let target = format!("etcd://{},{}/bank", dead.host(), server.host());
    let bank = Etcd::connect(&target).unwrap();
    let registration = bank.registration("127.0.0.1:9001").register().unwrap();
    timeout(PATIENCE, registration.registered())
        .await
        .unwrap()
        .unwrap();
    let mut found = Found::by(bank);
    found.until_keys(&["bank/127.0.0.1:9001"]).await;
}

async fn enable_users(server: &EtcdServer) -> ConnectOptions {
    let mut client = server.client().await;
    client.user_add("root", "secret", None).await.unwrap();
    client.user_grant_role("root", "root").await.unwrap();
    client.auth_enable().await.unwrap();
    options().with_user("root", "secret")
}

/// etcd does so after 5 min without a request, and whenever a password is set.
async fn forget_tokens(server: &EtcdServer) {
    let options = ConnectOptions::new().with_user("root", "secret");
    let mut admin = Client::connect([server.host()], Some(options))
        .await
        .unwrap();
    admin.user_change_password("root", "secret").await.unwrap();
}

#[tokio::test]
async fn users_outlive_a_restart() {
    let mut server = EtcdServer::start().await;
    let options = enable_users(&server).await;
    let bank = Etcd::connect_with(&server.bank(), options).unwrap();
    outlives_a_restart(&mut server, bank).await;
}

#[tokio::test]
async fn users_of_a_client_that_does_not_renew_tokens_outlive_a_restart() {
    let mut server = EtcdServer::start().await;
    enable_users(&server).await;
    let options = ConnectOptions::new().with_user("root", "secret");
    let client = Client::connect([server.host()], Some(options))
        .await
        .unwrap();
    outlives_a_restart(&mut server, Etcd::new(client, "bank")).await;
}

/// A restart, after which etcd does not know the tokens of before.
async fn outlives_a_restart(server: &mut EtcdServer, bank: Etcd) {
    let mut anonymous = Found::by(Etcd::connect(&server.bank()).unwrap());
    anonymous.next().await;
    assert!(
        anonymous.texts()[0].contains("user name is empty"),
        "{:?}",
        anonymous.texts()
    );

    let registration = bank.registration("127.0.0.1:9001");
    let registration = registration
        .ttl(std::time::Duration::from_secs(2))
        .register()
        .unwrap();
    let mut found = Found::by(bank.clone());
    found.until_keys(&["bank/127.0.0.1:9001"]).await;

    forget_tokens(server).await;
    server.kill();
    found.until(|it| !it.errors.is_empty()).await;
    server.run();
    found
        .until(|it| it.snapshots >= 2 && it.keys() == ["bank/127.0.0.1:9001"])
        .await;
    timeout(PATIENCE, registration.registered())
        .await
        .unwrap()
        .unwrap();
    let second = bank.registration("127.0.0.1:9002").register().unwrap();
    found
        .until_keys(&["bank/127.0.0.1:9001", "bank/127.0.0.1:9002"])
        .await;
    forget_tokens(server).await;
    second.revoke().await.unwrap();
    found.until_keys(&["bank/127.0.0.1:9001"]).await;
}

/// The user may not read the keys of the bank.
#[tokio::test]
async fn what_a_user_may_not_read_is_reported() {
    let server = EtcdServer::start().await;
    let mut client = server.client().await;
    client.role_add("guest").await.unwrap();
    let permission = etcd_client::Permission::new(PermissionType::Read, "other");
    client
        .role_grant_permission("guest", permission)
        .await
        .unwrap();
    client.user_add("guest", "secret", None).await.unwrap();
    client.user_grant_role("guest", "guest").await.unwrap();
    enable_users(&server).await;
    let guest = options().with_user("guest", "secret");
    let bank = Etcd::connect_with(&server.bank(), guest).unwrap();
    let mut found = Found::by(bank);
    found.next().await;
    assert!(
        found.texts()[0].contains("permission denied"),
        "{:?}",
        found.texts()
    );
}

#[cfg(feature = "_tls")]
#[tokio::test]
async fn etcd_is_reached_by_tls() {
    use etcd_client::{Certificate, TlsOptions};

    let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = issued.cert.pem();
    let mut server =
        EtcdServer::stopped().with_tls(&certificate, &issued.signing_key.serialize_pem());
    server.run();
    let tls = TlsOptions::new().ca_certificate(Certificate::from_pem(certificate));
    let target = format!("etcds://{}/bank", server.host());
    let bank = Etcd::connect_with(&target, options().with_tls(tls)).unwrap();
    let registration = bank.registration("127.0.0.1:9001").register().unwrap();
    timeout(PATIENCE, registration.registered())
        .await
        .unwrap()
        .unwrap();
    let mut found = Found::by(bank);
    found.until_keys(&["bank/127.0.0.1:9001"]).await;
    // The certificate is not one that others trust.
    let mut strangers = Found::by(Etcd::connect(&target).unwrap());
    strangers.next().await;
    assert_eq!(strangers.errors.len(), 1);
}
