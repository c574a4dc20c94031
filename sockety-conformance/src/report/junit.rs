//! The report as JUnit XML.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Finding, Verdict, tree::heading};
use crate::{case::Section, rules};

pub fn write(
    sections: &[Section],
    findings: &[Finding],
) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new("sockety-conformance");
    for section in sections {
        let mut suite = TestSuite::new(heading(section));
        let ours = findings
            .iter()
            .filter(|finding| finding.case.id.section == section.number);
        suite.add_test_cases(ours.map(test_case));
        if !suite.test_cases.is_empty() {
            report.add_test_suite(suite);
        }
    }
    report.set_time(
        findings
            .iter()
            .map(|finding| finding.time)
            .sum::<Duration>(),
    );
    report.to_string()
}

fn test_case(finding: &Finding) -> TestCase {
    let case = &finding.case;
    let (status, output) = match &finding.verdict {
        Verdict::Passed(warnings) => (TestCaseStatus::success(), warnings.join("\n")),
        Verdict::Skipped(why) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(why.as_str());
            (status, String::new())
        }
        Verdict::Failed(why) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(why.as_str()).set_type(case.rule);
            (status, rules::text(case.rule).unwrap_or_default())
        }
    };
    let mut test = TestCase::new(format!("{} {}", case.id, case.title), status);
    test.set_classname(case.rule).set_time(finding.time);
    if !output.is_empty() {
        test.set_system_out(output);
    }
    test
}
