//! The report as text: sections with their cases, then the sums.

use std::fmt::{self, Display, Write};

use super::{Finding, Sum, Verdict};
use crate::{case::Section, rules};

/// Writes the findings, which are in the order of the cases.
pub fn write(out: &mut impl Write, sections: &[Section], findings: &[Finding]) -> fmt::Result {
    for section in sections {
        let findings = of(section, findings);
        if findings.is_empty() {
            continue;
        }
        writeln!(out, "{}", heading(section))?;
        for finding in findings {
            write_finding(out, finding)?;
        }
        writeln!(out)?;
    }
    for section in sections {
        let findings = of(section, findings);
        if !findings.is_empty() {
            writeln!(out, "{:<28}{}", heading(section), Sum::of(findings))?;
        }
    }
    writeln!(out, "{:<28}{}", "all", Sum::of(findings))
}

/// A section's number and title.
pub fn heading(section: &Section) -> String {
    format!(
        "{} {}",
        crate::case::section_name(section.number),
        section.title
    )
}

fn of<'a>(section: &Section, findings: &'a [Finding]) -> Vec<&'a Finding> {
    findings
        .iter()
        .filter(|finding| finding.case.id.section == section.number)
        .collect()
}

fn write_finding(out: &mut impl Write, finding: &Finding) -> fmt::Result {
    let Finding { case, verdict, .. } = finding;
    let line = |sign| {
        format!(
            "  {sign} {:<6}{} ({})",
            case.id.to_string(),
            case.title,
            case.rule
        )
    };
    match verdict {
        Verdict::Passed(warnings) => {
            writeln!(out, "{}", line("pass"))?;
            warnings
                .iter()
                .try_for_each(|warning| detail(out, "warning", warning))
        }
        Verdict::Skipped(why) => {
            writeln!(out, "{}", line("skip"))?;
            detail(out, "because", why)
        }
        Verdict::Failed(why) => {
            writeln!(out, "{}", line("FAIL"))?;
            detail(out, "found", why)?;
            detail(out, case.rule, rules::text(case.rule).unwrap_or_default())
        }
    }
}

fn detail(out: &mut impl Write, what: &str, text: impl Display) -> fmt::Result {
    writeln!(out, "              {what}: {text}")
}
