//! Servers as values in etcd, in the layout of gRPC's naming package for Go.
//!
//! Go's package writes `Op` as 0 and does not look at it when it reads: a server is removed by deleting its key.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sockety::{error::AddressError, fleet::Endpoint};

/// What is wrong with an entry.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EntryError {
    #[error("its value is not JSON of the form {{\"Op\":0,\"Addr\":\"host:port\"}}")]
    Json(#[from] serde_json::Error),
    #[error("its address is invalid")]
    Address(#[from] AddressError),
    #[error("its key is not UTF-8")]
    Key,
}

/// The value of an entry. Go writes the fields in this order, and reads their names in any case.
#[derive(Debug, Serialize, Deserialize)]
struct Update<'a> {
    #[serde(rename = "Op", skip_deserializing)]
    op: u8,
    #[serde(rename = "Addr", alias = "addr")]
    address: std::borrow::Cow<'a, str>,
    #[serde(rename = "Metadata", alias = "metadata", default)]
    metadata: Value,
}

const WEIGHT: &str = "weight";
const ZONE: &str = "zone";
const TLS_NAME: &str = "tlsName";
/// The name under which metadata is kept that is no object.
const METADATA: &str = "metadata";

/// Reads the value of this key.
pub(crate) fn read(key: &str, value: &[u8]) -> Result<Endpoint, EntryError> {
    let update: Update<'_> = serde_json::from_slice(value)?;
    let endpoint = Endpoint::new(&*update.address)?.with_key(key);
    Ok(match update.metadata {
        Value::Null => endpoint,
        Value::Object(entries) => entries.into_iter().fold(endpoint, with_entry),
        other => endpoint.with_metadata(METADATA, text(other)),
    })
}

/// Metadata that has our names with another meaning is somebody else's, and kept like any other.
fn with_entry(endpoint: Endpoint, (name, value): (String, Value)) -> Endpoint {
    let weight = value.as_u64().and_then(|it| u32::try_from(it).ok());
    match (&*name, value, weight) {
        (WEIGHT, _, Some(weight)) => endpoint.with_weight(weight),
        (ZONE, Value::String(zone), _) => endpoint.with_zone(zone),
        (TLS_NAME, Value::String(tls_name), _) => endpoint.with_tls_name(tls_name),
        (_, value, _) => endpoint.with_metadata(name, text(value)),
    }
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Writes the value of this server.
pub(crate) fn write(endpoint: &Endpoint) -> String {
    let mut metadata: Map<_, _> = endpoint
        .metadata()
        .iter()
        .map(|(name, text)| (name.clone(), Value::from(text.as_str())))
        .collect();
    if endpoint.weight() != 1 {
        metadata.insert(WEIGHT.into(), endpoint.weight().into());
    }
    if let Some(zone) = endpoint.zone() {
        metadata.insert(ZONE.into(), zone.into());
    }
    if let Some(tls_name) = endpoint.tls_name() {
        metadata.insert(TLS_NAME.into(), tls_name.into());
    }
    let update = Update {
        op: 0,
        address: endpoint.address().to_string().into(),
        metadata: match metadata.is_empty() {
            true => Value::Null,
            false => metadata.into(),
        },
    };
    serde_json::to_string(&update).expect("texts and numbers are JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(endpoint: &Endpoint) -> Vec<(&str, &str)> {
        let entries = endpoint.metadata().iter();
        entries.map(|(name, text)| (&**name, &**text)).collect()
    }

    /// Made by Go's own JSON encoder: `tests/go/values.go`.
    #[test]
    fn values_written_in_go_are_read() {
        let plain = read("bank/plain", include_bytes!("../tests/go/plain.json")).unwrap();
        let expected = Endpoint::new("127.0.0.1:9001").unwrap();
        assert_eq!(plain, expected.with_key("bank/plain"));

        let weighted = read("bank/weighted", include_bytes!("../tests/go/weighted.json")).unwrap();
        assert_eq!(weighted.address().to_string(), "10.0.0.7:9000");
        assert_eq!((weighted.weight(), weighted.zone()), (3, Some("b")));
        let expected = [("shards", "[1,2]"), ("version", "1.2 <beta>")];
        assert_eq!(metadata(&weighted), expected);

        let text = read("bank/text", include_bytes!("../tests/go/text.json")).unwrap();
        assert_eq!(text.address().to_string(), "[::1]:9002");
        assert_eq!(metadata(&text), [("metadata", "blue")]);
    }

    #[test]
    fn values_are_written_as_in_go() {
        let plain = Endpoint::new("127.0.0.1:9001").unwrap();
        assert_eq!(write(&plain), include_str!("../tests/go/plain.json"));
        let sockety = Endpoint::new("10.0.0.7:9000").unwrap();
        let sockety = sockety.with_weight(0).with_zone("b").with_tls_name("bank");
        let sockety = sockety.with_metadata("version", "1.2");
        let value = write(&sockety);
        assert_eq!(
            value,
            r#"{"Op":0,"Addr":"10.0.0.7:9000","Metadata":{"tlsName":"bank","version":"1.2","weight":0,"zone":"b"}}"#
        );
        assert_eq!(read("a", value.as_bytes()).unwrap(), sockety.with_key("a"));
    }

    #[test]
    fn names_of_ours_with_another_meaning_are_kept_as_metadata() {
        let value = br#"{"Addr":"a:1","Metadata":{"weight":"heavy","zone":7,"tlsName":null}}"#;
        let endpoint = read("a", value).unwrap();
        assert_eq!((endpoint.weight(), endpoint.zone()), (1, None));
        let expected = [("tlsName", "null"), ("weight", "heavy"), ("zone", "7")];
        assert_eq!(metadata(&endpoint), expected);
        let endpoint = read("a", br#"{"Addr":"a:1","Metadata":{"weight":4294967296}}"#).unwrap();
        assert_eq!(metadata(&endpoint), [("weight", "4294967296")]);
    }

    #[test]
    fn any_op_and_unknown_fields_are_ignored_as_in_go() {
        let endpoint = read("a", br#"{"op":1,"addr":"a:1","More":[]}"#).unwrap();
        assert_eq!(endpoint.address().to_string(), "a:1");
    }

    #[test]
    fn what_is_no_entry_is_an_error() {
        for value in [
            "",
            "a:9000",
            "[]",
            "{}",
            r#"{"Addr":7}"#,
            "{\"Addr\":\"\u{0}",
        ] {
            assert!(matches!(
                read("a", value.as_bytes()),
                Err(EntryError::Json(_))
            ));
        }
        assert!(matches!(read("a", b"\xff"), Err(EntryError::Json(_))));
        for address in ["", "localhost", "a:b", "http://a:1"] {
            let value = format!(r#"{{"Op":0,"Addr":"{address}","Metadata":null}}"#);
            let error = read("a", value.as_bytes()).unwrap_err();
            assert!(
                matches!(error, EntryError::Address(_)),
                "{address}: {error}"
            );
        }
    }
}
