//! The results of the cases, as text and as JUnit XML.

pub mod junit;
pub mod tree;

use std::{sync::Arc, time::Duration};

use crate::case::Case;

/// The result of one case.
pub struct Finding {
    pub case: Arc<Case>,
    pub verdict: Verdict,
    pub time: Duration,
}

pub enum Verdict {
    /// With the recommendations that were not followed.
    Passed(Vec<String>),
    Failed(String),
    Skipped(String),
}

/// The number of cases by verdict.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl Sum {
    pub fn of<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Self {
        let mut sum = Self::default();
        for finding in findings {
            match finding.verdict {
                Verdict::Passed(_) => sum.passed += 1,
                Verdict::Failed(_) => sum.failed += 1,
                Verdict::Skipped(_) => sum.skipped += 1,
            }
        }
        sum
    }
}

impl std::fmt::Display for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}
