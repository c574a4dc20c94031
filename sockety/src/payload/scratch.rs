//! A buffer of the thread for encoding payloads, so that small ones need no allocation.

use std::cell::Cell;

use bytes::Bytes;
use serde::Serialize;

use super::payload_bytes::PayloadBytes;
use crate::{error::send::SendError, msgpack};

/// What a thread keeps. Larger buffers are rare, and go back to the allocator.
const KEPT: usize = 64 * 1024;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A value as MessagePack, in a buffer to be given back.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, SendError> {
    encode_with(|into| Ok(msgpack::encode(value, into)?))
}

pub(crate) fn encode_with(
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), SendError>,
) -> Result<Vec<u8>, SendError> {
    let mut buffer = SCRATCH.take();
    buffer.clear();
    match write(&mut buffer) {
        Ok(()) => Ok(buffer),
        Err(error) => {
            give_back(buffer);
            Err(error)
        }
    }
}

/// A value as MessagePack, in memory of exactly its size.
pub(crate) fn encode_bytes<T: Serialize + ?Sized>(value: &T) -> Result<PayloadBytes, SendError> {
    encode(value).map(into_bytes)
}

/// What the buffer holds, in memory of exactly its size. Gives the buffer back.
pub(crate) fn into_bytes(buffer: Vec<u8>) -> PayloadBytes {
    if buffer.capacity() > KEPT {
        return Bytes::from(buffer).into();
    }
    let bytes = PayloadBytes::copy_of(&buffer);
    give_back(buffer);
    bytes
}

pub(crate) fn give_back(buffer: Vec<u8>) {
    if buffer.capacity() <= KEPT {
        SCRATCH.set(buffer);
    }
}
