//! The bytes that the driver is handing to the socket.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::AsyncWrite;

use super::outbox::Pieces;

/// The slices of one vectored write. More do not make it faster.
const SLICES: usize = 32;

/// Pieces taken from the outbox, and how far they are written. Owned by the driver: no lock is held
/// while the socket is written to.
#[derive(Default)]
pub(crate) struct Writing {
    pieces: Pieces,
    /// How many bytes of the buffer are written.
    buffer: usize,
    /// How many references are written.
    references: usize,
    /// How many bytes of the next reference are written.
    reference: usize,
}

impl Writing {
    pub(crate) fn is_done(&self) -> bool {
        self.buffer == self.pieces.bytes.len() && self.references == self.pieces.references.len()
    }

    /// Returns the buffers to the allocator, after nothing was written for a while.
    pub(crate) fn give_back_memory(&mut self) {
        if self.is_done() {
            *self = Self::default();
        }
    }

    /// Where to put new pieces, once the old ones are done.
    pub(crate) fn refill(&mut self) -> &mut Pieces {
        (self.buffer, self.references, self.reference) = (0, 0, 0);
        &mut self.pieces
    }

    pub(crate) fn poll_write<IO: AsyncWrite>(
        &mut self,
        io: Pin<&mut IO>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let count = if self.pieces.references.is_empty() {
            ready!(io.poll_write(cx, &self.pieces.bytes[self.buffer..]))?
        } else {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let used = self.slices(&mut slices);
            ready!(io.poll_write_vectored(cx, &slices[..used]))?
        };
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.advance(count);
        Poll::Ready(Ok(count))
    }

    fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; SLICES]) -> usize {
        let mut used = 0;
        let mut push = |bytes: &'a [u8]| {
            if !bytes.is_empty() && used < SLICES {
                slices[used] = IoSlice::new(bytes);
                used += 1;
            }
        };
        let mut buffer = self.buffer;
        let mut skip = self.reference;
        for (at, bytes) in self.pieces.references[self.references..]
            .iter()
            .take(SLICES)
        {
            push(&self.pieces.bytes[buffer..*at]);
            push(&bytes[skip..]);
            (buffer, skip) = (*at, 0);
        }
        if self.pieces.references.len() - self.references <= SLICES {
            push(&self.pieces.bytes[buffer..]);
        }
        used
    }

    fn advance(&mut self, mut count: usize) {
        while count > 0 && !self.is_done() {
            let reference = self.pieces.references.get(self.references);
            let end = reference.map_or(self.pieces.bytes.len(), |(at, _)| *at);
            let step = count.min(end - self.buffer);
            self.buffer += step;
            count -= step;
            if let (Some((_, bytes)), true) = (reference, self.buffer == end) {
                let step = count.min(bytes.len() - self.reference);
                self.reference += step;
                count -= step;
                if self.reference == bytes.len() {
                    self.references += 1;
                    self.reference = 0;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// Takes a few bytes at a time, from one slice or several.
    struct Trickle {
        step: usize,
        taken: Vec<u8>,
    }

    impl AsyncWrite for Trickle {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let step = self.step.min(bytes.len());
            self.taken.extend_from_slice(&bytes[..step]);
            Poll::Ready(Ok(step))
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let all: Vec<u8> = slices
                .iter()
                .flat_map(|slice| slice.iter().copied())
                .collect();
            let step = self.step.min(all.len());
            self.taken.extend_from_slice(&all[..step]);
            Poll::Ready(Ok(step))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    async fn written(step: usize, references: Vec<(usize, Bytes)>) -> Vec<u8> {
        let mut io = Trickle {
            step,
            taken: Vec::new(),
        };
        let mut writing = Writing::default();
        *writing.refill() = Pieces {
            bytes: b"abcdef".to_vec(),
            references,
        };
        while !writing.is_done() {
            std::future::poll_fn(|cx| writing.poll_write(Pin::new(&mut io), cx))
                .await
                .unwrap();
        }
        io.flush().await.unwrap();
        io.taken
    }

    #[tokio::test]
    async fn references_stand_at_their_places_however_little_is_taken() {
        let references = vec![
            (2, Bytes::from_static(b"XYZ")),
            (2, Bytes::from_static(b"-")),
            (6, Bytes::from_static(b"END")),
        ];
        for step in 1..16 {
            assert_eq!(
                written(step, references.clone()).await,
                b"abXYZ-cdefEND",
                "step {step}"
            );
        }
    }

    #[tokio::test]
    async fn more_references_than_slices_are_written_in_order() {
        let references = (0..100)
            .map(|n| (n / 20, Bytes::from(vec![n as u8; 3])))
            .collect::<Vec<_>>();
        let whole = written(usize::MAX, references.clone()).await;
        assert_eq!(whole.len(), 306);
        assert_eq!(whole, written(7, references).await);
    }
}
