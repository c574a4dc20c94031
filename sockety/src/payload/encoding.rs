//! A payload that was encoded.

use std::{any::Any, sync::OnceLock};

use bytes::Bytes;

use super::payload_bytes::PayloadBytes;

/// A payload as it is sent.
#[derive(Debug, Clone)]
pub(crate) enum Encoding {
    Whole(PayloadBytes),
    Bin(Box<Bin>),
}

/// A large buffer that is the whole of a payload: it is sent from where it lies, behind what MessagePack says before it.
#[derive(Debug, Clone)]
pub(crate) struct Bin {
    head: [u8; BIN_HEAD],
    bytes: Bytes,
    /// Both together, for who asked for that.
    whole: OnceLock<Bytes>,
}

/// Before the bytes of a bin 32: its marker and its length.
const BIN_HEAD: usize = 5;
const BIN_32: u8 = 0xC6;

/// From this size on, a buffer is a bin 32. Smaller ones are quickly copied.
const LARGE: usize = 0x1_0000;

impl Encoding {
    /// A large buffer, where it lies. `None` leaves a small one to be encoded as any other value.
    pub(crate) fn of_buffer(bytes: &Bytes) -> Option<Self> {
        let length = u32::try_from(bytes.len()).ok()?;
        if bytes.len() < LARGE {
            return None;
        }
        let [a, b, c, d] = length.to_be_bytes();
        Some(Self::Bin(Box::new(Bin {
            head: [BIN_32, a, b, c, d],
            bytes: bytes.clone(),
            whole: OnceLock::new(),
        })))
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::Bin(bin) => BIN_HEAD + bin.bytes.len(),
        }
    }

    /// All of it in one place, for which a buffer is copied the first time.
    pub(crate) fn whole(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Bin(bin) => bin
                .whole
                .get_or_init(|| [&bin.head, &bin.bytes[..]].concat().into()),
        }
    }
}

impl Bin {
    /// The head of the buffer, and the buffer.
    pub(crate) fn parts(&self) -> (&[u8], &Bytes) {
        (&self.head, &self.bytes)
    }
}

impl From<PayloadBytes> for Encoding {
    fn from(bytes: PayloadBytes) -> Self {
        Self::Whole(bytes)
    }
}

impl From<Bytes> for Encoding {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes.into())
    }
}

/// The buffer that a value is, if it is one.
pub(crate) fn as_buffer<T: 'static>(value: &T) -> Option<&Bytes> {
    (value as &dyn Any).downcast_ref()
}

/// A value that is a buffer, out of a payload that is nothing but a large one. It shares the memory of the payload.
/// `None` leaves the payload to be read as any other.
pub(crate) fn read_buffer<T: 'static>(payload: &Bytes) -> Option<T> {
    let (&BIN_32, rest) = payload.split_first()? else {
        return None;
    };
    let length = u32::from_be_bytes(*rest.first_chunk()?);
    if payload.len() as u64 != BIN_HEAD as u64 + u64::from(length) || payload.len() < LARGE {
        return None;
    }
    let mut bytes = Some(payload.slice(BIN_HEAD..));
    let value: &mut Option<T> = (&mut bytes as &mut dyn Any).downcast_mut()?;
    value.take()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        msgpack::{self, Bounds},
        payload::format::payload,
    };

    fn encoded(size: usize) -> (Bytes, Option<Encoding>) {
        let bytes = Bytes::from(vec![7; size]);
        let encoding = Encoding::of_buffer(&bytes);
        (bytes, encoding)
    }

    #[test]
    fn a_large_buffer_is_encoded_as_serde_does_and_not_copied() {
        for size in [LARGE, LARGE + 1, 300_000] {
            let (bytes, encoding) = encoded(size);
            let encoding = encoding.expect("large");
            let Encoding::Bin(bin) = &encoding else {
                panic!("a buffer where it lies");
            };
            let (head, rest) = bin.parts();
            assert_eq!(rest.as_ptr(), bytes.as_ptr());
            assert_eq!(head.len() + rest.len(), encoding.len());
            assert_eq!(encoding.whole(), &msgpack::to_vec(&bytes).expect("encoded"));
        }
        assert!(encoded(LARGE - 1).1.is_none());
    }

    #[test]
    fn a_large_buffer_is_read_where_it_lies() {
        let sent = Bytes::from(vec![7; LARGE]);
        let bytes = Bytes::from(msgpack::to_vec(&sent).expect("encoded"));
        let read = payload::<Bytes>()
            .decode(&bytes, &Bounds::default())
            .expect("a buffer");
        assert_eq!(read, sent);
        assert_eq!(read.as_ptr(), bytes[BIN_HEAD..].as_ptr());
    }

    #[test]
    fn what_is_no_buffer_is_read_as_ever() {
        let whole = msgpack::to_vec(&Bytes::from(vec![7; LARGE])).expect("encoded");
        let bounds = Bounds::default();
        let mut longer = whole.clone();
        longer.push(0);
        let shorter = whole[..whole.len() - 1].to_vec();
        let text = msgpack::to_vec(&"x".repeat(LARGE)).expect("encoded");
        for bytes in [longer, shorter, text, vec![BIN_32], Vec::new()] {
            let bytes = Bytes::from(bytes);
            assert_eq!(
                payload::<Bytes>().decode(&bytes, &bounds),
                msgpack::from_slice(crate::payload::or_nil(&bytes)),
            );
        }
        let bytes = Bytes::from(whole);
        assert!(payload::<u64>().decode(&bytes, &bounds).is_err());
    }
}
