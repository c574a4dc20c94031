//! The content of generated files: byte i is i mod 251. Because 251 is prime, wrong cuts and wrong
//! orders are noticed.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use sockety::{ByteStream, File};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

fn byte_at(index: u64) -> u8 {
    (index % 251) as u8
}

/// A file with this content, which is generated while it is sent.
pub fn file(name: impl Into<String>, size: u64) -> File {
    File::from_reader(name, size, Generated { next: 0 }.take(size))
}

/// A stream with this content.
pub fn stream(size: u64) -> ByteStream {
    ByteStream::from_reader(Generated { next: 0 }.take(size))
}

/// This content in memory.
pub fn bytes(size: usize) -> Bytes {
    (0..).map(byte_at).take(size).collect()
}

/// The position of the first wrong byte of a chunk. `start` is the position of the chunk.
pub fn first_difference(chunk: &[u8], start: u64) -> Option<u64> {
    let positions = (start..).zip(chunk);
    positions
        .map(|(position, byte)| (position, *byte != byte_at(position)))
        .find_map(|(position, is_different)| is_different.then_some(position))
}

/// Endless content.
struct Generated {
    next: u64,
}

impl AsyncRead for Generated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = into.initialize_unfilled();
        let length = room.len();
        for (byte, index) in room.iter_mut().zip(self.next..) {
            *byte = byte_at(index);
        }
        into.advance(length);
        self.next += length as u64;
        Poll::Ready(Ok(()))
    }
}
