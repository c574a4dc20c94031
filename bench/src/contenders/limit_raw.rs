//! TCP by hand, with as many bytes as a minimal Sockety message has, and as few system calls as there can be: all requests
//! that may be sent leave in one write, all of a read is answered in one write, replies are counted.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    sync::Mutex,
    task::JoinSet,
};

use crate::{
    Error, Result,
    calls::Client,
    clock::Window,
    contender::{About, Contender, Kind, Serving, Target},
    control,
    link::{Link, accept_each},
    load::{SharedTally, Tally},
    payloads::{MIB, large, small},
    plan::Runtime,
    workload::Workload,
};

pub struct LimitRaw;

/// Before the payload of a request: kind, length, and id, which the reply repeats. The rest stands for what Sockety says
/// in addition.
pub const REQUEST_HEAD: usize = 29;
/// Before the payload of a reply: length, id, and what stands for the rest.
pub const REPLY_HEAD: usize = 40;
/// The payload of a small call.
const SMALL: usize = 32;
/// One that waits for its end in the buffer of all connections.
const SMALL_REQUEST: usize = 1024;

/// What a request is for.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Ask {
    Echo,
    Note,
    Upload,
}

pub fn put_request(out: &mut Vec<u8>, ask: Ask, id: u64, payload: &[u8]) {
    let mut head = [0; REQUEST_HEAD];
    head[0] = ask as u8;
    head[1..5].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    head[5..13].copy_from_slice(&id.to_le_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(payload);
}

impl Contender for LimitRaw {
    type Client = RawClient;

    const ABOUT: About = About {
        name: "limit-raw",
        kind: Kind::Limit,
        crates: &["tokio"],
        settings: "bytes of a minimal Sockety message; all that may be sent in one write",
        runtime: Runtime::Multi,
        workloads: &[
            Workload::W1,
            Workload::W2,
            Workload::W3,
            Workload::W4,
            Workload::W5,
            Workload::W7,
            Workload::W12,
            Workload::T4,
        ],
        tls: false,
    };

    async fn serve(serving: Serving) -> Result<()> {
        accept_each(serving, |link| async { answer(link.into_plain()?).await }).await
    }

    async fn connect(target: &Target) -> Result<RawClient> {
        let stream = Link::connect(target).await?.into_plain()?;
        Ok(RawClient {
            stream: Arc::new(Mutex::new(stream)),
        })
    }
}

thread_local! {
    /// What one read of a socket brings. Connections share it, so that idle ones hold nothing.
    static INPUT: RefCell<Vec<u8>> = RefCell::new(vec![0; 64 * 1024]);
}

/// The server of this limit, and of `limit-mux`.
pub async fn answer(mut stream: TcpStream) -> Result<()> {
    // The beginning of a request that is not whole.
    let mut partial = BytesMut::new();
    let mut output = Vec::new();
    loop {
        if poll_fn(|cx| poll_answer(&mut stream, &mut partial, &mut output, cx)).await? == 0 {
            return Ok(());
        }
        read_large(&mut stream, &mut partial, &mut output).await?;
        if !output.is_empty() {
            stream.write_all(&output).await?;
            output.clear();
        }
    }
}

/// Answers what one read brings; gives the bytes of that.
fn poll_answer(
    stream: &mut TcpStream,
    partial: &mut BytesMut,
    output: &mut Vec<u8>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    INPUT.with_borrow_mut(|input| {
        let kept = partial.len();
        input[..kept].copy_from_slice(partial);
        let mut buffer = ReadBuf::new(&mut input[kept..]);
        ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
        let read = buffer.filled().len();
        let filled = kept + read;
        let taken = answer_all(&input[..filled], output);
        partial.clear();
        partial.extend_from_slice(&input[taken..filled]);
        Poll::Ready(Ok(read))
    })
}

/// The rest of a large request goes where it is to lie.
async fn read_large(
    stream: &mut TcpStream,
    partial: &mut BytesMut,
    output: &mut Vec<u8>,
) -> Result<()> {
    let Some((_, total)) = request_size(partial) else {
        return Ok(());
    };
    if total <= SMALL_REQUEST {
        return Ok(());
    }
    partial.reserve(total - partial.len());
    while partial.len() < total {
        let missing = (total - partial.len()) as u64;
        if (&mut *stream).take(missing).read_buf(partial).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
    }
    answer_all(partial, output);
    partial.clear();
    Ok(())
}

/// Gives how much of the input was whole requests.
fn answer_all(input: &[u8], output: &mut Vec<u8>) -> usize {
    let (mut taken, mut calls) = (0, 0);
    while let Some((ask, size)) = request_size(&input[taken..]) {
        let Some(request) = input.get(taken..taken + size) else {
            break;
        };
        let (id, payload) = (&request[5..13], &request[REQUEST_HEAD..]);
        match ask {
            0 => put_reply(output, id, payload),
            1 => {}
            _ => put_reply(output, id, &(payload.len() as u64).to_le_bytes()),
        }
        taken += size;
        calls += 1;
    }
    control::executed(calls);
    taken
}

/// What is asked, and the bytes of the request.
fn request_size(input: &[u8]) -> Option<(u8, usize)> {
    let head: &[u8; REQUEST_HEAD] = input.first_chunk()?;
    let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
    Some((head[0], REQUEST_HEAD + length))
}

fn put_reply(out: &mut Vec<u8>, id: &[u8], payload: &[u8]) {
    let mut head = [0; REPLY_HEAD];
    head[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    head[4..12].copy_from_slice(id);
    out.extend_from_slice(&head);
    out.extend_from_slice(payload);
}

#[derive(Clone)]
pub struct RawClient {
    stream: Arc<Mutex<TcpStream>>,
}

impl Client for RawClient {
    async fn echo(&self, payload: Bytes) -> Result<Bytes> {
        let mut stream = self.stream.lock().await;
        let mut request = Vec::with_capacity(REQUEST_HEAD + SMALL);
        put_request(&mut request, Ask::Echo, 0, &payload);
        stream.write_all(&request).await?;
        let mut reply = [0; REPLY_HEAD + SMALL];
        stream.read_exact(&mut reply).await?;
        Ok(Bytes::copy_from_slice(&reply[REPLY_HEAD..]))
    }

    async fn notify(&self, payload: &Bytes, count: usize) -> Result<()> {
        let mut requests = Vec::with_capacity(count * (REQUEST_HEAD + SMALL));
        for _ in 0..count {
            put_request(&mut requests, Ask::Note, 0, payload);
        }
        Ok(self.stream.lock().await.write_all(&requests).await?)
    }

    async fn echo_load(clients: &[Self], in_flight: usize, window: Window) -> Result<Tally> {
        let tally = SharedTally::default();
        let mut tasks = JoinSet::new();
        for client in clients.iter().cloned() {
            let tally = tally.clone();
            tasks.spawn(async move {
                let mut stream = client.stream.lock().await;
                pipeline(&mut stream, small(0), in_flight, window, tally).await
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(tally.into_tally())
    }

    async fn upload_load(clients: &[Self], in_flight: usize, window: Window) -> Result<Tally> {
        let tally = SharedTally::default();
        let mut tasks = JoinSet::new();
        for client in clients.iter().cloned() {
            let tally = tally.clone();
            tasks.spawn(async move {
                let mut stream = client.stream.lock().await;
                uploads(&mut stream, in_flight, window, tally).await
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(tally.into_tally())
    }
}

/// Sends as many requests as may be in flight in one write, and one more for each reply of a read.
async fn pipeline(
    stream: &mut TcpStream,
    payload: Bytes,
    in_flight: usize,
    window: Window,
    tally: SharedTally,
) -> Result<()> {
    let mut requests = Vec::new();
    for _ in 0..in_flight {
        put_request(&mut requests, Ask::Echo, 0, &payload);
    }
    let (request, reply) = (REQUEST_HEAD + payload.len(), REPLY_HEAD + payload.len());
    // When the requests were sent that have no reply yet, in order.
    let mut sent = std::collections::VecDeque::with_capacity(in_flight);
    let capacity = (in_flight * reply).max(4096);
    let mut input = BytesMut::with_capacity(capacity);
    let mut room = in_flight;
    loop {
        let now = Instant::now();
        if now < window.end {
            sent.extend(std::iter::repeat_n(now, room));
            stream.write_all(&requests[..room * request]).await?;
        }
        if sent.is_empty() {
            return Ok(());
        }
        room = 0;
        while room == 0 {
            if stream.read_buf(&mut input).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            let now = Instant::now();
            let mut tally = tally.lock();
            while input.len() >= reply {
                if input[REPLY_HEAD..reply] != payload {
                    return Err("the echo differs".into());
                }
                input.advance(reply);
                tally.record(&window, sent.pop_front().ok_or("a reply to nothing")?, now);
                room += 1;
            }
        }
        input.reserve(capacity);
    }
}

/// Writes and reads at the same time, as large requests do not fit in the buffers of the system.
async fn uploads(
    stream: &mut TcpStream,
    in_flight: usize,
    window: Window,
    tally: SharedTally,
) -> Result<()> {
    let mut request = Vec::new();
    put_request(&mut request, Ask::Upload, 0, &large(MIB));
    let (mut reader, mut writer) = stream.split();
    let (begun_in, mut begun) = tokio::sync::mpsc::channel(in_flight);
    let permits = tokio::sync::Semaphore::new(in_flight);
    let write = async {
        loop {
            permits.acquire().await?.forget();
            let now = Instant::now();
            if now >= window.end {
                drop(begun_in);
                return Ok::<_, Error>(());
            }
            begun_in.send(now).await?;
            writer.write_all(&request).await?;
        }
    };
    let read = async {
        let mut reply = [0; REPLY_HEAD + 8];
        while let Some(begun) = begun.recv().await {
            reader.read_exact(&mut reply).await?;
            if reply[REPLY_HEAD..] != (MIB as u64).to_le_bytes() {
                return Err("not all arrived".into());
            }
            tally.lock().record(&window, begun, Instant::now());
            permits.add_permits(1);
        }
        Ok::<_, Error>(())
    };
    tokio::try_join!(write, read)?;
    Ok(())
}
