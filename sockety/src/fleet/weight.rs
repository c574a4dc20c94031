//! How much of the calls each endpoint should get: the weight that [`Load::set_weight`](crate::engine::load::Load::set_weight) takes.
//!
//! It is the weight of the endpoint, as discovery knows it, times two factors:
//!
//! - **Slow start**: from 10 % when the endpoint has just become ready to 100 % after 10 s, in a straight line, as in Envoy. Caches
//!   are cold in a new process, and its first calls are its slowest.
//! - **Zone**: 4 for endpoints in the zone of the client while at least half of those that are known there are ready. Fewer would be
//!   flooded by the calls of their zone, so that then all zones count the same.
//!
//! Endpoints of weight 0 are a reserve, as in SRV records (RFC 2782 wants "a very small chance" for them): they get calls only if
//! nothing else is ready, and count as 1 then. They do not count as endpoints of their zone.

use std::time::Duration;

/// How long an endpoint is ready until it has its full weight.
pub(crate) const SLOW_START: Duration = Duration::from_secs(10);

/// The part of its weight with which it begins.
const BEGINNING: f32 = 0.1;

/// What being in the zone of the client is worth.
const ZONE: f32 = 4.0;

/// What the weight of an endpoint depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    /// As discovery knows it, 1 by default; 0: a reserve.
    pub(crate) weight: u32,
    /// How long it has been ready; `None`: it is not.
    pub(crate) ready_for: Option<Duration>,
    /// Whether it is in the zone of the client.
    pub(crate) is_in_zone: bool,
}

/// The weights of all endpoints that are known, in their order. 0 means that the endpoint must not be picked.
pub(crate) fn weights(candidates: &[Candidate]) -> Vec<f32> {
    let is_full = |candidate: &Candidate| candidate.weight > 0;
    let is_ready = |candidate: &Candidate| candidate.ready_for.is_some();
    let is_reserve_used = !candidates.iter().any(|it| is_full(it) && is_ready(it));

    let zone = candidates.iter().filter(|it| is_full(it) && it.is_in_zone);
    let ready = zone.clone().filter(|it| is_ready(it)).count();
    let is_zone_preferred = 2 * ready >= zone.count();

    let weight = |candidate: &Candidate| {
        let Some(ready_for) = candidate.ready_for else {
            return 0.0;
        };
        let weight = match candidate.weight {
            0 if is_reserve_used => 1.0,
            weight => weight as f32,
        };
        let is_preferred = is_zone_preferred && candidate.is_in_zone;
        weight * slow_start(ready_for) * if is_preferred { ZONE } else { 1.0 }
    };
    candidates.iter().map(weight).collect()
}

fn slow_start(ready_for: Duration) -> f32 {
    let part = ready_for.as_secs_f32() / SLOW_START.as_secs_f32();
    (BEGINNING + (1.0 - BEGINNING) * part).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ready for long, in no zone.
    fn ready(weight: u32) -> Candidate {
        let ready_for = Some(Duration::from_secs(60));
        Candidate {
            weight,
            ready_for,
            is_in_zone: false,
        }
    }

    fn away(weight: u32) -> Candidate {
        Candidate {
            ready_for: None,
            ..ready(weight)
        }
    }

    fn in_zone(candidate: Candidate) -> Candidate {
        Candidate {
            is_in_zone: true,
            ..candidate
        }
    }

    #[test]
    fn weight_of_discovery_holds() {
        assert_eq!(weights(&[ready(1), ready(10), away(5)]), [1.0, 10.0, 0.0]);
        assert_eq!(weights(&[ready(u32::MAX)]), [u32::MAX as f32]);
        assert!(weights(&[]).is_empty());
    }

    #[test]
    fn new_endpoint_begins_with_a_tenth() {
        let after = |seconds| {
            let ready_for = Some(Duration::from_secs_f32(seconds));
            weights(&[Candidate {
                ready_for,
                ..ready(2)
            }])[0]
        };
        let table = [(0.0, 0.2), (1.0, 0.38), (5.0, 1.1), (10.0, 2.0), (1e9, 2.0)];
        for (seconds, weight) in table {
            assert!((after(seconds) - weight).abs() < 1e-5, "after {seconds} s");
        }
    }

    #[test]
    fn reserve_is_used_only_if_nothing_else_is_ready() {
        assert_eq!(weights(&[ready(0), ready(3), ready(0)]), [0.0, 3.0, 0.0]);
        assert_eq!(weights(&[ready(0), away(3), ready(0)]), [1.0, 0.0, 1.0]);
        assert_eq!(weights(&[away(0), away(3)]), [0.0, 0.0]);
    }

    #[test]
    fn zone_is_preferred_while_half_of_it_is_ready() {
        let other = ready(1);
        let (here, gone) = (in_zone(ready(1)), in_zone(away(1)));
        let table: [(&[Candidate], &[f32]); 5] = [
            (&[other, here], &[1.0, 4.0]),
            (&[other, here, gone], &[1.0, 4.0, 0.0]),
            (&[other, here, gone, gone], &[1.0, 1.0, 0.0, 0.0]),
            (&[other, gone], &[1.0, 0.0]),
            (&[other, away(1), away(1)], &[1.0, 0.0, 0.0]),
        ];
        for (candidates, expected) in table {
            assert_eq!(weights(candidates), expected, "{candidates:?}");
        }
    }

    #[test]
    fn reserve_does_not_count_for_its_zone() {
        let reserve = in_zone(away(0));
        let here = in_zone(ready(1));
        assert_eq!(
            weights(&[ready(1), here, reserve, reserve]),
            [1.0, 4.0, 0.0, 0.0]
        );
        assert_eq!(
            weights(&[away(1), in_zone(ready(0)), ready(0)]),
            [0.0, 4.0, 1.0]
        );
    }
}
