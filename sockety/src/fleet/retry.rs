//! Whether a message is sent again, to another server.
//!
//! | Outcome | Sent again |
//! | --- | --- |
//! | not sent, because the connection ended or takes no messages | at once, as often as it takes: no server has seen it |
//! | not executed, because the server is overloaded or goes away | at once, then after pauses; from the budget |
//! | unknown, because the connection ended | only an idempotent action; like the one above |
//! | not executed for another reason, executed, replied | never: it would come to the same, or run twice |
//!
//! The [`Budget`]: in 10 s, 20 % of the calls may be repeated, and 10 a second in any case. So when all servers refuse,
//! they get at most 1.2 times the calls, and 10 a second more.

use std::{fmt, time::Duration};

use super::{budget::Budget, health::is_for_now};
use crate::{
    connection::source::Tried,
    engine::{answered::Answered, load::Verdict},
    error::RequestError,
    metadata::RetryAfter,
    outcome::Outcome,
};

/// How often a call is sent again when a server refuses it or is lost, and what bounds that. A message of which no byte was
/// sent goes to another server in any case.
///
/// Each attempt sends what is left of the call's deadline, and its number
/// ([`Metadata::attempt`](crate::metadata::Metadata::attempt)).
#[derive(Debug, Clone)]
pub struct Retry {
    attempts: u32,
    longest: Duration,
    percent: f32,
    per_second: u32,
}

impl Default for Retry {
    /// 3 attempts, pauses of up to 10 s if a server asks for them, and a budget of 20 % of the calls and 10 a second.
    fn default() -> Self {
        Self {
            attempts: 3,
            longest: Duration::from_secs(10),
            percent: 0.2,
            per_second: 10,
        }
    }
}

impl Retry {
    /// No message is repeated that a server may have seen.
    pub fn none() -> Self {
        Self::default().attempts(1)
    }

    /// Sets how often a message may reach a server, at least 1, 3 by default.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// Sets the longest pause that a server may ask for ([`RetryAfter`]), 10 s by default: the caller
    /// of a call that would have to wait for longer gets the refusal.
    pub fn longest_pause(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// Sets the budget of all calls together: which share of the calls of the last 10 s may be repeated, from 0 to 1, and how many a
    /// second in any case. 0.2 and 10 by default. One without a share or a minimum repeats nothing.
    pub fn budget(mut self, share: f32, per_second: u32) -> Self {
        self.percent = share.clamp(0.0, 1.0);
        self.per_second = per_second;
        self
    }
}

/// The pause before the third attempt, the longest one, and what each is multiplied with.
const SHORTEST: Duration = Duration::from_millis(25);
const LONGEST: Duration = Duration::from_secs(1);
const FACTOR: u32 = 2;

/// What is decided about a message after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It is sent again, after this time.
    After(Duration),
    /// It would be, but too many are.
    OverBudget,
    /// Its caller gets the result.
    Never,
}

/// Decides by the settings of a fleet.
pub(super) struct Retries {
    settings: Retry,
    budget: Budget,
}

impl Retries {
    pub(super) fn new(settings: Retry) -> Self {
        let budget = Budget::new(settings.percent, settings.per_second);
        Self { settings, budget }
    }

    /// These seconds have passed, in which this many attempts of calls have ended. A share of the calls may be repeated.
    pub(super) fn turn(&self, seconds: u64, attempts: u64) {
        self.budget.turn(seconds, attempts);
    }

    /// How many messages the budget allows to be repeated now.
    pub(super) fn left(&self) -> u64 {
        self.budget.left()
    }

    pub(super) fn next(&self, tried: &Tried<'_>) -> Repeat {
        match tried.outcome() {
            Outcome::NotSent if tried.is_of_connection() => {
                let counts = |error| Verdict::of_error(error) == Verdict::Failure;
                if tried.result.as_ref().is_err_and(counts) {
                    self.budget.repeat_free();
                }
                Repeat::After(Duration::ZERO)
            }
            Outcome::NotExecuted if is_refused_for_now(tried) => match tried.retry_after() {
                None => self.again(tried, pause(tried.before)),
                Some(after) => match self.asked(after) {
                    Some(pause) => self.again(tried, pause),
                    None => Repeat::Never,
                },
            },
            Outcome::Unknown if tried.is_idempotent && tried.is_of_connection() => {
                self.again(tried, pause(tried.before))
            }
            _ => Repeat::Never,
        }
    }

    /// The pause that a server asks for, unless it is too long, or there should be no other attempt.
    fn asked(&self, after: RetryAfter) -> Option<Duration> {
        after.wait().filter(|wait| *wait <= self.settings.longest)
    }

    fn again(&self, tried: &Tried<'_>, pause: Duration) -> Repeat {
        if tried.before + 1 >= self.settings.attempts {
            return Repeat::Never;
        }
        match self.budget.withdraw() {
            true => Repeat::After(pause),
            false => Repeat::OverBudget,
        }
    }
}

/// Whether another server, or this one later, may take it.
fn is_refused_for_now(tried: &Tried<'_>) -> bool {
    match tried.result {
        Ok(reply) => matches!(reply.answered(), Answered::Code(code) if is_for_now(code)),
        Err(error) => matches!(error, RequestError::PeerGoingAway { .. }),
    }
}

/// The pause before the attempt that follows this many others, of a random length (full jitter).
fn pause(before: u32) -> Duration {
    let Some(doublings) = before.checked_sub(1) else {
        return Duration::ZERO;
    };
    let longest = SHORTEST.saturating_mul(FACTOR.saturating_pow(doublings));
    longest.min(LONGEST).mul_f64(fastrand::f64())
}

impl fmt::Debug for Retries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_have_an_end() {
        fastrand::seed(7);
        assert_eq!(pause(0), Duration::ZERO);
        for (before, longest) in [(1, 25), (2, 50), (3, 100), (7, 1000), (u32::MAX, 1000)] {
            let pauses: Vec<_> = (0..200).map(|_| pause(before)).collect();
            let longest = Duration::from_millis(longest);
            let most = pauses.iter().max().expect("some");
            assert!(*most <= longest, "{most:?} is over {longest:?}");
            assert!(*most > longest.mul_f64(0.9), "{most:?} of {longest:?}");
        }
    }
}
