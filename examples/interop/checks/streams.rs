//! Streams, in both directions.

use bytes::Bytes;
use sockety::{
    ByteStream, Connection,
    content::StreamWriter,
    message::{Draft, Request},
};
use tokio::io::AsyncReadExt;

use super::{
    Checks, Outcome, equal, equal_bytes, expect_alive, expect_code, response, to_response, write,
};
use crate::{content, digest, service::Digest};

/// The data written to a stream.
type Chunks = Vec<Bytes>;

/// A description, and a function that creates it.
type Content = (&'static str, fn() -> Chunks);

pub(super) fn add(checks: &mut Checks) {
    let streams: [Content; 5] = [
        ("no chunk", Vec::new),
        ("one byte", || chunks(1, 1)),
        ("2,000 chunks of one byte", || chunks(2000, 1)),
        ("1 MiB in one chunk", || chunks(1 << 20, 1 << 20)),
        ("4 MiB in chunks of 1,000 bytes", || chunks(4 << 20, 1000)),
    ];
    for (what, chunks) in streams {
        checks.add(
            format!("stream-sum of {what}"),
            move |connection| async move { sum(&connection, chunks()).await },
        );
        checks.add(
            format!("stream-echo of {what}"),
            move |connection| async move { echo(&connection, chunks()).await },
        );
    }
    checks.add(
        "no stream counts as an empty one",
        |connection| async move {
            let sum: Digest = response(&connection, &Draft::new("stream-sum"))
                .await?
                .msgpack()?;
            equal("digest", &sum, &digest::of_bytes(&[]))?;
            let mut echo = response(&connection, &Draft::new("stream-echo")).await?;
            equal_bytes(&read(stream_of(&mut echo)?).await?, &[])
        },
    );
    checks.add(
        "stream-echo answers each chunk before the next",
        |connection| async move { converse(&connection, 100).await },
    );
    checks.add("a reply before the stream has ended", early_reply);
    checks.add(
        "a stream that is abandoned is not echoed as whole",
        given_up,
    );
}

/// Generated content of this size, in pieces.
fn chunks(size: usize, chunk: usize) -> Chunks {
    let content = content::bytes(size);
    let starts = (0..size).step_by(chunk);
    starts
        .map(|start| content.slice(start..size.min(start + chunk)))
        .collect()
}

async fn sum(connection: &Connection, chunks: Chunks) -> Outcome {
    let expected = digest::of_bytes(&chunks.concat());
    let (mut request, writer) = open(connection, "stream-sum").await?;
    write(writer, chunks).await?;
    let sum: Digest = to_response(request.response().await?)?.msgpack()?;
    equal("digest", &sum, &expected)
}

async fn echo(connection: &Connection, chunks: Chunks) -> Outcome {
    let expected = chunks.concat();
    let (mut request, writer) = open(connection, "stream-echo").await?;
    // Written and read concurrently, so that neither side holds the whole stream.
    let reading = async {
        let mut response = to_response(request.response().await?)?;
        read(stream_of(&mut response)?).await
    };
    let ((), echoed) = tokio::try_join!(write(writer, chunks), reading)?;
    equal_bytes(&echoed, &expected)
}

/// Sends a message and takes the writer of its stream.
async fn open(connection: &Connection, action: &str) -> Outcome<(Request, StreamWriter)> {
    let mut request = connection.send(&Draft::new(action).with_stream()).await?;
    let writer = request.take_writer().ok_or("the message has no stream")?;
    Ok((request, writer))
}

fn stream_of(response: &mut sockety::message::Response) -> Outcome<ByteStream> {
    Ok(response.take_stream().ok_or("the response has no stream")?)
}

async fn read(mut stream: ByteStream) -> Outcome<Vec<u8>> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await?;
    Ok(all)
}

/// Sends this many chunks to `stream-echo`, each after the previous one has come back.
pub(super) async fn converse(connection: &Connection, chunks: usize) -> Outcome {
    let (mut request, mut writer) = open(connection, "stream-echo").await?;
    let mut stream = None;
    for length in 1..=chunks {
        let chunk = content::bytes(length);
        writer.write_chunk(chunk.clone()).await?;
        // The server may send its response only after the first chunk.
        let stream = match &mut stream {
            Some(stream) => stream,
            None => {
                let mut response = to_response(request.response().await?)?;
                stream.insert(stream_of(&mut response)?)
            }
        };
        let mut echoed = vec![0; length];
        stream.read_exact(&mut echoed).await?;
        equal_bytes(&echoed, &chunk)?;
    }
    writer.finish()?;
    let rest = read(stream.ok_or("nothing was sent")?).await?;
    equal_bytes(&rest, &[])
}

async fn early_reply(connection: Connection) -> Outcome {
    // Neither action waits for the stream. The rest of it must arrive nevertheless, unless no
    // handler serves the action: then sending stops.
    for (action, code) in [("ping", 0), ("unknown", 2)] {
        let (mut request, mut writer) = open(&connection, action).await?;
        writer.write_chunk(&b"first"[..]).await?;
        let reply = request.response().await?;
        equal("code", &reply.code().map(u16::from), &Some(code))?;
        let written = write(writer, chunks(1 << 20, 10_000)).await;
        equal("all of it was written", &written.is_ok(), &(code == 0))?;
        if code == 0 {
            request.sent().await?;
        }
        expect_alive(&connection).await?;
    }
    Ok(())
}

async fn given_up(connection: Connection) -> Outcome {
    let (mut request, mut writer) = open(&connection, "stream-echo").await?;
    writer.write_chunk(&b"first"[..]).await?;
    let mut response = to_response(request.response().await?)?;
    let mut stream = stream_of(&mut response)?;
    stream.read_exact(&mut [0; 5]).await?;
    drop(writer);
    if read(stream).await.is_ok() {
        return Err("the echo ended as if the stream were whole".into());
    }
    expect_code(&connection, &Draft::new("ping"), 0).await
}
