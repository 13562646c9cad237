//! Times on the command line.

use std::time::Duration;

/// Reads a time such as `500ms`, `30s`, `1m`; a bare number is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => Some(1),
        "" | "s" => Some(1_000),
        "m" => Some(60_000),
        _ => None,
    };
    let time = number.parse::<u64>().ok().zip(factor);
    let time = time.and_then(|(number, factor)| number.checked_mul(factor));
    time.map(Duration::from_millis).ok_or_else(|| "expected a time such as 500ms, 30s or 1m".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_with_a_unit_or_in_seconds() {
        let seconds = |number| Ok(Duration::from_secs(number));
        assert_eq!(duration("30s"), seconds(30));
        assert_eq!(duration("30"), seconds(30));
        assert_eq!(duration("2m"), seconds(120));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for wrong in ["", "s", "-1s", "1h", "1.5s", "99999999999999999999s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
