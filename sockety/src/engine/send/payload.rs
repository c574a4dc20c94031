//! Payloads on their way into the outbox: copied, or referenced.

use bytes::Bytes;

use crate::{
    msgpack::__private::is_service_error,
    payload::{encoding::Encoding, payload_bytes::PayloadBytes},
};

/// Payloads of at least this size are referenced instead of copied. Copying 16 KiB costs about as
/// much as the additional slices of a vectored write.
pub(crate) const REFERENCED_FROM: usize = 16 * 1024;

/// The payload of a message on its way into the outbox.
#[derive(Clone, Copy)]
pub(crate) enum Payload<'a> {
    Copied(&'a [u8]),
    /// A few bytes that are copied, and the rest, which is not.
    Referenced(&'a [u8], &'a Bytes),
}

impl<'a> Payload<'a> {
    pub(crate) fn of(encoding: &'a Encoding) -> Self {
        match encoding {
            Encoding::Whole(PayloadBytes::Many { bytes, .. }) if bytes.len() >= REFERENCED_FROM => {
                Self::Referenced(&[], bytes)
            }
            Encoding::Whole(bytes) => Self::Copied(bytes),
            Encoding::Bin(bin) => {
                let (start, bytes) = bin.parts();
                Self::Referenced(start, bytes)
            }
        }
    }

    pub(crate) fn len(self) -> usize {
        match self {
            Self::Copied(bytes) => bytes.len(),
            Self::Referenced(start, bytes) => start.len() + bytes.len(),
        }
    }

    /// Whether it is an error of a service, and no value.
    pub(crate) fn is_error(self) -> bool {
        match self {
            Self::Copied(bytes) | Self::Referenced(bytes, _) if !bytes.is_empty() => {
                is_service_error(bytes)
            }
            Self::Copied(_) => false,
            Self::Referenced(_, bytes) => is_service_error(bytes),
        }
    }
}
