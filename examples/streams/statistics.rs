//! Statistics of numbers while they arrive.

use futures_util::{StreamExt, stream};
use sockety::Streaming;

use crate::service::Statistics;

/// Sends one item for each that arrives. The method returns before it has read any, so that reply
/// and request continue concurrently. Each item is created when there is room for it, so a caller
/// that reads slowly slows down its own numbers.
pub fn of(numbers: Streaming<f64>) -> Streaming<Statistics> {
    let states = stream::unfold(
        (numbers, Running::default()),
        async |(mut numbers, mut running)| {
            // If the numbers fail, the answer just ends: the caller can no longer be told why.
            let number = numbers.next().await?.ok()?;
            running.add(number);
            Some((running.statistics(), (numbers, running)))
        },
    );
    Streaming::from_stream(states.boxed())
}

/// Welford's method: a mean and a sum of squared distances, which need each number only once.
#[derive(Default)]
struct Running {
    count: u64,
    mean: f64,
    squares: f64,
}

impl Running {
    fn add(&mut self, number: f64) {
        self.count += 1;
        let distance = number - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (number - self.mean);
    }

    fn statistics(&self) -> Statistics {
        Statistics {
            count: self.count,
            mean: self.mean,
            deviation: (self.squares / self.count as f64).sqrt(),
        }
    }
}
