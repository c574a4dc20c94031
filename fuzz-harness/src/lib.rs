//! What is fuzzed, as plain functions: by `cargo fuzz` in `fuzz`, and by the tests of this crate on a stable toolchain.
//!
//! Each takes bytes, and panics when something is wrong that no bytes may bring about. The allocator of every program
//! with this crate counts, so that they can judge memory too: one input at a time.

mod connection;
mod credit;
mod decode_encode;
mod decode_split;
mod differential;
mod encode_script;
mod extended;
mod extension;
mod file_name;
mod heap;
mod msgpack_check;
mod msgpack_read;
mod mutate;
mod order;
mod reference;
mod said;
mod seeds;
mod stream;
mod target;
mod two_peers;
mod wire;

pub use decode_split::pieces;
pub use extended::{Extended, encode_extended, requests_for};
pub use extension::{decode_extended, extended};
pub use heap::held_by;
pub use mutate::mutant;
pub use reference::{End, Reading, read};
pub use said::Said;
pub use seeds::{corpus, corpus_path, from_lines, seeds};
pub use stream::{Decoded, Setting, decode, decode_pieces, decode_whole};
pub use target::{TARGETS, Target, run};
