//! base64url without padding (RFC 7515 2), strict: one text for each value, and no other.

/// The bytes of a text; `None` when a character, a `=`, or a bit that stands for nothing is in it.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() % 4 == 1 {
        return None;
    }
    let mut out = Vec::with_capacity(text.len() * 3 / 4 + 2);
    for chunk in text.chunks(4) {
        let mut bits = 0_u32;
        for &byte in chunk {
            bits = bits << 6 | u32::from(value(byte)?);
        }
        bits <<= 6 * (4 - chunk.len());
        let [_, bytes @ ..] = bits.to_be_bytes();
        let (kept, rest) = bytes.split_at(chunk.len() - 1);
        if rest.iter().any(|&byte| byte != 0) {
            return None;
        }
        out.extend_from_slice(kept);
    }
    Some(out)
}

const fn value(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    }
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
