use core::hash::{BuildHasherDefault, Hasher};
use std::collections::HashMap;

/// Messages by their number. Each is in memory of its own, so that an empty place is small.
pub(super) type Messages<M> = HashMap<u64, Box<M>, BuildHasherDefault<NumberHasher>>;

/// Places that are kept when there are no messages.
const KEPT: usize = 64;

/// Removes a message. After a time with many, their places are freed.
pub(super) fn remove<M>(messages: &mut Messages<M>, number: u64) -> Option<Box<M>> {
    let message = messages.remove(&number);
    if messages.is_empty() && messages.capacity() > KEPT {
        *messages = Messages::default();
    }
    message
}

/// Hashes one number that its user cannot choose: numbers count messages. A peer that begins millions
/// of messages can keep open those that share a place, but no more than there are channels.
#[derive(Debug, Default)]
pub(super) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    #[inline]
    fn write_u64(&mut self, number: u64) {
        // 2^64 divided by the golden ratio. The low bits of the product depend on the low bits of the
        // number alone, so the high bits are folded into them.
        let product = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = product ^ (product >> 32);
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}
