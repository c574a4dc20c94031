//! Requests that were given up. Replies to them may still come, and are not held against the peer.

use std::collections::HashSet;

use rustc_hash::FxBuildHasher;
use sockety_codec::Uuid;

pub(crate) struct LateReplies {
    /// Requests that were given up before any reply. One will most likely come.
    unanswered: RecentIds,
    /// Requests that were given up after a response. More responses rarely follow, so these are
    /// forgotten when the connection is quiet.
    answered: RecentIds,
}

/// The minimum number of requests that are remembered: as many as a busy connection may have in
/// flight when its peer stalls.
const UNANSWERED_KEPT: usize = 4096;

/// Fewer are enough, because each late response to a request makes it one of the newest again.
const ANSWERED_KEPT: usize = 1792;

impl LateReplies {
    pub(crate) fn new() -> Self {
        Self {
            unanswered: RecentIds::new(UNANSWERED_KEPT),
            answered: RecentIds::new(ANSWERED_KEPT),
        }
    }

    /// Remembers a request that was given up.
    pub(crate) fn expect(&mut self, id: Uuid, is_answered: bool) {
        if is_answered {
            self.answered.insert(id);
        } else {
            self.unanswered.insert(id);
        }
    }

    /// A reply arrived that no request waits for. Returns whether it belongs to a request that was
    /// given up.
    pub(crate) fn on_reply(&mut self, id: &Uuid, is_code: bool) -> bool {
        let was_known = self.unanswered.remove(id) || self.answered.contains(id);
        if is_code {
            // Nothing follows a fast reply.
            self.answered.remove(id);
        } else if was_known {
            self.answered.insert(*id);
        }
        was_known
    }

    /// Nothing was written for a while, and no request waits. Answered requests that are remembered
    /// now are forgotten the next time, unless a late response arrives before that.
    pub(crate) fn on_quiet(&mut self) {
        self.answered.age();
        self.answered.shrink();
        self.unanswered.shrink();
    }
}

/// The newest ids, in two generations. When the newer one is full, the older one is forgotten.
struct RecentIds {
    newer: HashSet<Uuid, FxBuildHasher>,
    older: HashSet<Uuid, FxBuildHasher>,
    generation: usize,
}

impl RecentIds {
    fn new(generation: usize) -> Self {
        Self {
            newer: HashSet::default(),
            older: HashSet::default(),
            generation,
        }
    }

    fn insert(&mut self, id: Uuid) {
        if self.newer.len() >= self.generation {
            self.age();
        }
        self.newer.insert(id);
    }

    fn age(&mut self) {
        std::mem::swap(&mut self.newer, &mut self.older);
        // Keeps its memory, because it is about to fill again.
        self.newer.clear();
    }

    fn contains(&self, id: &Uuid) -> bool {
        self.newer.contains(id) || self.older.contains(id)
    }

    fn remove(&mut self, id: &Uuid) -> bool {
        // From both, because a late response adds an id of the older generation to the newer one.
        self.newer.remove(id) | self.older.remove(id)
    }

    fn shrink(&mut self) {
        self.newer.shrink_to_fit();
        self.older.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capacity(late: &LateReplies) -> usize {
        let all = [&late.unanswered, &late.answered];
        all.iter()
            .map(|ids| ids.newer.capacity() + ids.older.capacity())
            .sum()
    }

    #[test]
    fn a_quiet_connection_forgets_answered_requests_and_no_others() {
        let mut late = LateReplies::new();
        let unanswered = Uuid::new_v4();
        late.expect(unanswered, false);
        for _ in 0..5000 {
            late.expect(Uuid::new_v4(), true);
        }
        let answered = Uuid::new_v4();
        late.expect(answered, true);
        late.on_quiet();
        assert!(late.on_reply(&answered, false));
        for _ in 0..2 {
            late.on_quiet();
        }
        assert!(!late.on_reply(&answered, false));
        assert!(capacity(&late) < 10, "{}", capacity(&late));
        assert!(late.on_reply(&unanswered, true));
        assert!(!late.on_reply(&unanswered, true));
    }

    #[test]
    fn the_newest_requests_are_remembered_and_no_more_than_twice_as_many() {
        let mut late = LateReplies::new();
        let ids: Vec<_> = (0..20_000).map(|_| Uuid::new_v4()).collect();
        for id in &ids {
            late.expect(*id, false);
        }
        let known = ids.iter().filter(|id| late.unanswered.contains(id)).count();
        assert!((UNANSWERED_KEPT..=2 * UNANSWERED_KEPT).contains(&known));
        let newest = &ids[ids.len() - UNANSWERED_KEPT..];
        assert!(newest.iter().all(|id| late.on_reply(id, true)));
    }

    #[test]
    fn a_request_with_late_responses_stays_among_the_newest() {
        let mut late = LateReplies::new();
        let chatty = Uuid::new_v4();
        late.expect(chatty, true);
        for _ in 0..10 {
            for _ in 0..ANSWERED_KEPT / 2 {
                late.expect(Uuid::new_v4(), true);
            }
            assert!(late.on_reply(&chatty, false));
        }
        assert!(late.on_reply(&chatty, true));
        assert!(!late.on_reply(&chatty, false));
    }
}
