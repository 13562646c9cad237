//! Paths as text: `65001 65002 {1 2}`, the nearest AS first.

use std::fmt;
use std::str::FromStr;

use crate::types::Asn;

use super::{AsPath, AsPathSegment, AsPathView, SegmentType};

impl SegmentType {
    /// The text before and after the segment.
    const fn brackets(self) -> (&'static str, &'static str) {
        match self {
            Self::Sequence => ("", ""),
            Self::Set => ("{", "}"),
            Self::ConfedSequence => ("(", ")"),
            Self::ConfedSet => ("[", "]"),
        }
    }
}

impl fmt::Display for AsPath {
    /// AS numbers, the nearest first: sets in braces, confederation segments in parentheses and brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_segments(
            f,
            self.segments.iter().map(|segment| (segment.kind, segment.asns.iter().copied())),
        )
    }
}

impl fmt::Display for AsPathView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_segments(f, self.segments().map(|segment| (segment.kind, segment.asns)))
    }
}

/// Reads the format that [`Display`](fmt::Display) writes. Within brackets it also accepts commas as separators, as other
/// programs write them. Adjacent numbers become one sequence: the text does not show the border between two sequences.
///
/// ```
/// use bgp_core::wire::AsPath;
/// let path: AsPath = "(64512) 65001 65002 {1,2}".parse()?;
/// assert_eq!(path.to_string(), "(64512) 65001 65002 {1 2}");
/// assert_eq!(path.hop_count(), 3);
/// # Ok::<(), bgp_core::wire::ParseAsPathError>(())
/// ```
impl FromStr for AsPath {
    type Err = ParseAsPathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut segments = Vec::new();
        let mut rest = text.trim_ascii();
        while let Some(first) = rest.chars().next() {
            let bracketed = [SegmentType::Set, SegmentType::ConfedSequence, SegmentType::ConfedSet]
                .into_iter()
                .find(|kind| kind.brackets().0.starts_with(first));

            let (kind, inside, after) = match bracketed {
                Some(kind) => {
                    let (_, closing) = kind.brackets();
                    let (inside, after) =
                        rest.split_at(1).1.split_once(closing).ok_or(ParseAsPathError)?;
                    (kind, inside, after)
                }
                None => {
                    let end = rest.find(['{', '(', '[']).unwrap_or(rest.len());
                    let (inside, after) = rest.split_at(end);
                    (SegmentType::Sequence, inside, after)
                }
            };

            segments.push(AsPathSegment { kind, asns: parse_asns(inside, kind)? });
            rest = after.trim_ascii_start();
        }
        Ok(Self { segments })
    }
}

/// Parses the AS numbers of a segment, at least one.
fn parse_asns(text: &str, kind: SegmentType) -> Result<Vec<Asn>, ParseAsPathError> {
    let allows_commas = kind != SegmentType::Sequence;
    let mut asns = Vec::new();
    for word in text.split(|c: char| c.is_ascii_whitespace() || c == ',' && allows_commas) {
        if !word.is_empty() {
            asns.push(word.parse().map_err(|_| ParseAsPathError)?);
        }
    }

    if asns.is_empty() { Err(ParseAsPathError) } else { Ok(asns) }
}

/// The text was not an AS path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected AS numbers, sets in braces, such as `65001 65002 {{1 2}}`")]
#[non_exhaustive]
pub struct ParseAsPathError;

fn write_segments<I>(
    f: &mut fmt::Formatter<'_>,
    segments: impl Iterator<Item = (SegmentType, I)>,
) -> fmt::Result
where
    I: Iterator<Item = Asn>,
{
    for (at, (kind, asns)) in segments.enumerate() {
        let (before, after) = kind.brackets();
        f.write_str(if at == 0 { "" } else { " " })?;
        f.write_str(before)?;
        for (at, asn) in asns.enumerate() {
            f.write_str(if at == 0 { "" } else { " " })?;
            write!(f, "{asn}")?;
        }
        f.write_str(after)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_prints_and_reads_back() {
        for text in ["", "65001", "65001 4200000000", "65001 {1 2}", "(64512 64513) [1 2] 3 {4}"] {
            assert_eq!(text.parse::<AsPath>().map(|path| path.to_string()), Ok(text.to_owned()));
        }
        let path: AsPath = " 1.10  2 {3,4, 5} 6 ".parse().unwrap();
        assert_eq!(path.to_string(), "65546 2 {3 4 5} 6");
        assert_eq!(path.segments.len(), 3);
    }

    #[test]
    fn text_that_is_not_a_path_is_refused() {
        for text in ["{", "{1", "{}", "1,2", "a", "1 }", "(1]", "4294967296", "[[1]]", "é"] {
            assert_eq!(text.parse::<AsPath>(), Err(ParseAsPathError), "{text}");
        }
        let error = ParseAsPathError.to_string();
        assert_eq!(error, "expected AS numbers, sets in braces, such as `65001 65002 {1 2}`");
    }
}
