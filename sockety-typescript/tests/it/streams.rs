//! Errors that end streams, aliases, and integers that are always a `bigint`: between Rust and Node.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    time::Duration,
};

use serde_json::{Value, json};
use sockety::{
    ByteStream, FastReply, Server, Streaming,
    error::{StreamEnd, StreamError},
    message::{Draft, Reply},
    serve::BoxError,
};
use sockety_typescript::{BigInts, Generator};
use tokio::io::AsyncWriteExt as _;

use crate::{
    node::{Project, said},
    services::{
        CountError, DoubtsClient, Order, OrderKind, Streams, StreamsClient, StreamsServer,
        schema_of,
    },
};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

fn error(ends: u8) -> Option<CountError> {
    match ends {
        0 => None,
        1 => Some(CountError::Stopped),
        _ => Some(CountError::TooMany { limit: u64::MAX }),
    }
}

/// All of a stream, and what ended it.
async fn drained(mut bytes: ByteStream) -> (u64, Option<CountError>) {
    let mut sum = 0;
    loop {
        match bytes.next_chunk().await {
            Ok(Some(chunk)) => sum += chunk.len() as u64,
            Ok(None) => return (sum, None),
            Err(error) => {
                let end = StreamEnd::of(&error).unwrap_or_else(|| panic!("{error}"));
                return (sum, end.service());
            }
        }
    }
}

struct Counter;

impl Streams for Counter {
    async fn count(&self, ends: u8) -> Streaming<u64, CountError> {
        Streaming::spawn(1, move |numbers| async move {
            for number in 1..=3 {
                numbers.send(Ok(number)).await?;
            }
            error(ends).map_or(Ok(()), |error| Err(error.into()))
        })
    }

    async fn sum(&self, mut numbers: Streaming<u64, CountError>) -> String {
        let mut sum = 0;
        while let Some(number) = numbers.next().await {
            match number {
                Ok(number) => sum += number,
                Err(StreamError::Service(error)) => return format!("{sum} {error:?}"),
                Err(error) => return format!("{sum} {error}"),
            }
        }
        format!("{sum} None")
    }

    async fn read(&self, ends: u8) -> Result<ByteStream, CountError> {
        Ok(ByteStream::spawn(1 << 16, move |mut writer| async move {
            writer.write_all(&[7; 100_000]).await?;
            match error(ends) {
                Some(error) => writer.end_with(error),
                None => writer.shutdown().await?,
            }
            Ok::<_, BoxError>(())
        }))
    }

    async fn write(&self, bytes: ByteStream) -> Result<String, CountError> {
        let (sum, error) = drained(bytes).await;
        Ok(format!("{sum} {error:?}"))
    }

    async fn order(&self, order: Order, _: u64) -> Order {
        order
    }
}

const CLIENT: &str = r#"
import assert from 'node:assert/strict';
import { StreamError, connect } from 'sockety-runtime';
import { CountFailure, StreamsClient, countErrorOf, type CountError } from './streams.js';
import * as big from './big.js';

setTimeout(() => { console.log('it hangs'); process.exit(1); }, 60_000).unref();
const connection = await connect(process.argv[2] as string);
const streams = new StreamsClient(connection);
const errors: (CountError | undefined)[] = [undefined, 'Stopped', { TooMany: { limit: 2n ** 64n - 1n } }];

async function ended<T>(items: AsyncIterable<T>, each: (item: T) => void): Promise<unknown> {
  try {
    for await (const item of items) each(item);
    return undefined;
  } catch (e) {
    return e;
  }
}

for (const [ends, expected] of errors.entries()) {
  const numbers: unknown[] = [];
  const count = await streams.count(ends);
  const end = await ended(count, (number) => numbers.push(number));
  assert.deepEqual(numbers, [1, 2, 3]);
  assert.deepEqual(countErrorOf(end), expected);
  assert.equal(count.error, end);
  if (expected !== undefined) {
    assert(end instanceof StreamError);
    // The reason is a union, and the error in it another one.
    const reason = count.error?.reason;
    assert(reason?.kind === 'service');
    const error: CountError = reason.error;
    if (error === 'Stopped') assert.equal(end.message, 'Stopped: it was stopped');
    else assert.equal(error.TooMany.limit, 2n ** 64n - 1n);
  }

  let bytes = 0;
  const last = await ended(await streams.read(ends), (chunk) => (bytes += chunk.length));
  assert.equal(bytes, 100_000);
  assert.deepEqual(countErrorOf(last), expected);

  async function* sent() {
    for (let number = 1; number <= 3; number++) yield number;
    if (expected !== undefined) throw new CountFailure(expected);
  }
  const shown = ['None', 'Stopped', 'TooMany { limit: 18446744073709551615 }'][ends];
  assert.equal(await streams.sum(sent()), `6 ${shown}`);
  async function* content() {
    yield new Uint8Array(70_000);
    yield new Uint8Array(30_000);
    if (expected !== undefined) throw new CountFailure(expected);
  }
  assert.equal(await streams.write(content()), `100000 ${ends === 0 ? 'None' : `Some(${shown})`}`);
}

// Integers of 64 bits are what the file says, whatever their values.
const order: big.Order = { to: 7n, after: { secs: 1n, nanos: 5 }, parts: { a: [[-1n, 2n], [-(2n ** 63n), null]] }, kind: { Slow: { days: 2n ** 60n } } };
assert.deepEqual(await new big.StreamsClient(connection).order(order, 1n), order);
assert.deepEqual(await streams.order(order, 1), {
  to: 7, after: { secs: 1, nanos: 5 }, parts: { a: [[-1, 2], [-(2n ** 63n), null]] }, kind: { Slow: { days: 2n ** 60n } },
});
const numbers: bigint[] = [];
const count = await new big.StreamsClient(connection).count(2);
const end = await ended(count, (number) => numbers.push(number));
assert.deepEqual(numbers, [1n, 2n, 3n]);
assert.deepEqual(big.countErrorOf(end), { TooMany: { limit: 2n ** 64n - 1n } });
// A guard accepts what is of the type, and that alone.
assert(big.isOrder(order) && !big.isOrder({ ...order, to: 7 }));
console.log('done');
process.exit(0);
"#;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node.js"]
async fn a_client_in_node_reads_streams_of_rust() {
    let project = Project::new();
    let schema = schema_of::<StreamsClient>();
    let always = Generator::new().bigints(BigInts::Always);
    project
        .add("streams.ts", &schema)
        .write("big.ts", &always.typescript(&schema).expect("written"))
        .write("client.ts", CLIENT);
    project.build();
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let address = server.local_addr().expect("an address").to_string();
    tokio::spawn(server.serve(StreamsServer::new(Counter)));

    let mut command = project.node("client.js");
    command.arg(address).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().expect("Node runs")).await;
    let output = output.expect("waited for");
    let said = said(&output.stdout, &output.stderr);
    assert!(
        output.status.success() && said.ends_with("done\n"),
        "{said}"
    );
}

const SERVICE: &str = r#"
import { listen } from 'sockety-runtime';
import { CountFailure, type CountError, type StreamsHandlers, countErrorOf, streamsHandlers } from './big.js';
import { doubtsHandlers } from './doubts.js';

setTimeout(() => process.exit(1), 60_000).unref();

function failure(ends: number): CountFailure | undefined {
  const errors: (CountError | undefined)[] = [undefined, 'Stopped', { TooMany: { limit: 2n ** 64n - 1n } }];
  const error = errors[ends];
  return error && new CountFailure(error);
}

function shown(error: CountError | undefined): string {
  if (error === undefined) return 'None';
  return error === 'Stopped' ? error : `TooMany { limit: ${error.TooMany.limit} }`;
}

const service: StreamsHandlers = {
  async *count(ends) {
    yield 1n;
    yield 2n;
    yield 3n;
    const error = failure(ends);
    if (error !== undefined) throw error;
  },
  async sum(numbers) {
    let sum = 0n;
    try {
      for await (const number of numbers) sum += number;
    } catch (e) {
      return `${sum} ${shown(countErrorOf(e))}`;
    }
    return `${sum} None`;
  },
  async *read(ends) {
    yield new Uint8Array(60_000);
    yield new Uint8Array(40_000);
    const error = failure(ends);
    if (error !== undefined) throw error;
  },
  async write(bytes) {
    let sum = 0;
    try {
      for await (const chunk of bytes) sum += chunk.length;
    } catch (e) {
      return `${sum} ${shown(countErrorOf(e))}`;
    }
    return `${sum} None`;
  },
  order(order, times) {
    if (order.kind !== null && typeof order.kind === 'object') order.kind.Slow.days *= times;
    return { ...order, to: order.to * times };
  },
};

const handlers = { ...streamsHandlers(service), ...doubtsHandlers({ solve: () => 1 }) };
const server = await listen({ port: 0 }, { handlers });
console.log(server.port);
process.stdin.on('end', () => process.exit(0)).resume();
"#;

async fn raw(streams: &StreamsClient, action: &'static str, value: &Value) -> Result<Value, u16> {
    let draft = Draft::new(action).with_msgpack(value).expect("encoded");
    let mut request = streams
        .connection()
        .send(&draft.create())
        .await
        .expect("sent");
    let reply = request.response().await.expect("a reply");
    match reply {
        Reply::Fast(code) => Err(code.code()),
        Reply::Response(response) => Ok(response.msgpack().expect("decoded")),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node.js"]
async fn a_client_in_rust_reads_streams_of_node() {
    let project = Project::new();
    let schema = schema_of::<StreamsClient>();
    let always = Generator::new().bigints(BigInts::Always);
    project
        .add("doubts.ts", &schema_of::<DoubtsClient>())
        .write("big.ts", &always.typescript(&schema).expect("written"))
        .write("service.ts", SERVICE);
    project.build();
    let mut command = project.node("service.js");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    // Ends when its input does, which is when this ends.
    let mut child = command.spawn().expect("Node runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let port = lines.next().expect("a line").expect("read");
    let calls = async {
        let streams = StreamsClient::connect(format!("127.0.0.1:{port}"))
            .await
            .expect("connected");
        for ends in 0..3 {
            let mut numbers = streams.count(ends).await.expect("counted");
            let mut sum = 0;
            let end = loop {
                match numbers.next().await {
                    Some(Ok(number)) => sum += number,
                    Some(Err(StreamError::Service(error))) => break Some(error),
                    None => break None,
                    other => panic!("{other:?}"),
                }
            };
            assert_eq!((sum, end), (6, error(ends)));
            let bytes = streams.read(ends).await.expect("read");
            assert_eq!(drained(bytes).await, (100_000, error(ends)));

            let shown = error(ends).map_or_else(|| "None".to_owned(), |error| format!("{error:?}"));
            let sent = Counter.count(ends).await;
            assert_eq!(
                streams.sum(sent).await.expect("summed"),
                format!("6 {shown}")
            );
            let sent = Counter.read(ends).await.expect("made");
            assert_eq!(
                streams.write(sent).await.expect("written"),
                format!("100000 {shown}")
            );
        }

        let order = Order {
            to: 1 << 40,
            kind: Some(OrderKind::Slow { days: 3 }),
            after: Duration::new(5, 6),
            parts: [(
                "a".to_owned(),
                vec![(i64::MIN, None), (-1, 7.try_into().ok())],
            )]
            .into(),
        };
        let mut more = order.clone();
        (more.to, more.kind) = (1 << 41, Some(OrderKind::Slow { days: 6 }));
        assert_eq!(streams.order(order, 2).await.expect("ordered"), more);

        // By other names, which Rust reads too.
        let rest = r#""after": {"secs": 0, "nanos": 0}, "parts": {}"#;
        let with =
            |fields: &str| serde_json::from_str(&format!("{{{fields}, {rest}}}")).expect("JSON");
        let same: Value = with(r#""to": 6, "kind": "Fast""#);
        for fields in [
            r#""to": 3, "kind": "Fast""#,
            r#""recipient": 3, "how": "quick""#,
            r#""to_account": 3, "kind": "quick""#,
        ] {
            let order: Value = with(fields);
            let call = json!({"it": order, "times": 2});
            assert_eq!(
                raw(&streams, "streams.order", &call).await,
                Ok(same.clone())
            );
        }
        let slow: Value = with(r#""to": 6, "kind": {"Slow": {"days": 8}}"#);
        let call =
            json!({"order": with(r#""to": 3, "how": {"lazy": {"d": 4}}"#) as Value, "times": 2});
        assert_eq!(raw(&streams, "streams.order", &call).await, Ok(slow));
        let call = json!({"order": with(r#""target": 3"#) as Value, "times": 2});
        let bad = FastReply::BAD_REQUEST.code();
        assert_eq!(raw(&streams, "streams.order", &call).await, Err(bad));

        // A value whose variants could be tried for ever.
        let mut nested = json!("no number");
        for _ in 0..100 {
            nested = json!([nested]);
        }
        assert_eq!(raw(&streams, "solve", &nested).await, Err(bad));
        assert_eq!(raw(&streams, "solve", &json!([[1], 2])).await, Ok(json!(1)));
    };
    tokio::time::timeout(LONG, calls).await.expect("calls end");
    drop(child.stdin.take());
    assert!(child.wait().expect("ends").success());
}
