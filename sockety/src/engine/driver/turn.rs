//! How much one turn of the driver does, and the buffer that it reads into.

use std::cell::Cell;

use crate::engine::receive::slow_readers::READ_BYTES;

/// How much one turn of the driver does. It is limited, so that a peer that sends thousands of
/// small messages leaves the thread to other tasks between them.
pub(super) struct Pace {
    /// How many bytes the next read may bring.
    pub(super) read_bytes: usize,
    /// How many events this turn has handled.
    events: usize,
}

/// Roughly the number of events of one turn, and of one read: a fraction of a millisecond of work.
const TURN_EVENTS: usize = 64;

/// The least number of bytes that is worth a read.
const LEAST_READ_BYTES: usize = 4 * 1024;

impl Pace {
    pub(super) fn begin_turn(&mut self) {
        self.events = 0;
    }

    pub(super) fn is_turn_over(&self) -> bool {
        self.events >= TURN_EVENTS
    }

    /// A part of a large payload arrived. After a whole packet, a small read finds out what
    /// follows.
    pub(super) fn on_payload(&mut self, is_whole: bool) {
        self.read_bytes = if is_whole {
            LEAST_READ_BYTES
        } else {
            READ_BYTES
        };
    }

    /// Assumes that the next bytes are like these: as many events for each byte.
    pub(super) fn on_read(&mut self, bytes: usize, events: usize) {
        self.events += events;
        let size = bytes.saturating_mul(TURN_EVENTS) / events.max(1);
        self.read_bytes = size.clamp(LEAST_READ_BYTES, READ_BYTES);
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            read_bytes: READ_BYTES,
            events: 0,
        }
    }
}

/// The thread's read buffer, borrowed for one read. All connections of the thread share it, because
/// the decoder never needs a byte twice.
pub(super) struct ReadBuffer(pub(super) Box<[u8]>);

thread_local! {
    static READ_BUFFER: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

impl ReadBuffer {
    pub(super) fn take() -> Self {
        Self(
            READ_BUFFER
                .take()
                .unwrap_or_else(|| vec![0; READ_BYTES].into_boxed_slice()),
        )
    }
}

impl Drop for ReadBuffer {
    fn drop(&mut self) {
        READ_BUFFER.set(Some(std::mem::take(&mut self.0)));
    }
}
