//! The texts of the rules of the protocol, for reports.

/// The protocol, which reports quote. Nothing else is shared with an implementation.
const PROTOCOL: &str = include_str!("../../sockety-codec/PROTOCOL.md");
const THREATS: &str = include_str!("../../docs/THREATS.md");

/// The text of a rule of the protocol or of a row of the threats. `None` if the id is unknown.
pub fn text(id: &str) -> Option<String> {
    rule(id).or_else(|| threat(id))
}

fn rule(id: &str) -> Option<String> {
    let marker = format!("\nr[{id}]\n");
    let (_, after) = PROTOCOL.split_once(&marker)?;
    let lines = after.lines().take_while(|line| !line.is_empty());
    Some(lines.collect::<Vec<_>>().join(" "))
}

fn threat(id: &str) -> Option<String> {
    let row = THREATS
        .lines()
        .find(|line| line.starts_with(&format!("| {id} |")))?;
    let mut cells = row.split(" | ").skip(1);
    Some(format!("{}: {}", cells.next()?, cells.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases;

    #[test]
    fn every_case_quotes_a_rule_that_exists() {
        for case in cases::all().iter().flat_map(|section| &section.cases) {
            assert!(
                text(case.rule).is_some(),
                "{} quotes {}",
                case.id,
                case.rule
            );
        }
    }
}
