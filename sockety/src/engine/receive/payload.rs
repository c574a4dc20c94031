//! A payload that is arriving.

use bytes::Bytes;

use crate::engine::{
    memory::payloads,
    payload_reservation::{NoRoom, PayloadReservation},
};

/// A payload that is arriving. Its memory grows with the bytes that arrived, not with the size that
/// was announced, unless the thread has memory of that size to use again.
pub(crate) struct Assembly {
    pub(crate) size: u64,
    state: AssemblyState,
    reservation: Option<Box<PayloadReservation>>,
}

enum AssemblyState {
    Arriving(Vec<u8>),
    Whole(Bytes),
}

/// Fewer bytes are not worth a separate read, and are read together with those that follow.
const LEAST_READ: usize = 16 * 1024;

impl Assembly {
    pub(crate) fn new(size: u64, reservation: Option<Box<PayloadReservation>>) -> Self {
        Self {
            size,
            reservation,
            state: AssemblyState::Arriving(Vec::new()),
        }
    }

    /// Adds a piece, which `remaining` bytes follow.
    pub(crate) fn push(&mut self, part: &[u8], remaining: u64) -> Result<(), NoRoom> {
        self.hold(part.len())?;
        let AssemblyState::Arriving(bytes) = &mut self.state else {
            return Ok(());
        };
        if bytes.is_empty() && remaining == 0 {
            self.state = AssemblyState::Whole(Bytes::copy_from_slice(part));
            return Ok(());
        }
        if bytes.is_empty() {
            *bytes = payloads::take(self.size);
        }
        make_room(bytes, part.len(), remaining);
        bytes.extend_from_slice(part);
        self.share_if_whole(remaining);
        Ok(())
    }

    /// Returns where to read more of it, of which `left` bytes come next; `None` unless there is
    /// memory for a good part of them, or enough has come that it may double.
    pub(crate) fn memory(&mut self, left: usize) -> Option<&mut Vec<u8>> {
        let AssemblyState::Arriving(bytes) = &mut self.state else {
            return None;
        };
        if left < LEAST_READ {
            return None;
        }
        if bytes.capacity() - bytes.len() < LEAST_READ {
            bytes.reserve_exact(bytes.len().min(left));
        }
        (bytes.capacity() - bytes.len() >= LEAST_READ).then_some(bytes)
    }

    /// `count` more bytes were read there, and `remaining` bytes follow.
    pub(crate) fn on_read(&mut self, count: usize, remaining: u64) -> Result<(), NoRoom> {
        self.hold(count)?;
        self.share_if_whole(remaining);
        Ok(())
    }

    fn hold(&mut self, count: usize) -> Result<(), NoRoom> {
        match &mut self.reservation {
            Some(reservation) => reservation.grow(count),
            None => Ok(()),
        }
    }

    fn share_if_whole(&mut self, remaining: u64) {
        if remaining == 0 {
            if let AssemblyState::Arriving(bytes) = &mut self.state {
                self.state = AssemblyState::Whole(payloads::share(std::mem::take(bytes)));
            }
        }
    }

    /// How much of it has come.
    pub(crate) fn arrived(&self) -> usize {
        match &self.state {
            AssemblyState::Arriving(bytes) => bytes.len(),
            AssemblyState::Whole(bytes) => bytes.len(),
        }
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.size == 0 || matches!(self.state, AssemblyState::Whole(_))
    }

    /// Returns the payload, if it is complete, and the room that was reserved for it.
    pub(crate) fn into_parts(self) -> (Bytes, Option<Box<PayloadReservation>>) {
        let payload = match self.state {
            AssemblyState::Whole(payload) => payload,
            // An empty payload has no pieces.
            AssemblyState::Arriving(bytes) => bytes.into(),
        };
        (payload, self.reservation)
    }
}

/// Doubles the memory when it is full, but takes no more than the rest of the payload needs.
fn make_room(bytes: &mut Vec<u8>, part: usize, remaining: u64) {
    if bytes.capacity() - bytes.len() < part {
        let rest = usize::try_from(remaining).unwrap_or(usize::MAX);
        let doubled = part.max(bytes.len());
        bytes.reserve_exact(doubled.min(part.saturating_add(rest)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A payload that comes in such parts, at first or all the time by a copy. What has come and
    /// the memory that it took, after each.
    fn growth(size: usize, part: usize, copied: usize) -> Vec<(usize, usize)> {
        let mut assembly = Assembly::new(size as u64, None);
        let (mut growth, mut count) = (Vec::new(), 0);
        while count < size {
            let part = part.min(size - count);
            let memory = assembly.memory(size - count).filter(|_| count >= copied);
            let read = memory.map(|memory| {
                let read = part.min(memory.capacity() - memory.len());
                memory.resize(memory.len() + read, 7);
                read
            });
            count += read.unwrap_or(part);
            let remaining = (size - count) as u64;
            let pushed = match read {
                Some(read) => assembly.on_read(read, remaining),
                None => assembly.push(&vec![7; part], remaining),
            };
            assert!(pushed.is_ok());
            let AssemblyState::Arriving(bytes) = &assembly.state else {
                assert!(count == size && assembly.into_parts().0 == vec![7; size]);
                return growth;
            };
            assert!(!assembly.is_whole());
            growth.push((bytes.len(), bytes.capacity()));
        }
        panic!("it is not whole");
    }

    #[test]
    fn a_payload_has_no_more_memory_than_it_needs_or_twice_what_has_come() {
        // Each size is too large for memory that was used before.
        for size in [1, 4096, 5_000_000, 10_048_581] {
            for part in [1024, 65_536, 65_537, 300_000, size] {
                for copied in [0, 100_000, usize::MAX] {
                    let growth = growth(size, part, copied);
                    let is_bounded =
                        |(len, capacity): &(usize, usize)| *capacity <= size.min(2 * len);
                    assert!(growth.iter().all(is_bounded), "{growth:?}");
                }
            }
        }
    }

    #[test]
    fn a_large_payload_has_memory_that_was_used_before() {
        let _user = payloads::User::new();
        let size = 1_000_000;
        assert!(
            growth(size, 65_536, 0)
                .iter()
                .any(|(_, capacity)| *capacity < size)
        );
        assert!(
            growth(size, 65_536, 0)
                .iter()
                .all(|(_, capacity)| *capacity == size)
        );
    }

    #[test]
    fn nothing_is_read_to_a_payload_before_some_of_it_has_come() {
        let mut assembly = Assembly::new(1 << 30, None);
        assert!(assembly.memory(1 << 30).is_none());
        assert!(assembly.push(&[7; LEAST_READ - 1], 1 << 30).is_ok());
        assert!(assembly.memory(1 << 30).is_none());
        assert!(assembly.push(&[7], 1 << 30).is_ok());
        assert!(assembly.memory(LEAST_READ - 1).is_none());
        let memory = assembly.memory(1 << 30).unwrap();
        assert_eq!(memory.capacity(), 2 * LEAST_READ);
    }
}
