//! HPACK's Huffman code (RFC 7541 appendix B). It is canonical, so the lengths are all of it.

/// Bits of each byte's code; the last one is the end-of-string symbol's.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];
const END_OF_STRING: usize = 256;

/// Length, code, symbol; shortest first.
fn codes() -> Vec<(u8, u32, usize)> {
    let mut symbols: Vec<usize> = (0..LENGTHS.len()).collect();
    symbols.sort_by_key(|&symbol| (LENGTHS[symbol], symbol));
    let (mut next, mut before) = (0_u32, LENGTHS[symbols[0]]);
    let mut codes = Vec::new();
    for symbol in symbols {
        next <<= LENGTHS[symbol] - before;
        before = LENGTHS[symbol];
        codes.push((before, next, symbol));
        next += 1;
    }
    codes
}

/// Padded with the first bits of the end-of-string symbol: ones.
pub(super) fn encode(text: &[u8]) -> Vec<u8> {
    let codes = codes();
    let mut bits = Vec::new();
    for &byte in text {
        let (length, code, _) = codes.iter().find(|code| code.2 == usize::from(byte)).unwrap();
        bits.extend((0..*length).rev().map(|at| code >> at & 1 == 1));
    }
    bits.resize(bits.len().next_multiple_of(8), true);
    let byte = |bits: &[bool]| bits.iter().fold(0, |byte, &bit| byte << 1 | u8::from(bit));
    bits.chunks(8).map(byte).collect()
}

/// `None` for the end-of-string symbol and for padding that is too long or not of ones.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<u8>> {
    let codes = codes();
    let (mut text, mut code, mut length) = (Vec::new(), 0_u32, 0_u8);
    for at in 0..bytes.len() * 8 {
        code = code << 1 | u32::from(bytes[at / 8] >> (7 - at % 8) & 1);
        length += 1;
        if let Ok(found) = codes.binary_search_by_key(&(length, code), |code| (code.0, code.1)) {
            let symbol = codes[found].2;
            if symbol == END_OF_STRING {
                return None;
            }
            text.push(u8::try_from(symbol).ok()?);
            (code, length) = (0, 0);
        }
    }
    (length < 8 && code == (1 << length) - 1).then_some(text)
}

/// RFC 7541 C.4.1, C.4.3, C.6.1.
#[test]
fn texts_of_the_rfc() {
    let table: [(&str, &[u8]); 3] = [
        (
            "www.example.com",
            &[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff],
        ),
        ("custom-value", &[0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf]),
        ("private", &[0xae, 0xc3, 0x77, 0x1a, 0x4b]),
    ];
    for (text, bytes) in table {
        assert_eq!(encode(text.as_bytes()), bytes, "{text}");
        assert_eq!(decode(bytes).as_deref(), Some(text.as_bytes()));
    }
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(decode(&encode(&all)), Some(all));
    assert_eq!(decode(&[0xff, 0xff, 0xff, 0xff]), None, "the end-of-string symbol");
    assert_eq!(decode(&[0x1f, 0xff]), None, "padding of more than seven bits");
    assert_eq!(decode(&[0x18]), None, "padding of zeros");
}
