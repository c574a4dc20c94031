//! The servers that answers of a resolver have named.
//!
//! A server is gone after three answers in a row without it: an answer may be incomplete, because a resolver leaves out servers at random,
//! or asked for one kind of addresses in vain.
//!
//! Of SRV records (RFC 2782), the priority decides which are used: those of the lowest have their weights, those of the next are a
//! reserve (weight 0), which gets calls only while no other server is ready. Others are not used: the fleet knows one reserve, and they
//! would get calls as soon as those before them. So the lowest priority *that answers* is used, as the RFC wants it, for two of them.
//! If all weights of the lowest priority are 0, as they should be where there is nothing to choose, each server has the weight 1. Beside
//! others, a server of weight 0 belongs to the reserve.
//!
//! Of an answer with more than 1,000 servers, 1,000 are used, the lowest priorities first. Which of one priority is chosen by hash
//! with a seed of the process: the same ones after each answer, whatever its order, and different ones in each client.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use tracing::warn;
use twox_hash::XxHash64;

use crate::fleet::discover::Endpoint;

/// After how many answers without it a server is gone.
const MISSES: u32 = 3;

/// How many servers of an answer are used.
const MOST: usize = 1_000;

/// A server that a resolver has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Lower ones are used first.
    pub(crate) priority: u16,
    pub(crate) endpoint: Endpoint,
}

#[derive(Debug)]
pub(super) struct Known {
    /// By key, with the number of answers since that did not name it.
    servers: BTreeMap<Arc<str>, (Found, u32)>,
    /// Decides which are used of too many.
    seed: u64,
    has_too_many: bool,
}

impl Known {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            servers: BTreeMap::new(),
            seed,
            has_too_many: false,
        }
    }

    /// Takes an answer into account. Returns whether it changes which servers there are, or how they are used.
    pub(super) fn learn(&mut self, answer: Vec<Found>) -> bool {
        let before = self.endpoints();
        for (_, misses) in self.servers.values_mut() {
            *misses += 1;
        }
        for found in self.choose(answer) {
            let key = Arc::clone(found.endpoint.key());
            self.servers.insert(key, (found, 0));
        }
        self.servers.retain(|_, (_, misses)| *misses < MISSES);
        before != self.endpoints()
    }

    /// Each server once, and no more than may be used.
    fn choose(&mut self, mut answer: Vec<Found>) -> Vec<Found> {
        // The same ones of duplicates, whatever the order of the answer.
        answer.sort_by(|a, b| {
            let order = |it: &Found| (it.priority, Reverse(it.endpoint.weight()));
            let (a_key, b_key) = (a.endpoint.key(), b.endpoint.key());
            a_key.cmp(b_key).then(order(a).cmp(&order(b)))
        });
        answer.dedup_by(|a, b| a.endpoint.key() == b.endpoint.key());
        let had_too_many = std::mem::replace(&mut self.has_too_many, answer.len() > MOST);
        if !self.has_too_many {
            return answer;
        }
        if !had_too_many {
            warn!(
                servers = answer.len(),
                "DNS names too many servers: {MOST} of them are used"
            );
        }
        let score = |it: &Found| XxHash64::oneshot(self.seed, it.endpoint.key().as_bytes());
        answer.sort_by_cached_key(|it| (it.priority, score(it)));
        answer.truncate(MOST);
        answer
    }

    /// The servers to use, with their weights.
    pub(super) fn endpoints(&self) -> Vec<Endpoint> {
        let servers = || self.servers.values().map(|(found, _)| found);
        let Some(lowest) = servers().map(|it| it.priority).min() else {
            return Vec::new();
        };
        let others = servers().map(|it| it.priority);
        let next = others.filter(|it| *it > lowest).min();
        let has_weights = servers().any(|it| it.priority == lowest && it.endpoint.weight() > 0);
        let used = servers().filter_map(|it| {
            let endpoint = it.endpoint.clone();
            match it.priority {
                priority if priority == lowest && has_weights => Some(endpoint),
                priority if priority == lowest => Some(endpoint.with_weight(1)),
                priority if Some(priority) == next => Some(endpoint.with_weight(0)),
                _ => None,
            }
        });
        used.collect()
    }
}
