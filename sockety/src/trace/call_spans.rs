use std::sync::Arc;

use async_trait::async_trait;
use tracing::{Instrument, Span, field, info_span};

use crate::{
    connection::{
        middleware::{CallMiddleware, CallNext},
        outgoing_call::OutgoingCall,
        passage::Summary,
    },
    observe::observed::{Ended, Named, OTHER, SYSTEM, original},
};

/// A span around each call and one-way message of a handle, inside the span of the caller; its attributes are those of the
/// [module](crate::trace). Added with [`Connection::with`](crate::connection::Connection::with) or
/// [`ServiceClient::with`](crate::connection::service_client::ServiceClient::with).
///
/// ```
/// use sockety::{Connection, trace::CallSpans};
///
/// fn traced(connection: &Connection) -> Connection {
///     connection.with(CallSpans::new().actions(["ping", "log"]))
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct CallSpans {
    named: Named,
}

impl CallSpans {
    /// Names the actions of typed services.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names these actions too: those of a [`Draft`](crate::message::draft::Draft), whose name may have come from anywhere.
    pub fn actions<A: Into<Arc<str>>>(mut self, actions: impl IntoIterator<Item = A>) -> Self {
        self.named.add(actions);
        self
    }

    fn span(&self, call: &OutgoingCall) -> Span {
        let peer = call.connection().peer_addr();
        let server = call.connection().server_name();
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
            sockety.outcome = field::Empty,
        )
    }
}

#[async_trait]
impl CallMiddleware for CallSpans {
    async fn handle(&self, call: OutgoingCall, next: CallNext) {
        let span = self.span(&call);
        if span.is_disabled() {
            let _ = next.run(call).await;
            return;
        }
        let _ending = Ending {
            span: span.clone(),
            summary: call.summary(),
        };
        let _ = next.run(call).instrument(span).await;
    }
}

/// Says how it ended, however that comes about: its caller may drop it.
struct Ending {
    span: Span,
    summary: Summary,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let result = self.summary.get();
        if let Err(error) = &result {
            let description = field::display(error);
            self.span.record("otel.status_description", description);
        }
        crate::trace::record(&self.span, &Ended::of_call(&result));
    }
}
