//! Why a single text is not what it should be, before it has a place: half a sentence and a fix.

/// What is wrong with a text, and how to mend it. The caller adds where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Follows the name of the thing ("uri ", "path /x "): a verb and what was found.
    pub what: String,
    /// The remedy.
    pub fix: String,
}

/// Shorthand for the many early exits.
pub(super) fn fault<T>(what: String, fix: &str) -> Result<T, Fault> {
    Err(Fault { what, fix: fix.to_owned() })
}

/// The first characters of a text: a message stays one line, whatever a document holds.
pub(super) fn shorten(text: &str) -> String {
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
