//! Why a typed call was refused, for callers that ask for it.
//!
//! The protocol's answer to a message that cannot be handled is a code, and most peers understand
//! nothing else. A typed call of this implementation therefore marks its id. A peer of this
//! implementation answers a marked call that it refuses with a response: a service error of the
//! reserved name, which holds the reason and the code. Everyone else still gets the code alone.
//!
//! At such a response, like at the code, the caller stops sending the files and the stream of a
//! message that is not read.

use std::fmt;

use sockety_codec::Uuid;

use crate::{
    fast_reply::FastReply,
    metadata::RetryAfter,
    msgpack::{
        __private::{decode_service_error, encode_service_error, escaped},
        Bounds, from_slice,
    },
    shown::prefix,
};

/// Why a peer refused a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The code.
    pub code: FastReply,
    /// What was wrong, such as a parameter or a limit: at most 200 bytes, escaped. It is text for
    /// people: only `code` decides what happened.
    pub reason: Box<str>,
    /// What the peer says about another attempt, if anything.
    pub retry_after: Option<RetryAfter>,
}

/// The last bytes of the id of a call whose caller reads reasons. The remaining 90 random bits
/// still make ids unique, and other peers have this mark once in 2^32 calls.
const MARK: [u8; 4] = *b"why?";

/// No variant of an error of a service can have this name.
const NAME: &str = "$sockety";

/// In bytes: enough for a field, a value and a limit.
const LONGEST: usize = 200;

/// No refusal of this implementation has a larger payload. In bytes.
pub(crate) const LARGEST: usize = 256;

/// A new id of a call whose caller reads reasons. It is a random UUID of version 4.
// r[impl head.id.version]
#[inline]
pub(crate) fn new_call_id() -> Uuid {
    let mut bytes = Uuid::new_v4().into_bytes();
    bytes[12..].copy_from_slice(&MARK);
    Uuid::from_bytes(bytes)
}

/// Whether the sender of the message with this id reads reasons.
pub(crate) fn reads_reasons(id: &Uuid) -> bool {
    id.as_bytes().ends_with(&MARK)
}

/// The payload of the response that refuses the message with this id, if its sender reads reasons.
pub(crate) fn response_to(
    id: &Uuid,
    code: FastReply,
    reason: &dyn fmt::Display,
) -> Option<Vec<u8>> {
    reads_reasons(id).then(|| encode(code, reason))
}

/// A refusal as the payload of a response.
pub(crate) fn encode(code: FastReply, reason: &dyn fmt::Display) -> Vec<u8> {
    let mut payload = Vec::new();
    let reason = shortened(&reason.to_string());
    let encoded = encode_service_error(NAME, &reason, &code.code(), &mut payload);
    encoded.expect("a text and a number can be encoded");
    payload
}

/// The code and the reason, if the payload of a response is a refusal.
pub(crate) fn decode(payload: &[u8]) -> Option<(FastReply, Box<str>)> {
    let parts = decode_service_error(payload, &Bounds::default()).ok()?;
    if parts.name != NAME {
        return None;
    }
    let code = FastReply::new(from_slice(parts.details).ok()?).ok()?;
    (code != FastReply::ACCEPT).then(|| (code, shortened(&parts.message).into()))
}

/// The text without characters that act on a terminal, and cut if it is long.
fn shortened(text: &str) -> String {
    let mut text = escaped(text);
    if text.len() > LONGEST {
        const CUT: &str = "…";
        text.truncate(prefix(&text, LONGEST - CUT.len()).len());
        text.push_str(CUT);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t_r12_a_reason_has_at_most_200_bytes_and_acts_on_no_terminal() {
        let reasons = [("plain", "plain"), ("a\u{1b}[2Jb", "a\\u{1b}[2Jb")];
        for (reason, expected) in reasons {
            let payload = encode(FastReply::BAD_REQUEST, &reason);
            let (code, read) = decode(&payload).expect("a refusal");
            assert_eq!((code, &*read), (FastReply::BAD_REQUEST, expected));
        }
        let code = FastReply::new(4095).expect("a code");
        for long in ["x".repeat(201), "ä".repeat(500)] {
            let payload = encode(code, &long);
            assert!(payload.len() <= LARGEST, "{}", payload.len());
            let (_, read) = decode(&payload).expect("a refusal");
            assert!((197..=LONGEST).contains(&read.len()), "{}", read.len());
            assert!(read.ends_with('…'));
        }
        assert_eq!(shortened(&"x".repeat(200)), "x".repeat(200));
    }

    #[test]
    fn t_r12_a_peer_cannot_make_a_refusal_of_success_or_of_no_code() {
        let encoded = |details: &dyn Fn(&mut Vec<u8>)| {
            let mut payload = Vec::new();
            details(&mut payload);
            payload
        };
        let accepted = encode(FastReply::ACCEPT, &"done");
        let beyond = encoded(&|into| {
            encode_service_error(NAME, "text", &4096, into).expect("encoded");
        });
        let text = encoded(&|into| {
            encode_service_error(NAME, "text", "4", into).expect("encoded");
        });
        let named = encoded(&|into| {
            encode_service_error("NotFound", "text", &4, into).expect("encoded");
        });
        for payload in [
            accepted,
            beyond,
            text,
            named,
            Vec::new(),
            vec![0xD4, 0x65, 0],
        ] {
            assert_eq!(decode(&payload), None, "{payload:x?}");
        }
    }

    #[test]
    fn ids_of_calls_are_marked_random_and_of_version_4() {
        let ids = [(); 100].map(|()| new_call_id());
        for id in &ids {
            assert_eq!(id.get_version_num(), 4);
            assert!(reads_reasons(id));
        }
        let unique: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len());
        assert!(!reads_reasons(&Uuid::from_u128(7)));
    }
}
