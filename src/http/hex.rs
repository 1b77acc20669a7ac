//! Hexadecimal digits: of percent escapes (RFC 3986 2.1) and of digests.

/// The value of a digit, in either case.
#[must_use]
pub const fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// The 32 bytes that 64 digits say.
#[must_use]
pub fn hex_digest(digits: &[u8]) -> Option<[u8; 32]> {
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_in_either_case_and_nothing_else() {
        for byte in 0..=u8::MAX {
            let expected = char::from(byte).to_digit(16).filter(|_| byte.is_ascii());
            assert_eq!(hex_digit(byte).map(u32::from), expected, "{byte}");
        }
        assert_eq!(hex_digest("0A".repeat(32).as_bytes()), Some([10; 32]));
        for wrong in ["0a".repeat(31), "0a".repeat(33), "0g".repeat(32)] {
            assert_eq!(hex_digest(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
