//! Reasons on one line: they quote names and values that may hold any character.

/// Returns a text with its control characters escaped, so that it breaks no line and no terminal obeys it.
///
/// ```
/// assert_eq!(lb_adapter::one_line("no Service a\nb"), r"no Service a\nb");
/// ```
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_debug());
        } else {
            line.push(character);
        }
    }
    line
}
