use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;
use tracing::{Instrument, Span, field, info_span};

use super::span_context::SpanContext;
use crate::{
    metadata::Metadata,
    observe::observed::{Named, OTHER, SYSTEM, Served, original},
    serve::{
        incoming::Incoming,
        middleware::{ServeMiddleware, ServeNext},
    },
};

/// Middleware that puts a span around the handling of each served message. The
/// [module](crate::trace) lists its attributes. Added with
/// [`Router::layer`](crate::serve::Router::layer); middleware added after it runs inside the span.
///
/// ```
/// use sockety::{FastReply, serve::{IntoRouter, MessageHandler}, trace::ServeSpans};
///
/// let handler = MessageHandler::new().action("ping", |_| async { FastReply::ACCEPT });
/// let router = handler.into_router().layer(ServeSpans::new());
/// ```
#[derive(Debug, Clone, Default)]
pub struct ServeSpans {
    named: Named,
    is_without_trace: bool,
}

impl ServeSpans {
    /// Names the actions that the served services and handlers declare; all others are `_OTHER`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Also names these actions, which a
    /// [fallback](crate::serve::handler::MessageHandler::fallback) handles.
    pub fn actions<A: Into<Arc<str>>>(mut self, actions: impl IntoIterator<Item = A>) -> Self {
        self.named.add(actions);
        self
    }

    /// Leaves the trace to other middleware: spans have no ids of it, and what came is left as it is.
    pub fn without_trace(mut self) -> Self {
        self.is_without_trace = true;
        self
    }

    fn span(&self, incoming: &Incoming, next: &ServeNext) -> Span {
        let peer = incoming.peer_addr();
        let method = self.named.of_served(incoming, next);
        let method = method.as_deref();
        info_span!(
            target: "sockety",
            "rpc",
            otel.kind = "server",
            otel.name = method.unwrap_or(SYSTEM),
            otel.status_code = field::Empty,
            rpc.system.name = SYSTEM,
            rpc.method = method.unwrap_or(OTHER),
            rpc.method_original = method.is_none().then(|| original(incoming.action())),
            rpc.status_code = field::Empty,
            "error.type" = field::Empty,
            network.peer.address = peer.map(|peer| field::display(peer.ip())),
            network.peer.port = peer.map(|peer| i64::from(peer.port())),
            sockety.message.id = %incoming.id(),
            trace_id = field::Empty,
            span_id = field::Empty,
            parent_id = field::Empty,
            sockety.outcome = field::Empty,
            sockety.reply.duration = field::Empty,
        )
    }
}

#[async_trait]
impl ServeMiddleware for ServeSpans {
    async fn handle(&self, mut incoming: Incoming, next: ServeNext) {
        let span = self.span(&incoming, &next);
        if span.is_disabled() {
            next.run(incoming).await;
            return;
        }
        if !self.is_without_trace {
            let context = SpanContext::below(incoming.metadata().and_then(Metadata::trace));
            context.record(&span);
            incoming.set_trace(context.trace);
        }
        let begin = Instant::now();
        let mut ending = Ending {
            span: span.clone(),
            served: Served::new(&incoming),
        };
        next.run(incoming).instrument(span).await;
        if ending.served.finish() {
            let replied = begin.elapsed().as_secs_f64();
            ending.span.record("sockety.reply.duration", replied);
            tokio::spawn(async move { ending.served.transferred().await });
        }
    }
}

/// Records how it ended, even if its handler panics or is dropped.
struct Ending {
    span: Span,
    served: Served,
}

impl Drop for Ending {
    fn drop(&mut self) {
        crate::trace::record(&self.span, &self.served.ended());
    }
}
