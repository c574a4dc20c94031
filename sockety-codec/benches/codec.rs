//! How many messages and bytes per second one core reads and writes.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sockety_codec::{
    ChannelCount, ChannelId, Decoder, Encoder, Event, Limits, MessageHead, ReplyCode, ResponseHead,
    Uuid,
};

/// Bytes of one read from a socket under load.
const READ: usize = 64 * 1024;
const ON: ChannelId = ChannelId::ZERO;

criterion_group! {
    name = codec;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20);
    targets = small, bulk
}
criterion_main!(codec);

/// Messages and replies of a few dozen bytes, as many as fill one read.
fn small(criterion: &mut Criterion) {
    let kinds: [(&str, Write); 4] = [
        ("ping", |encoder, dst| {
            encoder.whole(dst, ON, head(), &[]).unwrap();
        }),
        ("ping with 32 bytes", |encoder, dst| {
            encoder.whole(dst, ON, head(), &[7; 32]).unwrap();
        }),
        ("response with 32 bytes", |encoder, dst| {
            let head = response();
            encoder.whole(dst, ON, head, &[7; 32]).unwrap();
        }),
        ("fast reply", |encoder, dst| {
            encoder.fast_reply(dst, Uuid::from_u128(7), ReplyCode::ACCEPT);
        }),
    ];
    let mut group = criterion.benchmark_group("small");
    for (name, write) in kinds {
        let (input, count) = fill(write);
        group.throughput(Throughput::Elements(count));
        group.bench_function(BenchmarkId::new("decode", name), |bencher| {
            let mut decoder = connected();
            bencher.iter(|| drain(&mut decoder, black_box(&input)));
        });
        group.bench_function(BenchmarkId::new("encode", name), |bencher| {
            let mut encoder = Encoder::new(ChannelCount::MAX);
            let mut dst = Vec::with_capacity(READ);
            bencher.iter(|| {
                dst.clear();
                for _ in 0..count {
                    write(black_box(&mut encoder), &mut dst);
                }
                black_box(&dst);
            });
        });
    }
    group.finish();
}

/// Content that fills whole reads.
fn bulk(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("bulk");
    let (announced, packets) = stream();
    group.throughput(Throughput::Bytes(packets.len() as u64));
    group.bench_function("decode stream in packets of 64 KiB", |bencher| {
        let mut decoder = connected();
        drain(&mut decoder, &announced);
        bencher.iter(|| {
            for read in black_box(&packets).chunks(READ) {
                drain(&mut decoder, read);
            }
        });
    });
    let message = payload();
    group.throughput(Throughput::Bytes(message.len() as u64));
    group.bench_function("decode payload of 1 MiB", |bencher| {
        let mut decoder = connected();
        bencher.iter(|| {
            for read in black_box(&message).chunks(READ) {
                drain(&mut decoder, read);
            }
        });
    });
    group.bench_function("encode payload of 1 MiB", |bencher| {
        let mut encoder = Encoder::new(ChannelCount::MAX);
        let payload = vec![7; 1 << 20];
        let mut dst = Vec::with_capacity(message.len());
        bencher.iter(|| {
            dst.clear();
            let payload = black_box(&payload);
            encoder.whole(&mut dst, ON, head(), payload).unwrap();
            black_box(&dst);
        });
    });
    group.finish();
}

type Write = fn(&mut Encoder, &mut Vec<u8>);

/// The bytes of as many packets of one kind as fill a read, and their number.
fn fill(write: Write) -> (Vec<u8>, u64) {
    let mut encoder = Encoder::new(ChannelCount::MAX);
    let mut input = Vec::with_capacity(READ);
    let mut count = 0;
    loop {
        let before = input.len();
        write(&mut encoder, &mut input);
        if input.len() > READ {
            input.truncate(before);
            return (input, count);
        }
        count += 1;
    }
}

/// The start of a message with a stream, and 1 MiB of the stream.
fn stream() -> (Vec<u8>, Vec<u8>) {
    let mut encoder = Encoder::new(ChannelCount::MAX);
    let (mut announced, mut packets) = (Vec::new(), Vec::new());
    let head = head().with_stream(true);
    encoder.begin(&mut announced, ON, head, &[]).unwrap();
    for _ in 0..16 {
        encoder.stream(&mut packets, ON, 1 << 16).unwrap();
        packets.extend_from_slice(&[7; 1 << 16]);
    }
    (announced, packets)
}

fn payload() -> Vec<u8> {
    let mut dst = Vec::new();
    let mut encoder = Encoder::new(ChannelCount::MAX);
    let payload = vec![7; 1 << 20];
    encoder.whole(&mut dst, ON, head(), &payload).unwrap();
    dst
}

fn connected() -> Decoder {
    let mut decoder = Decoder::new(Limits::default());
    drain(&mut decoder, &[0xE3]);
    decoder
}

/// Decodes all of `input`, and reads from each event what a runtime needs to pass it on.
fn drain(decoder: &mut Decoder, mut input: &[u8]) {
    let mut taken = 0;
    loop {
        taken ^= match decoder.decode(&mut input) {
            Ok(Some(event)) => take(&event),
            Ok(None) => break,
            Err(violation) => panic!("{violation}"),
        };
    }
    black_box(taken);
}

#[inline]
fn take(event: &Event<'_>) -> usize {
    match event {
        Event::Message { head, .. } => address(head.action.as_bytes()) ^ low(head.id),
        Event::Response { head, .. } => low(head.parent) ^ low(head.id),
        Event::Data { bytes, .. } | Event::Stream { bytes, .. } => address(bytes),
        Event::FastReply { id, code } => low(*id) ^ usize::from(code.get()),
        Event::End { channel } => channel.index(),
        _ => 0,
    }
}

fn address(bytes: &[u8]) -> usize {
    bytes.as_ptr().addr() ^ bytes.len()
}

fn low(id: Uuid) -> usize {
    id.as_u64_pair().1 as usize
}

fn head() -> MessageHead<'static> {
    MessageHead::new(
        Uuid::from_u128(0x8a1f_6f0e_0f5c_4c1e_9d7b_6a3c_55aa_0f21),
        "ping",
    )
    .expecting_response(true)
}

fn response() -> ResponseHead {
    ResponseHead::new(
        Uuid::from_u128(0x8a1f_6f0e_0f5c_4c1e_9d7b_6a3c_55aa_0f21),
        Uuid::from_u128(7),
    )
}
