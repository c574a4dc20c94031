use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use sockety_codec::Uuid;
use tokio::sync::Notify;

use crate::{
    engine::answered::Answered,
    fast_reply::FastReply,
    msgpack::{self, Bounds, DecodeError},
    payload::or_nil,
    serve::{
        incoming::Incoming,
        middleware::{ServeMiddleware, ServeNext},
    },
};

/// Middleware that records the messages that a router serves, in the order of their arrival. Clones
/// share the record.
///
/// The calls themselves are answered by what the router serves: an implementation of the service's
/// trait, or a [`MessageHandler`](crate::serve::MessageHandler) with a closure for each action.
///
/// ```
/// use sockety::{CallError, FastReply, pair, Router, service, serve::IntoRouter, testing::Recorder};
///
/// #[service]
/// trait Media {
///     async fn get(&self, id: u64) -> String;
///     #[action(one_way)] async fn track(&self, event: String);
/// }
///
/// struct Mock;
///
/// impl Media for Mock {
///     async fn get(&self, id: u64) -> String { format!("clip {id}") }
///     async fn track(&self, _event: String) {}
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let recorder = Recorder::new();
/// recorder.refuse_next("get", FastReply::REJECT);
/// let router = MediaServer::new(Mock).into_router().layer(recorder.clone());
/// let (client, _server) = pair(Router::new(), router).await?;
/// let media = MediaClient::new(client);
///
/// assert!(matches!(media.get(7).await, Err(CallError::Refused { .. })));
/// assert_eq!(media.get(7).await?, "clip 7");
/// media.track("boot".into()).await?;
///
/// recorder.until("track", 1).await; // nothing says when a one-way message has arrived
/// assert_eq!(recorder.calls_of("get").len(), 2);
/// assert_eq!(recorder.calls_of("track")[0].msgpack::<String>()?, "boot");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Recorder(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    calls: Vec<RecordedCall>,
    /// The actions whose next calls are refused.
    refusals: VecDeque<(String, FastReply)>,
}

/// A message that a [`Recorder`] has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedCall {
    /// The id of the message.
    pub id: Uuid,
    /// The name of its action.
    pub action: String,
    /// Its payload; empty if there is none.
    pub payload: Bytes,
    /// The names of its files and their sizes in bytes.
    pub files: Vec<(String, u64)>,
    /// Whether it has a stream.
    pub has_stream: bool,
    /// Whether its sender waits for a reply.
    pub expects_response: bool,
    /// How it was answered; `None` until its handler has ended.
    pub answered: Option<Answered>,
}

impl RecordedCall {
    /// Its payload as a MessagePack value: the parameter of a method that has one, a map or a struct
    /// of all parameters by their names else. None at all reads as nil.
    ///
    /// # Errors
    /// [`DecodeError`] if it is no MessagePack, or not of this type.
    pub fn msgpack<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        msgpack::from_slice_with(or_nil(&self.payload), &Bounds::default())
    }
}

impl Recorder {
    /// An empty record.
    pub fn new() -> Self {
        Self::default()
    }

    /// All calls so far.
    pub fn calls(&self) -> Vec<RecordedCall> {
        self.lock().calls.clone()
    }

    /// The calls of this action so far, by the name that their callers used.
    pub fn calls_of(&self, action: &str) -> Vec<RecordedCall> {
        let state = self.lock();
        let calls = state.calls.iter().filter(|call| call.action == action);
        calls.cloned().collect()
    }

    /// Waits until at least this many calls of this action have been handled, and returns them.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub async fn until(&self, action: &str, count: usize) -> Vec<RecordedCall> {
        loop {
            let mut changed = std::pin::pin!(self.0.changed.notified());
            changed.as_mut().enable();
            let mut calls = self.calls_of(action);
            calls.retain(|call| call.answered.is_some());
            if calls.len() >= count {
                return calls;
            }
            changed.await;
        }
    }

    /// Refuses the next call of this action with this code, before its handler sees it. Called twice,
    /// it refuses the next two.
    pub fn refuse_next(&self, action: impl Into<String>, code: FastReply) {
        self.lock().refusals.push_back((action.into(), code));
    }

    /// Forgets the calls so far, and what is to be refused.
    pub fn clear(&self) {
        *self.lock() = State::default();
    }

    fn begin(&self, incoming: &Incoming) -> Option<FastReply> {
        let files = incoming.files().iter();
        let files = files.map(|file| (file.name().to_owned(), file.size()));
        let call = RecordedCall {
            id: incoming.id(),
            action: incoming.action().to_owned(),
            payload: incoming.payload().clone(),
            files: files.collect(),
            has_stream: incoming.has_stream(),
            expects_response: incoming.expects_response(),
            answered: None,
        };
        let mut state = self.lock();
        let mut refusals = state.refusals.iter();
        let refusal = refusals.position(|(action, _)| *action == call.action);
        let refusal = refusal.and_then(|index| state.refusals.remove(index));
        state.calls.push(call);
        refusal.map(|(_, code)| code)
    }

    fn end(&self, id: Uuid, answered: Answered) {
        let mut state = self.lock();
        let call = state.calls.iter_mut().rev().find(|call| call.id == id);
        if let Some(call) = call {
            call.answered = Some(answered);
        }
        drop(state);
        self.0.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        let state = &self.0.state;
        state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ServeMiddleware for Recorder {
    async fn handle(&self, incoming: Incoming, next: ServeNext) {
        let refusal = self.begin(&incoming);
        let mut handling = Handling::new(self, &incoming);
        handling.answered = match refusal {
            Some(code) => {
                incoming.refuse(code).await;
                Answered::Code(code)
            }
            None => next.run(incoming).await,
        };
    }
}

/// A call whose handler runs. Dropping it ends the call, also if the handler panics or is cancelled:
/// then there is nothing to wait for any more.
struct Handling<'a> {
    recorder: &'a Recorder,
    id: Uuid,
    answered: Answered,
}

impl<'a> Handling<'a> {
    fn new(recorder: &'a Recorder, incoming: &Incoming) -> Self {
        // What a message gets whose handler ends without an answer.
        let answered = match incoming.expects_response() {
            true => Answered::Code(FastReply::INTERNAL_ERROR),
            false => Answered::Nothing,
        };
        Self {
            recorder,
            id: incoming.id(),
            answered,
        }
    }
}

impl Drop for Handling<'_> {
    fn drop(&mut self) {
        self.recorder.end(self.id, self.answered);
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recorder").field(&self.calls()).finish()
    }
}
