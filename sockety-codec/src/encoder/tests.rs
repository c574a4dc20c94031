//! Golden bytes of every packet, and calls that are refused.

mod order;
mod packets;

use super::*;
use crate::{FilesSummary, ResponseHead};

const ID: Uuid = Uuid::from_bytes([0xA5; 16]);
const PARENT: Uuid = Uuid::from_bytes([0x5A; 16]);

fn encoder() -> Encoder {
    Encoder::new(ChannelCount::MAX)
}

fn channel(id: u16) -> ChannelId {
    ChannelId::new(id).unwrap()
}

fn file(index: u32) -> FileIndex {
    FileIndex::new(index).unwrap()
}

fn message(action: &str) -> MessageHead<'_> {
    MessageHead::new(ID, action).expecting_response(true)
}

fn response() -> ResponseHead {
    ResponseHead::new(PARENT, ID)
}

/// The parts joined.
fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}
