//! Calls between Rust and what is written for Node.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    sync::Mutex,
    time::Duration,
};

use bytes::Bytes;
use sockety::{ByteStream, CallError, FastReply, File, Server, Streaming};
use sockety_msgpack::Timestamp;

use crate::{
    node::{Project, said},
    services::{
        AdjacentError, Bank, BankClient, BankServer, ErrorsClient, Moment, Receipt, TaggedError,
        Transfer, TransferError, Update, schema_of,
    },
};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Vault {
    notes: Mutex<Vec<(String, Option<u8>, u8)>>,
}

fn moment() -> Moment {
    Moment(Timestamp::new(1_700_000_000, 5_000_000).expect("a time"))
}

impl Bank for Vault {
    async fn transfer(&self, transfer: Transfer) -> Result<Receipt, TransferError> {
        match transfer.to_account {
            0 => Err(TransferError::NoAccount),
            1 => Err(TransferError::Insufficient { missing: u64::MAX }),
            2 => Err(TransferError::Locked { until: moment() }),
            _ => Ok(Receipt {
                id: uuid::Uuid::from_u128(transfer.to_account.into()),
                balance: -i64::try_from(transfer.cents).unwrap_or(i64::MAX),
            }),
        }
    }

    async fn upload(&self, year: u16, files: Vec<File>) -> u64 {
        let mut sum = u64::from(year);
        for file in files {
            sum += file.bytes(1 << 20).await.expect("read").len() as u64;
        }
        sum
    }

    async fn statement(
        &self,
        account: u32,
        year: Option<u16>,
    ) -> Result<(u64, File), TransferError> {
        if account == 0 {
            return Err(TransferError::Insufficient { missing: 1 });
        }
        let file = File::from_bytes("statement.txt", vec![b's'; 300_000]);
        Ok((u64::from(year.unwrap_or(9)), file))
    }

    async fn follow(&self, account: u32, mut updates: Streaming<Update>) -> Streaming<Update> {
        Streaming::spawn(1, move |back| async move {
            while let Some(update) = updates.next().await {
                let Update { balance, .. } = update?;
                back.send(Ok(Update {
                    account,
                    balance: balance + 1,
                }))
                .await?;
            }
            Ok(())
        })
    }

    async fn scan(&self, image: ByteStream) -> ByteStream {
        image
    }

    async fn note(&self, text: String, level: Option<u8>, copies: u8) {
        self.notes
            .lock()
            .expect("held by nobody")
            .push((text, level, copies));
    }

    async fn ping(&self) {}
}

const CLIENT: &str = r#"
import assert from 'node:assert/strict';
import { CallError, Client, connect } from 'sockety-runtime';
import { BankClient, bankDrafts, transferErrorOf } from './bank.js';

// Whatever hangs.
setTimeout(() => { console.log('it hangs'); process.exit(1); }, 60_000).unref();
const address = process.argv[2] as string;
const connection = await connect(address);
const bank = new BankClient(connection);

assert.deepEqual(await bank.transfer({ toAccount: 7n, cents: 5, at: new Date(0) }), {
  id: '00000000-0000-0000-0000-000000000007',
  balance: -5,
});
const errors: unknown[] = [];
for (const toAccount of [0, 1n, 2]) {
  await assert.rejects(bank.transfer({ toAccount, cents: 1 }), (e) => {
    assert(e instanceof CallError && e.reason.kind === 'service' && e.outcome === 'executed');
    assert.equal(e.message.startsWith('bank.transfer: '), true);
    errors.push(transferErrorOf(e));
    return true;
  });
}
assert.deepEqual(errors, [
  'NoAccount',
  { Insufficient: { missing: 2n ** 64n - 1n } },
  { Locked: { until: new Date(1_700_000_000_005) } },
]);

const files = [{ name: 'a', content: new Uint8Array(1000) }, { name: 'b', content: new Uint8Array(0) }];
assert.equal(await bank.upload(2025, files), 3025);
const [year, file] = await bank.statement(5);
assert.equal(year, 9);
assert.equal(file.name, 'statement.txt');
assert.equal((await file.bytes()).length, 300_000);
assert.equal((await bank.statement(5, 2024))[0], 2024);
await assert.rejects(bank.statement(0), (e) => {
  assert.deepEqual(transferErrorOf(e), { Insufficient: { missing: 1 } });
  return true;
});

async function* updates() {
  for (let balance = 0; balance < 100; balance++) yield { account: 1, balance };
}
const back = [];
for await (const update of await bank.follow(5, updates())) back.push(update);
assert.deepEqual(back, Array.from({ length: 100 }, (_, index) => ({ account: 5, balance: index + 1 })));

const image = [new Uint8Array([1, 2]), new Uint8Array(200_000)];
assert.equal((await (await bank.scan(image)).bytes()).length, 200_002);
await bank.note('one');
await bank.note('two', 5, 2);
assert.equal(await bank.ping(), undefined);

// A draft, through a client that connects again.
const client = new Client(address);
const draft = bankDrafts.transfer({ toAccount: 9, cents: 1 });
for (let i = 0; i < 2; i++) assert.equal((await draft.send(client)).balance, -1);
assert.equal(await new BankClient(client).upload(1, files), 1001);
await client.close();

// A call that is cancelled.
async function* never() {
  yield { name: 'a', content: new Uint8Array(1) };
  await new Promise(() => undefined);
}
const signal = AbortSignal.timeout(50);
const slow = [{ name: 'a', size: 5, content: (async function* () { for await (const _ of never()) yield new Uint8Array(1); })() }];
await assert.rejects(bank.upload(1, slow, { signal }), (e) => e instanceof CallError && e.reason.kind === 'cancelled');
await connection.close(100);
console.log('done');
process.exit(0);
"#;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node.js"]
async fn a_client_in_node_calls_a_server_in_rust() {
    let project = Project::new();
    project
        .add("bank.ts", &schema_of::<BankClient>())
        .write("client.ts", CLIENT);
    project.build();
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let address = server.local_addr().expect("an address").to_string();
    let vault = std::sync::Arc::new(Vault::default());
    tokio::spawn(server.serve(BankServer::new(vault.clone())));

    let mut command = project.node("client.js");
    command.arg(address).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().expect("Node runs")).await;
    let output = output.expect("waited for");
    let said = said(&output.stdout, &output.stderr);
    assert!(
        output.status.success() && said.ends_with("done\n"),
        "{said}"
    );
    let notes = vault.notes.lock().expect("held by nobody").clone();
    assert_eq!(
        notes,
        [("one".to_owned(), None, 0), ("two".to_owned(), Some(5), 2)]
    );
}

const SERVICE: &str = r#"
import { listen } from 'sockety-runtime';
import { type BankHandlers, TransferFailure, bankHandlers } from './bank.js';
import { AdjacentFailure, type ErrorsHandlers, TaggedFailure, errorsHandlers } from './errors.js';

setTimeout(() => process.exit(1), 60_000).unref();
const notes: string[] = [];

const bank: BankHandlers = {
  transfer({ toAccount, cents, text, at }, message) {
    if (toAccount === 0) throw new TransferFailure('NoAccount');
    if (toAccount === 1) throw new TransferFailure({ Insufficient: { missing: 2n ** 64n - 1n } });
    if (toAccount === 2) throw new TransferFailure({ Locked: { until: new Date(1_700_000_000_005) } });
    if (toAccount === 3) throw new Error('a fault');
    if (message.action !== 'bank.transfer' || text !== undefined || at?.getTime() !== 1_700_000_000_005) throw new Error('other arguments');
    return { id: '00000000-0000-0000-0000-000000000007', balance: BigInt(cents) * -1n };
  },
  async upload(year, files) {
    let sum = year;
    for (const file of files) sum += (await file.bytes()).length;
    return sum;
  },
  statement(account, year) {
    if (account === 0) throw new TransferFailure({ Insufficient: { missing: 1 } });
    return [year ?? 9, { name: 'statement.txt', content: new Uint8Array(300_000) }];
  },
  async *follow(account, updates) {
    for await (const { balance } of updates) yield { account, balance: Number(balance) + 1 };
  },
  scan: (image) => image,
  note(text, level, copies) {
    notes.push(`${text} ${level} ${copies}`);
    console.log(notes.join());
  },
  ping: async () => undefined,
};

const errors: ErrorsHandlers = {
  tagged(limit) {
    if (limit === 0) throw new TaggedFailure({ why: 'not_found' });
    throw new TaggedFailure({ why: 'too_large', limit });
  },
  taggedAgain() { throw new TaggedFailure({ why: 'not_found' }); },
  adjacent() { throw new AdjacentFailure({ t: 'Because', c: 'of it' }); },
};

const server = await listen({ port: 0 }, { handlers: { ...bankHandlers(bank), ...errorsHandlers(errors) } });
console.log(server.port);
process.stdin.on('end', () => process.exit(0)).resume();
"#;

fn transfer(to_account: u64) -> Transfer {
    Transfer {
        to_account,
        cents: 5,
        text: String::new(),
        at: Some(moment()),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node.js"]
async fn a_client_in_rust_calls_a_service_in_node() {
    let project = Project::new();
    project
        .add("bank.ts", &schema_of::<BankClient>())
        .add("errors.ts", &schema_of::<ErrorsClient>())
        .write("service.ts", SERVICE);
    project.build();
    let mut command = project.node("service.js");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    // Ends when its input does, which is when this ends.
    let mut child = command.spawn().expect("Node runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut line = move || lines.next().expect("a line").expect("read");
    let address = format!("127.0.0.1:{}", line());

    let calls = async {
        let bank = BankClient::connect(address.as_str())
            .await
            .expect("connected");
        let receipt = bank.transfer(transfer(7)).await.expect("transferred");
        assert_eq!(
            receipt,
            Receipt {
                id: uuid::Uuid::from_u128(7),
                balance: -5
            }
        );
        for (account, expected) in [
            TransferError::NoAccount,
            TransferError::Insufficient { missing: u64::MAX },
            TransferError::Locked { until: moment() },
        ]
        .into_iter()
        .enumerate()
        {
            let error = bank
                .transfer(transfer(account as u64))
                .await
                .expect_err("refused");
            assert_eq!(error.into_service(), Some(expected));
        }
        let error = bank.transfer(transfer(3)).await.expect_err("failed");
        assert!(
            matches!(error, CallError::Refused { code, .. } if code == FastReply::INTERNAL_ERROR)
                || matches!(error, CallError::Remote { .. }),
            "{error:?}"
        );

        let files = vec![
            File::from_bytes("a", vec![0; 1000]),
            File::from_bytes("b", ""),
        ];
        assert_eq!(bank.upload(2025, files).await.expect("uploaded"), 3025);
        let (year, file) = bank.statement(5, None).await.expect("stated");
        assert_eq!((year, file.name()), (9, "statement.txt"));
        assert_eq!(file.bytes(1 << 20).await.expect("read").len(), 300_000);
        let error = bank.statement(0, Some(1)).await.expect_err("refused");
        assert_eq!(
            error.into_service(),
            Some(TransferError::Insufficient { missing: 1 })
        );

        let updates = (0..100).map(|balance| Update {
            account: 1,
            balance,
        });
        let mut back = bank
            .follow(5, Streaming::from_iter(updates))
            .await
            .expect("followed");
        for balance in 1..=100 {
            let update = back.next().await.expect("an update").expect("read");
            assert_eq!(
                update,
                Update {
                    account: 5,
                    balance
                }
            );
        }
        assert!(back.next().await.is_none());

        let image = ByteStream::from_reader(std::io::Cursor::new(vec![1; 200_002]));
        let mut scanned = bank.scan(image).await.expect("scanned");
        let mut sum = 0;
        while let Some(chunk) = scanned.next_chunk().await.expect("read") {
            sum += Bytes::len(&chunk);
        }
        assert_eq!(sum, 200_002);
        bank.note("one".to_owned(), None, 0).await.expect("noted");
        assert_eq!(line(), "one null 0");
        bank.ping().await.expect("answered");

        let errors = ErrorsClient::new(bank.connection().clone());
        let error = |error: CallError<TaggedError>| error.into_service();
        assert_eq!(
            errors.tagged(0).await.map_err(error),
            Err(Some(TaggedError::NotFound))
        );
        assert_eq!(
            errors.tagged(7).await.map_err(error),
            Err(Some(TaggedError::TooLarge { limit: 7 }))
        );
        assert_eq!(
            errors.tagged_again().await.map_err(error),
            Err(Some(TaggedError::NotFound))
        );
        let because = errors.adjacent().await.map_err(CallError::into_service);
        assert_eq!(
            because,
            Err(Some(AdjacentError::Because("of it".to_owned())))
        );

        // What is of another type is no argument.
        for wrong in [
            r#"{"toAccount": 7}"#,
            r#"{"toAccount": "7", "cents": 1}"#,
            "7",
        ] {
            let value: serde_json::Value = serde_json::from_str(wrong).expect("JSON");
            let message = sockety::message::Draft::new("bank.transfer")
                .with_msgpack(&value)
                .expect("encoded")
                .create();
            let mut request = bank.connection().send(&message).await.expect("sent");
            let reply = request.response().await.expect("a reply");
            assert_eq!(reply.code(), Some(FastReply::BAD_REQUEST), "{wrong}");
        }
    };
    tokio::time::timeout(LONG, calls).await.expect("calls end");
    drop(child.stdin.take());
    assert!(child.wait().expect("ends").success());
}
