use crate::{
    error::DecodeError,
    extension::UNDEFINED,
    token::{Kind, NIL, Token},
};

/// Copies checked bytes, with nil in place of each extension of type 0.
///
/// msgpackr reads that extension as `undefined`, whatever its length. In serde a type cannot accept
/// both nil and an extension, so the bytes are changed first. Only bytes with `undefined` in them
/// are copied.
pub(crate) fn undefined_as_nil(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut copy = Vec::with_capacity(bytes.len());
    let mut offset = 0;
    while offset < bytes.len() {
        let token = Token::read(bytes, offset)?;
        let end = offset + token.len;
        match token.kind {
            Kind::Ext { tag: UNDEFINED } => copy.push(NIL),
            Kind::Ext { .. } | Kind::Plain | Kind::Str(_) | Kind::Container { .. } => {
                copy.extend_from_slice(&bytes[offset..end]);
            }
        }
        offset = end;
    }
    Ok(copy)
}
