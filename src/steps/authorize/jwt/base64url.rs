//! base64url without padding (RFC 7515 2), strict: one text for each value, and no other.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// The bytes of a text; `None` when a character, a `=`, or a bit that stands for nothing is in it.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn every_value_has_one_text() {
        let check = |text: &str, expected: Option<&[u8]>| {
            assert_eq!(decode(text.as_bytes()).as_deref(), expected, "{text}");
        };
        check("", Some(b""));
        check("Zg", Some(b"f"));
        check("Zm8", Some(b"fo"));
        check("Zm9v", Some(b"foo"));
        check("Zm9vYg", Some(b"foob"));
        check("_-8", Some(&[0xff, 0xef]));
        // Padding, the other alphabet, white space, bits that stand for nothing, one character.
        for text in ["Zg==", "/+8", "Zm 9v", "Zm9v\n", "Zh", "Zm9", "A", "Zm9vA", "Zm9v.", "é"] {
            check(text, None);
        }
    }
}
