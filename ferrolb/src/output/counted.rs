//! Numbers with nouns.

use std::fmt::Display;

/// Returns a number with its noun, such as `1 prefix` or `2 prefixes`.
pub(crate) fn counted(
    number: impl Display + Copy + TryInto<u64>,
    singular: &str,
    plural: &str,
) -> String {
    let noun = if number.try_into().ok() == Some(1) { singular } else { plural };
    format!("{number} {noun}")
}
