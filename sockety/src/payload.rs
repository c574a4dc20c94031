pub(crate) mod encoding;
pub(crate) mod format;
pub(crate) mod parameters;
pub(crate) mod payload_bytes;
pub(crate) mod scratch;

use serde::{Serialize, de::DeserializeOwned};

use crate::msgpack::Bounds;

/// What can travel as a payload, or as an item of a stream: everything that is `Serialize` and `Deserialize`.
///
/// Both are needed of every parameter and of every returned value, as each is written on one side and read on
/// the other.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent as a payload: derive `serde::Serialize` and `serde::Deserialize` for it",
    label = "it, or a type inside it, is not both `Serialize` and `Deserialize`",
    note = "a type of another crate may need that crate's feature `serde`",
    note = "types of Sockety are recognized by their names: write `&Context`, `File`, `Vec<File>`, `ByteStream` or `Streaming<T>`, not an alias"
)]
pub trait Payload: Serialize + DeserializeOwned + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + 'static> Payload for T {}

/// What is read as a payload, or as an item of a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PayloadLimits {
    /// The size of an item. That of payloads is limited before they are here.
    pub(crate) item_bytes: usize,
    pub(crate) bounds: Bounds,
}

/// No payload means the same as nil: TypeScript peers send neither for `undefined`.
pub(crate) fn or_nil(payload: &[u8]) -> &[u8] {
    const NIL: &[u8] = &[0xC0];
    if payload.is_empty() { NIL } else { payload }
}
