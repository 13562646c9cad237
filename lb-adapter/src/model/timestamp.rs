//! Timestamps as Kubernetes writes them, which can be compared without a clock or a calendar.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

/// A time of RFC 3339, such as `2018-09-12T08:30:00Z`. Times compare by the instant, not by the text.
///
/// It displays in UTC, with a fraction only if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// The seconds since 1970-01-01T00:00:00Z, negative for earlier times.
    seconds: i64,
    /// The nanoseconds after that, plus one. This way an `Option` of a time needs no extra memory, and each of thousands
    /// of Services has one.
    nanoseconds: NonZeroU32,
}

impl Timestamp {
    /// The seconds since 1970-01-01T00:00:00Z, and the nanoseconds after that.
    pub(crate) fn parts(self) -> (i64, u32) {
        (self.seconds, self.nanoseconds.get() - 1)
    }

    pub(crate) fn from_parts((seconds, nanoseconds): (i64, u32)) -> Self {
        Self { seconds, nanoseconds: NonZeroU32::MIN.saturating_add(nanoseconds) }
    }
}

/// The error for a text that is not a time of RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a time such as 2018-09-12T08:30:00Z")]
#[non_exhaustive]
pub struct TimestampError;

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        parse(text).ok_or(TimestampError)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date_of(self.seconds.div_euclid(SECONDS_PER_DAY));
        let second = self.seconds.rem_euclid(SECONDS_PER_DAY);
        write!(f, "{year:04}-{month:02}-{day:02}T")?;
        write!(f, "{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)?;
        let (_, nanoseconds) = self.parts();
        if nanoseconds != 0 {
            let fraction = format!("{nanoseconds:09}");
            write!(f, ".{}", fraction.trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

/// Parses `YYYY-MM-DDThh:mm:ss[.fraction](Z|+hh:mm|-hh:mm)`.
fn parse(text: &str) -> Option<Timestamp> {
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let clock = rest.strip_prefix(['T', 't'])?;
    let (time, rest) = (clock.get(..8)?, clock.get(8..)?);
    let [year, month, day] = fields(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = fields(time, ':', [2, 2, 2])?;

    // RFC 3339 allows 60 for a leap second. It counts as the first second of the next minute.
    let valid = (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !valid {
        return None;
    }

    let (nanoseconds, zone) = fraction(rest)?;
    let seconds =
        days_since_1970(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second
            - offset(zone)?;
    Some(Timestamp::from_parts((seconds, nanoseconds)))
}

/// Parses three numbers with a separator between them. Each must have exactly the given number of digits.
fn fields(text: &str, separator: char, widths: [usize; 3]) -> Option<[i64; 3]> {
    let mut values = [0; 3];
    let mut parts = text.split(separator);
    for (value, width) in values.iter_mut().zip(widths) {
        let part = parts.next().filter(|part| part.len() == width)?;
        *value = digits(part)?;
    }
    parts.next().is_none().then_some(values)
}

fn digits(text: &str) -> Option<i64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Splits off `.digits` and returns it as nanoseconds, without digits beyond those.
fn fraction(text: &str) -> Option<(u32, &str)> {
    let Some(text) = text.strip_prefix('.') else { return Some((0, text)) };
    let end = text.find(|c: char| !c.is_ascii_digit()).filter(|end| *end > 0)?;
    let (fraction, rest) = text.split_at(end);

    let nanoseconds = fraction
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(9)
        .fold(0, |sum, byte| sum * 10 + u32::from(byte - b'0'));
    Some((nanoseconds, rest))
}

/// Returns the number of seconds by which local time is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.strip_prefix(['+', '-'])?.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Returns the days from 1970-01-01 in the Gregorian calendar. Years are counted from March, so that the leap day is the
/// last day of a year and the first day of a month is a linear function of its number.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + day_of_year - DAYS_TO_1970
}

/// The inverse of [`days_since_1970`]. Returns year, month and day.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_TO_1970;
    let era = days.div_euclid(DAYS_PER_400_YEARS);
    let day_of_era = days.rem_euclid(DAYS_PER_400_YEARS);
    // Without the leap days of the era, all years are equally long.
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = 400 * era + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

const SECONDS_PER_DAY: i64 = 86_400;
/// The days from 0000-03-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;
const DAYS_PER_400_YEARS: i64 = 146_097;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn displayed(text: &str) -> String {
        text.parse::<Timestamp>().unwrap().to_string()
    }

    #[test]
    fn times_are_displayed_in_utc() {
        assert_eq!(displayed("2018-09-12T08:30:00Z"), "2018-09-12T08:30:00Z");
        assert_eq!(displayed("2018-09-12T00:30:00+02:00"), "2018-09-11T22:30:00Z");
        assert_eq!(displayed("1969-12-31T23:59:59-00:30"), "1970-01-01T00:29:59Z");
        assert_eq!(displayed("2000-02-29T12:00:00.2500Z"), "2000-02-29T12:00:00.25Z");
        assert_eq!(displayed("0000-01-01T00:00:00Z"), "0000-01-01T00:00:00Z");
    }

    #[test]
    fn known_instants_have_the_known_number_of_seconds() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2001-09-09T01:46:40Z", 1_000_000_000),
            ("1969-12-31T23:59:59Z", -1),
            ("2016-12-31T23:59:60Z", 1_483_228_800),
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().seconds, seconds, "{text}");
        }
    }

    #[test]
    fn times_compare_by_the_instant_and_not_by_the_text() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        assert!(time("2018-09-12T09:00:00+02:00") < time("2018-09-12T08:30:00Z"));
        assert!(time("2018-09-12T08:30:00Z") < time("2018-09-12T08:30:00.1Z"));
    }

    #[test]
    fn invalid_times_are_refused() {
        for text in [
            "",
            "2018-09-12",
            "2018-09-12 08:30:00Z",
            "2018-13-12T08:30:00Z",
            "2018-02-29T08:30:00Z",
            "2018-09-12T24:00:00Z",
            "2018-09-12T08:30:00",
            "2018-09-12T08:30:00.Z",
            "2018-09-12T08:30:00+0200",
            "2018-09-12T08:30:00+-1:00",
            "+018-09-12T08:30:00Z",
            "2018-09-12T08:3é:00Z",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(TimestampError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_displayed_second_parses_back(seconds in -62_000_000_000_i64..250_000_000_000) {
            let time = Timestamp::from_parts((seconds, 0));
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }

        #[test]
        fn arbitrary_text_does_not_panic(text in ".{0,40}") {
            let _ = text.parse::<Timestamp>();
        }
    }
}
