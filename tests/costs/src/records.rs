//! Eight records of about 128 bytes each, as MessagePack: what many calls carry.

use std::hint::black_box;

use serde::{Deserialize, Serialize};
use sockety::msgpack::{encode, from_slice, to_vec};

#[derive(Serialize, Deserialize)]
struct Record {
    id: u64,
    owner: u32,
    amount: f64,
    name: String,
    city: String,
    note: String,
}

fn records() -> Vec<Record> {
    let record = |index: u32| Record {
        id: u64::from(index) * 1_000_003,
        owner: 70_000 + index,
        amount: 1234.5 * f64::from(index + 1),
        name: format!("Customer number {index:05}"),
        city: "Santiago de Chile".into(),
        note: format!("to be delivered on day {index:03}, not before noon"),
    };
    (0..8).map(record).collect()
}

pub(crate) fn write(times: u64) {
    let records = records();
    let mut buffer = Vec::new();
    for _ in 0..times {
        buffer.clear();
        encode(black_box(&records), &mut buffer).expect("encoded");
        black_box(&buffer);
    }
}

pub(crate) fn read(times: u64) {
    let bytes = to_vec(&records()).expect("encoded");
    for _ in 0..times {
        let records: Vec<Record> = from_slice(black_box(&bytes)).expect("records");
        black_box(records);
    }
}
