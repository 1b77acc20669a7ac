//! "Did you mean": the known word nearest to a mistyped one.

/// The nearest of `known`, when it is near enough to be what was meant: at most a third of the
/// letters differ, without regard to case. Only the first thousand are looked at: they may be the
/// names of a hostile document, and there may be many words.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    const WORD_BYTES_MAX: usize = 100;
    const KNOWN_MAX: usize = 1_000;
    if word.len() > WORD_BYTES_MAX {
        return None;
    }
    let word = word.to_lowercase();
    let letters = word.chars().count();
    let near = |distance: usize, known: &str| distance * 3 <= letters.max(known.len());
    // What is longer or shorter by that much need not be compared.
    let candidates = known
        .into_iter()
        .take(KNOWN_MAX)
        .filter(|known| near(known.chars().count().abs_diff(letters), known));
    candidates
        .map(|known| (strsim::osa_distance(&word, &known.to_lowercase()), known))
        .filter(|(distance, known)| near(*distance, known))
        .min()
        .map(|found| found.1)
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
        assert_eq!(nearest("lisetners", known), Some("listeners"));
        let many = |count| std::iter::repeat_n("x", count).chain(["listeners"]);
        assert_eq!(nearest("listener", many(999)), Some("listeners"));
        assert_eq!(nearest("listener", many(1_000)), None);
    }
}
