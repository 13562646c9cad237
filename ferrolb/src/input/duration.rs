//! Durations on the command line.

use std::time::Duration;

/// Parses a duration such as `500ms`, `30s` or `1m`. A bare number is in seconds.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    const EXPECTED: &str = "expected a duration such as 500ms, 30s or 1m";

    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| EXPECTED)?;
    let unit_millis = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        _ => return Err(EXPECTED.to_owned()),
    };

    let millis = number.checked_mul(unit_millis).ok_or(EXPECTED)?;
    Ok(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit_or_is_in_seconds() {
        let seconds = |number| Ok(Duration::from_secs(number));
        assert_eq!(parse_duration("30s"), seconds(30));
        assert_eq!(parse_duration("30"), seconds(30));
        assert_eq!(parse_duration("2m"), seconds(120));
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        for wrong in ["", "s", "-1s", "1h", "1.5s", "99999999999999999999s"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
