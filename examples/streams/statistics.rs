//! Statistics of numbers while they come.

use futures_util::{StreamExt, stream};
use sockety::Streaming;

use crate::service::Statistics;

/// One item out for each that comes in. The method returns this before it has read any: reply and request then go
/// on side by side. As each item is made when there is room for it, a caller that reads slowly slows its own
/// numbers down.
pub fn of(numbers: Streaming<f64>) -> Streaming<Statistics> {
    let states = stream::unfold(
        (numbers, Running::default()),
        async |(mut numbers, mut running)| {
            // Numbers that break off end the answer too: there is nobody any more to tell why.
            let number = numbers.next().await?.ok()?;
            running.add(number);
            Some((running.statistics(), (numbers, running)))
        },
    );
    Streaming::from_stream(states.boxed())
}

/// Welford's method: a mean and a sum of squared distances that need no number twice.
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
