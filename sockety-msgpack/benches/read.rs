//! Reading and writing, side by side with rmp-serde: `cargo bench -p sockety-msgpack`.
//!
//! `rmp-serde` here does less: it checks no bounds, and reads no forms of other languages.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sockety_msgpack::{encode, from_slice, to_vec};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
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

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf(i64),
    Node { left: Box<Self>, right: Box<Self> },
}

fn tree(levels: u32) -> Tree {
    if levels == 0 {
        return Tree::Leaf(7);
    }
    let child = || Box::new(tree(levels - 1));
    Tree::Node {
        left: child(),
        right: child(),
    }
}

fn texts() -> Vec<String> {
    let text = |index: usize| "text of some bytes, ".repeat(1 + index % 5);
    (0..20_000).map(text).collect()
}

fn map() -> BTreeMap<String, u64> {
    (0..1_000_u64)
        .map(|index| (format!("key number {index}"), index * index))
        .collect()
}

fn compare<T>(criterion: &mut Criterion, name: &str, value: &T)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let bytes = to_vec(value).expect("encoded");
    assert_eq!(from_slice::<T>(&bytes).as_ref(), Ok(value));
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("read", |bencher| {
        bencher.iter(|| from_slice::<T>(black_box(&bytes)));
    });
    group.bench_function("read by rmp-serde", |bencher| {
        bencher.iter(|| rmp_serde::from_slice::<T>(black_box(&bytes)));
    });
    let mut buffer = Vec::new();
    group.bench_function("write", |bencher| {
        bencher.iter(|| {
            buffer.clear();
            encode(black_box(value), &mut buffer)
        });
    });
    group.bench_function("write by rmp-serde", |bencher| {
        bencher.iter(|| {
            buffer.clear();
            rmp_serde::encode::write_named(&mut buffer, black_box(value))
        });
    });
    group.finish();
}

fn all(criterion: &mut Criterion) {
    compare(criterion, "8 records", &records());
    compare(criterion, "a tree", &tree(10));
    let floats: Vec<f64> = (0..10_000).map(|index| f64::from(index) * 0.7).collect();
    compare(criterion, "10,000 floats", &floats);
    compare(criterion, "1 MiB of texts", &texts());
    compare(criterion, "a map of 1,000", &map());
}

criterion_group!(benches, all);
criterion_main!(benches);
