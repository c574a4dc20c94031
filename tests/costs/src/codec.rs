//! The codec alone: packets that fill one read, encoded or decoded repeatedly.

use std::hint::black_box;

use sockety_codec::{
    ChannelCount, ChannelId, Decoder, Encoder, Limits, MessageHead, ReplyCode, ResponseHead, Uuid,
};

/// Bytes of one read from a socket under load.
const READ: usize = 64 * 1024;
const ON: ChannelId = ChannelId::ZERO;
const ID: Uuid = Uuid::from_u128(0x8a1f_6f0e_0f5c_4c1e_9d7b_6a3c_55aa_0f21);

#[derive(Clone, Copy)]
pub(crate) enum Packet {
    Ping,
    PingWith32Bytes,
    ResponseWith32Bytes,
    FastReply,
    /// 64 KiB of a stream.
    Stream,
}

impl Packet {
    fn write(self, encoder: &mut Encoder, dst: &mut Vec<u8>) {
        let written = match self {
            Self::Ping => encoder.whole(dst, ON, head(), &[]),
            Self::PingWith32Bytes => encoder.whole(dst, ON, head(), &[7; 32]),
            Self::ResponseWith32Bytes => encoder.whole(dst, ON, response(), &[7; 32]),
            Self::FastReply => {
                encoder.fast_reply(dst, ID, ReplyCode::ACCEPT);
                Ok(())
            }
            Self::Stream => {
                let announced = encoder.stream(dst, ON, READ as u32);
                dst.resize(dst.len() + READ, 7);
                announced
            }
        };
        written.expect("legal here");
    }

    fn encoder(self) -> (Encoder, Vec<u8>) {
        let (mut encoder, mut begin) = (Encoder::new(ChannelCount::MAX), Vec::new());
        if let Self::Stream = self {
            let head = head().with_stream(true);
            encoder
                .begin(&mut begin, ON, head, &[])
                .expect("legal here");
        }
        (encoder, begin)
    }
}

pub(crate) fn encode(packet: Packet, times: u64) {
    let (mut encoder, _) = packet.encoder();
    let mut dst = Vec::with_capacity(2 * READ);
    for _ in 0..times {
        if dst.len() > READ {
            black_box(&dst);
            dst.clear();
        }
        packet.write(black_box(&mut encoder), &mut dst);
    }
    black_box(&dst);
}

pub(crate) fn decode(packet: Packet, times: u64) {
    let (mut encoder, begin) = packet.encoder();
    let mut decoder = Decoder::new(Limits::default()).whole_messages();
    drain(&mut decoder, &[0xE3]);
    drain(&mut decoder, &begin);
    let mut input = Vec::new();
    packet.write(&mut encoder, &mut input);
    let size = input.len() as u64;
    let in_input = (READ as u64).div_ceil(size);
    for _ in 1..in_input {
        packet.write(&mut encoder, &mut input);
    }
    for _ in 0..times / in_input {
        drain(&mut decoder, black_box(&input));
    }
    let rest = (times % in_input * size) as usize;
    drain(&mut decoder, black_box(&input[..rest]));
}

fn drain(decoder: &mut Decoder, mut input: &[u8]) {
    while let Some(event) = decoder.decode(&mut input).expect("legal") {
        black_box(&event);
    }
}

fn head() -> MessageHead<'static> {
    MessageHead::new(ID, "ping").expecting_response(true)
}

fn response() -> ResponseHead {
    ResponseHead::new(ID, Uuid::from_u128(7))
}
