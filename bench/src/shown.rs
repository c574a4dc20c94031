//! Figures as text.

use crate::{
    figures::Spread,
    plan::Placement,
    workload::{Case, Workload},
};

/// A workload with what tells its case from others.
pub fn case(case: &Case) -> String {
    let detail = case.detail();
    let separator = if detail.is_empty() { "" } else { ", " };
    format!(
        "{:?} {}{separator}{detail}",
        case.workload,
        case.workload.title()
    )
}

pub fn cores(placement: Placement) -> &'static str {
    match placement {
        Placement::Free => "free",
        Placement::One => "one",
    }
}

/// How values of a workload are written: what they are divided by, their unit, and digits after the point.
fn unit(workload: Workload) -> (f64, &'static str, usize) {
    match workload {
        Workload::W4 => (1e6, "M/s", 2),
        Workload::W5 | Workload::W6 | Workload::W9 => (1.0, "MiB/s", 0),
        Workload::T4 => (1.0, "/s", 0),
        Workload::W7 | Workload::W15 => (1024.0, "KiB", 1),
        _ => (1e3, "k/s", 1),
    }
}

pub fn value(workload: Workload, value: f64) -> String {
    let (divisor, unit, digits) = unit(workload);
    format!("{:.digits$} {unit}", value / divisor)
}

/// A value with its spread.
pub fn values(workload: Workload, values: Spread) -> String {
    let (divisor, unit, digits) = unit(workload);
    let Spread {
        median,
        least,
        most,
    } = values.divided_by(divisor);
    format!("{median:.digits$} {unit} ({least:.digits$}–{most:.digits$})")
}

/// A ratio with its spread.
pub fn ratio(ratio: Spread) -> String {
    let Spread {
        median,
        least,
        most,
    } = ratio;
    format!("{median:.2} ({least:.2}–{most:.2})")
}

pub fn duration(nanoseconds: f64) -> String {
    match nanoseconds {
        few if few < 1e4 => format!("{few:.0} ns"),
        some if some < 1e7 => format!("{:.1} µs", some / 1e3),
        many => format!("{:.1} ms", many / 1e6),
    }
}
