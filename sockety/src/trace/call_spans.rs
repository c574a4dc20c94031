use std::sync::Arc;

use async_trait::async_trait;
use tracing::{Instrument, Span, field, info_span};

use super::span_context::SpanContext;
use crate::{
    connection::{
        call_status::CallStatus,
        middleware::{CallMiddleware, CallNext, CallResult},
        outgoing_call::OutgoingCall,
    },
    engine::answered::Answered,
    error::{chain::chain, request::RequestError},
    observe::observed::{Ended, Named, OTHER, SYSTEM, original, summary},
};

/// Middleware that puts a span around each call and one-way message of a handle, inside the
/// caller's span. The [module](crate::trace) lists its attributes. Added with
/// [`Connection::layer`](crate::connection::Connection::layer) or
/// [`ServiceClient::layer`](crate::client::ServiceClient::layer).
///
/// ```
/// use sockety::{Connection, trace::CallSpans};
///
/// fn traced(connection: &Connection) -> Connection {
///     connection.layer(CallSpans::new().actions(["ping", "log"]))
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct CallSpans {
    named: Named,
    is_without_trace: bool,
}

impl CallSpans {
    /// Names the actions of typed services; all others are `_OTHER`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Also names these actions, which [`Draft`](crate::message::draft::Draft)s have: their names
    /// may come from anywhere.
    pub fn actions<A: Into<Arc<str>>>(mut self, actions: impl IntoIterator<Item = A>) -> Self {
        self.named.add(actions);
        self
    }

    /// Leaves the trace to other middleware: spans have no ids of it, and nothing is sent of it.
    pub fn without_trace(mut self) -> Self {
        self.is_without_trace = true;
        self
    }

    fn span(&self, call: &OutgoingCall) -> Span {
        let peer = call.connection().peer_addr();
        let server = call.connection().server_name();
        let server = server.as_ref();
        let method = self.named.of_call(call);
        let method = method.as_deref();
        info_span!(
            target: "sockety",
            "rpc",
            otel.kind = "client",
            otel.name = method.unwrap_or(SYSTEM),
            otel.status_code = field::Empty,
            otel.status_description = field::Empty,
            rpc.system.name = SYSTEM,
            rpc.method = method.unwrap_or(OTHER),
            rpc.method_original = method.is_none().then(|| original(call.action())),
            rpc.status_code = field::Empty,
            "error.type" = field::Empty,
            server.address = server.map(|server| &*server.host),
            server.port = server.and_then(|server| server.port).map(i64::from),
            network.peer.address = peer.map(|peer| field::display(peer.ip())),
            network.peer.port = peer.map(|peer| i64::from(peer.port())),
            sockety.message.id = %call.id(),
            trace_id = field::Empty,
            span_id = field::Empty,
            parent_id = field::Empty,
            sockety.outcome = field::Empty,
        )
    }
}

#[async_trait]
impl CallMiddleware for CallSpans {
    async fn handle(&self, mut call: OutgoingCall, next: CallNext) -> CallResult {
        let span = self.span(&call);
        if span.is_disabled() {
            return next.run(call).await;
        }
        if !self.is_without_trace {
            let context = SpanContext::below(call.trace());
            context.record(&span);
            if call.may_describe() {
                call.set_trace(context.trace);
            }
        }
        let mut ending = Ending {
            span: span.clone(),
            status: call.status(),
            result: None,
        };
        let result = next.run(call).instrument(span).await;
        ending.result = Some(summary(&result));
        result
    }
}

/// Records how a call ended, even if its caller drops it.
struct Ending {
    span: Span,
    status: CallStatus,
    result: Option<Result<Answered, RequestError>>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let result = self.result.take();
        let result = result.unwrap_or_else(|| Err(self.status.given_up()));
        if let Err(error) = &result {
            let description = field::display(chain(error));
            self.span.record("otel.status_description", description);
        }
        crate::trace::record(&self.span, &Ended::of_call(&result));
    }
}
