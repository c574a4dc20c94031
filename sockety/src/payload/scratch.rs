//! A buffer of the thread for encoding payloads, so that small ones need no allocation.

use std::cell::Cell;

use bytes::Bytes;
use serde::Serialize;

use super::payload_bytes::PayloadBytes;
use crate::{error::send::SendError, msgpack::__private::encode_measured};

/// What a thread keeps. Larger buffers are rare, and go back to the allocator.
const KEPT: usize = 64 * 1024;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A payload in the buffer of the thread, which is given back.
#[derive(Debug)]
pub struct Buffer {
    pub(crate) bytes: Vec<u8>,
    /// How deep its arrays and maps are nested.
    pub(crate) depth: usize,
}

/// A value as MessagePack, in a buffer to be given back.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Buffer, SendError> {
    encode_with(|into| Ok(encode_measured(value, into)?))
}

/// What `write` writes; it returns how deep that is nested.
pub(crate) fn encode_with(
    write: impl FnOnce(&mut Vec<u8>) -> Result<usize, SendError>,
) -> Result<Buffer, SendError> {
    let mut bytes = SCRATCH.take();
    bytes.clear();
    match write(&mut bytes) {
        Ok(depth) => Ok(Buffer { bytes, depth }),
        Err(error) => {
            give_back(bytes);
            Err(error)
        }
    }
}

/// A value as MessagePack, in memory of exactly its size.
pub(crate) fn encode_bytes<T: Serialize + ?Sized>(value: &T) -> Result<PayloadBytes, SendError> {
    encode(value).map(into_bytes)
}

/// What the buffer holds, in memory of exactly its size. Gives the buffer back.
pub(crate) fn into_bytes(buffer: Buffer) -> PayloadBytes {
    let Buffer { bytes, depth } = buffer;
    if bytes.capacity() > KEPT {
        return PayloadBytes::from(Bytes::from(bytes)).with_depth(depth);
    }
    let payload = PayloadBytes::copy_of(&bytes).with_depth(depth);
    give_back(bytes);
    payload
}

pub(crate) fn give_back(buffer: Vec<u8>) {
    if buffer.capacity() <= KEPT {
        SCRATCH.set(buffer);
    }
}
