//! The items of the streams in one direction of a connection.

use std::collections::HashMap;

use sockety::msgpack::{ItemScanner, Scanned};
use sockety_codec::Event;

use crate::{
    packets::Packet,
    value::{BOUNDS, Problem},
};

/// The largest item that is shown, in bytes.
const LARGEST: usize = 64 * 1024;

/// Bytes of incomplete items of all streams together.
const MOST: usize = 1024 * 1024;

/// Divides streams into MessagePack values, by channel.
#[derive(Debug, Default)]
pub struct StreamItems {
    streams: HashMap<u16, Stream>,
    /// Bytes of incomplete items of all streams.
    held: usize,
}

#[derive(Debug)]
enum Stream {
    Divided(Vec<u8>, ItemScanner),
    /// Something in it cannot be shown, so that it is not known where the next item begins.
    Lost,
}

impl StreamItems {
    /// Adds to the packet which items the event completes.
    pub fn take(&mut self, event: &Event<'_>, packet: &mut Packet) {
        match event {
            Event::Stream { channel, bytes } => self.bytes(channel.get(), bytes, packet),
            Event::StreamEnd { channel } => {
                let rest = self.forget(channel.get());
                if rest > 0 {
                    let text = format!("stream ends inside an item, after {rest} B of it");
                    packet.say("items_problem", text.as_str(), text.clone());
                }
            }
            Event::End { channel } | Event::Abort { channel } | Event::Refused { channel, .. } => {
                self.forget(channel.get());
            }
            _ => {}
        }
    }

    fn bytes(&mut self, channel: u16, bytes: &[u8], packet: &mut Packet) {
        let new = || Stream::Divided(Vec::new(), ItemScanner::new(BOUNDS));
        let stream = self.streams.entry(channel).or_insert_with(new);
        let Stream::Divided(buffer, scanner) = stream else {
            return;
        };
        self.held -= buffer.len();
        let problem = divide(buffer, scanner, bytes, packet).err();
        let problem = match problem {
            None if self.held + buffer.len() > MOST => {
                Some(format!("incomplete items of all streams exceed {MOST} B"))
            }
            problem => problem,
        };
        match problem {
            None => self.held += buffer.len(),
            Some(problem) => {
                *stream = Stream::Lost;
                let text = format!("no further items of this stream: {problem}");
                packet.say("items_problem", problem, text);
            }
        }
    }

    /// Returns the number of bytes of an incomplete item.
    fn forget(&mut self, channel: u16) -> usize {
        match self.streams.remove(&channel) {
            Some(Stream::Divided(buffer, _)) => {
                self.held -= buffer.len();
                buffer.len()
            }
            Some(Stream::Lost) | None => 0,
        }
    }
}

/// Adds bytes in pieces, so that never more than an item and a piece are held.
fn divide(
    buffer: &mut Vec<u8>,
    scanner: &mut ItemScanner,
    bytes: &[u8],
    packet: &mut Packet,
) -> Result<(), String> {
    const PIECE: usize = 4096;
    for piece in bytes.chunks(PIECE) {
        buffer.extend_from_slice(piece);
        let mut start = 0;
        loop {
            match scanner.scan(&buffer[start..]) {
                Ok(Scanned::Whole { len }) => {
                    packet.item(&buffer[start..start + len]);
                    start += len;
                }
                Ok(Scanned::Partial { needed }) if needed > LARGEST && start < buffer.len() => {
                    return Err(format!(
                        "an item has at least {needed} B, more than {LARGEST}"
                    ));
                }
                Ok(Scanned::Partial { .. }) => break,
                Err(error) => return Err(Problem::from(&error).to_string()),
            }
        }
        buffer.drain(..start);
    }
    Ok(())
}
