//! "Did you mean": the known word nearest to a mistyped one.

/// The nearest of `known`, when it is near enough to be what was meant: at most a third of the
/// letters differ, without regard to case.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    const WORD_BYTES_MAX: usize = 100;
    if word.len() > WORD_BYTES_MAX {
        return None;
    }
    let word = word.to_lowercase();
    let distance = |known: &&str| strsim::damerau_levenshtein(&word, &known.to_lowercase());
    let near = |known: &(usize, &str)| known.0 * 3 <= word.chars().count().max(known.1.len());
    known.into_iter().map(|known| (distance(&known), known)).filter(near).min().map(|found| found.1)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_words_are_found_and_far_ones_not() {
        let known = ["listeners", "apis", "apiKeys", "accessLog"];
        assert_eq!(nearest("listener", known), Some("listeners"));
        assert_eq!(nearest("Listeners", known), Some("listeners"));
        assert_eq!(nearest("apikey", known), Some("apiKeys"));
        assert_eq!(nearest("api", known), Some("apis"));
        assert_eq!(nearest("logging", known), None);
        assert_eq!(nearest(&"a".repeat(101), known), None);
    }
}
