//! Durations in Go's notation, which MetalLB's configuration uses.

use std::time::Duration;

/// The reason why a text is not a duration. It completes a sentence that begins with the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DurationError {
    #[error("has a number without a unit")]
    NoUnit,
    #[error("has a unit other than h, m, s, ms, us or ns")]
    UnknownUnit,
    #[error("is negative")]
    Negative,
    #[error("is too long")]
    TooLong,
    #[error("is not a duration")]
    Syntax,
}

/// Reads `90s`, `1m30s` or `1.5h`. A lone `0` is the only number that needs no unit.
pub(crate) fn parse(text: &str) -> Result<Duration, DurationError> {
    let (is_negative, mut rest) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(DurationError::Syntax);
    }

    let mut nanoseconds = 0_u128;
    while !rest.is_empty() {
        let (term, after) = term(rest)?;
        nanoseconds = nanoseconds.checked_add(term).ok_or(DurationError::TooLong)?;
        rest = after;
    }

    // Go keeps a duration in 63 bits of nanoseconds, about 292 years.
    let nanoseconds = u64::try_from(nanoseconds).map_err(|_| DurationError::TooLong)?;
    if is_negative && nanoseconds > 0 {
        return Err(DurationError::Negative);
    }
    if nanoseconds > GO_MAX {
        return Err(DurationError::TooLong);
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Splits off the first number with its unit, and returns it in nanoseconds with the rest of the text.
fn term(text: &str) -> Result<(u128, &str), DurationError> {
    let (whole, rest) = split_digits(text);
    let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), split_digits);
    if whole.is_empty() && fraction.is_empty() {
        return Err(DurationError::Syntax);
    }

    let end = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(end);
    let unit = match unit {
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "" => return Err(DurationError::NoUnit),
        _ => return Err(DurationError::UnknownUnit),
    };
    let whole = if whole.is_empty() { 0 } else { number(whole)? };

    // Fractions of a nanosecond are cut off, so that more digits than this change nothing.
    let fraction = fraction.get(..FRACTION_DIGITS).unwrap_or(fraction);
    let scale = 10_u128.pow(u32::try_from(fraction.len()).unwrap_or(0));
    let fraction = if fraction.is_empty() { 0 } else { number(fraction)? * unit / scale };

    let whole = whole.checked_mul(unit).ok_or(DurationError::TooLong)?;
    Ok((whole + fraction, rest))
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// Reads a number that consists of digits only. It may be too large.
fn number(digits: &str) -> Result<u128, DurationError> {
    digits.parse::<u64>().map(u128::from).map_err(|_| DurationError::TooLong)
}

const GO_MAX: u64 = i64::MAX.unsigned_abs();
const FRACTION_DIGITS: usize = 15;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_in_go_notation_are_read() {
        for (text, milliseconds) in [
            ("0", 0),
            ("90s", 90_000),
            ("1m30s", 90_000),
            ("1.5h", 5_400_000),
            (".5s", 500),
            ("2.s", 2_000),
            ("500ms", 500),
            ("+3s", 3_000),
            ("1h1m1s1ms", 3_661_001),
            ("1500000us", 1_500),
            ("-0s", 0),
            ("1.00000000000000000000000000001s", 1_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn a_text_that_is_not_a_duration_gets_the_reason() {
        for (text, error) in [
            ("", DurationError::Syntax),
            ("-", DurationError::Syntax),
            ("120", DurationError::NoUnit),
            ("1m30", DurationError::NoUnit),
            ("90 s", DurationError::UnknownUnit),
            ("2d", DurationError::UnknownUnit),
            ("s", DurationError::Syntax),
            (".s", DurationError::Syntax),
            ("-3s", DurationError::Negative),
            ("9999999999h", DurationError::TooLong),
            ("99999999999999999999s", DurationError::TooLong),
            ("9223372036854775808ns", DurationError::TooLong),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_does_not_panic(text in "[-+0-9.hmsnuµ ]{0,60}") {
            let _ = parse(&text);
        }

        #[test]
        fn terms_are_summed(hours in 0_u64..1000, minutes in 0_u64..1000, ns in any::<u32>()) {
            let expected = Duration::from_secs(hours * 3600 + minutes * 60)
                + Duration::from_nanos(ns.into());
            prop_assert_eq!(parse(&format!("{hours}h{minutes}m{ns}ns")), Ok(expected));
        }
    }
}
