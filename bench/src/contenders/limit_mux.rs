//! The least that a multiplexed RPC must do: tasks that wait for their own replies, one buffer that all of them write to,
//! a task that flushes it, a task that reads, and a table of waiting calls. No typed layer, no limits, no ends.

use std::{
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::tcp::{OwnedReadHalf, OwnedWriteHalf},
    sync::Notify,
};

use super::limit_raw::{Ask, REPLY_HEAD, answer, put_request};
use crate::{
    Result,
    calls::Client,
    contender::{About, Contender, Kind, Serving, Target},
    link::{Link, accept_each},
    plan::Runtime,
    workload::Workload,
};

pub struct LimitMux;

/// What may wait to be written.
const OUT: usize = 256 * 1024;
/// What one read brings.
const INPUT: usize = 64 * 1024;

impl Contender for LimitMux {
    type Client = MuxClient;

    const ABOUT: About = About {
        name: "limit-mux",
        kind: Kind::Limit,
        crates: &["tokio"],
        settings: "a task per call, a shared write buffer, a table of waiting calls; the server of limit-raw",
        runtime: Runtime::Current,
        workloads: &[
            Workload::W1,
            Workload::W2,
            Workload::W3,
            Workload::W4,
            Workload::W12,
            Workload::W13,
        ],
        tls: false,
    };

    async fn serve(serving: Serving) -> Result<()> {
        accept_each(serving, |link| async { answer(link.into_plain()?).await }).await
    }

    async fn connect(target: &Target) -> Result<MuxClient> {
        let (reader, writer) = Link::connect(target).await?.into_plain()?.into_split();
        let client = MuxClient {
            shared: Arc::default(),
        };
        tokio::spawn(flush(writer, Arc::clone(&client.shared)));
        tokio::spawn(receive(reader, Arc::clone(&client.shared)));
        Ok(client)
    }
}

#[derive(Clone)]
pub struct MuxClient {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// There is something to write.
    written: Notify,
    /// There is room again.
    flushed: Notify,
}

#[derive(Default)]
struct State {
    out: Vec<u8>,
    calls: Vec<Slot>,
    free: Vec<usize>,
}

enum Slot {
    Free,
    Waiting(Waker),
    Replied(Bytes),
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn begin(&mut self, waker: Waker) -> usize {
        match self.free.pop() {
            Some(id) => {
                self.calls[id] = Slot::Waiting(waker);
                id
            }
            None => {
                self.calls.push(Slot::Waiting(waker));
                self.calls.len() - 1
            }
        }
    }
}

impl Client for MuxClient {
    async fn echo(&self, payload: Bytes) -> Result<Bytes> {
        Ok(self.call(payload).await)
    }

    async fn notify(&self, payload: &Bytes, count: usize) -> Result<()> {
        loop {
            let room = self.shared.flushed.notified();
            {
                let mut state = self.shared.lock();
                if state.out.len() < OUT {
                    for _ in 0..count {
                        put_request(&mut state.out, Ask::Note, 0, payload);
                    }
                    self.shared.written.notify_one();
                    return Ok(());
                }
            }
            room.await;
        }
    }
}

impl MuxClient {
    fn call(&self, payload: Bytes) -> MuxCall<'_> {
        let state = CallState::New(payload);
        MuxCall {
            shared: &self.shared,
            state,
        }
    }
}

struct MuxCall<'a> {
    shared: &'a Shared,
    state: CallState,
}

enum CallState {
    New(Bytes),
    Sent(usize),
}

impl Future for MuxCall<'_> {
    type Output = Bytes;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Bytes> {
        let shared = self.shared;
        let mut state = shared.lock();
        match &self.state {
            CallState::New(payload) => {
                let id = state.begin(cx.waker().clone());
                put_request(&mut state.out, Ask::Echo, id as u64, payload);
                drop(state);
                shared.written.notify_one();
                self.state = CallState::Sent(id);
                Poll::Pending
            }
            &CallState::Sent(id) => match mem::replace(&mut state.calls[id], Slot::Free) {
                Slot::Replied(reply) => {
                    state.free.push(id);
                    Poll::Ready(reply)
                }
                Slot::Free | Slot::Waiting(_) => {
                    state.calls[id] = Slot::Waiting(cx.waker().clone());
                    Poll::Pending
                }
            },
        }
    }
}

async fn flush(mut writer: OwnedWriteHalf, shared: Arc<Shared>) -> Result<()> {
    let mut writing = Vec::new();
    loop {
        shared.written.notified().await;
        // Lets the other tasks that are ready write too.
        tokio::task::yield_now().await;
        mem::swap(&mut writing, &mut shared.lock().out);
        shared.flushed.notify_waiters();
        writer.write_all(&writing).await?;
        writing.clear();
    }
}

async fn receive(mut reader: OwnedReadHalf, shared: Arc<Shared>) -> Result<()> {
    let mut input = BytesMut::with_capacity(INPUT);
    let mut ready = Vec::new();
    while reader.read_buf(&mut input).await? > 0 {
        let mut state = shared.lock();
        while let Some((id, reply)) = next_reply(&mut input) {
            let slot = state.calls.get_mut(id).ok_or("a reply to nothing")?;
            if let Slot::Waiting(waker) = mem::replace(slot, Slot::Replied(reply)) {
                ready.push(waker);
            }
        }
        drop(state);
        ready.drain(..).for_each(Waker::wake);
        input.reserve(INPUT);
    }
    Ok(())
}

fn next_reply(input: &mut BytesMut) -> Option<(usize, Bytes)> {
    let head: &[u8; REPLY_HEAD] = input.first_chunk()?;
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
    let id = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
    if input.len() < REPLY_HEAD + length {
        return None;
    }
    input.advance(REPLY_HEAD);
    let reply = Bytes::copy_from_slice(&input[..length]);
    input.advance(length);
    Some((id, reply))
}
