//! Who waits for room in the outbox: one is woken after the other, in the order in which they came.
//!
//! Whoever is woken may find no room after all, and waits again at the same place. A future may also be kept without being
//! polled, so that nobody comes: at the next tick, all are woken.

use std::{collections::BTreeMap, task::Waker};

/// Those who wait for the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// Messages and replies that are whole in themselves.
    Whole,
    /// With files or a stream, which need a channel of their own.
    Carrying,
    /// Replies that are codes.
    Code,
}

/// A place in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    line: Line,
    number: u64,
}

/// Those who were not woken yet.
#[derive(Default)]
pub(crate) struct Lines {
    next: u64,
    whole: BTreeMap<u64, Waker>,
    carrying: BTreeMap<u64, Waker>,
    code: BTreeMap<u64, Waker>,
}

impl Lines {
    /// Waits, at the end unless there is a ticket already.
    pub(crate) fn wait(&mut self, ticket: &mut Option<Ticket>, line: Line, waker: &Waker) {
        let Ticket { line, number } = *ticket.get_or_insert_with(|| {
            self.next += 1;
            let number = self.next;
            Ticket { line, number }
        });
        self.of(line)
            .entry(number)
            .and_modify(|known| known.clone_from(waker))
            .or_insert_with(|| waker.clone());
    }

    /// Whether it was not woken yet.
    pub(crate) fn leave(&mut self, ticket: Ticket) -> bool {
        self.of(ticket.line).remove(&ticket.number).is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.carrying.is_empty() && self.code.is_empty()
    }

    pub(crate) fn has_waiting(&self, line: Line) -> bool {
        match line {
            Line::Whole => !self.whole.is_empty(),
            Line::Carrying => !self.carrying.is_empty(),
            Line::Code => !self.code.is_empty(),
        }
    }

    pub(crate) fn wake_first(&mut self, line: Line) {
        if let Some((_, waker)) = self.of(line).pop_first() {
            waker.wake();
        }
    }

    pub(crate) fn wake_first_of_each(&mut self) {
        for line in [Line::Whole, Line::Carrying, Line::Code] {
            self.wake_first(line);
        }
    }

    pub(crate) fn wake_all(&mut self) {
        for line in [Line::Whole, Line::Carrying, Line::Code] {
            for (_, waker) in std::mem::take(self.of(line)) {
                waker.wake();
            }
        }
    }

    fn of(&mut self, line: Line) -> &mut BTreeMap<u64, Waker> {
        match line {
            Line::Whole => &mut self.whole,
            Line::Carrying => &mut self.carrying,
            Line::Code => &mut self.code,
        }
    }
}

impl Ticket {
    pub(crate) fn line(self) -> Line {
        self.line
    }
}
