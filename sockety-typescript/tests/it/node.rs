//! That TypeScript accepts what is written, and that it works in Node. Needs Node.js and npm, and the package
//! `sockety-runtime` in this repository.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use sockety_msgpack::{Timestamp, from_slice, to_vec};
use sockety_schema::Schema;
use sockety_typescript::{BigInts, Generator, export_schema, typescript};
use tempfile::TempDir;

use crate::{
    hostile::{hostile, words},
    services::{
        Adjacent, Among, AroundClosed, AroundInternal, AroundSealed, BankClient, Choice, Closed,
        ClosedAdjacent, ClosedExternal, ClosedInternal, Containers, DoubtsClient, ErrorsClient,
        Extent, External, Flat, Id, Id2, Integers, Internal, Labelled, Moment, Node, NothingClient,
        Open, Page, Pair, Scalars, Sealed, Side, Special, StreamsClient, TwoTags, Unit, Untagged,
        ValuesClient, WordsClient, schema_of,
    },
};

/// The package in TypeScript, whose dependencies are installed, and which is built.
fn runtime() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../typescript");
        let package = package.canonicalize().expect("the package in TypeScript");
        if COMPILERS
            .iter()
            .any(|it| !package.join("node_modules").join(it).exists())
        {
            run(Command::new("npm")
                .args(["ci", "--silent", "--no-audit", "--no-fund"])
                .current_dir(&package));
        }
        run(Command::new("npm")
            .args(["run", "--silent", "build"])
            .current_dir(&package));
        package
    })
}

/// TypeScript as it is pinned, and the oldest that accepts what is written.
const COMPILERS: [&str; 2] = ["typescript", "typescript-oldest"];

fn run(command: &mut Command) {
    let output = command.output().expect("the command runs");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        said(&output.stdout, &output.stderr)
    );
}

pub(crate) fn said(out: &[u8], error: &[u8]) -> String {
    String::from_utf8_lossy(out).into_owned() + &String::from_utf8_lossy(error)
}

/// A folder in which the package is installed.
pub(crate) struct Project(TempDir);

impl Project {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let package = runtime();
        let modules = folder.path().join("node_modules");
        fs::create_dir(&modules).expect("a folder");
        std::os::unix::fs::symlink(package, modules.join("sockety-runtime")).expect("a link");
        fs::write(folder.path().join("package.json"), r#"{"type": "module"}"#).expect("written");
        let types = package.join("node_modules/@types");
        let options = format!(
            r#"{{"compilerOptions": {{
                "strict": true, "noUncheckedIndexedAccess": true, "exactOptionalPropertyTypes": true,
                "noImplicitReturns": true, "noUnusedLocals": true, "noUnusedParameters": true,
                "verbatimModuleSyntax": true, "isolatedModules": true, "skipLibCheck": false,
                "target": "ES2022", "module": "NodeNext", "lib": ["ES2023"],
                "typeRoots": [{types:?}], "types": ["node"], "outDir": "out", "rootDir": "."
            }}, "include": ["*.ts"]}}"#
        );
        fs::write(folder.path().join("tsconfig.json"), options).expect("written");
        Self(folder)
    }

    pub(crate) fn add(&self, name: &str, schema: &Schema) -> &Self {
        export_schema(schema, self.0.path().join(name)).expect("exported");
        self
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> &Self {
        fs::write(self.0.path().join(name), text).expect("written");
        self
    }

    fn complaints(&self, arguments: &[&str]) -> String {
        self.complaints_of(COMPILERS[0], arguments)
    }

    /// What a compiler complains about.
    fn complaints_of(&self, compiler: &str, arguments: &[&str]) -> String {
        let tsc = runtime()
            .join("node_modules")
            .join(compiler)
            .join("bin/tsc");
        let output = Command::new("node")
            .arg(tsc)
            .args(arguments)
            .current_dir(self.0.path())
            .output();
        let output = output.expect("the compiler runs");
        let said = said(&output.stdout, &output.stderr);
        assert_eq!(output.status.success(), said.is_empty(), "{said}");
        said
    }

    /// Compiles it.
    pub(crate) fn build(&self) {
        assert_eq!(self.complaints(&[]), "");
    }

    pub(crate) fn node(&self, script: &str) -> Command {
        let mut command = Command::new("node");
        command
            .arg(self.0.path().join("out").join(script))
            .current_dir(self.0.path());
        command
    }
}

#[test]
#[ignore = "needs Node.js"]
fn the_compiler_accepts_what_is_written() {
    let project = Project::new();
    project
        .add("bank.ts", &schema_of::<BankClient>())
        .add("values.ts", &schema_of::<ValuesClient>())
        .add("errors.ts", &schema_of::<ErrorsClient>())
        .add("words.ts", &schema_of::<WordsClient>())
        .add("nothing.ts", &schema_of::<NothingClient>())
        .add("streams.ts", &schema_of::<StreamsClient>())
        .add("doubts.ts", &schema_of::<DoubtsClient>())
        .add("hostile.ts", &hostile())
        .add("odd.ts", &words());
    let mut all = schema_of::<BankClient>();
    all.services.extend(schema_of::<ValuesClient>().services);
    all.services.extend(schema_of::<WordsClient>().services);
    project.add("all.ts", &all);
    let always = Generator::new().bigints(BigInts::Always);
    let text = always.typescript(&schema_of::<ValuesClient>());
    project.write("always.ts", &text.expect("written"));
    for compiler in COMPILERS {
        let said = project.complaints_of(compiler, &["--noEmit"]);
        assert_eq!(said, "", "{compiler}");
    }
}

/// Calls that are right, but for what stands in place of `WRONG`.
const CALLS: &str = "
import { type CallError, type Connection, isCallError } from 'sockety-runtime';
import { BankClient, type BankHandlers, TransferFailure, bankDrafts, bankHandlers, transferErrorOf } from './bank.js';

export async function use(connection: Connection): Promise<void> {
  const bank = new BankClient(connection);
  const receipt = await bank.transfer({ toAccount: 7n, cents: 100, at: new Date() }, { timeout: 500 });
  const balance: number | bigint = receipt.balance;
  await bank.upload(2025, [{ name: 'a', content: new Uint8Array(3) }]);
  const [pages, file] = await bank.statement(5);
  await bank.statement(5, 2025);
  const size: number = file.size;
  for await (const { account } of await bank.follow(5, [{ account: 5, balance }])) {
    const next: number = account + size;
    console.log(next, pages);
  }
  try {
    await bankDrafts.transfer({ toAccount: 1, cents: 2 }).send(connection);
  } catch (e) {
    const error = transferErrorOf(e);
    if (error === undefined) throw e;
    if (error === 'NoAccount') return;
    if ('Insufficient' in error) console.log(error.Insufficient.missing);
    else if ('Locked' in error) console.log(error.Locked.until.getTime());
    else error satisfies never;
  }
}

export function text(error: CallError): string {
  const { reason } = error;
  switch (reason.kind) {
    case 'service': case 'refused': case 'remote': case 'closed': case 'timeout': case 'cancelled': case 'limit': case 'content':
      return isCallError(error) ? reason.kind : '';
    default: {
      const never: never = reason;
      return never;
    }
  }
}

const service: BankHandlers = {
  async *follow(_account, updates) { yield* updates; },
  note: (_text, _level) => undefined,
  ping: () => undefined,
  scan: (image) => image,
  statement: (account, year) => [account + (year ?? 0), { name: 'a', content: new Uint8Array() }],
  transfer: ({ cents }) => {
    if (cents === 0) throw new TransferFailure('NoAccount');
    throw new TransferFailure({ Insufficient: { missing: cents } });
  },
  upload: async (_year, files) => files.length,
};
export const handlers = bankHandlers(service);

export async function wrong(bank: BankClient): Promise<void> {
  WRONG;
  await bank.ping();
}
";

#[test]
#[ignore = "needs Node.js"]
fn the_compiler_refuses_wrong_calls() {
    let project = Project::new();
    project.add("bank.ts", &schema_of::<BankClient>());
    let with = |wrong: &str| {
        project.write("calls.ts", &CALLS.replace("WRONG", wrong));
        project.complaints(&["--noEmit"])
    };
    assert_eq!(with("await bank.ping()"), "");
    for (wrong, code, what) in [
        ("await bank.transfer({ toAccount: 7 })", "TS2741", "cents"),
        (
            "await bank.transfer({ toAccount: '7', cents: 1 })",
            "TS2322",
            "string",
        ),
        (
            "await bank.transfer({ toAccount: 7, cents: 1, sum: 1 })",
            "TS2353",
            "sum",
        ),
        ("await bank.transfers()", "TS2551", "transfers"),
        ("await bank.upload(2025)", "TS2554", "arguments"),
        (
            "const x: string = await bank.upload(2025, []); return void x",
            "TS2322",
            "string",
        ),
        (
            "throw new TransferFailure({ Insufficient: {} })",
            "TS2741",
            "missing",
        ),
        ("throw new TransferFailure('Nowhere')", "TS2345", "Nowhere"),
        (
            "bankHandlers({ ping: () => undefined })",
            "TS2740",
            "BankHandlers",
        ),
    ] {
        let said = with(wrong);
        assert!(
            said.contains(&format!("error {code}:")) && said.contains(what),
            "{wrong}: {said}"
        );
        assert_eq!(said.matches("error TS").count(), 1, "{wrong}: {said}");
    }
}

/// Reads lines of a guard's name and bytes, answers each with the bytes of the same value.
const ECHO: &str = "
import { createInterface } from 'node:readline';
import { Msgpack } from 'sockety-runtime';
import * as values from './values.js';

const msgpack = new Msgpack();
for await (const line of createInterface({ input: process.stdin })) {
  const [name, kind, hex] = line.split(' ') as [string, string, string];
  const guard = (values as Record<string, unknown>)[`is${name}`] as ((value: unknown) => boolean) | undefined;
  const value = msgpack.decode(Buffer.from(hex, 'hex'));
  if (guard === undefined) console.log(`there is no guard of ${name}`);
  else if (kind === 'refuse') console.log(guard(value) ? `accepted: ${name}` : 'refused');
  else if (guard(value)) console.log(Buffer.from(msgpack.encode(value)).toString('hex'));
  else console.log(`refused: ${name}`, value);
}
";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    let bytes = digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
    bytes.collect()
}

/// A process that sends values back.
struct Echo {
    child: std::process::Child,
    input: std::process::ChildStdin,
    output: BufReader<std::process::ChildStdout>,
    _project: Project,
}

impl Echo {
    fn start() -> Self {
        let project = Project::new();
        project
            .add("values.ts", &schema_of::<ValuesClient>())
            .write("echo.ts", ECHO);
        project.build();
        let mut command = project.node("echo.js");
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("Node runs");
        let (input, output) = (child.stdin.take(), child.stdout.take());
        Self {
            child,
            input: input.expect("piped"),
            output: BufReader::new(output.expect("piped")),
            _project: project,
        }
    }

    fn ask(&mut self, line: &str) -> String {
        writeln!(self.input, "{line}").expect("Node reads");
        let mut answer = String::new();
        self.output.read_line(&mut answer).expect("Node answers");
        answer.trim_end().to_owned()
    }

    /// Sends a value to Node and back.
    fn same<T>(&mut self, guard: &str, value: &T)
    where
        T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
    {
        let sent = to_vec(value).expect("encoded");
        let answer = self.ask(&format!("{guard} accept {}", hex(&sent)));
        let Some(received) = bytes(&answer) else {
            panic!("{value:?}: {answer}");
        };
        let received: T =
            from_slice(&received).unwrap_or_else(|error| panic!("{value:?}: {answer}: {error}"));
        assert_eq!(received, *value);
    }

    /// Sends a value that is none of a type.
    fn refused(&mut self, guard: &str, value: &impl Serialize) {
        let sent = to_vec(value).expect("encoded");
        assert_eq!(
            self.ask(&format!("{guard} refuse {}", hex(&sent))),
            "refused"
        );
    }

    /// The same, of a value that serde refuses too.
    fn refused_like_serde<T: DeserializeOwned>(&mut self, guard: &str, value: &serde_json::Value) {
        let sent = to_vec(value).expect("encoded");
        assert!(from_slice::<T>(&sent).is_err(), "{guard}: {value}");
        self.refused(guard, value);
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn integers(u64: u64, i64: i64) -> Integers {
    Integers {
        u8: u8::MAX,
        u16: u16::MAX,
        u32: u32::MAX,
        u64,
        u128: u128::MAX - 1,
        i8: i8::MIN,
        i16: i16::MIN,
        i32: i32::MIN,
        i64,
        i128: i128::MIN,
        usize: 7,
        some: u64.max(1).try_into().expect("not 0"),
        less: (-5).try_into().expect("not 0"),
    }
}

#[test]
#[ignore = "needs Node.js"]
fn values_of_every_kind_survive_the_way_through_node() {
    let mut echo = Echo::start();
    for u64 in [
        0,
        1,
        (1 << 32) - 1,
        1 << 32,
        (1 << 53) - 1,
        1 << 53,
        u64::MAX,
    ] {
        let i64 = i64::try_from(u64).map_or(i64::MIN, |it| -it);
        echo.same("Integers", &integers(u64, i64));
    }
    for f64 in [0.0, 1.0, -1.5, 1e300, f64::INFINITY] {
        echo.same(
            "Scalars",
            &Scalars {
                f32: 0.1,
                f64,
                bool: true,
                char: '🦀',
                string: "text \u{0} äöü".to_owned(),
                nothing: (),
                unit: Unit,
                bytes: Bytes::from_static(&[0, 255, 1]),
                numbers: vec![1, 255],
                boxed: "".into(),
            },
        );
    }
    for ip in [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ] {
        echo.same(
            "Special",
            &Special {
                id: uuid::Uuid::from_u128(u128::MAX / 3),
                ip,
                socket: SocketAddr::new(ip, 65_535),
                at: UNIX_EPOCH + Duration::new(1_700_000_000, 5),
                span: Duration::new(u64::MAX, 999_999_999),
                // Dates have milliseconds.
                time: Moment(Timestamp::new(1_700_000_000, 123_000_000).expect("a time")),
                url: "https://example.org/a?b".parse().expect("a URL"),
                day: chrono::NaiveDate::from_ymd_opt(2026, 2, 28).expect("a day"),
                moment: chrono::DateTime::from_timestamp(1_700_000_000, 5).expect("a time"),
                result: if ip.is_ipv4() {
                    Ok(5)
                } else {
                    Err("no".to_owned())
                },
            },
        );
    }
    echo.same(
        "Containers",
        &Containers {
            list: vec![None, Some(u64::MAX), Some(0)],
            array: [-1, 0, 1],
            tuple: (1, "two".to_owned(), None),
            set: [3, 1, 2].into(),
            by_name: [
                ("a b".to_owned(), vec![Id(u64::MAX)]),
                (String::new(), Vec::new()),
            ]
            .into(),
            by_small: [(-5, true), (7, false)].into(),
            by_long: [(u64::MAX, 1), (0, 2)].into(),
            by_id: [(Id(1 << 60), 3)].into(),
            by_flag: [(true, 1), (false, 2)].into(),
            by_char: [('x', 1), ('ß', 2)].into(),
            by_uuid: [(uuid::Uuid::nil(), 1)].into(),
            by_side: [(Side::LeftHand, 1)].into(),
            pair: Pair(Id(1), [2, 3]),
            tree: Node {
                value: Unit,
                children: vec![Node {
                    value: Unit,
                    children: Vec::new(),
                    parent: None,
                }],
                parent: Some(Box::new(Node {
                    value: 5,
                    children: Vec::new(),
                    parent: None,
                })),
            },
        },
    );
    let fields = External::Fields {
        some_field: true,
        other: None,
    };
    for it in [
        External::One,
        External::OneValue(Id(5)),
        External::TwoValues(1, -2),
        fields,
    ] {
        echo.same("External", &it);
    }
    for it in [
        Internal::A { x: 0.5 },
        Internal::B(Id2 { id: 1 }),
        Internal::C,
        Internal::Other,
    ] {
        echo.same("Internal", &it);
    }
    for it in [
        Adjacent::Empty,
        Adjacent::Filled('c'),
        Adjacent::Both(1, "b".to_owned()),
    ] {
        echo.same("Adjacent", &it);
    }
    for it in [
        Untagged::Number(0.5),
        Untagged::Texts(vec!["a".to_owned()]),
        Untagged::Fields { a: false },
    ] {
        echo.same("Untagged", &it);
    }
    echo.same("Side", &Side::RightHand);
    let page = Page {
        first: 1,
        rest: [("a".to_owned(), Bytes::from_static(b"b"))].into(),
    };
    echo.same(
        "Flat",
        &Flat {
            name: "n".to_owned(),
            page,
            kind: Internal::B(Id2 { id: 9 }),
        },
    );
    for choice in [Choice::None, Choice::Amount(5), Choice::Point { x: 1 }] {
        for extent in [None, Some(Extent { length: 7 })] {
            let it = Among {
                name: "n".to_owned(),
                choice: choice.clone(),
                unit: Unit,
                extent,
            };
            echo.same("Among", &it);
        }
        echo.same("Labelled", &Labelled::Choice(choice));
    }
    echo.same("Labelled", &Labelled::Unit(Unit));
    echo.same("Labelled", &Labelled::Nil(()));
    let closed = |b| Closed {
        a: 1,
        b,
        extent: Extent { length: 2 },
    };
    echo.same("Closed", &closed(None));
    echo.same("Closed", &closed(Some(3)));
    let around = AroundClosed {
        name: "n".to_owned(),
        closed: closed(Some(3)),
    };
    echo.same("AroundClosed", &around);
    for internal in [
        ClosedInternal::Closed(closed(None)),
        ClosedInternal::Fields { x: 1 },
    ] {
        echo.same("ClosedInternal", &internal);
        echo.same("TwoTags", &TwoTags::Inner(internal.clone()));
        let name = "n".to_owned();
        echo.same("AroundInternal", &AroundInternal { internal, name });
    }
    echo.same("ClosedAdjacent", &ClosedAdjacent::Empty);
    echo.same("ClosedAdjacent", &ClosedAdjacent::Fields { x: 1 });
    echo.same("ClosedExternal", &ClosedExternal::Fields { x: 1 });
    echo.same(
        "Open",
        &Open {
            name: "n".to_owned(),
            others: [("x".to_owned(), 1)].into(),
        },
    );
}

#[test]
#[ignore = "needs Node.js"]
fn guards_refuse_what_is_of_another_type() {
    let mut echo = Echo::start();
    echo.refused("Id", &-1);
    echo.refused("Id", &0.5);
    echo.refused("Id", &"1");
    echo.refused("Pair", &(1, [2, 3, 4]));
    echo.refused("Pair", &(1, [2, 65_536]));
    echo.refused("Unit", &[1]);
    echo.refused("Side", &"up");
    echo.refused("External", &"TWO");
    echo.refused("External", &"ONE_VALUE");
    echo.refused("Adjacent", &[("t", "filled")]);
    echo.refused("Untagged", &[1]);
    echo.refused("Id2", &[("id", 256)]);
    echo.refused("Id2", &[("other", 1)]);
    echo.refused("Id2", &());
    echo.refused("Among", &[("name", "n"), ("None", "n")]);
    echo.refused("Among", &[("name", "n")]);
    echo.refused("Labelled", &[("label", "Choice")]);
    let more = json!({"a": 1, "length": 2, "other": 3});
    echo.refused_like_serde::<Closed>("Closed", &more);
    echo.refused_like_serde::<Closed>("Closed", &json!({"a": 1}));
    let more = json!({"name": "n", "a": 1, "length": 2, "other": 3});
    echo.refused_like_serde::<AroundClosed>("AroundClosed", &more);
    for mut more in [
        json!({"kind": "Closed", "a": 1, "length": 2, "other": 3}),
        json!({"kind": "Fields", "x": 1, "other": 3}),
    ] {
        echo.refused_like_serde::<ClosedInternal>("ClosedInternal", &more);
        more["outer"] = json!("Inner");
        echo.refused_like_serde::<TwoTags>("TwoTags", &more);
    }
    for more in [
        json!({"t": "Empty", "other": 3}),
        json!({"t": "Fields", "c": {"x": 1, "other": 3}}),
    ] {
        echo.refused_like_serde::<ClosedAdjacent>("ClosedAdjacent", &more);
    }
    let more = json!({"Fields": {"x": 1, "other": 3}});
    echo.refused_like_serde::<ClosedExternal>("ClosedExternal", &more);
    echo.refused_like_serde::<Sealed>("Sealed", &json!({"id": 1, "other": 3}));
    // Serde takes the entries of the inner struct, and ignores the others.
    let around = to_vec(&json!({"id": 1, "name": "n", "other": 3})).expect("encoded");
    assert!(from_slice::<AroundSealed>(&around).is_ok());
    assert_eq!(
        echo.ask(&format!("AroundSealed refuse {}", hex(&around))),
        "accepted: AroundSealed"
    );
}

#[test]
#[ignore = "needs Node.js"]
fn names_of_later_versions_are_read_where_serde_reads_them() {
    let mut echo = Echo::start();
    let sent = to_vec(&std::collections::BTreeMap::from([("kind", "New")])).expect("encoded");
    assert_eq!(
        echo.ask(&format!("Internal refuse {}", hex(&sent))),
        "accepted: Internal"
    );
    // Not a known name with another content.
    let sent = to_vec(&std::collections::BTreeMap::from([("kind", "A")])).expect("encoded");
    assert_eq!(
        echo.ask(&format!("Internal refuse {}", hex(&sent))),
        "refused"
    );
    assert!(
        typescript(&schema_of::<ValuesClient>())
            .expect("written")
            .contains("otherThan('A', 'B', 'C')")
    );
}
