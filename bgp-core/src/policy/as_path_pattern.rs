//! [`AsPathPattern`]: regular expressions over AS paths, as router configurations have them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use regex_lite::{Regex, RegexBuilder};

/// A regular expression over the text of an AS path, in the dialect of Cisco and FRR.
///
/// The text is that of [`AsPath`](crate::wire::AsPath): AS numbers with one space in between, the nearest first, and sets in
/// braces. An underscore matches a border of an AS number: the beginning or the end of the path, a space, a comma or a bracket. The
/// rest is the usual syntax of regular expressions; the pattern may match anywhere, unless `^` and `$` anchor it.
///
/// | pattern | paths |
/// | --- | --- |
/// | `^$` | empty |
/// | `^65001_` | through AS 65001 first |
/// | `_65001$` | originated by AS 65001 |
/// | `_65001_` | with AS 65001 somewhere |
/// | `^65001(_65001)*$` | only with AS 65001, any number of times |
///
/// Matching takes time in proportion to the length of the path, for every pattern: some microseconds for a usual one.
/// [`Match::FirstAs`](super::Match::FirstAs), [`Match::OriginAs`](super::Match::OriginAs) and
/// [`Match::PathContains`](super::Match::PathContains) take far less. Patterns that would need much memory are refused.
///
/// ```
/// use bgp_core::policy::AsPathPattern;
///
/// let pattern: AsPathPattern = "^65001_".parse()?;
/// assert!(pattern.matches(&"65001 65002".parse().unwrap()));
/// assert!(!pattern.matches(&"650010".parse().unwrap()));
/// let error = "^(65001".parse::<AsPathPattern>().unwrap_err();
/// assert!(error.to_string().starts_with("expected a regular expression for AS paths such as `^65001_`"));
/// # Ok::<(), bgp_core::policy::ParseAsPathPatternError>(())
/// ```
#[derive(Clone)]
pub struct AsPathPattern {
    compiled: Arc<Compiled>,
}

struct Compiled {
    pattern: String,
    regex: Regex,
}

impl AsPathPattern {
    /// Returns true if the pattern matches the path.
    #[must_use]
    pub fn matches(&self, path: &crate::wire::AsPath) -> bool {
        self.matches_text(&path.to_string())
    }

    /// Does the same with the text of a path.
    pub(super) fn matches_text(&self, path: &str) -> bool {
        self.compiled.regex.is_match(path)
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.compiled.pattern
    }
}

impl FromStr for AsPathPattern {
    type Err = ParseAsPathPatternError;

    fn from_str(pattern: &str) -> Result<Self, Self::Err> {
        if pattern.len() > LONGEST_PATTERN {
            return Err(ParseAsPathPatternError::TooLong);
        }
        let regex = RegexBuilder::new(&translated(pattern))
            .size_limit(LARGEST_PROGRAM)
            .build()
            .map_err(|error| ParseAsPathPatternError::Syntax(error.to_string()))?;
        Ok(Self { compiled: Arc::new(Compiled { pattern: pattern.to_owned(), regex }) })
    }
}

/// The pattern with what an underscore stands for in this syntax. Escaped characters stay, and within brackets an underscore
/// is one of the characters between AS numbers.
fn translated(pattern: &str) -> String {
    let mut translated = String::with_capacity(2 * pattern.len());
    let (mut is_escaped, mut is_class) = (false, false);
    for c in pattern.chars() {
        if is_escaped {
            is_escaped = false;
            translated.push(c);
            continue;
        }

        match c {
            '\\' => is_escaped = true,
            '[' => is_class = true,
            ']' => is_class = false,
            _ => {}
        }
        match (c, is_class) {
            ('_', false) => translated.push_str(BORDER),
            ('_', true) => translated.push_str(SEPARATORS),
            _ => translated.push(c),
        }
    }
    translated
}

/// The characters between AS numbers, within a class.
const SEPARATORS: &str = r" ,{}()\[\]";
const BORDER: &str = r"(?:^|$|[ ,{}()\[\]])";

/// The longest pattern in octets.
const LONGEST_PATTERN: usize = 1_024;
/// The most octets of a compiled pattern. Time is in proportion to it for each octet of a path, so it stays small.
const LARGEST_PROGRAM: usize = 64 * 1_024;

/// The text is not a pattern for AS paths.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseAsPathPatternError {
    /// It is not a regular expression, or one that would need too much memory.
    #[error("expected a regular expression for AS paths such as `^65001_`: {0}")]
    Syntax(String),
    /// It is longer than 1,024 octets.
    #[error("expected a regular expression for AS paths of at most 1,024 octets")]
    TooLong,
}

impl PartialEq for AsPathPattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for AsPathPattern {}

impl fmt::Debug for AsPathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsPathPattern").field(&self.as_str()).finish()
    }
}

impl fmt::Display for AsPathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Asn;
    use crate::wire::AsPath;

    #[test]
    fn an_underscore_is_a_border_of_an_as_number() {
        for (pattern, path, matches) in [
            ("^$", "", true),
            ("^$", "1", false),
            ("_65001_", "65001", true),
            ("_65001_", "1 65001 2", true),
            ("_65001_", "1 165001 2", false),
            ("_65001_", "1 {65001 2}", true),
            ("_65001_", "(65001) 2", true),
            ("_65001_", "[65001] 2", true),
            ("_65001$", "1 65001", true),
            ("_65001$", "65001 1", false),
            ("^65001_", "65001 1", true),
            ("^65001_65002_", "65001 65002 3", true),
            ("^65001(_65001)*$", "65001 65001 65001", true),
            ("^65001(_65001)*$", "65001 65001 65002", false),
            ("^1[0-9]_", "17 3", true),
            ("^1[_7]3$", "1 3", true),
            ("^1[_7]3$", "173", true),
            ("^[0-9]+$", "173", true),
            ("_(100|200)_", "1 200 3", true),
            (".*", "", true),
        ] {
            let compiled: AsPathPattern = pattern.parse().unwrap();
            let path: AsPath = path.parse().unwrap();
            assert_eq!(compiled.matches(&path), matches, "{pattern} {path}");
            assert_eq!(compiled.to_string(), pattern);
        }
    }

    #[test]
    fn a_pattern_that_is_wrong_or_too_large_is_refused_with_the_reason() {
        for wrong in ["(", "[", "*", "a{2", "\\", "(?<", "^(65001", "x{1000}{1000}{1000}"] {
            let error = wrong.parse::<AsPathPattern>().unwrap_err().to_string();
            assert!(error.starts_with("expected a regular expression for AS paths"), "{error}");
        }
        let long = "1".repeat(LONGEST_PATTERN + 1);
        assert_eq!(long.parse::<AsPathPattern>(), Err(ParseAsPathPatternError::TooLong));
        let nested = "(".repeat(500) + &")".repeat(500);
        assert!(nested.parse::<AsPathPattern>().is_err());
    }

    #[test]
    fn a_pattern_that_makes_other_engines_go_back_is_matched_on_a_path_of_thousands() {
        let pattern: AsPathPattern = "^([0-9]+_?)+x$".parse().unwrap();
        let path: AsPath = (0..5_000).map(|n| Asn(4_200_000_000 + n)).collect();
        assert!(!pattern.matches(&path));
    }
}
