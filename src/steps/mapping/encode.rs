//! Percent-encoding of what a mapping writes into a target, decoding of query parameters.

use crate::http::hex_digit;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// The bytes of a query's name or value, decoded: `%XX`, and `+` as a space. A percent sign that
/// two hex digits do not follow stays.
pub fn decode_query(text: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (&first, tail) = rest.split_first()?;
        if first == b'%'
            && let [high, low, after @ ..] = tail
            && let (Some(high), Some(low)) = (hex_digit(*high), hex_digit(*low))
        {
            rest = after;
            return Some(high << 4 | low);
        }
        rest = tail;
        Some(if first == b'+' { b' ' } else { first })
    })
}

/// Appends text as a name or a value of a query: all but RFC 3986's unreserved bytes and a few
/// that mean nothing in a query is encoded.
pub fn encode_query(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        push(byte, byte.is_ascii_alphanumeric() || b"-._~/:@!$'()*,;?".contains(&byte), out);
    }
}

/// Appends text as a path: `/` and percent-encodings that are there stay, what may not stand in a
/// path is encoded.
pub fn encode_path(text: &[u8], out: &mut Vec<u8>) {
    for (place, &byte) in text.iter().enumerate() {
        let plain = match byte {
            b'%' => {
                let hex = |ahead| text.get(place + ahead).is_some_and(u8::is_ascii_hexdigit);
                hex(1) && hex(2)
            }
            _ => byte.is_ascii_alphanumeric() || b"-._~/:@!$&'()*+,;=".contains(&byte),
        };
        push(byte, plain, out);
    }
}

fn push(byte: u8, plain: bool, out: &mut Vec<u8>) {
    if plain {
        out.push(byte);
    } else {
        out.extend([b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
}
