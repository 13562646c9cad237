//! The word that was probably meant.

/// The known word that is like this one, if there is one; of equals the first.
///
/// Case, dashes and underscores do not count, so that `peerASN` finds `peer-asn`.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST {
        return None;
    }
    let word = folded(word);
    let distance = |candidate: &str| strsim::damerau_levenshtein(&word, &folded(candidate));
    let (nearest, distance) =
        known.map(|known| (known, distance(known))).min_by_key(|(_, distance)| *distance)?;
    // A third of the letters wrong is no slip any more.
    (distance * 3 <= word.chars().count()).then_some(nearest)
}

fn folded(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect()
}

/// Longer words are no slip of the pen, and comparing takes the product of both lengths.
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["my-asn", "peer-asn", "peer-address", "aggregation-length"];

    fn of(word: &str) -> Option<&'static str> {
        nearest(word, KNOWN.into_iter())
    }

    #[test]
    fn slips_find_the_word_that_was_meant() {
        assert_eq!(of("peerASN"), Some("peer-asn"));
        assert_eq!(of("peer-adress"), Some("peer-address"));
        assert_eq!(of("aggregation_lenght"), Some("aggregation-length"));
    }

    #[test]
    fn another_word_finds_nothing() {
        assert_eq!(of("password"), None);
        assert_eq!(of(""), None);
        assert_eq!(of(&"x".repeat(1000)), None);
    }
}
