//! What the repetitions of a measurement show together.

use crate::{
    contender::Kind, measurement::Measurement, outcome::Outcome, plan::Placement,
    results::Described, workload::Case,
};

/// The repetitions of one contender, case and placement.
pub struct Row {
    pub contender: String,
    pub kind: Kind,
    pub case: Case,
    pub placement: Placement,
    pub value: Spread,
    pub cpu: Option<Spread>,
    /// Medians, in nanoseconds.
    pub latency: Option<Quantiles>,
    /// In W10, p99 as a multiple of p99 with nothing beside it.
    pub beside_alone: Option<Spread>,
    /// The server's part of `cpu`.
    pub server_cpu: Option<Spread>,
    /// With several connections: the calls of the one that made the fewest, against the mean.
    pub least_share: Option<Spread>,
    /// By repetition.
    pub outcomes: Vec<(usize, Outcome)>,
    pub client_peak: f64,
    pub server_peak: f64,
}

#[derive(Clone, Copy)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

#[derive(Clone, Copy)]
pub struct Quantiles {
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

/// All rows, and what failed.
pub struct Figures<'a> {
    pub rows: Vec<Row>,
    pub failed: Vec<&'a Measurement>,
}

/// One of the figures of an outcome.
pub type Figure = fn(&Outcome) -> Option<f64>;

impl Spread {
    /// `None` without values.
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let upper = *values.get(middle)?;
        let median = match values.len().is_multiple_of(2) {
            true => (values[middle - 1] + upper) / 2.0,
            false => upper,
        };
        Some(Self {
            median,
            least: values[0],
            most: values[values.len() - 1],
        })
    }
}

impl Spread {
    pub fn divided_by(self, divisor: f64) -> Self {
        Self {
            median: self.median / divisor,
            least: self.least / divisor,
            most: self.most / divisor,
        }
    }
}

impl Row {
    fn new(
        about: &Described,
        case: Case,
        placement: Placement,
        outcomes: Vec<(usize, Outcome)>,
    ) -> Option<Self> {
        let spread =
            |figure: Figure| Spread::of(outcomes.iter().filter_map(|(_, outcome)| figure(outcome)));
        let median = |figure| spread(figure).map(|spread| spread.median);
        let quantiles = || {
            Some(Quantiles {
                p50: median(|outcome| Some(outcome.latency?.p50 as f64))?,
                p99: median(|outcome| Some(outcome.latency?.p99 as f64))?,
                p999: median(|outcome| Some(outcome.latency?.p999 as f64))?,
                max: median(|outcome| Some(outcome.latency?.max as f64))?,
            })
        };
        Some(Self {
            contender: about.name.clone(),
            kind: about.kind,
            case,
            placement,
            value: spread(|outcome| Some(outcome.value))?,
            cpu: spread(|outcome| outcome.cpu),
            latency: quantiles(),
            beside_alone: spread(|outcome| {
                Some(outcome.latency?.p99 as f64 / outcome.alone?.p99 as f64)
            }),
            server_cpu: spread(|outcome| outcome.server_cpu),
            least_share: spread(|outcome| outcome.least_share),
            client_peak: median(|outcome| Some(outcome.client_peak as f64))?,
            server_peak: median(|outcome| Some(outcome.server_peak as f64))?,
            outcomes,
        })
    }

    /// A figure of this row as a multiple of that of another one, each repetition with its like, as those were measured at about the
    /// same time.
    pub fn ratio(&self, other: &Self, figure: Figure) -> Option<Spread> {
        let ratios = self.outcomes.iter().filter_map(|&(repetition, _)| {
            Some(self.of(repetition, figure)? / other.of(repetition, figure)?)
        });
        Spread::of(ratios)
    }

    /// A figure of one repetition.
    fn of(&self, repetition: usize, figure: Figure) -> Option<f64> {
        let mut outcomes = self.outcomes.iter();
        let (_, outcome) = outcomes.find(|(number, _)| *number == repetition)?;
        figure(outcome)
    }
}

/// The ratio of two rows as a multiple of that of two others, likewise by repetition.
pub fn ratio_of_ratios(
    (row, base): (&Row, &Row),
    (other, its_base): (&Row, &Row),
    figure: Figure,
) -> Option<Spread> {
    let ratios = row.outcomes.iter().filter_map(|&(repetition, _)| {
        let ratio = |a: &Row, b: &Row| Some(a.of(repetition, figure)? / b.of(repetition, figure)?);
        Some(ratio(row, base)? / ratio(other, its_base)?)
    });
    Spread::of(ratios)
}

impl<'a> Figures<'a> {
    pub fn new(contenders: &[Described], measurements: &'a [Measurement]) -> Self {
        let mut cases: Vec<_> = measurements
            .iter()
            .map(|one| (one.case, one.placement))
            .collect();
        cases.sort_by_key(|&(case, placement)| (case, placement == Placement::One));
        cases.dedup();
        let mut rows = Vec::new();
        for (case, placement) in cases {
            for about in contenders {
                let outcomes: Vec<_> = measurements
                    .iter()
                    .filter(|one| one.contender == about.name)
                    .filter(|one| one.case == case && one.placement == placement)
                    .filter_map(|one| Some((one.repetition, one.result.clone().ok()?)))
                    .collect();
                rows.extend(Row::new(about, case, placement, outcomes));
            }
        }
        let failed = measurements
            .iter()
            .filter(|one| one.result.is_err())
            .collect();
        Self { rows, failed }
    }

    pub fn row(&self, contender: &str, case: &Case, placement: Placement) -> Option<&Row> {
        self.rows.iter().find(|row| {
            row.contender == contender && row.case == *case && row.placement == placement
        })
    }

    /// All rows of its case and placement.
    pub fn rows_beside<'b>(&'b self, of: &'b Row) -> impl Iterator<Item = &'b Row> {
        self.rows
            .iter()
            .filter(move |row| row.case == of.case && row.placement == of.placement)
    }
}
