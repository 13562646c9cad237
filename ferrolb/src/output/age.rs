//! Durations for people, such as `1d 3h`.

use ferrolb_api::Timestamp;

/// Returns a duration with its two largest units.
pub(crate) fn age(seconds: f64) -> String {
    // The conversion saturates.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let seconds = seconds.max(0.0) as u64;
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);

    if days > 0 {
        format!("{days}d {hours}h")
    } else if hours > 0 {
        format!("{hours}h {minutes}m")
    } else if minutes > 0 {
        format!("{minutes}m {seconds}s")
    } else {
        format!("{seconds}s")
    }
}

/// Returns the age of a time, such as `5m 3s ago`. A time that is not past is now, since clocks differ a little.
pub(crate) fn ago(time: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(time.as_second()).max(0);
    #[expect(clippy::cast_precision_loss, reason = "the age of a process")]
    let seconds = seconds as f64;
    format!("{} ago", age(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_its_two_largest_units() {
        let ages = [0.4, 59.9, 60.0, 3_599.0, 7_260.0, 86_399.0, 97_200.0, 8_640_000.0, -3.0];
        let expected =
            ["0s", "59s", "1m 0s", "59m 59s", "2h 1m", "23h 59m", "1d 3h", "100d 0h", "0s"];
        assert_eq!(ages.map(age), expected);
        let time = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(ago(time(100), time(163)), "1m 3s ago");
        assert_eq!(ago(time(163), time(100)), "0s ago");
    }
}
