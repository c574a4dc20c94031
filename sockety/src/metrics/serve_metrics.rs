use std::sync::Arc;

use async_trait::async_trait;
use metrics::{Label, Unit, describe_counter, describe_histogram, histogram};
use tokio::time::Instant;

use super::{count_content, count_payload, method, record_duration};
use crate::{
    engine::answered::Answered,
    observe::observed::{Named, Served},
    serve::{
        incoming::Incoming,
        middleware::{ServeMiddleware, ServeNext},
    },
};

/// Counts and times served messages, by action and outcome; see the [module](crate::metrics). Added
/// with [`Router::layer`](crate::serve::Router::layer), before other middleware whose time should
/// be included.
///
/// ```
/// use sockety::{FastReply, metrics::ServeMetrics, serve::{IntoRouter, MessageHandler}};
///
/// let handler = MessageHandler::new().action("ping", |_| async { FastReply::ACCEPT });
/// let router = handler.into_router().layer(ServeMetrics::new());
/// ```
#[derive(Debug, Clone)]
pub struct ServeMetrics {
    named: Named,
}

const DURATION: &str = "rpc.server.call.duration";
const REPLY: &str = "sockety.server.reply.duration";
const REQUEST: &str = "sockety.server.request.payload";
const REQUEST_FILES: &str = "sockety.server.request.files";
const REQUEST_STREAM: &str = "sockety.server.request.stream";
const RESPONSE: &str = "sockety.server.response.payload";
const RESPONSE_FILES: &str = "sockety.server.response.files";
const RESPONSE_STREAM: &str = "sockety.server.response.stream";

impl ServeMetrics {
    /// Names the actions that the served services and handlers declare; all others are `_OTHER`.
    #[expect(
        clippy::new_without_default,
        reason = "it describes metrics to the recorder"
    )]
    pub fn new() -> Self {
        describe_histogram!(
            DURATION,
            Unit::Seconds,
            "Served messages, until their replies were sent"
        );
        describe_histogram!(
            REPLY,
            Unit::Seconds,
            "Served messages whose replies have files or a stream, until these begin"
        );
        describe_counter!(REQUEST, Unit::Bytes, "Payloads of served messages");
        describe_counter!(REQUEST_FILES, Unit::Bytes, "Files of served messages");
        describe_counter!(REQUEST_STREAM, Unit::Bytes, "Streams of served messages");
        describe_counter!(RESPONSE, Unit::Bytes, "Payloads of replies");
        describe_counter!(RESPONSE_FILES, Unit::Bytes, "Files of replies");
        describe_counter!(RESPONSE_STREAM, Unit::Bytes, "Streams of replies");
        let named = Named::default();
        Self { named }
    }

    /// Also names these actions, which a
    /// [fallback](crate::serve::handler::MessageHandler::fallback) handles.
    pub fn actions<A: Into<Arc<str>>>(mut self, actions: impl IntoIterator<Item = A>) -> Self {
        self.named.add(actions);
        self
    }
}

#[async_trait]
impl ServeMiddleware for ServeMetrics {
    async fn handle(&self, incoming: Incoming, next: ServeNext) {
        let method = method(self.named.of_served(&incoming, &next));
        count_payload(REQUEST, method.clone(), incoming.payload().len());
        let mut ending = Ending {
            begin: Instant::now(),
            method,
            served: Served::new(&incoming),
        };
        if let Some(intake) = incoming.intake() {
            let method = ending.method.clone();
            intake
                .at_end(move |bytes| count_content(REQUEST_FILES, REQUEST_STREAM, &method, bytes));
        }
        next.run(incoming).await;
        if ending.served.finish() {
            let replied = histogram!(REPLY, vec![ending.method.clone()]);
            replied.record(ending.begin.elapsed());
            tokio::spawn(async move { ending.served.transferred().await });
        }
    }
}

/// Records how it ended, even if its handler panics or is dropped.
struct Ending {
    begin: Instant,
    method: Label,
    served: Served,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let method = self.method.clone();
        if let Answered::Response { payload } | Answered::Error { payload } = self.served.answered()
        {
            count_payload(RESPONSE, method.clone(), payload);
        }
        if let Some(transferred) = self.served.transferred {
            count_content(RESPONSE_FILES, RESPONSE_STREAM, &method, transferred.sent);
        }
        let duration = self.begin.elapsed();
        record_duration(DURATION, duration, method, self.served.ended(), []);
    }
}
