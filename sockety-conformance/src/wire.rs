//! The bytes of the protocol, written and read directly from its rules. Nothing here prevents the
//! caller from breaking them.

pub mod head;
pub mod message;
pub mod packet;
pub mod uint;

/// A UUID as on the wire.
pub type Id = [u8; 16];

/// A fresh id of version 4. Its last bit says whether a reply is expected, so that the id alone
/// reveals an unexpected reply.
pub fn fresh_id(expects_reply: bool) -> Id {
    let mut id = uuid::Uuid::new_v4().into_bytes();
    id[15] = id[15] & 0xFE | u8::from(expects_reply);
    id
}

/// Whether an id made by [`fresh_id`] says that a reply is expected.
pub fn is_expecting(id: &Id) -> bool {
    id[15] & 1 == 1
}

/// Bytes in hexadecimal, as reports show them.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
