//! What Sockety is to reach, in each workload.

use std::fmt;

use crate::{
    contender::Kind,
    figures::{self, Figure, Figures, Row, Spread},
    outcome::Outcome,
    plan::Placement,
    workload::Workload,
};

/// What the implementation in TypeScript does in a second, with one core for each side: given, not measured here.
const TYPESCRIPT_SHORT_REPLIES: f64 = 367e3;
const TYPESCRIPT_RESPONSES: f64 = 256e3;
const TYPESCRIPT_ONE_WAY: f64 = 697e3;
/// With payloads of 1 MB.
const TYPESCRIPT_UPLOADS: f64 = 1_935.0;

/// A ratio or a number that has a bound, and what was measured.
pub struct Goal {
    what: String,
    actual: Spread,
    bound: Bound,
    /// The worst repetition counts, not the median.
    always: bool,
}

#[derive(Clone, Copy)]
pub enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    pub fn is_met(&self) -> bool {
        let Spread {
            median,
            least,
            most,
        } = self.actual;
        match self.bound {
            Bound::AtLeast(bound) if self.always => least >= bound,
            Bound::AtMost(bound) if self.always => most <= bound,
            Bound::AtLeast(bound) => median >= bound,
            Bound::AtMost(bound) => median <= bound,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, bound) = match self.bound {
            Bound::AtLeast(bound) => ('≥', bound),
            Bound::AtMost(bound) => ('≤', bound),
        };
        let verdict = if self.is_met() { "met" } else { "**missed**" };
        write!(
            f,
            "{:.2} {} ({:.2}–{:.2}; {sign} {bound}) {verdict}",
            self.actual.median, self.what, self.actual.least, self.actual.most
        )
    }
}

/// The goals of a row of ours; those that lack something to compare with are left out.
pub fn of(row: &Row, figures: &Figures<'_>) -> Vec<Goal> {
    use Bound::{AtLeast, AtMost};

    let goal = |what: &str, actual: Option<Spread>, bound| {
        let what = what.to_owned();
        actual.map(|actual| Goal {
            what,
            actual,
            bound,
            always: false,
        })
    };
    let beside = |name| figures.row(name, &row.case, row.placement);
    let ratio = |other: Option<&Row>, figure: Figure| row.ratio(other?, figure);
    let times = |other| ratio(other, |outcome| Some(outcome.value));
    let fastest = |kinds: &[Kind]| {
        let peers = figures
            .rows_beside(row)
            .filter(|other| kinds.contains(&other.kind));
        peers.max_by(|a, b| a.value.median.total_cmp(&b.value.median))
    };
    let kib = || Some(row.value.divided_by(1024.0));
    let typescript = |calls: f64| {
        // Its figures are those of a core for each side.
        let free = row.placement == Placement::Free;
        let times = free.then(|| row.value.divided_by(calls));
        vec![goal("x TypeScript", times, AtLeast(3.0))]
    };
    let goals = match row.case.workload {
        Workload::W1 => {
            let p50 = |outcome: &Outcome| Some(outcome.latency?.p50 as f64);
            let ratio = ratio(beside("limit-raw"), p50);
            vec![goal("x p50 of limit-raw", ratio, AtMost(1.05))]
        }
        Workload::W2 => vec![
            goal("x limit-mux", times(beside("limit-mux")), AtLeast(0.9)),
            goal(
                "x fastest peer",
                times(fastest(&[Kind::Peer])),
                AtLeast(4.0),
            ),
        ],
        Workload::W3 => vec![
            goal("x limit-mux", times(beside("limit-mux")), AtLeast(0.9)),
            goal(
                "x fastest peer",
                times(fastest(&[Kind::Peer])),
                AtLeast(9.0),
            ),
        ],
        Workload::W4 => vec![goal(
            "x fastest peer",
            times(fastest(&[Kind::Peer, Kind::Streams])),
            AtLeast(1.0),
        )],
        Workload::W5 => vec![
            goal("x limit-raw", times(beside("limit-raw")), AtLeast(0.95)),
            goal("x capnp-rpc", times(beside("capnp-rpc")), AtLeast(1.0)),
        ],
        Workload::W6 => vec![goal(
            "x limit-bulk-1m",
            times(beside("limit-bulk-1m")),
            AtLeast(0.97),
        )],
        Workload::W7 => {
            let limit = if row.case.tls { 20.0 } else { 6.0 };
            vec![goal("KiB", kib(), AtMost(limit))]
        }
        Workload::W8 => vec![goal(
            "x tarpc-msgpack",
            times(beside("tarpc-msgpack")),
            AtLeast(4.0),
        )],
        Workload::W9 => {
            let slower = beside("cp")
                .zip(beside("limit-bulk-1m"))
                .map(|(copy, bulk)| match copy.value.median < bulk.value.median {
                    true => copy,
                    false => bulk,
                });
            vec![goal("x slower limit", times(slower), AtLeast(0.95))]
        }
        Workload::W10 => vec![goal("x p99 alone", row.beside_alone, AtMost(2.0))],
        Workload::W11 => {
            let plain = Workload::W2.cases()[0];
            let plain = figures.row(&row.contender, &plain, row.placement);
            vec![goal("x W2", times(plain), AtLeast(0.85))]
        }
        Workload::W12 => {
            let fewer = |row: &Row| {
                let mut fewer = row.case;
                fewer.connections = 100;
                figures.row(&row.contender, &fewer, row.placement)
            };
            let kept = (row.case.connections == 10_000).then(|| {
                let limit = beside("limit-mux")?;
                let (ours, its) = ((row, fewer(row)?), (limit, fewer(limit)?));
                figures::ratio_of_ratios(ours, its, |outcome| Some(outcome.value))
            });
            vec![
                goal(
                    "x what limit-mux keeps of its calls with 100",
                    kept.flatten(),
                    AtLeast(1.0),
                ),
                goal(
                    "x fastest peer",
                    times(fastest(&[Kind::Peer])),
                    AtLeast(1.0),
                ),
            ]
        }
        Workload::W13 => {
            let mut single = row.case;
            single.workers = 1;
            let single = (row.case.workers > 1)
                .then(|| figures.row(&row.contender, &single, row.placement))
                .flatten();
            let cpu = ratio(single, |outcome| outcome.server_cpu);
            let share = goal(
                "of a share for each connection",
                row.least_share,
                AtLeast(0.5),
            );
            vec![
                goal("x server CPU with 1 worker", cpu, AtMost(1.15)),
                share.map(|share| Goal {
                    always: true,
                    ..share
                }),
            ]
        }
        Workload::W14 if row.contender == "sockety-fleet" => vec![
            goal("x one server", times(beside("sockety")), AtLeast(0.95)),
            goal(
                "x sockety-spread",
                times(beside("sockety-spread")),
                AtLeast(0.95),
            ),
            goal(
                "x tonic-balance",
                times(beside("tonic-balance")),
                AtLeast(3.0),
            ),
            goal(
                "x tarpc-balance",
                times(beside("tarpc-balance")),
                AtLeast(3.0),
            ),
        ],
        Workload::W14 => vec![],
        Workload::W15 => vec![
            goal("KiB", kib(), AtMost(6.0)),
            goal("x tonic", times(beside("tonic")), AtMost(0.33)),
        ],
        Workload::T1 => typescript(TYPESCRIPT_SHORT_REPLIES),
        Workload::T2 => typescript(TYPESCRIPT_RESPONSES),
        Workload::T3 => typescript(TYPESCRIPT_ONE_WAY),
        Workload::T4 => typescript(TYPESCRIPT_UPLOADS),
    };
    goals.into_iter().flatten().collect()
}
