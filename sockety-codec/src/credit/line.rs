use std::collections::VecDeque;

use crate::Part;

/// A part of a message, or the message.
pub(super) type Place = (u64, Option<Part>);

/// Parts that are due for something, first come, first served.
///
/// The record of each part says whether it is in the line, so that it is there at most once. Entries
/// of parts that are gone stay until they are reached, or until the line would have to grow.
#[derive(Debug, Default)]
pub(super) struct Line(VecDeque<Place>);

impl Line {
    /// Adds a place at the end. `is_valid` says of an entry whether its record says that it is in the
    /// line; all others are removed before the line grows, so that it is no longer than twice the
    /// number of the valid ones.
    pub(super) fn push(&mut self, place: Place, mut is_valid: impl FnMut(Place) -> bool) {
        if self.0.len() == self.0.capacity() {
            self.0.retain(|place| is_valid(*place));
        }
        self.0.push_back(place);
    }

    pub(super) fn front(&self) -> Option<Place> {
        self.0.front().copied()
    }

    pub(super) fn pop(&mut self) -> Option<Place> {
        let place = self.0.pop_front();
        if self.0.is_empty() && self.0.capacity() > KEPT {
            self.0 = VecDeque::new();
        }
        place
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Entries for which there is room in an empty line.
const KEPT: usize = 64;
