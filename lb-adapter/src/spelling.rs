//! The known word that a misspelt word probably means.

/// Returns the known word that is most similar to this one, if one is similar enough. Of equally similar words it is the
/// first.
///
/// Case, dashes and underscores do not count, so that `peerASN` finds `peer-asn`.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST {
        return None;
    }
    let word = folded(word);

    let mut best: Option<(usize, &str)> = None;
    for candidate in known {
        let distance = strsim::damerau_levenshtein(&word, &folded(candidate));
        if best.is_none_or(|(shortest, _)| distance < shortest) {
            best = Some((distance, candidate));
        }
    }

    // A word with more than a third of its letters wrong is another word.
    let (distance, nearest) = best?;
    (distance * 3 <= word.chars().count()).then_some(nearest)
}

/// Returns `did you mean "..."?` if a known name is similar to this one.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    nearest(name, known.take(MOST_COMPARED)).map(|name| format!("did you mean {name:?}?"))
}

/// Returns true if a word may be another one, misspelt.
pub fn resembles(word: &str, other: &str) -> bool {
    nearest(word, std::iter::once(other)).is_some()
}

fn folded(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect()
}

/// Longer words are not typing errors, and the cost of a comparison is the product of both lengths.
const LONGEST: usize = 64;
/// The most names that one is compared with, because there may be tens of thousands.
const MOST_COMPARED: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["my-asn", "peer-asn", "peer-address", "aggregation-length"];

    fn of(word: &str) -> Option<&'static str> {
        nearest(word, KNOWN.into_iter())
    }

    #[test]
    fn misspelt_words_find_the_nearest_known_word() {
        assert_eq!(of("peerASN"), Some("peer-asn"));
        assert_eq!(of("peer-adress"), Some("peer-address"));
        assert_eq!(of("aggregation_lenght"), Some("aggregation-length"));
    }

    #[test]
    fn a_different_word_finds_nothing() {
        assert_eq!(of("password"), None);
        assert_eq!(of(""), None);
        assert_eq!(of(&"x".repeat(1000)), None);
    }
}
