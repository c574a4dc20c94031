//! Numbers that are written in another form: integers as texts or as floats.

use serde::de::Visitor;

use crate::error::Error;

pub(crate) enum Integer {
    Unsigned(u64),
    Signed(i64),
}

/// The integer that JavaScript would write as this text.
pub(crate) fn integer(text: &str) -> Option<Integer> {
    if !is_decimal(text) {
        return None;
    }
    match text.parse() {
        Ok(number) => Some(Integer::Unsigned(number)),
        Err(_) => text.parse().ok().map(Integer::Signed),
    }
}

/// Whether a text is an integer as JavaScript writes it, so that no other text is the same number.
pub(crate) fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    text == "0"
        || digits.starts_with(|first| matches!(first, '1'..='9'))
            && digits.bytes().all(|digit| digit.is_ascii_digit())
}

/// Whether an integer is the same number. Negative zero is not: it would lose its sign.
pub(crate) fn is_integer(float: f64) -> bool {
    float.trunc() == float
        && (-TWO_TO_63..TWO_TO_64).contains(&float)
        && (float != 0.0 || float.is_sign_positive())
}

/// Passes a whole float on as an integer, and any other float unchanged, so that the visitor names
/// it in its message.
pub(crate) fn visit_float_as_integer<'de, V: Visitor<'de>>(
    visitor: V,
    float: f64,
) -> Result<V::Value, Error> {
    if float.trunc() != float {
        return visitor.visit_f64(float);
    }
    // The casts are exact within these ranges, whose limits are powers of two and exact too.
    if (0.0..TWO_TO_64).contains(&float) {
        visitor.visit_u64(float as u64)
    } else if (-TWO_TO_63..0.0).contains(&float) {
        visitor.visit_i64(float as i64)
    } else {
        visitor.visit_f64(float)
    }
}

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
