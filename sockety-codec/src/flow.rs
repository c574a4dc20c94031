use core::fmt;

use crate::FileIndex;
use crate::uint::{FLOW_INDEX, FLOW_LIMIT};

/// What is credited separately in a message: its stream, or one of its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The stream.
    Stream,
    /// A file.
    File(FileIndex),
}

/// One entry of a Flow packet: how much content the peer may send, or that it should stop.
///
/// Numbers name messages of the side that reads the packet, as it sends their content: the n-th
/// message or response of that direction, from 0, has number n. They are complete here; the wire
/// carries their low 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlowEntry {
    /// The content of one part may reach a limit.
    Part {
        /// The message.
        number: u64,
        /// The part.
        part: Part,
        /// Bytes of the part from its beginning, at most 2^48 - 1.
        limit: u64,
        /// Bytes of the part below `limit` that are still to come do not count to the limit of the
        /// connection.
        lifeline: bool,
    },
    /// All files of a message with a lower index have ended and were read.
    FilesBelow {
        /// The message.
        number: u64,
        /// The first file of which this says nothing.
        index: FileIndex,
    },
    /// The content of the connection may reach a limit.
    Connection {
        /// Bytes since the beginning of the connection, at most 2^48 - 1.
        limit: u64,
    },
    /// The rest of a part, or of a message, is not wanted.
    Stop {
        /// The message.
        number: u64,
        /// The part, or `None` for the message.
        part: Option<Part>,
    },
}

impl FlowEntry {
    /// The length of the longest entry.
    pub const MAX_LENGTH: usize = 14;

    /// The length of the entry in a Flow packet, in bytes, in its smallest form.
    pub fn length(&self) -> usize {
        let [number, index, limit] = match *self {
            Self::Part { part, limit, .. } => [4, index_width(part), limit_width(limit)],
            Self::FilesBelow { .. } => [4, 3, 0],
            Self::Connection { limit } => [0, 0, limit_width(limit)],
            Self::Stop { part, .. } => [4, part.map_or(0, index_width), 0],
        };
        let flags = 1;
        [flags, number, index, limit]
            .into_iter()
            .map(usize::from)
            .sum()
    }
}

fn index_width(part: Part) -> u8 {
    match part {
        Part::Stream => 0,
        Part::File(index) => FLOW_INDEX.smallest(index.get().into()).1,
    }
}

fn limit_width(limit: u64) -> u8 {
    FLOW_LIMIT.smallest(limit).1
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream => f.write_str("the stream"),
            Self::File(index) => write!(f, "file {index}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uint::U48_MAX;

    fn file(index: u32) -> Part {
        Part::File(FileIndex::new(index).unwrap())
    }

    fn part(part: Part, limit: u64) -> FlowEntry {
        FlowEntry::Part {
            number: u64::MAX,
            part,
            limit,
            lifeline: false,
        }
    }

    #[test]
    fn an_entry_is_as_long_as_its_fields() {
        let number = 7;
        let index = FileIndex::new(128).unwrap();
        let stop = |part| FlowEntry::Stop { number, part };
        for (entry, length) in [
            (part(Part::Stream, 393_216), 8),
            (part(file(3), 4_096), 8),
            (part(Part::Stream, 0), 7),
            (part(Part::Stream, 0xFFFF), 7),
            (part(Part::Stream, 0x1_0000), 8),
            (part(file(0), 0xFFFF_FFFF), 10),
            (part(file(255), 0x1_0000_0000), 12),
            (part(file(256), 0x1_0000_0000), 14),
            (part(Part::File(FileIndex::MAX), U48_MAX), 14),
            (FlowEntry::FilesBelow { number, index }, 8),
            (FlowEntry::Connection { limit: 12_582_912 }, 4),
            (stop(Some(Part::Stream)), 5),
            (stop(Some(file(0))), 6),
            (stop(Some(file(256))), 8),
            (stop(None), 5),
        ] {
            assert_eq!(entry.length(), length, "{entry:?}");
            assert!(length <= FlowEntry::MAX_LENGTH);
        }
    }
}
