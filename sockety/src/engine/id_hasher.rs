//! Hashing of our own ids.

use std::hash::{BuildHasherDefault, Hasher};

/// Our ids are random already: their bytes are the hash. A peer chooses no key of such a table.
#[derive(Default)]
pub(crate) struct IdHasher(u64);

pub(crate) type BuildIdHasher = BuildHasherDefault<IdHasher>;

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut word = [0; 8];
        if let Some(first) = bytes.first_chunk::<8>() {
            word = *first;
        }
        // A length prefix is a separate write and must not replace the random bytes.
        self.0 ^= u64::from_le_bytes(word);
    }

    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
