//! Statistics of numbers while they arrive.

use sockety::Streaming;

use crate::service::Statistics;

/// Sends one item for each that arrives. The method returns before it has read any, so that reply
/// and request continue concurrently. A caller that reads slowly slows down its own numbers.
pub fn of(mut numbers: Streaming<f64>) -> Streaming<Statistics> {
    Streaming::spawn(1, |statistics| async move {
        let mut running = Running::default();
        while let Some(number) = numbers.next().await {
            // If the numbers break off, so do the statistics.
            running.add(number?);
            statistics.send(Ok(running.statistics())).await?;
        }
        Ok(())
    })
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
