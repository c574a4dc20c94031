//! JSON by the types of the peer's schema.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::NonZeroI8,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use sockety::{Options, ServiceError, Streaming, msgpack::Timestamp, service};
use sockety_schema::of;
use specta::Type;

use crate::{failed, server::start_router, sockety, stdout};

/// One of everything.
#[expect(clippy::use_self, reason = "a derive copies the types of fields")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
struct Item {
    id: uuid::Uuid,
    peer: std::net::IpAddr,
    count: u64,
    large: u128,
    less: NonZeroI8,
    part: f32,
    data: Data,
    list: Vec<u8>,
    at: Timestamp,
    since: SystemTime,
    took: Duration,
    kind: Kind,
    state: State,
    by_number: BTreeMap<u32, String>,
    by_pair: BTreeMap<(u8, bool), u8>,
    unit: Option<Unit>,
    any: Vec<Any>,
    #[serde(default)]
    note: String,
    #[serde(flatten)]
    page: Page,
    children: Vec<Item>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
struct Unit;

/// Bytes: bin.
#[derive(Debug, Clone, PartialEq, Type)]
struct Data(#[specta(type = bytes::Bytes)] Vec<u8>);

impl Serialize for Data {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl serde::de::Visitor<'_> for Read {
            type Value = Data;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Data, E> {
                Ok(Data(bytes.to_vec()))
            }
        }

        deserializer.deserialize_bytes(Read)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
struct Page {
    first: u8,
    #[serde(flatten)]
    more: BTreeMap<String, Data>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
enum Kind {
    Plain,
    Named(Data),
    Sized { width: u8, height: u8 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(tag = "is", rename_all = "snake_case")]
enum State {
    Open,
    Closed { data: Data },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(untagged)]
enum Any {
    Text(String),
    Data(Data),
    Number(u64),
}

#[derive(Debug, Serialize, Deserialize, Type, ServiceError)]
enum VaultError {
    /// Locked
    #[code(20)]
    Locked { key: Data, until: Timestamp },
}

#[service(prefix = "vault.")]
trait Vault {
    async fn same(&self, item: Item) -> Item;
    #[action(alias = ["alt"])]
    async fn add(&self, amount: u64, data: Data, note: Option<String>) -> Result<Data, VaultError>;
    async fn optional(&self, at: Option<Timestamp>) -> Option<Timestamp>;
    async fn keys(&self) -> BTreeMap<u8, Data>;
    async fn each(&self, items: Streaming<Kind>) -> Streaming<Data>;
    #[action(one_way)]
    async fn note(&self, data: Data);
}

struct Here;

impl Vault for Here {
    async fn same(&self, item: Item) -> Item {
        item
    }

    async fn add(&self, amount: u64, data: Data, _: Option<String>) -> Result<Data, VaultError> {
        match amount {
            0 => Err(VaultError::Locked {
                key: data,
                until: "2026-01-31T12:00:00Z".parse().unwrap(),
            }),
            _ => Ok(data),
        }
    }

    async fn optional(&self, at: Option<Timestamp>) -> Option<Timestamp> {
        at
    }

    async fn keys(&self) -> BTreeMap<u8, Data> {
        BTreeMap::from([(7, Data(vec![0, 1, 2]))])
    }

    async fn each(&self, mut items: Streaming<Kind>) -> Streaming<Data> {
        let mut named = Vec::new();
        while let Some(Ok(item)) = items.next().await {
            if let Kind::Named(data) = item {
                named.push(data);
            }
        }
        Streaming::from_iter(named)
    }

    async fn note(&self, _: Data) {}
}

fn start() -> SocketAddr {
    start_router(None, Options::default(), |router| {
        let router = router.service(VaultServer::new(Here)).unwrap();
        router.describe_with(&of::<VaultClient>().expect("described"))
    })
}

const ITEM: &str = r#"{
    "id": "67e55044-10b1-426f-9247-bb680e5fe0c8", "peer": "::1", "count": 18446744073709551615,
    "large": "340282366920938463463374607431768211455", "less": -128, "part": 0.1,
    "data": "hex:00fF7f", "list": "AAEC", "at": "1969-12-31T23:59:59.5Z",
    "since": "2026-01-31T12:00:00Z", "took": "1m 30s 5ms",
    "kind": {"Sized": {"width": 1, "height": 2}}, "state": {"is": "closed", "data": "AAEC"},
    "by_number": {"7": "seven"}, "by_pair": {"$map": [[[1, true], 2]]}, "unit": [],
    "any": ["text", {"$bin": "gIGC"}, 7], "first": 1, "other": "AAEC", "children": []
}"#;

#[test]
fn what_is_printed_can_be_sent_again() {
    let address = start();
    let send = |json: &str| {
        let mut call = sockety(&format!("call {address} vault.same --json"));
        stdout(call.arg(json))
    };
    let printed = send(ITEM);
    let json: serde_json::Value = serde_json::from_str(&printed).unwrap();
    for (name, expected) in [
        ("data", serde_json::json!("AP9/")),
        ("list", serde_json::json!([0, 1, 2])),
        (
            "large",
            serde_json::json!("340282366920938463463374607431768211455"),
        ),
        ("count", serde_json::json!(u64::MAX)),
        ("part", serde_json::json!(0.1)),
        ("at", serde_json::json!("1969-12-31T23:59:59.5Z")),
        ("since", serde_json::json!("2026-01-31T12:00:00Z")),
        ("took", serde_json::json!("1m 30s 5ms")),
        ("by_number", serde_json::json!({ "7": "seven" })),
        ("by_pair", serde_json::json!({ "$map": [[[1, true], 2]] })),
        ("unit", serde_json::json!([])),
        ("any", serde_json::json!(["text", { "$bin": "gIGC" }, 7])),
        (
            "state",
            serde_json::json!({ "is": "closed", "data": "AAEC" }),
        ),
        ("other", serde_json::json!("AAEC")),
    ] {
        assert_eq!(json[name], expected, "{name}");
    }
    assert_eq!(send(&printed), printed);
}

#[test]
fn mistakes_are_said_before_anything_is_sent() {
    let address = start();
    let check = |action: &str, json: &str, expected: &str| {
        let mut call = sockety(&format!("call {address} {action} --json"));
        let (out, said) = failed(call.arg(json), 2);
        assert_eq!(out, "");
        assert!(said.contains(&format!("sockety: {expected}")), "{said}");
    };
    check(
        "vault.add",
        r#"{"amount": "12", "data": ""}"#,
        r#"amount: expected an integer from 0 to 18446744073709551615, got "12""#,
    );
    check(
        "vault.alt",
        r#"{"amount": -1, "data": ""}"#,
        "amount: expected an integer from 0",
    );
    check(
        "vault.add",
        r#"{"amount": 1.0, "data": ""}"#,
        "amount: expected an integer from 0",
    );
    check(
        "vault.add",
        r#"{"amout": 12, "data": ""}"#,
        r#"unknown parameter "amout"; the nearest is "amount""#,
    );
    check(
        "vault.add",
        "{}",
        r#"missing parameters "amount" (u64), "data" (Data)"#,
    );
    check(
        "vault.add",
        r#"{"amount": 1, "data": "hex:0"}"#,
        r#"data: expected bytes as base64 or as "hex:…", got "hex:0""#,
    );
    // A text may come from a peer, and names no file.
    check(
        "vault.add",
        r#"{"amount": 1, "data": "@/etc/passwd"}"#,
        "data: expected bytes",
    );
    check(
        "vault.same",
        &ITEM.replace("\"width\": 1", "\"width\": 256"),
        "item.kind.Sized.width: expected an integer from 0 to 255, got 256",
    );
    check(
        "vault.same",
        &ITEM.replace("\"Sized\"", "\"Size\""),
        r#"item.kind: unknown variant "Size"; the nearest is "Sized""#,
    );
    check(
        "vault.same",
        &ITEM.replace("\"closed\"", "\"close\""),
        r#"item.state.is: unknown variant "close"; the nearest is "closed""#,
    );
    check(
        "vault.same",
        &ITEM.replace("\"7\": ", "\"x\": "),
        r#"item.by_number.x: expected an integer from 0 to 4294967295, got "x""#,
    );
    check(
        "vault.same",
        &ITEM.replace("-128", "0"),
        "item.less: expected an integer from -128 to 127 other than 0, got 0",
    );
    check(
        "vault.same",
        &ITEM.replace("67e55044", "67e5504"),
        r#"item.id: expected a string, as Uuid, got "67e5504-"#,
    );
    check(
        "vault.same",
        &ITEM.replace("{\"$bin\": \"gIGC\"}, 7", "null"),
        "item.any[1]: fits no variant (Text: expected a string, got null; ",
    );
    check(
        "vault.same",
        &ITEM.replace("\"count\": 18446744073709551615,", ""),
        r#"item: missing field "count" (u64)"#,
    );
    check(
        "vault.same",
        &ITEM.replace("\"children\": []", &format!("\"children\": [{ITEM}, 7]")),
        "item.children[1]: expected an object, got 7",
    );
    check("vault.keys", "{}", "the action has no parameters");

    let mut pass = sockety(&format!("pass {address} vault.note --json"));
    let (_, said) = failed(pass.arg("[1]"), 2);
    assert!(said.contains("data: expected bytes as base64"), "{said}");
    let mut bench = sockety(&format!("bench {address} vault.add -d 50ms --json"));
    failed(bench.arg("{}"), 2);
}

#[test]
fn parameters_and_replies_have_their_types() {
    let address = start();
    let call = |arguments: &str| sockety(&format!("call {address} {arguments}"));
    let add = r#"{"amount": 1, "data": "AAEC"}"#;
    assert_eq!(stdout(call("vault.add --json").arg(add)), "\"AAEC\"\n");
    assert_eq!(stdout(call("vault.alt --json").arg(add)), "\"AAEC\"\n");
    // A reply has its type without any parameter, too.
    assert_eq!(stdout(&mut call("vault.keys")), "{\"7\":\"AAEC\"}\n");
    assert_eq!(stdout(&mut call("vault.optional --json null")), "null\n");
    let (out, _) = failed(call("vault.add --json").arg(add.replace('1', "0")), 1);
    assert_eq!(
        out,
        "{\"name\":\"Locked\",\"message\":\"Locked\",\"details\":{\"Locked\":{\"key\":\"AAEC\",\"until\":\"2026-01-31T12:00:00Z\"}}}\n"
    );
    let out = stdout(call("vault.add --output json --json").arg(add));
    assert!(out.contains("\"payload\":\"AAEC\""), "{out}");

    let items = "\"Plain\"\n{\"Named\": \"hex:0001\"}\n";
    let mut each = call("vault.each --items --stream -");
    assert_eq!(stdout(each.write_stdin(items)), "\"AAE=\"\n");
    let mut each = call("vault.each --items --stream -");
    let (_, said) = failed(each.write_stdin("\"Plain\"\n\"Plane\"\n"), 6);
    let expected = "line 2: items: unknown variant \"Plane\"; the nearest is \"Plain\"";
    assert!(said.contains(expected), "{said}");

    let mut pass = sockety(&format!("pass {address} vault.note --json \"AAEC\""));
    assert_eq!(failed(&mut pass, 0), (String::new(), String::new()));
}

#[test]
fn without_a_schema_json_is_plain() {
    let address = start();
    let json = r#"{"amount": 1, "data": {"$bin": "AAEC"}}"#;
    let mut call = sockety(&format!("call {address} vault.add --no-schema --json"));
    assert_eq!(stdout(call.arg(json)), "{\"$bin\":\"AAEC\"}\n");
    // Both forms are read where there is one.
    let mut call = sockety(&format!("call {address} vault.add --json"));
    assert_eq!(stdout(call.arg(json)), "\"AAEC\"\n");
    // Actions of which the schema says nothing.
    let mut call = sockety(&format!("call {address} raw --json"));
    assert_eq!(stdout(call.arg(json)), json.replace(' ', "") + "\n");
}

/// A person can make each call of what is shown.
#[test]
fn calls_that_are_shown_are_taken() {
    let address = start();
    let text = stdout(&mut sockety(&format!("describe {address}")));
    let shown: Vec<_> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("$ sockety "))
        .collect();
    assert_eq!(shown.len(), 6, "{text}");
    for call in shown.iter().filter(|call| call.contains("vault.")) {
        let (arguments, json) = match call.split_once(" --json ") {
            Some((arguments, json)) => (arguments, Some(json.trim_matches('\''))),
            None => (*call, None),
        };
        if arguments.contains("--stream") {
            continue;
        }
        let mut command = sockety(arguments);
        if let Some(json) = json {
            command.arg("--json").arg(json);
        }
        failed(&mut command, 0);
    }
    for expected in [
        "vault.same(item: Item) -> Item",
        "vault.each(items: Streaming<Kind> (the stream, of values)) -> Streaming<Data>",
        "error 20 Locked: Locked, with data of VaultError",
        "    enum State, as {\"is\": \"Name\", fields}\n",
        "    struct Unit, as []\n",
        "        Bytes \"AAEC\", base64, or \"hex:000102\"\n",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn a_negative_number_is_a_value() {
    failed(&mut sockety("call 127.0.0.1:1 media.find --json -5"), 3);
}
