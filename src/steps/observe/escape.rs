//! Text of unknown origin inside a JSON string.

const HEX: &[u8; 16] = b"0123456789abcdef";
/// What stands for bytes that are not UTF-8.
const REPLACEMENT: &[u8] = b"\\ufffd";

/// Appends text as the inside of a JSON string, at most `bytes_max` bytes: cut at a character's
/// end when it is longer. Bytes that are not UTF-8 become U+FFFD; control characters are escaped.
pub fn write_json_text(text: &[u8], bytes_max: usize, out: &mut Vec<u8>) {
    let plain = plain_prefix(text);
    if plain == text.len() && plain <= bytes_max {
        out.extend_from_slice(text);
        return;
    }
    let end = out.len() + bytes_max;
    let plain = plain.min(bytes_max);
    out.extend_from_slice(&text[..plain]);
    for chunk in text[plain..].utf8_chunks() {
        for character in chunk.valid().chars() {
            if !push_character(character, end, out) {
                return;
            }
        }
        if !chunk.invalid().is_empty() && !push(REPLACEMENT, end, out) {
            return;
        }
    }
}

/// How many bytes at the start need no look at all: printable ASCII but quote and backslash.
/// Eight bytes are looked at in one step.
fn plain_prefix(text: &[u8]) -> usize {
    let (words, _) = text.as_chunks::<8>();
    let mut length = 0;
    for word in words {
        if needs_a_look(u64::from_le_bytes(*word)) {
            break;
        }
        length += 8;
    }
    let tail = text[length..].iter();
    length + tail.take_while(|&&byte| is_plain(byte)).count()
}

const fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte < 0x7f && byte != b'"' && byte != b'\\'
}

/// Whether one of eight bytes is not plain. May also say yes to 0x7f's neighbours by carry, never
/// no to a byte that needs escaping ("a word has a byte less than n", Hacker's Delight).
const fn needs_a_look(word: u64) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let below_space = word.wrapping_sub(ONES * 0x20);
    let quote = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    // A byte of 0x7f or above gets its high bit; the high bit of `word` itself counts too.
    let above = word.wrapping_add(ONES) | word;
    (below_space | quote | backslash | above) & HIGH != 0
}

/// Appends one character, escaped; `false` when there is no room for it.
fn push_character(character: char, end: usize, out: &mut Vec<u8>) -> bool {
    match character {
        '"' => push(b"\\\"", end, out),
        '\\' => push(b"\\\\", end, out),
        '\n' => push(b"\\n", end, out),
        '\r' => push(b"\\r", end, out),
        '\t' => push(b"\\t", end, out),
        '\0'..='\u{1f}' | '\u{7f}' => {
            let code = character as usize;
            push(&[b'\\', b'u', b'0', b'0', HEX[code >> 4], HEX[code & 15]], end, out)
        }
        _ => push(character.encode_utf8(&mut [0; 4]).as_bytes(), end, out),
    }
}

fn push(bytes: &[u8], end: usize, out: &mut Vec<u8>) -> bool {
    let fits = out.len() + bytes.len() <= end;
    if fits {
        out.extend_from_slice(bytes);
    }
    fits
}
