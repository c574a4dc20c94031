use std::time::{Duration, Instant};

/// When calls count: between warming up and the end.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    pub begin: Instant,
    pub end: Instant,
}

impl Window {
    pub fn after(warm_up: Duration, measure: Duration) -> Self {
        let begin = Instant::now() + warm_up;
        Self {
            begin,
            end: begin + measure,
        }
    }

    pub fn seconds(&self) -> f64 {
        (self.end - self.begin).as_secs_f64()
    }

    pub fn contains(&self, instant: Instant) -> bool {
        self.begin <= instant && instant < self.end
    }
}
