//! Metrics and spans around a server and a client, and the page that Prometheus scrapes.

use std::{io, time::Duration};

use axum::{Router, routing::get};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use sockety::{
    Server,
    client::ServiceClient,
    metrics::{CallMetrics, ServeMetrics, ServerMetrics},
    serve::{BoxError, IntoRouter},
    server::ServerHandle,
    trace::{CallSpans, ServeSpans},
};
use tokio::{net::TcpListener, time::interval};

use crate::service::{LibraryClient, LibraryServer, Shelf};

/// Upper bounds of the buckets of durations, in seconds. OpenTelemetry's begin with 5 ms, but many
/// calls here take less.
const SECONDS: [f64; 12] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 10.0,
];

/// The recorder for the metrics of this process. Install it first, because `ServeMetrics` and the
/// others describe their metrics to it when they are created.
pub(crate) fn recorder() -> Result<PrometheusHandle, BuildError> {
    PrometheusBuilder::new()
        .with_recommended_naming(true)
        .set_buckets_for_metric(Matcher::Suffix("call.duration".into()), &SECONDS)?
        .install_recorder()
}

/// A library and a client of it, both observed.
pub(crate) async fn library() -> Result<(ServerHandle, LibraryClient), BoxError> {
    let server = Server::bind("127.0.0.1:0").await?;
    let (address, handle) = (server.local_addr()?, server.handle());
    let router = LibraryServer::new(Shelf::new())
        .into_router()
        .layer(ServeMetrics::new())
        .layer(ServeSpans::new());
    tokio::spawn(server.serve(router));
    let library = LibraryClient::connect(address)
        .await?
        .layer(CallMetrics::new())
        .layer(CallSpans::new());
    Ok((handle, library))
}

/// Serves the metrics page until it fails.
pub(crate) async fn serve_metrics(
    http: TcpListener,
    prometheus: PrometheusHandle,
    server: &ServerHandle,
) -> io::Result<()> {
    tokio::spawn(keep_up(prometheus.clone()));
    let connections = ServerMetrics::new(server);
    let page = move || {
        connections.record();
        std::future::ready(prometheus.render())
    };
    axum::serve(http, Router::new().route("/metrics", get(page))).await
}

/// Durations wait in a queue, which must not grow if nothing scrapes the page.
async fn keep_up(prometheus: PrometheusHandle) {
    let mut ticks = interval(Duration::from_secs(5));
    loop {
        ticks.tick().await;
        prometheus.run_upkeep();
    }
}
