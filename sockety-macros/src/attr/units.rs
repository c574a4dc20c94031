//! Durations and sizes: numbers with units, such as `"2s"` and `"1 MiB"`.

use syn::LitStr;

const TIMES: &[(&str, u64)] = &[("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];

const SIZES: &[(&str, u64)] = &[
    ("B", 1),
    ("KB", 1000),
    ("MB", 1000 * 1000),
    ("GB", 1000 * 1000 * 1000),
    ("KiB", 1024),
    ("MiB", 1024 * 1024),
    ("GiB", 1024 * 1024 * 1024),
];

pub(super) fn milliseconds(text: &LitStr) -> syn::Result<u64> {
    let instead = "write a number and a unit, as in `\"500ms\"`, `\"2s\"`, `\"5m\"` or `\"1h\"`";
    match parse(&text.value(), TIMES) {
        // A timeout of zero would end every call before its reply could arrive.
        Some(0) => Err(error(text, "duration must not be zero", instead)),
        Some(time) => Ok(time),
        None => Err(error(text, &invalid("duration", text), instead)),
    }
}

pub(super) fn bytes(text: &LitStr) -> syn::Result<u64> {
    let instead = "write a number and a unit, as in `\"512 B\"` or `\"1 MiB\"`; units are B, KB, MB, GB \
                   (powers of 1000) and KiB, MiB, GiB (powers of 1024), and the maximum is 2^64 - 1 bytes";
    parse(&text.value(), SIZES).ok_or_else(|| error(text, &invalid("size", text), instead))
}

fn invalid(what: &str, text: &LitStr) -> String {
    format!("invalid {what} {:?}", text.value())
}

fn error(text: &LitStr, mistake: &str, instead: &str) -> syn::Error {
    syn::Error::new_spanned(text, format!("{mistake}: {instead}"))
}

/// Parses a whole number followed by one of `units`. Returns `None` if the product exceeds `u64`.
fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
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
