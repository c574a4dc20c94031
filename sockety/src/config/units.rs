//! Durations and sizes: numbers with units, such as `2s`, `1m30s` and `1 MiB`.
//!
//! Configuration and the arguments of `#[action]` accept the same texts: a test compares this file
//! with its copy in the other crate.

pub(super) const TIMES: &[(&str, u64)] = &[
    ("ms", 1),
    ("s", 1000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

pub(super) const SIZES: &[(&str, u64)] = &[
    ("B", 1),
    ("KB", 1000),
    ("MB", 1000 * 1000),
    ("GB", 1000 * 1000 * 1000),
    ("TB", 1000 * 1000 * 1000 * 1000),
    ("KiB", 1024),
    ("MiB", 1024 * 1024),
    ("GiB", 1024 * 1024 * 1024),
    ("TiB", 1024 * 1024 * 1024 * 1024),
];

/// Why a text was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is no number with a unit.
    Malformed,
    /// It exceeds `u64`.
    TooLarge,
}

/// Parses whole numbers, each followed by one of `units`, the larger units first. Returns the sum.
pub(super) fn parse(text: &str, units: &[(&str, u64)]) -> Result<u64, Unread> {
    let (mut rest, mut sum, mut last) = (text, 0_u64, u64::MAX);
    loop {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit());
        let (number, more) = rest.split_at(digits.filter(|at| *at > 0).ok_or(Unread::Malformed)?);
        let more = more.trim_start();
        let letters = more.find(|letter: char| !letter.is_ascii_alphabetic());
        let (unit, more) = more.split_at(letters.unwrap_or(more.len()));
        let known = units
            .iter()
            .find(|(known, factor)| *known == unit && *factor < last);
        let (_, factor) = known.ok_or(Unread::Malformed)?;
        let product = number
            .parse()
            .ok()
            .and_then(|number: u64| number.checked_mul(*factor));
        let more_than_before = product.and_then(|product| sum.checked_add(product));
        sum = more_than_before.ok_or(Unread::TooLarge)?;
        (rest, last) = (more.trim(), *factor);
        if rest.is_empty() {
            return Ok(sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SIZES, TIMES, Unread, parse};

    #[test]
    fn a_number_has_a_unit() {
        assert_eq!(parse("500ms", TIMES), Ok(500));
        assert_eq!(parse("2s", TIMES), Ok(2000));
        assert_eq!(parse("2 m", TIMES), Ok(120_000));
        assert_eq!(parse("1h", TIMES), Ok(3_600_000));
        assert_eq!(parse("1d", TIMES), Ok(86_400_000));
        assert_eq!(parse("1 MiB", SIZES), Ok(1 << 20));
        assert_eq!(parse("1MB", SIZES), Ok(1_000_000));
        assert_eq!(parse("3 TiB", SIZES), Ok(3 << 40));
        assert_eq!(parse("2 TB", SIZES), Ok(2_000_000_000_000));
        assert_eq!(parse("7 B", SIZES), Ok(7));
    }

    #[test]
    fn several_are_added() {
        assert_eq!(parse("1m30s", TIMES), Ok(90_000));
        assert_eq!(parse("1d 12h 5ms", TIMES), Ok(129_600_005));
        assert_eq!(parse("1 GiB 512 MiB", SIZES), Ok(1536 << 20));
    }

    #[test]
    fn anything_else_is_malformed() {
        for text in [
            "", "2", "s", "2w", "-2s", "2.5s", "2 S", "1 mib", " 2s", "30s1m", "1s1s", "1m30",
            "1m 30", "1m,30s", "1m-30s",
        ] {
            assert_eq!(parse(text, TIMES), Err(Unread::Malformed), "{text}");
            assert_eq!(parse(text, SIZES), Err(Unread::Malformed), "{text}");
        }
    }

    #[test]
    fn what_exceeds_the_number_is_too_large() {
        for text in [
            "99999999999 GiB",
            "99999999999999999999 B",
            "16777215 TiB 1024 GiB",
        ] {
            assert_eq!(parse(text, SIZES), Err(Unread::TooLarge), "{text}");
        }
        assert_eq!(
            parse("16777215 TiB 1023 GiB", SIZES),
            Ok(u64::MAX - (1 << 30) + 1)
        );
        assert_eq!(parse("213503982335d", TIMES), Err(Unread::TooLarge));
    }
}
