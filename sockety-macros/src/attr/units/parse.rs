//! Durations and sizes: numbers with units, such as `2s` and `1 MiB`.
//!
//! Configuration and the arguments of `#[action]` accept the same texts: a test compares this file
//! with its copy in the other crate.

pub(super) const TIMES: &[(&str, u64)] = &[("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];

pub(super) const SIZES: &[(&str, u64)] = &[
    ("B", 1),
    ("KB", 1000),
    ("MB", 1000 * 1000),
    ("GB", 1000 * 1000 * 1000),
    ("KiB", 1024),
    ("MiB", 1024 * 1024),
    ("GiB", 1024 * 1024 * 1024),
];

/// Parses a whole number followed by one of `units`. Returns `None` if the product exceeds `u64`.
pub(super) fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(known, _)| *known == unit.trim())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::{SIZES, TIMES, parse};

    #[test]
    fn a_number_has_a_unit() {
        assert_eq!(parse("500ms", TIMES), Some(500));
        assert_eq!(parse("2s", TIMES), Some(2000));
        assert_eq!(parse("2 m", TIMES), Some(120_000));
        assert_eq!(parse("1h", TIMES), Some(3_600_000));
        assert_eq!(parse("1 MiB", SIZES), Some(1 << 20));
        assert_eq!(parse("1MB", SIZES), Some(1_000_000));
        assert_eq!(parse("7 B", SIZES), Some(7));
    }

    #[test]
    fn anything_else_is_none() {
        for text in ["", "2", "s", "2d", "-2s", "2.5s", "2 S", "1 mib", " 2s"] {
            assert_eq!(parse(text, TIMES), None, "{text}");
            assert_eq!(parse(text, SIZES), None, "{text}");
        }
        assert_eq!(parse("99999999999 GiB", SIZES), None);
    }
}
