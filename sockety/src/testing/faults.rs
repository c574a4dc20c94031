use std::time::Duration;

/// What is wrong with one direction of a [link](crate::testing::link()): nothing, unless it is set.
///
/// Positions and counts of bytes begin with the first byte of the direction. The first three bytes
/// are the connection header.
///
/// ```
/// use std::time::Duration;
/// use sockety::testing::Faults;
///
/// let slow = Faults::new().delay(Duration::from_millis(40)).bytes_per_second(64 * 1024);
/// let broken = Faults::new().cut_after(1_000);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    pub(super) delay: Duration,
    pub(super) bytes_per_second: Option<u64>,
    pub(super) capacity: usize,
    pub(super) read_at_most: usize,
    pub(super) corrupted: Vec<u64>,
    pub(super) cut_after: Option<u64>,
    pub(super) end_after: Option<u64>,
    pub(super) pause_after: Option<u64>,
}

impl Faults {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes arrive this long after they were written (default: at once).
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Carries at most this many bytes a second (default: no limit). 0 counts as 1.
    ///
    /// With the default [`capacity`](Self::capacity) the writer runs ahead by 64 KiB.
    pub fn bytes_per_second(mut self, bytes: u64) -> Self {
        self.bytes_per_second = Some(bytes.max(1));
        self
    }

    /// Holds at most this many bytes that were written and not read (default: 64 KiB). Beyond that,
    /// the writer waits. 0 counts as 1.
    ///
    /// A small capacity makes a reader that is slow, or [paused](Self::pause_after), known to the
    /// writer at once.
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = bytes.max(1);
        self
    }

    /// A read returns at most this many bytes (default: no limit). 0 counts as 1.
    pub fn read_at_most(mut self, bytes: usize) -> Self {
        self.read_at_most = bytes.max(1);
        self
    }

    /// Inverts all bits of the byte at this position. More calls corrupt more bytes.
    pub fn corrupt(mut self, position: u64) -> Self {
        self.corrupted.push(position);
        self
    }

    /// Cuts the link, in both directions, after this many bytes, as [`Link::cut`](super::Link::cut)
    /// does.
    pub fn cut_after(mut self, bytes: u64) -> Self {
        self.cut_after = Some(bytes);
        self
    }

    /// Ends this direction after this many bytes: its reader reads the end of the input, as if the
    /// process of the writer had ended. What is written beyond that is lost. The other direction
    /// goes on.
    pub fn end_after(mut self, bytes: u64) -> Self {
        self.end_after = Some(bytes);
        self
    }

    /// Pauses this direction after this many bytes, until [`Direction::resume`](super::Direction::resume):
    /// nothing more arrives, as if the network dropped it. The writer notices when the
    /// [capacity](Self::capacity) is used up.
    pub fn pause_after(mut self, bytes: u64) -> Self {
        self.pause_after = Some(bytes);
        self
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            bytes_per_second: None,
            capacity: 64 * 1024,
            read_at_most: usize::MAX,
            corrupted: Vec::new(),
            cut_after: None,
            end_after: None,
            pause_after: None,
        }
    }
}
