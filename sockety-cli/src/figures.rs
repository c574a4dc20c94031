//! Statistics of durations.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value as Json, json};

/// A histogram of durations from 1 µs to a minute, to three digits; longer ones count as a minute.
#[derive(Debug, Clone)]
pub struct Figures {
    /// In nanoseconds.
    histogram: Histogram<u64>,
}

const QUANTILES: [(&str, f64); 5] = [
    ("p50", 0.5),
    ("p90", 0.9),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("max", 1.0),
];

impl Figures {
    /// Creates an empty histogram.
    pub fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1_000, 60_000_000_000, 3);
        Self {
            histogram: histogram.expect("the bounds are in order"),
        }
    }

    /// Adds a duration.
    pub fn add(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.histogram.saturating_record(nanoseconds);
    }

    /// Adds the durations of another histogram.
    pub fn merge(&mut self, other: &Self) {
        self.histogram
            .add(&other.histogram)
            .expect("both have the same bounds");
    }

    /// The number of durations.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// One line: `min 0.123  mean …  p50 … ms`.
    pub fn text(&self) -> String {
        let (min, mean) = (ms(self.histogram.min()), self.histogram.mean() / 1e6);
        let quantiles =
            QUANTILES.map(|(name, quantile)| format!("{name} {:.3}", self.quantile(quantile)));
        format!("min {min:.3}  mean {mean:.3}  {} ms", quantiles.join("  "))
    }

    /// An object with the same statistics, in milliseconds.
    pub fn json(&self) -> Json {
        let mut json =
            json!({ "min": ms(self.histogram.min()), "mean": self.histogram.mean() / 1e6 });
        for (name, quantile) in QUANTILES {
            json[name] = self.quantile(quantile).into();
        }
        json
    }

    /// A bar for each range that is not empty. Each range is twice as wide as the one before.
    pub fn bars(&self) -> String {
        const WIDTH: u64 = 40;
        let steps: Vec<_> = self
            .histogram
            .iter_log(1_000, 2.0)
            .map(|step| (step.value_iterated_to(), step.count_since_last_iteration()))
            .filter(|(_, count)| *count > 0)
            .collect();
        let most = steps.iter().map(|(_, count)| *count).max().unwrap_or(1);
        let line = |(value, count): &(u64, u64)| {
            let bar = "█".repeat((count * WIDTH).div_ceil(most) as usize);
            format!("  up to {:>10.3} ms {count:>10}  {bar}", ms(*value))
        };
        steps.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn quantile(&self, quantile: f64) -> f64 {
        ms(self.histogram.value_at_quantile(quantile))
    }
}

fn ms(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_ends_are_those_of_what_was_added() {
        let mut figures = Figures::new();
        (1..=100).for_each(|ms| figures.add(Duration::from_millis(ms)));
        figures.add(Duration::from_secs(1000));
        let json = figures.json();
        let near = |name: &str, ms: f64| {
            let found = json[name].as_f64().unwrap();
            assert!((found / ms - 1.0).abs() < 0.01, "{name} is {found}");
        };
        near("min", 1.0);
        near("p50", 51.0);
        near("p90", 91.0);
        near("max", 60_000.0);
        assert_eq!(figures.count(), 101);
        assert_eq!(figures.bars().lines().count(), 9);
    }
}
