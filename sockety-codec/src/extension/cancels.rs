use super::{malformed, number};
use crate::Violation;

/// The requests that a peer wants no answer to any more (`ext.cancel`): their numbers, in the order
/// of the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancels<'a> {
    numbers: &'a [u8],
    begun: u64,
}

impl<'a> Cancels<'a> {
    /// Checks that `content` names messages that have begun, of which there are `begun`.
    // r[impl ext.number.unknown]
    pub(crate) fn decode(content: &'a [u8], begun: u64) -> Result<Self, Violation> {
        if content.is_empty() || content.len() % 4 != 0 {
            return Err(malformed("Cancel"));
        }
        let numbers = Self {
            numbers: content,
            begun,
        };
        match lows(content).find(|low| number(*low, begun).is_none()) {
            Some(number) => Err(Violation::NumberUnknown { number, begun }),
            None => Ok(numbers),
        }
    }
}

impl Iterator for Cancels<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let (low, rest) = self.numbers.split_first_chunk()?;
        self.numbers = rest;
        number(u32::from_le_bytes(*low), self.begun)
    }
}

fn lows(content: &[u8]) -> impl Iterator<Item = u32> + '_ {
    content.chunks_exact(4).filter_map(|low| {
        let low = low.try_into().ok()?;
        Some(u32::from_le_bytes(low))
    })
}
