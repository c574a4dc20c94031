use crate::DecodeError;
use crate::extension::UNDEFINED;
use crate::token::{Kind, NIL, Token};

/// A copy of checked bytes with nil in place of every extension of type 0.
///
/// msgpackr reads any length of that extension as `undefined`. serde has no word for a value that
/// may be nil or an extension, so it is done here, and only for bytes that hold one.
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
