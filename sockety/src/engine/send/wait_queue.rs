//! FIFO queues of tasks that wait for room in the outbox.
//!
//! Tasks are woken one after the other. A task that is woken may find no room after all, and waits
//! again at the same place. Until it comes, no later task overtakes it. A future may also be kept
//! without being polled, so that its task never comes: at the next tick all tasks are woken, and
//! the others no longer wait for it. That is why this is no semaphore: a permit that was assigned
//! to such a future would be stuck.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    task::Waker,
};

use crate::engine::wake_list::WakeList;

/// What waits for room. Messages and responses wait in one queue, as they need the same; those with
/// files or a stream wait in another, as they need a channel too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    Message,
    CarryingMessage,
    Response,
    CarryingResponse,
    /// A fast reply.
    Code,
}

/// A place in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    line: Line,
    number: u64,
}

/// All tasks of a connection that wait for room. They are guarded by its mutex.
#[derive(Default)]
pub(crate) struct WaitQueue {
    next: u64,
    /// `None` until a task has to wait: on most connections none ever does.
    queues: Option<Box<Queues>>,
}

#[derive(Default)]
struct Queues {
    whole: Waiters,
    carrying: Waiters,
    code: Waiters,
}

/// The tasks of one queue. Numbers grow, so the first entry has waited longest.
#[derive(Default)]
struct Waiters {
    asleep: BTreeMap<u64, Waker>,
    /// Tasks that were woken and have not been polled since. They still keep later ones waiting.
    called: BTreeSet<u64>,
}

impl WaitQueue {
    /// Waits: at the place of the ticket, or at the end without one.
    pub(crate) fn wait(
        &mut self,
        ticket: &mut Option<Ticket>,
        line: Line,
        waker: &Waker,
        due: &mut WakeList,
    ) {
        let Ticket { line, number } = *ticket.get_or_insert_with(|| {
            self.next += 1;
            let number = self.next;
            Ticket { line, number }
        });
        let waiters = self.queues.get_or_insert_default().of_mut(line);
        // A task that came and found no room is asleep again, at its old place.
        waiters.called.remove(&number);
        register(&mut waiters.asleep, number, waker, due);
    }

    /// Gives up a place. Returns whether its task had not been woken yet.
    pub(crate) fn leave(&mut self, ticket: Ticket, due: &mut WakeList) -> bool {
        let Some(queues) = &mut self.queues else {
            return false;
        };
        let waiters = queues.of_mut(ticket.line);
        waiters.called.remove(&ticket.number);
        let waker = waiters.asleep.remove(&ticket.number);
        let is_asleep = waker.is_some();
        waker.into_iter().for_each(|waker| due.discard(waker));
        is_asleep
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.queues.as_ref().is_none_or(|queues| queues.is_empty())
    }

    #[inline]
    pub(crate) fn has_waiting(&self, line: Line) -> bool {
        let queues = self.queues.as_ref();
        queues.is_some_and(|queues| !queues.of(line).is_empty())
    }

    pub(crate) fn wake_first(&mut self, line: Line, due: &mut WakeList) {
        if let Some(queues) = &mut self.queues {
            queues.of_mut(line).wake_first(due);
        }
    }

    pub(crate) fn wake_first_of_each(&mut self, due: &mut WakeList) {
        for line in Line::ALL {
            self.wake_first(line, due);
        }
    }

    pub(crate) fn wake_all(&mut self, due: &mut WakeList) {
        let Some(queues) = &mut self.queues else {
            return;
        };
        for line in Line::ALL {
            let waiters = queues.of_mut(line);
            while !waiters.asleep.is_empty() {
                waiters.wake_first(due);
            }
        }
    }

    /// Tasks that were woken and have not come no longer keep others waiting.
    pub(crate) fn forget_called(&mut self) {
        let Some(queues) = &mut self.queues else {
            return;
        };
        for line in Line::ALL {
            queues.of_mut(line).called.clear();
        }
        if queues.is_empty() {
            self.queues = None;
        }
    }
}

impl Queues {
    fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.carrying.is_empty() && self.code.is_empty()
    }

    fn of(&self, line: Line) -> &Waiters {
        match line {
            Line::Message | Line::Response => &self.whole,
            Line::CarryingMessage | Line::CarryingResponse => &self.carrying,
            Line::Code => &self.code,
        }
    }

    fn of_mut(&mut self, line: Line) -> &mut Waiters {
        match line {
            Line::Message | Line::Response => &mut self.whole,
            Line::CarryingMessage | Line::CarryingResponse => &mut self.carrying,
            Line::Code => &mut self.code,
        }
    }
}

impl Waiters {
    fn is_empty(&self) -> bool {
        self.asleep.is_empty() && self.called.is_empty()
    }

    fn wake_first(&mut self, due: &mut WakeList) {
        if let Some((number, waker)) = self.asleep.pop_first() {
            self.called.insert(number);
            due.wake(waker);
        }
    }
}

impl Line {
    /// One for each queue.
    const ALL: [Self; 3] = [Self::Message, Self::CarryingMessage, Self::Code];
}

/// Keeps a waker at this key. It is cloned under the lock, which counts a reference; a waker that
/// it replaces is dropped after it.
pub(super) fn register(
    wakers: &mut BTreeMap<u64, Waker>,
    key: u64,
    waker: &Waker,
    due: &mut WakeList,
) {
    match wakers.entry(key) {
        Entry::Vacant(entry) => {
            entry.insert(waker.clone());
        }
        Entry::Occupied(entry) if entry.get().will_wake(waker) => {}
        Entry::Occupied(mut entry) => due.discard(entry.insert(waker.clone())),
    }
}

impl Ticket {
    pub(crate) fn line(self) -> Line {
        self.line
    }
}
