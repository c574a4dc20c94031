//! The connections that calls are sent on now: what each call reads, and only the task of the fleet replaces.

use std::sync::Arc;

use super::balance;
use crate::{connection::Connection, engine::load::Load};

/// All connections that take calls.
#[derive(Default)]
pub(super) struct Ready(Box<[Entry]>);

pub(super) struct Entry {
    pub(super) connection: Connection,
    /// That of its endpoint, which may have several connections.
    pub(super) load: Arc<Load>,
}

impl Ready {
    pub(super) fn new(entries: impl IntoIterator<Item = Entry>) -> Self {
        Self(entries.into_iter().collect())
    }

    /// The better of two at random.
    #[inline]
    pub(super) fn pick(&self) -> Option<&Entry> {
        match &*self.0 {
            [] => None,
            [only] => Some(only),
            entries => {
                let cost = |index: usize| entries[index].load.cost();
                Some(&entries[balance::pick(entries.len(), fastrand::u64(..), cost)])
            }
        }
    }

    /// Likewise, of those that take calls at this moment, and are not this one if there is another.
    pub(super) fn pick_open(&self, but: Option<&Connection>) -> Option<&Entry> {
        let is_but =
            |it: &Entry| but.is_some_and(|but| Arc::ptr_eq(but.shared(), it.connection.shared()));
        if let Some(picked) = self.pick() {
            if !is_but(picked) && picked.connection.takes_calls() {
                return Some(picked);
            }
        }
        let open = |it: &&Entry| it.connection.takes_calls();
        let cheapest = |a: &&Entry, b: &&Entry| a.load.cost().total_cmp(&b.load.cost());
        let others = self.0.iter().filter(|it| !is_but(it)).filter(open);
        let other = others.min_by(cheapest);
        other.or_else(|| self.0.iter().find(open))
    }

    pub(super) fn connections(&self) -> impl Iterator<Item = &Connection> {
        self.0.iter().map(|entry| &entry.connection)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
