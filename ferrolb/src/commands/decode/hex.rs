//! Octets as text.

/// Reads octets written as hexadecimal digits; white space and colons between octets are skipped.
///
/// # Errors
///
/// A sentence that names the first character that is no digit, or says that one is missing.
pub(super) fn parse(text: &str) -> Result<Vec<u8>, String> {
    let mut octets = Vec::with_capacity(text.len() / 2);
    let mut high = None;
    for (at, character) in text.char_indices() {
        if character.is_whitespace() || character == ':' {
            continue;
        }
        let digit = character
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
            .ok_or_else(|| format!("{character:?} at {at}: expected a hexadecimal digit"))?;
        match high.take() {
            None => high = Some(digit),
            Some(high) => octets.push(high << 4 | digit),
        }
    }
    match high {
        None => Ok(octets),
        Some(_) => Err("an odd number of digits: expected two for each octet".to_owned()),
    }
}

/// Two digits for each octet, without anything between.
#[must_use]
pub(super) fn print(octets: &[u8]) -> String {
    use std::fmt::Write as _;
    octets.iter().fold(String::with_capacity(2 * octets.len()), |mut text, octet| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}
