//! What a discovery finds, whatever becomes of etcd.

use std::time::Duration;

use etcd_client::{Client, CompactionOptions, Txn, TxnOp};
use sockety_etcd::Etcd;
use tokio::time::timeout;

use crate::support::{EtcdServer, Found};

fn found(server: &EtcdServer) -> Found {
    Found::by(Etcd::connect(&server.bank()).unwrap())
}

#[tokio::test]
async fn servers_are_found_added_changed_and_removed() {
    let server = EtcdServer::start().await;
    server.put_server("bank/1", "127.0.0.1:9001").await;
    server.put_server("bank/2", "127.0.0.1:9002").await;
    // Not of the bank: Go's package would read it, as it leaves the slash out.
    server.put_server("bank2/1", "127.0.0.1:9003").await;

    let mut found = found(&server);
    found.next().await;
    assert_eq!(found.keys(), ["bank/1", "bank/2"]);
    assert_eq!(
        found.servers["bank/2"].address().to_string(),
        "127.0.0.1:9002"
    );

    server.put_server("bank2/2", "127.0.0.1:9004").await;
    server.put_server("bank/3", "127.0.0.1:9003").await;
    found.next().await;
    assert_eq!(found.keys(), ["bank/1", "bank/2", "bank/3"]);

    server
        .put(
            "bank/1",
            r#"{"Op":0,"Addr":"127.0.0.1:9009","Metadata":{"weight":3}}"#,
        )
        .await;
    found.next().await;
    let changed = &found.servers["bank/1"];
    assert_eq!(
        (changed.address().to_string(), changed.weight()),
        ("127.0.0.1:9009".into(), 3)
    );

    server.delete("bank/2").await;
    found.next().await;
    assert_eq!(found.keys(), ["bank/1", "bank/3"]);
    assert_eq!((found.snapshots, found.texts().len()), (1, 0));
}

#[tokio::test]
async fn no_servers_are_a_snapshot_too() {
    let server = EtcdServer::start().await;
    let mut found = found(&server);
    found.next().await;
    assert_eq!((found.snapshots, found.keys().len()), (1, 0));
}

#[tokio::test]
async fn while_etcd_is_dead_the_servers_stay_and_afterwards_nothing_is_missed() {
    let mut server = EtcdServer::start().await;
    server.put_server("bank/1", "127.0.0.1:9001").await;
    server.put_server("bank/2", "127.0.0.1:9002").await;
    let mut found = found(&server);
    found.until_keys(&["bank/1", "bank/2"]).await;

    server.kill();
    found.until(|it| it.errors.len() >= 3).await;
    assert_eq!(found.keys(), ["bank/1", "bank/2"]);
    assert_eq!(found.snapshots, 1);
    for text in found.texts() {
        assert!(
            text.starts_with("cannot look up the servers of etcd://127"),
            "{text}"
        );
    }

    // Before the discovery looks again.
    server.restart().await;
    server.delete("bank/1").await;
    server.put_server("bank/3", "127.0.0.1:9003").await;
    found.until_keys(&["bank/2", "bank/3"]).await;
    server.put_server("bank/4", "127.0.0.1:9004").await;
    found.until_keys(&["bank/2", "bank/3", "bank/4"]).await;
}

/// With a client that sends no pings: the limits are those of the discovery.
#[tokio::test]
async fn an_etcd_that_hangs_is_noticed() {
    let server = EtcdServer::start().await;
    server.put_server("bank/1", "127.0.0.1:9001").await;
    let mut found = Found::by(Etcd::new(server.client().await, "bank"));
    found.until_keys(&["bank/1"]).await;

    server.pause();
    found.until(|it| !it.errors.is_empty()).await;
    let expected = "cannot look up the servers of bank: no answer to whether it watches within 5s";
    assert_eq!(found.texts(), [expected]);
    found.until(|it| it.errors.len() == 2).await;
    let expected = "cannot look up the servers of bank: no answer to the list of servers within 5s";
    assert_eq!(found.texts()[1], expected);
    assert_eq!(found.keys(), ["bank/1"]);

    server.resume();
    server.put_server("bank/2", "127.0.0.1:9002").await;
    found.until_keys(&["bank/1", "bank/2"]).await;
}

/// A quiet watch is asked, and goes on.
#[tokio::test]
async fn a_watch_that_is_quiet_for_long_goes_on() {
    let server = EtcdServer::start().await;
    let mut found = found(&server);
    found.next().await;
    let quiet = timeout(Duration::from_secs(25), found.next());
    assert!(quiet.await.is_err());
    server.put_server("bank/1", "127.0.0.1:9001").await;
    found.next().await;
    assert_eq!((found.snapshots, found.keys()), (1, vec!["bank/1"]));
}

#[tokio::test]
async fn changes_that_were_compacted_are_not_missed() {
    let mut server = EtcdServer::start().await;
    server.put_server("bank/1", "127.0.0.1:9001").await;
    let mut found = found(&server);
    found.until_keys(&["bank/1"]).await;

    server.restart().await;
    server.delete("bank/1").await;
    server.put_server("bank/2", "127.0.0.1:9002").await;
    let mut client = server.client().await;
    let put = client.put("other", "", None).await.unwrap();
    let revision = put.header().unwrap().revision();
    let options = CompactionOptions::new().with_physical();
    client.compact(revision, Some(options)).await.unwrap();
    found.until_keys(&["bank/2"]).await;
}

#[tokio::test]
async fn after_a_loss_of_data_the_servers_stay_until_they_have_registered_again() {
    let mut server = EtcdServer::start().await;
    for key in ["bank/1", "bank/2", "bank/dead"] {
        server.put_server(key, "127.0.0.1:9001").await;
    }
    let mut found = found(&server);
    found.until_keys(&["bank/1", "bank/2", "bank/dead"]).await;

    server.kill();
    server.wipe();
    server.restart().await;
    found
        .until(|it| {
            it.texts()
                .iter()
                .any(|text| text.contains("is at revision 1, but was at 4"))
        })
        .await;
    assert!(timeout(Duration::from_secs(3), found.next()).await.is_err());
    assert_eq!((found.keys().len(), found.snapshots), (3, 1));
    server.put_server("bank/1", "127.0.0.1:9001").await;
    server.put_server("bank/2", "127.0.0.1:9001").await;
    found.until(|it| it.snapshots == 2).await;
    assert_eq!(found.keys(), ["bank/1", "bank/2"]);
    server.put_server("bank/3", "127.0.0.1:9001").await;
    found.until_keys(&["bank/1", "bank/2", "bank/3"]).await;
}

#[tokio::test]
async fn etcd_may_be_started_later() {
    let mut server = EtcdServer::stopped();
    let mut found = found(&server);
    found.until(|it| it.errors.len() == 2).await;
    server.restart().await;
    found.until(|it| it.snapshots == 1).await;
    server.put_server("bank/1", "127.0.0.1:9001").await;
    found.until_keys(&["bank/1"]).await;
}

#[tokio::test]
async fn entries_that_do_not_parse_are_skipped_and_reported() {
    let server = EtcdServer::start().await;
    server.put_server("bank/1", "127.0.0.1:9001").await;
    server.put("bank/2", "127.0.0.1:9002").await;
    server.put_server("bank/3", "nowhere").await;
    let mut client = server.client().await;
    client.put(b"bank/\xff".to_vec(), "{}", None).await.unwrap();
    let mut found = found(&server);
    found.until(|it| it.errors.len() == 3).await;
    assert_eq!(found.keys(), ["bank/1"]);
    let texts = found.texts();
    let starts = [
        r#"entry "bank/2" is skipped: its value is not JSON of the form {"Op":0,"Addr":"host:port"}: "#,
        r#"entry "bank/3" is skipped: its address is invalid: "#,
        "entry \"bank/\u{fffd}\" is skipped: its key is not UTF-8",
    ];
    for (text, start) in texts.iter().zip(starts) {
        assert!(text.starts_with(start), "{text}");
    }

    // While it watches.
    server.put("bank/4", "{").await;
    found.next().await;
    found.until(|it| it.errors.len() == 4).await;
    client.delete(b"bank/\xff".to_vec(), None).await.unwrap();
    // What was right and no longer is would not be in a snapshot.
    server.put("bank/1", "[]").await;
    found.until(|it| it.errors.len() == 5).await;
    assert_eq!(found.keys().len(), 0);
    server.put_server("bank/2", "127.0.0.1:9002").await;
    found.until_keys(&["bank/2"]).await;
}

#[tokio::test]
async fn entries_in_the_layout_of_go_are_found() {
    let server = EtcdServer::start().await;
    server
        .put("bank/plain", include_str!("../go/plain.json"))
        .await;
    let mut found = found(&server);
    found.next().await;
    server
        .put("bank/weighted", include_str!("../go/weighted.json"))
        .await;
    server
        .put("bank/text", include_str!("../go/text.json"))
        .await;
    found
        .until_keys(&["bank/plain", "bank/text", "bank/weighted"])
        .await;
    let weighted = &found.servers["bank/weighted"];
    assert_eq!((weighted.weight(), weighted.zone()), (3, Some("b")));
    assert_eq!(weighted.metadata()["version"], "1.2 <beta>");
}

#[tokio::test]
async fn more_than_fits_into_one_answer_is_read_in_pages() {
    let server = EtcdServer::start().await;
    let mut client = server.client().await;
    put_many(&mut client, 2500).await;
    // The first of the second page.
    server.put_server("bank/00999\u{1}", "127.0.0.1:1").await;
    let large = "x".repeat(1_000_000);
    for number in 0..6 {
        let value = format!(r#"{{"Op":0,"Addr":"127.0.0.1:1","Metadata":"{large}"}}"#);
        client
            .put(format!("bank/large-{number}"), value, None)
            .await
            .unwrap();
    }
    let all = client
        .get("bank/", Some(etcd_client::GetOptions::new().with_prefix()))
        .await;
    assert!(all.unwrap_err().to_string().contains("too large"));

    let mut found = found(&server);
    found.next().await;
    assert_eq!(found.texts(), [""; 0]);
    assert_eq!(found.servers.len(), 2507);
}

async fn put_many(client: &mut Client, count: usize) {
    let puts: Vec<_> = (0..count)
        .map(|number| {
            let value = format!(
                r#"{{"Op":0,"Addr":"127.0.0.1:{}","Metadata":null}}"#,
                10_000 + number
            );
            TxnOp::put(format!("bank/{number:05}"), value, None)
        })
        .collect();
    // etcd accepts no more operations in a transaction.
    for puts in puts.chunks(128) {
        client.txn(Txn::new().and_then(puts)).await.unwrap();
    }
}
