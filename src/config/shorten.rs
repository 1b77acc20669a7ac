//! Texts of a document inside a sentence about it.

/// The first characters of a text: a message stays one line, whatever a document holds.
pub(in crate::config) fn shorten(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    let mut out: String = text.chars().take(CHARS_MAX).map(printable).collect();
    if text.chars().nth(CHARS_MAX).is_some() {
        out.push_str("..");
    }
    out
}

fn printable(c: char) -> char {
    if c.is_control() { '\u{fffd}' } else { c }
}

#[cfg(test)]
mod tests {
    use super::shorten;

    #[test]
    fn long_and_odd_texts_stay_one_line() {
        assert_eq!(shorten(&"a".repeat(60)), "a".repeat(60));
        assert_eq!(shorten(&"a".repeat(61)), format!("{}..", "a".repeat(60)));
        assert_eq!(shorten("a\nb"), "a\u{fffd}b");
    }
}
