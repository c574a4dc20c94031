//! Dates and times as text. The calendar is that of Gregory for all years.

use std::fmt;

/// A date and time in UTC.
pub(crate) struct Civil {
    pub(crate) year: i64,
    month: i64,
    day: i64,
    /// Hour, minute, second.
    pub(crate) clock: [i64; 3],
}

const DAY: i64 = 86_400;

impl Civil {
    pub(crate) fn of(seconds: i64) -> Self {
        let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
        let (year, month, day) = date(days);
        Self {
            year,
            month,
            day,
            clock: [second / 3600, second / 60 % 60, second % 60],
        }
    }

    /// January 1 is day 1.
    pub(crate) fn day_of_year(&self) -> i64 {
        days(self.year, self.month, self.day) - days(self.year, 1, 1) + 1
    }
}

// The year begins in March here, so that the leap day is its last one. 400 years, an era, have
// 146,097 days; eras begin on 0000-03-01, 719,468 days before 1970.

/// The date of a day, counted from 1970-01-01.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// The day of a date, counted from 1970-01-01.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let month = (month + 9) % 12;
    let day = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + year * 365 + year / 4 - year / 100 + day - 719_468
}

/// Writes a moment.
pub(crate) fn write(seconds: i64, nanoseconds: u32, into: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Civil {
        year,
        month,
        day,
        clock: [hour, minute, second],
    } = Civil::of(seconds);
    match year {
        0..=9999 => write!(into, "{year:04}")?,
        _ => write!(into, "{year:+05}")?,
    }
    write!(
        into,
        "-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
    )?;
    if nanoseconds != 0 {
        let digits = format!("{nanoseconds:09}");
        write!(into, ".{}", digits.trim_end_matches('0'))?;
    }
    into.write_str("Z")
}

/// Reads a moment: seconds and nanoseconds since 1970.
pub(crate) fn read(text: &str) -> Option<(i64, u32)> {
    let mut text = text.as_bytes();
    let year = match text.first()? {
        sign @ (b'+' | b'-') => {
            let sign = if *sign == b'-' { -1 } else { 1 };
            let digits = text.get(1..)?.iter().position(|&byte| byte == b'-')?;
            text = text.get(1..)?;
            // More digits are years that no timestamp reaches.
            let (4..=12) = digits else { return None };
            sign * number(&mut text, digits)?
        }
        _ => number(&mut text, 4)?,
    };
    take(&mut text, b"-")?;
    let month = number(&mut text, 2)?;
    take(&mut text, b"-")?;
    let day = number(&mut text, 2)?;
    take(&mut text, b"Tt ")?;
    let hour = number(&mut text, 2)?;
    take(&mut text, b":")?;
    let minute = number(&mut text, 2)?;
    take(&mut text, b":")?;
    let second = number(&mut text, 2)?;
    let nanoseconds = match take(&mut text, b".") {
        Some(_) => fraction(&mut text)?,
        None => 0,
    };
    let offset = match take(&mut text, b"Zz+-")? {
        b'Z' | b'z' => 0,
        sign => {
            let hours = number(&mut text, 2)?;
            take(&mut text, b":")?;
            let minutes = number(&mut text, 2)?;
            let (0..=23, 0..=59) = (hours, minutes) else {
                return None;
            };
            let offset = hours * 3600 + minutes * 60;
            if sign == b'-' { -offset } else { offset }
        }
    };
    let (1..=12, 1..=31, 0..=23, 0..=59, 0..=60) = (month, day, hour, minute, second) else {
        return None;
    };
    let date_days = days(year, month, day);
    if !text.is_empty() || date(date_days) != (year, month, day) {
        return None;
    }
    let second_of_day = hour * 3600 + minute * 60 + second - offset;
    let seconds = i128::from(date_days) * i128::from(DAY) + i128::from(second_of_day);
    Some((i64::try_from(seconds).ok()?, nanoseconds))
}

fn take(text: &mut &[u8], any_of: &[u8]) -> Option<u8> {
    let (&first, rest) = text.split_first()?;
    any_of.contains(&first).then(|| {
        *text = rest;
        first
    })
}

fn number(text: &mut &[u8], digits: usize) -> Option<i64> {
    let (number, rest) = text.split_at_checked(digits)?;
    *text = rest;
    number.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + i64::from(digit - b'0'))
    })
}

/// The nanoseconds of digits after a point.
fn fraction(text: &mut &[u8]) -> Option<u32> {
    let digits = text
        .iter()
        .take_while(|digit| digit.is_ascii_digit())
        .count();
    let (fraction, rest) = text.split_at_checked(digits)?;
    *text = rest;
    let digit = |index| {
        fraction
            .get(index)
            .map_or(0, |digit| u32::from(digit - b'0'))
    };
    (digits > 0).then(|| (0..9).fold(0, |number, index| number * 10 + digit(index)))
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::timestamp::Timestamp;

    fn check(text: &str, seconds: i64, nanoseconds: u32) {
        assert_eq!(read(text), Some((seconds, nanoseconds)), "{text}");
        let timestamp = Timestamp::new(seconds, nanoseconds).expect("valid");
        assert_eq!(timestamp.to_string(), text);
    }

    #[test]
    fn moments_are_written_as_they_are_read() {
        check("1970-01-01T00:00:00Z", 0, 0);
        check("2023-11-14T22:13:20.123Z", 1_700_000_000, 123_000_000);
        check("1969-12-31T23:59:59.999999999Z", -1, 999_999_999);
        check("2000-02-29T00:00:00Z", 951_782_400, 0);
        check("0000-01-01T00:00:00Z", -62_167_219_200, 0);
        check("9999-12-31T23:59:59Z", 253_402_300_799, 0);
        check("+10000-01-01T00:00:00Z", 253_402_300_800, 0);
        check("-0001-12-31T23:59:59Z", -62_167_219_201, 0);
        check("+292277026596-12-04T15:30:07Z", i64::MAX, 0);
        check("-292277022657-01-27T08:29:52Z", i64::MIN, 0);
    }

    #[test]
    fn every_day_of_several_centuries_is_the_day_that_it_was() {
        for day in (-800_000..400_000).step_by(37) {
            let text = Timestamp::new(day * 86_400 + 7, 0)
                .expect("valid")
                .to_string();
            assert_eq!(read(&text), Some((day * 86_400 + 7, 0)), "{text}");
        }
    }

    #[test]
    fn other_forms_of_the_same_moment_are_read() {
        for text in [
            "2023-11-14t22:13:20z",
            "2023-11-14 22:13:20Z",
            "2023-11-14T23:43:20+01:30",
            "2023-11-14T17:13:20.0-05:00",
            "2023-11-14T22:13:20.0000000009Z",
        ] {
            assert_eq!(read(text), Some((1_700_000_000, 0)), "{text}");
        }
        assert_eq!(read("2016-12-31T23:59:60Z"), Some((1_483_228_800, 0)));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "2023-11-14",
            "2023-11-14T22:13:20",
            "2023-11-14T22:13:20.Z",
            "2023-11-14T22:13:20ZZ",
            "2023-11-14T24:00:00Z",
            "2023-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-00-01T00:00:00Z",
            "2023-1-01T00:00:00Z",
            "23-11-14T22:13:20Z",
            "2023-11-14T22:13:20+24:00",
            "+292277026597-01-01T00:00:00Z",
            "+9999999999999-01-01T00:00:00Z",
            "+-123-01-01T00:00:00Z",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
