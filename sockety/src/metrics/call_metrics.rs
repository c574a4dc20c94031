use std::sync::Arc;

use async_trait::async_trait;
use metrics::{Label, Unit, describe_counter, describe_histogram};
use tokio::{runtime::Handle, time::Instant};

use super::{count_content, count_payload, method, record_duration};
use crate::{
    address::ServerName,
    connection::{
        call_status::CallStatus,
        middleware::{CallMiddleware, CallNext, CallReply, CallResult},
        outgoing_call::OutgoingCall,
    },
    engine::answered::Answered,
    error::request::RequestError,
    observe::observed::{Ended, Named, summary},
};

/// Counts and times the calls and one-way messages of a handle, by action and outcome; see the
/// [module](crate::metrics). Added with [`Connection::layer`](crate::connection::Connection::layer)
/// or [`ServiceClient::layer`](crate::client::ServiceClient::layer).
///
/// ```
/// use sockety::{Connection, metrics::CallMetrics};
///
/// fn counted(connection: &Connection) -> Connection {
///     connection.layer(CallMetrics::new().actions(["ping", "log"]))
/// }
/// ```
#[derive(Debug, Clone)]
pub struct CallMetrics {
    named: Named,
}

const DURATION: &str = "rpc.client.call.duration";
const REQUEST: &str = "sockety.client.request.payload";
const REQUEST_FILES: &str = "sockety.client.request.files";
const REQUEST_STREAM: &str = "sockety.client.request.stream";
const RESPONSE: &str = "sockety.client.response.payload";
const RESPONSE_FILES: &str = "sockety.client.response.files";
const RESPONSE_STREAM: &str = "sockety.client.response.stream";

impl CallMetrics {
    /// Names the actions of typed services; all others are `_OTHER`.
    #[expect(
        clippy::new_without_default,
        reason = "it describes metrics to the recorder"
    )]
    pub fn new() -> Self {
        describe_histogram!(DURATION, Unit::Seconds, "Calls, until their replies");
        describe_counter!(REQUEST, Unit::Bytes, "Payloads of calls");
        describe_counter!(REQUEST_FILES, Unit::Bytes, "Files of calls");
        describe_counter!(REQUEST_STREAM, Unit::Bytes, "Streams of calls");
        describe_counter!(RESPONSE, Unit::Bytes, "Payloads of their replies");
        describe_counter!(RESPONSE_FILES, Unit::Bytes, "Files of their replies");
        describe_counter!(RESPONSE_STREAM, Unit::Bytes, "Streams of their replies");
        let named = Named::default();
        Self { named }
    }

    /// Also names these actions, which [`Draft`](crate::message::draft::Draft)s have: their names
    /// may come from anywhere.
    pub fn actions<A: Into<Arc<str>>>(mut self, actions: impl IntoIterator<Item = A>) -> Self {
        self.named.add(actions);
        self
    }
}

#[async_trait]
impl CallMiddleware for CallMetrics {
    async fn handle(&self, call: OutgoingCall, next: CallNext) -> CallResult {
        let method = method(self.named.of_call(&call));
        count_payload(REQUEST, method.clone(), call.payload_len());
        let mut ending = Ending {
            begin: Instant::now(),
            method,
            server: call.connection().server_name(),
            status: call.status(),
            result: None,
        };
        ending.status.measure_content();
        let result = next.run(call).await;
        ending.result = Some(summary(&result));
        if let Some(intake) = result.as_ref().ok().and_then(CallReply::intake) {
            let method = ending.method.clone();
            intake.at_end(move |bytes| {
                count_content(RESPONSE_FILES, RESPONSE_STREAM, &method, bytes);
            });
        }
        result
    }
}

/// Records how a call ended, even if its caller drops it.
struct Ending {
    begin: Instant,
    method: Label,
    server: Option<ServerName>,
    status: CallStatus,
    result: Option<Result<Answered, RequestError>>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let (method, result) = (self.method.clone(), self.result.take());
        let result = result.unwrap_or_else(|| Err(self.status.given_up()));
        if let Ok(Answered::Response { payload } | Answered::Error { payload }) = result {
            count_payload(RESPONSE, method.clone(), payload);
        }
        // It may still be sent, and the task that polls the call may have no runtime.
        if let Some(content) = self.status.take_content() {
            if let Ok(runtime) = Handle::try_current() {
                let method = method.clone();
                runtime.spawn(async move {
                    let (bytes, _) = content.ended().await;
                    count_content(REQUEST_FILES, REQUEST_STREAM, &method, bytes);
                });
            }
        }
        let (duration, ended) = (self.begin.elapsed(), Ended::of_call(&result));
        let server = self.server.take().into_iter().flat_map(labels);
        record_duration(DURATION, duration, method, ended, server);
    }
}

fn labels(server: ServerName) -> impl Iterator<Item = Label> {
    let port = server.port.map(|port| port.to_string());
    let port = port.map(|port| Label::new("server.port", port));
    std::iter::once(Label::new("server.address", server.host)).chain(port)
}
