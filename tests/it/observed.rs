//! What spans and metrics record about calls, on both ends.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use serde::{Deserialize, Serialize};
use sockety::{
    ByteStream, FastReply, File, Options, Router, Server, ServiceError,
    client::{CallNext, OutgoingCall, ServiceClient},
    config::Extension,
    fleet::{Change, Changes, Discover, DiscoverError, Eject, Endpoint, Retry},
    message::Draft,
    metadata::Trace,
    metrics::{CallMetrics, FleetMetrics, ServeMetrics, ServerMetrics},
    pair,
    serve::{Incoming, IntoRouter, MessageHandler, ServeNext, TransferEnd, Transferred},
    service,
    trace::{CallSpans, ServeSpans},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Notify,
    time::sleep,
};
use tracing::{field, span};
use tracing_subscriber::{Layer, layer, prelude::*, registry::LookupSpan};

use crate::support::{Log, PIPE, code_of, pair_with, ping_handler, settled};

#[derive(Debug, Serialize, Deserialize, ServiceError)]
enum TeaError {
    /// No kettle.
    #[code(16)]
    NoKettle,
    /// Too hot.
    #[code(17)]
    TooHot { degrees: u32 },
}

#[service(prefix = "tea.")]
trait Tea {
    async fn brew(&self, kind: String) -> Result<u32, TeaError>;
    #[action(one_way)]
    async fn stir(&self);
    async fn wait(&self);
    async fn taste(&self, leaves: File, water: ByteStream);
    /// A sample at once, and a slow stream, which spills if asked to.
    async fn pour(&self, spills: bool, leaves: File) -> (File, ByteStream);
}

#[derive(Clone, Default)]
struct Pot(Arc<Notify>);

impl Tea for Pot {
    async fn brew(&self, kind: String) -> Result<u32, TeaError> {
        tracing::info!("brewing");
        match kind.as_str() {
            "green" => Ok(80),
            "black" => Err(TeaError::TooHot { degrees: 100 }),
            "none" => panic!("no tea"),
            _ => Err(TeaError::NoKettle),
        }
    }

    async fn stir(&self) {}

    async fn wait(&self) {
        self.0.notified().await;
    }

    async fn taste(&self, _leaves: File, _water: ByteStream) {
        self.0.notified().await;
    }

    async fn pour(&self, spills: bool, leaves: File) -> (File, ByteStream) {
        sleep(SECOND).await;
        leaves.bytes(1000).await.expect("leaves");
        let water = ByteStream::spawn(64, move |mut pipe| async move {
            pipe.write_all(&[1; 300]).await?;
            sleep(2 * SECOND).await;
            if spills {
                return Err("spilled".into());
            }
            Ok(pipe.write_all(&[2; 33]).await?)
        });
        (File::from_bytes("sample", vec![3; 50]), water)
    }
}

/// How much there was.
async fn drunk(mut water: ByteStream) -> std::io::Result<usize> {
    water.read_to_end(&mut Vec::new()).await
}

const SECOND: Duration = Duration::from_secs(1);

type Fields = BTreeMap<&'static str, String>;

/// Spans that have ended, and events with the spans that they are in.
#[derive(Clone, Default)]
struct Spans {
    ended: Arc<Mutex<Vec<Fields>>>,
    events: Log,
}

impl Spans {
    fn subscribe(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::registry().with(self.clone());
        tracing::subscriber::set_default(subscriber)
    }

    /// Those of one kind that have ended since it was asked last.
    fn take(&self, kind: &str) -> Vec<Fields> {
        let mut ended = self.ended.lock().expect("no panic");
        ended
            .extract_if(.., |span| span["otel.kind"] == kind)
            .collect()
    }

    #[track_caller]
    fn only(&self, kind: &str) -> Fields {
        let mut spans = self.take(kind);
        assert_eq!(spans.len(), 1, "{spans:?}");
        spans.remove(0)
    }
}

impl<S> Layer<S> for Spans
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        context: layer::Context<'_, S>,
    ) {
        if attributes.metadata().target() == "sockety" {
            let mut fields = Fields::new();
            attributes.record(&mut Visitor(&mut fields));
            let span = context.span(id).expect("a span");
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: layer::Context<'_, S>) {
        let span = context.span(id).expect("a span");
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(&mut Visitor(fields));
        }
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: layer::Context<'_, S>) {
        let mut fields = Fields::new();
        event.record(&mut Visitor(&mut fields));
        let within = context.event_scope(event).into_iter().flatten();
        let within = within.filter_map(|span| {
            let extensions = span.extensions();
            extensions
                .get::<Fields>()
                .map(|fields| fields["otel.kind"].clone())
        });
        let within: Vec<_> = within.collect();
        let message = fields.remove("message").unwrap_or_default();
        self.events
            .note(format!("{message} {}", within.join(" in ")).trim());
    }

    fn on_close(&self, id: span::Id, context: layer::Context<'_, S>) {
        let span = context.span(&id).expect("a span");
        let fields = span.extensions_mut().remove::<Fields>();
        self.ended.lock().expect("no panic").extend(fields);
    }
}

struct Visitor<'a>(&'a mut Fields);

impl field::Visit for Visitor<'_> {
    fn record_str(&mut self, field: &field::Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &field::Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

/// All but ids, in lines.
fn lines(span: &Fields) -> Vec<String> {
    const IDS: [&str; 4] = ["sockety.message.id", "trace_id", "span_id", "parent_id"];
    let said = span.iter().filter(|(name, _)| !IDS.contains(name));
    said.map(|(name, value)| format!("{name}={value}"))
        .collect()
}

/// How a call ended.
fn end(span: &Fields) -> [Option<&str>; 4] {
    let names = [
        "rpc.status_code",
        "error.type",
        "otel.status_code",
        "sockety.outcome",
    ];
    names.map(|name| span.get(name).map(String::as_str))
}

fn traced(serve: impl IntoRouter) -> Router {
    serve.into_router().layer(ServeSpans::new())
}

/// Both ends say what they do, and who calls goes through spans.
async fn tea() -> (Spans, tracing::subscriber::DefaultGuard, TeaClient) {
    let spans = Spans::default();
    let guard = spans.subscribe();
    let pot = TeaServer::new(Pot::default());
    let (near, far) = pair(Router::new(), traced(pot)).await.expect("two");
    tokio::spawn(async move { far.closed().await });
    (spans, guard, TeaClient::new(near.layer(CallSpans::new())))
}

#[tokio::test]
async fn a_call_has_a_span_on_each_end() {
    let spans = Spans::default();
    let _guard = spans.subscribe();
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let port = server.local_addr().expect("an address").port();
    tokio::spawn(server.serve(traced(TeaServer::new(Pot::default()))));
    let client = TeaClient::connect(("localhost", port))
        .await
        .expect("connected")
        .layer(CallSpans::new());
    let peer = client.connection().peer_addr().expect("an address");
    let local = client.connection().local_addr().expect("an address");

    assert_eq!(client.brew("green".into()).await.expect("tea"), 80);

    let (called, served) = (spans.only("client"), spans.only("server"));
    assert_eq!(called["sockety.message.id"], served["sockety.message.id"]);
    let expected = [
        format!("network.peer.address={}", peer.ip()),
        format!("network.peer.port={port}"),
        "otel.kind=client".into(),
        "otel.name=tea.brew".into(),
        "rpc.method=tea.brew".into(),
        "rpc.status_code=0".into(),
        "rpc.system.name=sockety".into(),
        "server.address=localhost".into(),
        format!("server.port={port}"),
        "sockety.outcome=replied".into(),
    ];
    assert_eq!(lines(&called), expected);
    let expected = [
        format!("network.peer.address={}", local.ip()),
        format!("network.peer.port={}", local.port()),
        "otel.kind=server".into(),
        "otel.name=tea.brew".into(),
        "rpc.method=tea.brew".into(),
        "rpc.status_code=0".into(),
        "rpc.system.name=sockety".into(),
        "sockety.outcome=replied".into(),
    ];
    assert_eq!(lines(&served), expected);
    let events = spans.events.events();
    assert!(events.contains(&"brewing server".into()), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn spans_say_how_calls_end() {
    let (spans, _guard, tea) = tea().await;
    let error = Some("error");

    tea.brew("red".into()).await.expect_err("an error");
    let ends = (spans.only("client"), spans.only("server"));
    let replied = Some("replied");
    assert_eq!(end(&ends.0), [Some("16"), Some("16"), error, replied]);
    assert_eq!(end(&ends.1), [Some("16"), None, None, replied]);

    tea.brew("black".into()).await.expect_err("an error");
    let ends = (spans.only("client"), spans.only("server"));
    assert_eq!(end(&ends.0), [error, error, error, replied]);
    assert_eq!(end(&ends.1), [error, None, None, replied]);

    tea.stir().await.expect("sent");
    settled().await;
    let ends = (spans.only("client"), spans.only("server"));
    assert_eq!(end(&ends.0), [None, None, None, Some("one_way")]);
    assert_eq!(end(&ends.1), [None, None, None, Some("one_way")]);
}

#[tokio::test(start_paused = true)]
async fn calls_that_come_to_no_end_have_spans_that_do() {
    let (spans, _guard, tea) = tea().await;
    let error = Some("error");

    tea.brew("none".into()).await.expect_err("a panic");
    let ends = (spans.only("client"), spans.only("server"));
    assert_eq!(
        end(&ends.0),
        [Some("5"), Some("5"), error, Some("executed")]
    );
    assert_eq!(
        end(&ends.1),
        [Some("5"), Some("5"), error, Some("executed")]
    );

    let waited = tea.wait().timeout(Duration::from_secs(1)).await;
    waited.expect_err("nothing comes");
    let late = spans.only("client");
    assert_eq!(
        end(&late),
        [None, Some("timed_out"), error, Some("unknown")]
    );
    assert_eq!(late["otel.status_description"], "no reply within 1s");

    tokio::select! {
        _ = tea.wait() => panic!("nothing comes"),
        () = settled() => {}
    }
    let dropped = spans.only("client");
    assert_eq!(
        end(&dropped),
        [None, Some("given_up"), error, Some("unknown")]
    );

    let refuses = |call: OutgoingCall, _next: CallNext| async move { call.reject("no") };
    let refused = tea.layer(refuses).wait().await;
    refused.expect_err("refused");
    let unsent = spans.only("client");
    assert_eq!(
        end(&unsent),
        [
            None,
            Some("rejected_by_middleware"),
            error,
            Some("not_sent")
        ]
    );
}

#[tokio::test]
async fn t_m8_a_peer_does_not_choose_names() {
    let spans = Spans::default();
    let _guard = spans.subscribe();
    let handler = ping_handler().fallback(|_| async { FastReply::REJECT });
    let known = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&known);
    let asks = move |incoming: Incoming, next: ServeNext| {
        let is_known = next.is_known(incoming.action());
        note.lock().expect("no panic").push(is_known);
        async move {
            next.run(incoming).await;
        }
    };
    let router = handler
        .into_router()
        .layer(ServeSpans::new().actions(["allowed"]))
        .layer(asks);
    let (near, _far) = pair(Router::new(), router).await.expect("two");
    let near = near.layer(CallSpans::new().actions(["ping"]));

    let mut methods = Vec::new();
    let long = "x\u{1b}".repeat(200);
    for action in ["ping", "allowed", &long] {
        code_of(near.send(&Draft::new(action)).await.expect("sent")).await;
        for span in [spans.only("client"), spans.only("server")] {
            let original = span.get("rpc.method_original").cloned();
            methods.push((
                span["otel.name"].clone(),
                span["rpc.method"].clone(),
                original,
            ));
        }
    }
    let named = |name: &str| (name.to_owned(), name.to_owned(), None);
    let other = |name: &str| ("sockety".to_owned(), "_OTHER".to_owned(), Some(name.into()));
    let escaped = other(&"x\\u{1b}".repeat(64));
    let expected = [
        named("ping"),
        named("ping"),
        other("allowed"),
        named("allowed"),
        escaped.clone(),
        escaped,
    ];
    assert_eq!(methods, expected);
    assert_eq!(*known.lock().expect("no panic"), [true, false, false]);
}

#[tokio::test]
async fn the_life_of_a_connection_has_events() {
    let spans = Spans::default();
    let _guard = spans.subscribe();
    let (near, far) = pair(Router::new(), Router::new()).await.expect("two");
    near.close().await;
    far.closed().await;
    let mut events = spans.events.events();
    events.sort();
    let expected = [
        "connection closed by the peer",
        "connection closed by this side",
        "connection established",
        "connection established",
        "peer is going away",
    ];
    assert_eq!(events, expected);
}

/// Each series with its labels, and its value; a histogram's is how often it was recorded.
fn series(snapshotter: &Snapshotter) -> BTreeMap<String, f64> {
    let series = snapshotter.snapshot().into_vec().into_iter();
    let series = series.map(|(key, _, _, value)| {
        let labels = key.key().labels();
        let mut labels: Vec<_> = labels
            .filter(|label| label.key() != "rpc.system.name")
            .map(|label| format!("{}={}", label.key(), label.value()))
            .collect();
        labels.sort();
        let value = match value {
            DebugValue::Counter(count) => count as f64,
            DebugValue::Gauge(value) => value.0,
            DebugValue::Histogram(values) => values.len() as f64,
        };
        (format!("{} {}", key.key().name(), labels.join(" ")), value)
    });
    series.collect()
}

#[tokio::test(start_paused = true)]
async fn t_m8_metrics_count_calls_by_action_and_outcome() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let pot = Pot::default();
    let router = TeaServer::new(pot.clone()).into_router();
    let handler = MessageHandler::new().fallback(|_| async { FastReply::REJECT });
    let router = router.handler(handler).layer(ServeMetrics::new());
    let (near, _far) = pair(Router::new(), router).await.expect("two");
    let near = near.layer(CallMetrics::new());
    let tea = TeaClient::new(near.clone());

    for _ in 0..2 {
        tea.brew("green".into()).await.expect("tea");
    }
    tea.brew("red".into()).await.expect_err("an error");
    tea.brew("none".into()).await.expect_err("a panic");
    for number in 0..3 {
        let unknown = Draft::new(format!("unknown {number}"));
        code_of(near.send(&unknown).await.expect("sent")).await;
    }
    let waiting = tokio::spawn(tea.wait().into_future());
    tokio::time::sleep(Duration::from_secs(2)).await;
    pot.0.notify_one();
    waiting.await.expect("no panic").expect("done");

    let series = series(&snapshotter);
    let brewed = "rpc.method=tea.brew rpc.status_code";
    let expected = [
        (
            format!("rpc.server.call.duration {brewed}=0 sockety.outcome=replied"),
            2.0,
        ),
        (
            format!("rpc.server.call.duration {brewed}=16 sockety.outcome=replied"),
            1.0,
        ),
        (
            format!("rpc.server.call.duration error.type=5 {brewed}=5 sockety.outcome=executed"),
            1.0,
        ),
        (
            "rpc.server.call.duration rpc.method=_OTHER rpc.status_code=1 sockety.outcome=replied"
                .into(),
            3.0,
        ),
        (
            format!("rpc.client.call.duration {brewed}=0 sockety.outcome=replied"),
            2.0,
        ),
        (
            format!("rpc.client.call.duration error.type=16 {brewed}=16 sockety.outcome=replied"),
            1.0,
        ),
        (
            format!("rpc.client.call.duration error.type=5 {brewed}=5 sockety.outcome=executed"),
            1.0,
        ),
        // Texts of 3, 4, 5 and 6 bytes with their headers of one; an 80 each.
        (
            "sockety.server.request.payload rpc.method=tea.brew".into(),
            6.0 + 6.0 + 4.0 + 5.0,
        ),
        (
            "sockety.server.response.payload rpc.method=tea.brew".into(),
            2.0,
        ),
        (
            "sockety.client.request.payload rpc.method=tea.brew".into(),
            21.0,
        ),
        (
            "sockety.client.response.payload rpc.method=tea.brew".into(),
            2.0,
        ),
    ];
    for (name, value) in &expected {
        assert_eq!(series.get(name), Some(value), "{name} in {series:#?}");
    }
    assert!(!series.keys().any(|name| name.contains("unknown")));
}

#[tokio::test(start_paused = true)]
async fn durations_are_those_of_the_calls() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let pot = Pot::default();
    let router = TeaServer::new(pot.clone()).into_router();
    let (near, _far) = pair(Router::new(), router.layer(ServeMetrics::new()))
        .await
        .expect("two");
    let tea = TeaClient::new(near.layer(CallMetrics::new()));
    let waiting = tokio::spawn(tea.wait().into_future());
    tokio::time::sleep(Duration::from_secs(2)).await;
    pot.0.notify_one();
    waiting.await.expect("no panic").expect("done");
    let mut durations = Vec::new();
    for (_, _, _, value) in snapshotter.snapshot().into_vec() {
        if let DebugValue::Histogram(values) = value {
            durations.extend(values.iter().map(|value| value.0.round()));
        }
    }
    assert_eq!(durations, [2.0, 2.0]);
}

#[tokio::test(start_paused = true)]
async fn a_call_lasts_until_the_content_of_its_reply_was_sent_and_its_bytes_are_counted() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let spans = Spans::default();
    let _guard = spans.subscribe();
    let transferred = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&transferred);
    // Several measure the same message.
    let measures = move |incoming: Incoming, next: ServeNext| {
        let (transfer, note) = (incoming.transfer(), Arc::clone(&note));
        async move {
            next.run(incoming).await;
            tokio::spawn(async move {
                let transferred = transfer.ended().await;
                note.lock().expect("no panic").push(transferred);
            });
        }
    };
    let router = traced(TeaServer::new(Pot::default()))
        .layer(ServeMetrics::new())
        .layer(measures);
    let (near, far) = pair(Router::new(), router).await.expect("two");
    let tea = TeaClient::new(near.layer(CallMetrics::new()));

    let leaves = File::from_bytes("leaves", vec![7; 1000]);
    let (sample, water) = tea.pour(false, leaves).await.expect("tea");
    assert_eq!(sample.bytes(1000).await.expect("a sample").len(), 50);
    assert!(spans.take("server").is_empty());
    assert_eq!(far.traffic().requests_executing, 0, "it occupies no slot");
    assert_eq!(drunk(water).await.expect("water"), 333);
    settled().await;

    let span = spans.only("server");
    assert_eq!(end(&span), [Some("0"), None, None, Some("replied")]);
    let replied: f64 = span["sockety.reply.duration"].parse().expect("seconds");
    assert!((1.0..1.1).contains(&replied), "{replied}");
    let transferred = std::mem::take(&mut *transferred.lock().expect("no panic"));
    assert_eq!(transferred.len(), 1);
    let Transferred {
        received,
        sent,
        end: how,
        ..
    } = transferred[0];
    assert_eq!((received.files, received.stream), (1000, 0));
    assert_eq!((sent.files, sent.stream), (50, 333));
    assert_eq!(how, TransferEnd::Complete);

    let all = snapshotter.snapshot().into_vec();
    let durations: Vec<_> = all
        .iter()
        .filter_map(|(key, _, _, value)| match value {
            DebugValue::Histogram(values) => {
                let values: Vec<_> = values.iter().map(|it| it.0.round()).collect();
                Some((key.key().name().to_owned(), values))
            }
            _ => None,
        })
        .collect();
    let durations: BTreeMap<_, _> = durations.into_iter().collect();
    assert_eq!(durations["rpc.server.call.duration"], [3.0]);
    assert_eq!(durations["sockety.server.reply.duration"], [1.0]);
    assert_eq!(durations["rpc.client.call.duration"], [1.0]);
    let counters: BTreeMap<_, _> = all
        .iter()
        .filter_map(|(key, _, _, value)| match value {
            DebugValue::Counter(count) => Some((key.key().name(), *count)),
            _ => None,
        })
        .collect();
    for side in ["server", "client"] {
        let bytes = |what: &str| counters.get(&*format!("sockety.{side}.{what}")).copied();
        assert_eq!(bytes("request.files"), Some(1000), "{side}");
        assert_eq!(bytes("request.stream"), None, "{side}");
        assert_eq!(bytes("response.files"), Some(50), "{side}");
        assert_eq!(bytes("response.stream"), Some(333), "{side}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_whose_content_fails_is_an_error_of_its_server_alone() {
    for is_read in [true, false] {
        let (spans, _guard, tea) = tea().await;
        let leaves = File::from_bytes("leaves", "leaves");
        let (_sample, water) = tea.pour(is_read, leaves).await.expect("tea");
        if is_read {
            drunk(water).await.expect_err("spilled");
        } else {
            // The caller does not want the rest.
            drop(water);
            tea.connection().close().await;
        }
        sleep(10 * SECOND).await;
        let error = is_read.then_some("content_failed");
        let status = is_read.then_some("error");
        let expected = [Some("0"), error, status, Some("replied")];
        assert_eq!(end(&spans.only("server")), expected);
    }
}

#[tokio::test]
async fn metrics_of_a_server_say_what_is_under_way() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let pot = Pot::default();
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let (address, handle) = (server.local_addr().expect("an address"), server.handle());
    tokio::spawn(server.serve(TeaServer::new(pot.clone())));
    let metrics = ServerMetrics::new(&handle).label("server", "public");
    let tea = TeaClient::connect(address).await.expect("connected");
    let connection = tea.connection().clone();

    let (mut writer, water) = tokio::io::duplex(16);
    let water = ByteStream::from_reader(water);
    let tasting = tea.taste(File::from_bytes("leaves", vec![7; 1000]), water);
    let tasting = tokio::spawn(tasting.into_future());
    while handle.traffic().streams == 0 || handle.traffic().received_bytes < 1000 {
        tokio::task::yield_now().await;
    }
    let unknown = connection.send(&Draft::new("unknown")).await;
    assert_eq!(code_of(unknown.expect("sent")).await, 2);

    metrics.record();
    let found = series(&snapshotter);
    let value = |name: &str| found.get(&format!("sockety.server.{name}")).copied();
    assert_eq!(value("connections server=public"), Some(1.0));
    assert_eq!(value("connections.accepted server=public"), Some(1.0));
    assert_eq!(value("requests.executing server=public"), Some(1.0));
    assert_eq!(value("files server=public"), Some(1.0));
    assert_eq!(value("streams server=public"), Some(1.0));
    let refused = "peer.events event=not_implemented server=public";
    assert_eq!(value(refused), Some(1.0));
    assert!(value("received server=public") > Some(1000.0));
    // Of this side: the stream alone is not sent to its end.
    let traffic = connection.traffic();
    assert_eq!((traffic.files, traffic.streams), (0, 1));
    assert_eq!(traffic.requests_waiting, 1);

    tokio::io::AsyncWriteExt::shutdown(&mut writer)
        .await
        .expect("ended");
    drop(writer);
    pot.0.notify_one();
    tasting.await.expect("no panic").expect("done");
    let sent = connection.traffic().sent_bytes;
    drop((tea, connection));
    while handle.stats().connections > 0 {
        tokio::task::yield_now().await;
    }
    // What has ended still counts, and nothing is under way.
    let traffic = handle.traffic();
    assert!(traffic.received_bytes >= sent, "{traffic:?}, {sent}");
    assert!(traffic.sent_bytes > 0);
    let under_way = [
        traffic.files,
        traffic.streams,
        traffic.requests_executing,
        traffic.requests_waiting,
    ];
    assert_eq!(under_way, [0; 4]);
}

/// Passes calls on.
#[service(prefix = "relay.")]
trait Relay {
    async fn brew(&self, cx: &sockety::Context) -> u8;
    #[action(spawn)]
    async fn spawned(&self, cx: &sockety::Context) -> u8;
}

struct Waiter(Option<TeaClient>);

impl Relay for Waiter {
    async fn brew(&self, cx: &sockety::Context) -> u8 {
        tokio::task::yield_now().await;
        if let Waiter(Some(tea)) = self {
            tea.brew("green".into()).await.expect("tea");
        }
        cx.trace().expect("a trace").flags
    }

    async fn spawned(&self, cx: &sockety::Context) -> u8 {
        let tea = self.0.clone().expect("tea");
        let task = tokio::spawn(cx.scope(tea.brew("green".into()).into_future()));
        let tea = task.await.expect("no panic").expect("not cancelled");
        tea.expect("tea");
        cx.trace().expect("a trace").flags
    }
}

/// A client of a relay in front of the tea, and what keeps both.
async fn relay(extension: Extension) -> (RelayClient, [sockety::Connection; 2]) {
    let options = || Options::default().extension(extension);
    let pot = TeaServer::new(Pot::default());
    let (near, far) = pair_with((Router::new(), options()), (traced(pot), options()), PIPE).await;
    let waiter = RelayServer::new(Waiter(Some(TeaClient::new(near.layer(CallSpans::new())))));
    let (relay, kept) = pair_with(
        (Router::new(), options()),
        (traced(waiter), options()),
        PIPE,
    )
    .await;
    (RelayClient::new(relay.layer(CallSpans::new())), [kept, far])
}

/// The spans of a call through the relay, the outermost first.
fn way(spans: &Spans) -> Vec<Fields> {
    let (mut called, mut served) = (spans.take("client"), spans.take("server"));
    assert_eq!((called.len(), served.len()), (2, 2));
    // The inner ones end first.
    let mut all = vec![
        called.remove(1),
        served.remove(1),
        called.remove(0),
        served.remove(0),
    ];
    all.iter_mut().for_each(|span| {
        span.retain(|name, _| name.ends_with("_id"));
    });
    all
}

// r[verify ext.meta.trace]
// r[verify ext.meta.nested]
#[tokio::test]
async fn spans_of_all_services_are_one_trace() {
    let spans = Spans::default();
    let _guard = spans.subscribe();
    let (relay, _kept) = relay(Extension::Auto).await;
    for is_spawned in [false, true] {
        let flags = match is_spawned {
            false => relay.brew().await,
            true => relay.spawned().await,
        };
        assert_eq!(flags.expect("a reply"), 1);
        settled().await;
        let way = way(&spans);
        assert!(!way[0].contains_key("parent_id"), "{way:?}");
        for pair in way.windows(2) {
            assert_eq!(pair[1]["trace_id"], pair[0]["trace_id"]);
            assert_eq!(pair[1]["parent_id"], pair[0]["span_id"]);
            assert_ne!(pair[1]["span_id"], pair[0]["span_id"]);
        }
        assert_eq!(
            (way[0]["trace_id"].len(), way[0]["span_id"].len()),
            (32, 16)
        );
    }
    // One that is given goes on, and so does its mark.
    let outer = Trace {
        trace_id: [7; 16],
        parent_id: [8; 8],
        flags: 0,
    };
    let flags = relay.brew().trace(outer).await.expect("a reply");
    assert_eq!(flags, 0);
    settled().await;
    let way = way(&spans);
    assert_eq!(way[0]["parent_id"], "08".repeat(8));
    assert!(way.iter().all(|span| span["trace_id"] == "07".repeat(16)));
}

// r[verify ext.meta.base]
#[tokio::test]
async fn without_the_extension_each_service_has_a_trace() {
    let spans = Spans::default();
    let _guard = spans.subscribe();
    let (relay, _kept) = relay(Extension::Off).await;
    relay.brew().await.expect("a reply");
    settled().await;
    let way = way(&spans);
    let parents = way.iter().map(|span| span.contains_key("parent_id"));
    assert_eq!(parents.collect::<Vec<_>>(), [false, false, true, false]);
    assert_eq!(way[2]["trace_id"], way[1]["trace_id"]);
    assert_ne!(way[1]["trace_id"], way[0]["trace_id"]);
    assert_ne!(way[3]["trace_id"], way[2]["trace_id"]);
}

#[tokio::test]
async fn a_tracer_with_ids_of_its_own_carries_them() {
    let spans = Spans::default();
    let _guard = spans.subscribe();
    let own = |parent| Trace {
        trace_id: [7; 16],
        parent_id: [parent; 8],
        flags: 1,
    };
    let options = || Options::default().extension(Extension::Auto);
    let router = RelayServer::new(Waiter(None)).into_router();
    let router = router.layer(ServeSpans::new().without_trace());
    let router = router.layer(move |mut incoming: Incoming, next: ServeNext| async move {
        let came = incoming.metadata().and_then(|metadata| metadata.trace());
        assert_eq!(came, Some(own(1)));
        incoming.set_trace(own(2));
        next.run(incoming).await;
    });
    let (near, _far) = pair_with((Router::new(), options()), (router, options()), PIPE).await;
    let near = near.layer(CallSpans::new().without_trace());
    let near = near.layer(move |mut call: OutgoingCall, next: CallNext| async move {
        call.set_trace(own(1));
        next.run(call).await
    });
    let relay = RelayClient::new(near);
    assert_eq!(relay.brew().await.expect("a reply"), 1);
    settled().await;
    for kind in ["client", "server"] {
        let span = spans.only(kind);
        assert!(!span.contains_key("trace_id"), "{span:?}");
    }
}

/// What discovery finds: an error, then these servers.
struct Found(Vec<Endpoint>);

impl Discover for Found {
    fn changes(self) -> Changes {
        let error = DiscoverError::unavailable("tea", "the registry is away");
        Box::pin(futures_util::stream::iter([
            Err(error),
            Ok(Change::Snapshot(self.0)),
        ]))
    }
}

#[tokio::test]
async fn the_servers_of_a_fleet_are_counted_by_state_and_its_retries_by_outcome() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let pot = Pot::default();
    // One call at a time, and no queue.
    let options = Options::default()
        .max_requests_executing(1)
        .max_queued_requests(0);
    let server = Server::bind("127.0.0.1:0").await.expect("a port");
    let server = server.options(options);
    let address = server.local_addr().expect("bound");
    tokio::spawn(server.serve(TeaServer::new(pot.clone())));
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let gone = gone.expect("a port").local_addr().expect("bound");

    let found = Found(vec![
        Endpoint::new(address).expect("an address"),
        Endpoint::new(gone).expect("an address"),
    ]);
    let fleet = TeaClient::fleet(found)
        .name("tea")
        .retry(Retry::default().attempts(2).budget(0.0, 1))
        .eject(Eject::default().failures_in_a_row(1))
        .await
        .expect("a fleet");
    let metrics = FleetMetrics::new(&fleet);
    while fleet.stats().failed_connects == 0 {
        fleet.changed().await;
    }
    let tea = fleet.client();
    let waiting = tea.wait().start();
    while fleet.endpoints().iter().all(|it| it.in_flight == 0) {
        sleep(Duration::from_millis(5)).await;
    }
    metrics.record();
    let before = series(&snapshotter);
    // The budget has 10, for its 10 s: of 15 refused calls, 10 are sent again and refused again.
    for _ in 0..15 {
        tea.brew("green".into()).await.expect_err("it is busy");
    }
    while !fleet.stats().is_panicking {
        fleet.changed().await;
    }
    metrics.record();
    let after = series(&snapshotter);
    pot.0.notify_one();
    drop(waiting);

    let expected = [
        ("sockety.fleet.endpoints fleet=tea state=ready", 1.0, 0.0),
        ("sockety.fleet.endpoints fleet=tea state=ejected", 0.0, 1.0),
        ("sockety.fleet.endpoints fleet=tea state=unused", 0.0, 0.0),
        ("sockety.fleet.connections fleet=tea", 1.0, 1.0),
        ("sockety.fleet.connections.made fleet=tea", 1.0, 1.0),
        ("sockety.fleet.requests.waiting fleet=tea", 1.0, 1.0),
        (
            "sockety.fleet.retries fleet=tea sockety.outcome=not_executed",
            0.0,
            10.0,
        ),
        (
            "sockety.fleet.retries fleet=tea sockety.outcome=unknown",
            0.0,
            0.0,
        ),
        ("sockety.fleet.retries.over_budget fleet=tea", 0.0, 5.0),
        ("sockety.fleet.retries.left fleet=tea", 10.0, 0.0),
        ("sockety.fleet.ejections fleet=tea", 0.0, 1.0),
        ("sockety.fleet.panic fleet=tea", 0.0, 1.0),
        ("sockety.fleet.discover.errors fleet=tea", 1.0, 1.0),
    ];
    for (name, first, last) in expected {
        assert_eq!(before.get(name), Some(&first), "{name} in {before:#?}");
        assert_eq!(after.get(name), Some(&last), "{name} in {after:#?}");
    }
    assert!(before["sockety.fleet.connections.failed fleet=tea"] >= 1.0);
    // The first call has not ended, and others are counted once a second.
    assert_eq!(before["sockety.fleet.attempts fleet=tea"], 0.0);

    // The metrics do not keep it open.
    drop((tea, fleet));
    loop {
        metrics.record();
        if series(&snapshotter)["sockety.fleet.connections fleet=tea"] == 0.0 {
            break;
        }
        sleep(Duration::from_millis(5)).await;
    }
}
