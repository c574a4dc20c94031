use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub const CHUNK: usize = 64 * 1024;
pub const MIB: usize = 1024 * 1024;

/// 32 bytes that only this task sends; text, as some can send nothing else.
pub fn small(task: usize) -> Bytes {
    format!("{task:032}").into()
}

/// So many bytes that do not compress to nothing.
pub fn large(size: usize) -> Bytes {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..size).map(next).collect::<Vec<_>>().into()
}

/// What W8 sends eight of: about 128 bytes each.
#[derive(Clone, PartialEq, Serialize, Deserialize, prost::Message)]
pub struct Record {
    #[prost(uint64, tag = "1")]
    pub id: u64,
    #[prost(uint32, tag = "2")]
    pub owner: u32,
    #[prost(double, tag = "3")]
    pub amount: f64,
    #[prost(string, tag = "4")]
    pub name: String,
    #[prost(string, tag = "5")]
    pub city: String,
    #[prost(string, tag = "6")]
    pub note: String,
}

pub fn records(task: usize) -> Vec<Record> {
    let record = |index: usize| Record {
        id: (task * 8 + index) as u64 * 1_000_003,
        owner: 70_000 + index as u32,
        amount: 1234.5 * (index + 1) as f64,
        name: format!("Customer number {index:05}"),
        city: "Santiago de Chile".into(),
        note: format!("to be delivered on day {task:03}, not before noon"),
    };
    (0..8).map(record).collect()
}
