//! Octets in hexadecimal.

use std::fmt::Write as _;

/// Parses octets in hexadecimal. White space and colons are skipped.
///
/// # Errors
///
/// The first character that is not a digit, or a missing digit.
pub(super) fn parse(text: &str) -> Result<Vec<u8>, String> {
    let mut octets = Vec::with_capacity(text.len() / 2);
    let mut high = None;
    for (position, character) in text.char_indices() {
        if character.is_whitespace() || character == ':' {
            continue;
        }

        let digit = character.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let digit = digit
            .ok_or_else(|| format!("{character:?} at {position}: expected a hexadecimal digit"))?;
        match high.take() {
            None => high = Some(digit),
            Some(high) => octets.push(high << 4 | digit),
        }
    }

    if high.is_some() {
        return Err("an odd number of digits: expected two for each octet".to_owned());
    }
    Ok(octets)
}

/// Returns two digits for each octet, without blanks.
#[must_use]
pub(super) fn print(octets: &[u8]) -> String {
    let mut text = String::with_capacity(2 * octets.len());
    for octet in octets {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
    }
    text
}
