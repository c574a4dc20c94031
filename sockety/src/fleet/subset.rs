//! Which of many endpoints this client connects to, if not to all: *k* of them by rendezvous hashing, as in gRFC A68 (grpc/proposal,
//! A68-random-subsetting.md).
//!
//! Each endpoint has the hash of its key and the seed of the process as its score, and the *k* highest are used. An endpoint that comes or
//! goes therefore changes at most one member. Each process has its own seed, so that together they use all servers. Their numbers of
//! clients are distributed binomially: with 100 clients that use 20 of 100 servers, a server has 20 ± 4.
//! Deterministic subsets spread better, but there each client has to know its place among all clients.
//!
//! The hash is XXH64, whose results are specified and are the same in every build. Those of `std`, `rustc-hash` and `foldhash` may change
//! with each version: then a new build of the same client with the same seed would leave its servers for others.

use std::cmp::Reverse;

use twox_hash::XxHash64;

/// The indices of the `k` endpoints to use, in ascending order; of all if there are no more. Keys differ from each other.
pub(crate) fn subset(keys: &[impl AsRef<[u8]>], k: usize, seed: u64) -> Vec<usize> {
    let score = |key: &[u8]| XxHash64::oneshot(seed, key);
    let scores = keys.iter().map(|key| Reverse(score(key.as_ref())));
    let mut scores: Vec<_> = scores.zip(0..).collect();
    if k < scores.len() {
        scores.select_nth_unstable(k);
        scores.truncate(k);
    }
    let mut members: Vec<usize> = scores.into_iter().map(|(_, index)| index).collect();
    members.sort_unstable();
    members
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn keys(range: std::ops::Range<u32>) -> Vec<String> {
        range
            .map(|n| format!("10.0.{}.{}:9000", n / 256, n % 256))
            .collect()
    }

    fn members(keys: &[String], k: usize, seed: u64) -> BTreeSet<&str> {
        let members = subset(keys, k, seed);
        members.into_iter().map(|index| &*keys[index]).collect()
    }

    #[test]
    fn subset_has_k_members_or_all() {
        let keys = keys(0..10);
        for k in 0..20 {
            let members = subset(&keys, k, 7);
            assert_eq!(members.len(), k.min(10));
            assert!(members.is_sorted_by(|one, next| one < next));
        }
        assert!(subset(&[] as &[&str], 3, 7).is_empty());
    }

    /// Written down, because a new build must choose the same.
    #[test]
    fn subset_is_the_same_in_every_build() {
        assert_eq!(subset(&keys(0..100), 5, 1), [32, 40, 48, 57, 99]);
        assert_eq!(subset(&keys(0..100), 5, u64::MAX), [1, 36, 55, 70, 76]);
    }

    #[test]
    fn order_of_keys_does_not_matter() {
        let mut rng = fastrand::Rng::with_seed(1);
        let keys = keys(0..50);
        let mut shuffled = keys.clone();
        for seed in 0..100 {
            rng.shuffle(&mut shuffled);
            assert_eq!(members(&keys, 7, seed), members(&shuffled, 7, seed));
        }
    }

    #[test]
    fn endpoint_that_comes_or_goes_changes_at_most_one_member() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut changed = 0;
        for _ in 0..2_000 {
            let n = rng.u32(1..60);
            let k = rng.usize(0..30);
            let seed = rng.u64(..);
            let all = keys(0..n);
            let mut fewer = all.clone();
            let gone = fewer.swap_remove(rng.usize(0..all.len()));
            let (with, without) = (members(&all, k, seed), members(&fewer, k, seed));
            // Whoever leaves is it, and only if it was a member does another come.
            let left: Vec<_> = with.difference(&without).collect();
            let came: Vec<_> = without.difference(&with).collect();
            assert!(
                left.iter().all(|left| **left == gone) && left.len() <= 1,
                "{left:?}"
            );
            assert!(came.len() <= left.len(), "{came:?}");
            changed += left.len();
        }
        assert!(changed > 500, "{changed} changes");
    }

    #[test]
    fn clients_with_different_seeds_use_all_servers() {
        let keys = keys(0..100);
        let mut rng = fastrand::Rng::with_seed(1);
        for seeds in [
            (1..101).collect(),
            (0..100).map(|_| rng.u64(..)).collect::<Vec<_>>(),
        ] {
            let mut clients = [0_u32; 100];
            for seed in seeds {
                for index in subset(&keys, 20, seed) {
                    clients[index] += 1;
                }
            }
            // 20 ± 4: three and a half deviations.
            assert!(
                clients.iter().all(|it| (6..=34).contains(it)),
                "{clients:?}"
            );
        }
    }
}
