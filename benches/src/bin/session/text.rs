//! Numbers as text, for labels and tables.

/// `1000000` as `1,000,000`.
pub(crate) fn count_words(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Two or three significant digits: `0.0123`, `1.23`, `12.3`, `123`.
pub(crate) fn figure(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.0995 => 2,
        size if size >= 0.00995 => 3,
        size if size > 0.0 => 4,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_separators() {
        assert_eq!([7, 1_000, 12_345_678].map(count_words), ["7", "1,000", "12,345,678"]);
    }

    #[test]
    fn figures_have_as_many_decimals_as_they_need() {
        let figures = [123.4, 12.34, 1.234, 0.1234, 0.01234, 0.001_234, 0.0].map(figure);
        assert_eq!(figures, ["123", "12.3", "1.23", "0.12", "0.012", "0.0012", "0"]);
    }
}
