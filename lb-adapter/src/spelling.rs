//! Suggestions for misspelt words.

/// Returns the known word that is most similar to this one, the first of several. None if no word is similar enough.
///
/// Case, dashes and underscores do not count, so that `peerASN` finds `peer-asn`.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > MAX_LENGTH {
        return None;
    }

    let word = folded(word);
    let (distance, nearest) = known
        .map(|candidate| (strsim::damerau_levenshtein(&word, &folded(candidate)), candidate))
        .min_by_key(|(distance, _)| *distance)?;

    // With more than a third of the letters wrong it is another word.
    (distance * 3 <= word.chars().count()).then_some(nearest)
}

fn folded(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect()
}

/// The length of the longest word that is looked up: the cost of a comparison grows with the product of both lengths.
const MAX_LENGTH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["my-asn", "peer-asn", "peer-address", "aggregation-length"];

    fn suggestion(word: &str) -> Option<&'static str> {
        nearest(word, KNOWN.into_iter())
    }

    #[test]
    fn misspelt_words_find_the_intended_one() {
        assert_eq!(suggestion("peerASN"), Some("peer-asn"));
        assert_eq!(suggestion("peer-adress"), Some("peer-address"));
        assert_eq!(suggestion("aggregation_lenght"), Some("aggregation-length"));
    }

    #[test]
    fn another_word_finds_nothing() {
        assert_eq!(suggestion("password"), None);
        assert_eq!(suggestion(""), None);
        assert_eq!(suggestion(&"x".repeat(1000)), None);
    }
}
