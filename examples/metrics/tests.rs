//! Scrapes the metrics over HTTP, as Prometheus does. It is a single test, because a process has
//! one recorder.

use std::{collections::HashMap, net::SocketAddr};

use sockety::File;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::observed;

/// The page without its comments: each series with its labels, sorted, and its value.
async fn scrape(address: SocketAddr) -> (String, HashMap<String, f64>) {
    let mut http = TcpStream::connect(address).await.unwrap();
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    http.write_all(request.as_bytes()).await.unwrap();
    let mut page = String::new();
    http.read_to_string(&mut page).await.unwrap();
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
    let lines = page
        .lines()
        .filter(|line| line.contains(' ') && !line.starts_with('#'));
    let series = lines.filter_map(|line| {
        let (name, value) = line.rsplit_once(' ')?;
        Some((sorted(name), value.parse().ok()?))
    });
    let series = series.collect();
    (page, series)
}

/// Sorts the labels of a series alphabetically.
fn sorted(series: &str) -> String {
    let Some((name, labels)) = series.strip_suffix('}').and_then(|it| it.split_once('{')) else {
        return series.to_owned();
    };
    let mut labels: Vec<_> = labels.split(',').collect();
    labels.sort_unstable();
    format!("{name}{{{}}}", labels.join(","))
}

#[tokio::test]
async fn calls_and_connections_are_on_the_page() {
    let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = http.local_addr().unwrap();
    let prometheus = observed::recorder().unwrap();
    let (server, library) = observed::library().await.unwrap();
    let port = library.connection().peer_addr().unwrap().port();
    tokio::spawn(async move { observed::serve_metrics(http, prometheus, &server).await });

    for _ in 0..3 {
        assert_eq!(library.copies("Emma".into()).await.unwrap(), 3);
    }
    library.copies("Ulysses".into()).await.unwrap_err();
    library.lend("Dune".into()).await.unwrap_err();
    let page = File::from_bytes("page.txt", "two\nlines\n");
    assert_eq!(library.scan(page).await.unwrap(), 2);

    let (page, series) = scrape(address).await;
    let value = |name: &str| {
        *series
            .get(name)
            .unwrap_or_else(|| panic!("{name} in\n{page}"))
    };
    let served = |method, status| {
        value(&format!(
            "rpc_server_call_duration_seconds_count{{rpc_method=\"library.{method}\",\
             rpc_status_code=\"{status}\",rpc_system_name=\"sockety\",sockety_outcome=\"replied\"}}"
        ))
    };
    assert_eq!(served("copies", "0"), 3.0);
    assert_eq!(served("copies", "16"), 1.0);
    assert_eq!(served("lend", "error"), 1.0);
    assert_eq!(served("scan", "0"), 1.0);
    let called = |method, error: &str, status| {
        value(&format!(
            "rpc_client_call_duration_seconds_count{{{error}rpc_method=\"library.{method}\",\
             rpc_status_code=\"{status}\",rpc_system_name=\"sockety\",server_address=\"127.0.0.1\",\
             server_port=\"{port}\",sockety_outcome=\"replied\"}}"
        ))
    };
    assert_eq!(called("copies", "", "0"), 3.0);
    assert_eq!(called("copies", "error_type=\"16\",", "16"), 1.0);
    assert_eq!(called("lend", "error_type=\"error\",", "error"), 1.0);

    assert_eq!(value("sockety_server_connections"), 1.0);
    assert_eq!(value("sockety_server_connections_accepted_total"), 1.0);
    assert_eq!(value("sockety_server_requests_executing"), 0.0);
    assert!(value("sockety_server_received_bytes_total") > 100.0);
    assert!(value("sockety_server_sent_bytes_total") > 100.0);
    let refused = "sockety_server_peer_events_total{event=\"not_implemented\"}";
    assert_eq!(value(refused), 0.0);
    assert!(page.contains("# TYPE rpc_server_call_duration_seconds histogram"));
    assert!(page.contains("# HELP rpc_server_call_duration_seconds "));
}
