//! Which bytes may stand where: one table of bit sets, built by the compiler.

/// RFC 9110 5.6.2: tchar.
pub(super) const TOKEN: u8 = 1;
/// RFC 9110 5.5: HTAB, SP, VCHAR, obs-text.
pub(super) const VALUE: u8 = 2;
/// A path byte that means itself wherever it stands: pchar, `/`, and `[]^|`, which browsers send
/// raw; without `%` and `.`.
pub(super) const PATH_PLAIN: u8 = 4;
/// A path byte, `%` and `.` included.
pub(super) const PATH: u8 = 8;
/// A query byte but `%`.
pub(super) const QUERY_PLAIN: u8 = 16;
/// A query byte: RFC 3986's, and `"<>[]^{|}` and the backtick, which browsers send raw.
pub(super) const QUERY: u8 = 32;
/// A byte of a host name: unreserved of RFC 3986. Neither `%` nor sub-delims: no DNS name has
/// them, and a comma would hide a second host.
pub(super) const HOST: u8 = 64;
/// Printable ASCII without space: what may stand in a request target at all.
pub(super) const VISIBLE: u8 = 128;

static CLASSES: [u8; 256] = build();

/// The sets that this byte is in.
#[inline]
pub(super) fn of(byte: u8) -> u8 {
    CLASSES[usize::from(byte)]
}

/// The sets that all of these bytes are in; all sets when there are none.
#[inline]
pub(super) fn common(bytes: &[u8]) -> u8 {
    bytes.iter().fold(u8::MAX, |sets, byte| sets & of(*byte))
}

/// Whether these bytes are a token (RFC 9110 5.6.2), which is never empty.
#[inline]
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && common(bytes) & TOKEN != 0
}

const fn build() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut index = 0_usize;
    while index < 256 {
        let byte = index.to_le_bytes()[0];
        let mut sets = 0;
        let unreserved = byte.is_ascii_alphanumeric() || is_one_of(byte, b"-._~");
        if byte.is_ascii_alphanumeric() || is_one_of(byte, b"!#$%&'*+-.^_`|~") {
            sets |= TOKEN;
        }
        if byte == b'\t' || (byte >= b' ' && byte != 0x7F) {
            sets |= VALUE;
        }
        let path = unreserved || is_one_of(byte, b"!$&'()*+,;=:@/[]^|");
        if path || byte == b'%' {
            sets |= PATH;
        }
        if path && byte != b'.' {
            sets |= PATH_PLAIN;
        }
        let query = path || is_one_of(byte, b"?\"<>`{}");
        if query {
            sets |= QUERY_PLAIN;
        }
        if query || byte == b'%' {
            sets |= QUERY;
        }
        if unreserved {
            sets |= HOST;
        }
        if byte.is_ascii_graphic() {
            sets |= VISIBLE;
        }
        classes[index] = sets;
        index += 1;
    }
    classes
}

const fn is_one_of(byte: u8, list: &[u8]) -> bool {
    let mut index = 0;
    while index < list.len() {
        if list[index] == byte {
            return true;
        }
        index += 1;
    }
    false
}
