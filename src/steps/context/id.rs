//! Request ids and trace ids, made from random bits that the caller brings.

/// `apigw-requestid` and `$context.requestId`: 15 base64 characters (90 random bits) and `=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId([u8; 16]);

impl RequestId {
    /// The id of these bits; unique when they are, not secret.
    #[must_use]
    pub fn new(bits: (u64, u64)) -> Self {
        let (first, last) = (base64(bits.0), base64(bits.1));
        let mut text = [b'='; 16];
        text[..8].copy_from_slice(&first);
        text[8..15].copy_from_slice(&last[..7]);
        Self(text)
    }

    /// The text.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The `Root=1-{8 hex}-{24 hex}` of `x-amzn-trace-id` (`api-gateway.md` 10.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId([u8; 40]);

impl TraceId {
    /// A new root at this second, of 96 random bits.
    #[must_use]
    pub fn new(epoch_seconds: u64, bits: (u64, u64)) -> Self {
        let mut text = *b"Root=1-00000000-000000000000000000000000";
        text[7..15].copy_from_slice(&hex(epoch_seconds));
        text[16..24].copy_from_slice(&hex(bits.0 >> 32));
        text[24..32].copy_from_slice(&hex(bits.0));
        text[32..40].copy_from_slice(&hex(bits.1));
        Self(text)
    }

    /// The root that the client sent in `x-amzn-trace-id`, in lower case; `None` when it sent no
    /// sound one. Keys are compared without case.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let root = value.split(|&byte| byte == b';').find_map(|part| {
            let part = part.trim_ascii();
            let key = part.get(..5)?;
            key.eq_ignore_ascii_case(b"root=").then(|| &part[5..])
        })?;
        let hex = |text: &[u8]| text.iter().all(u8::is_ascii_hexdigit);
        let sound = root.len() == 35
            && root.starts_with(b"1-")
            && hex(&root[2..10])
            && root[10] == b'-'
            && hex(&root[11..]);
        if !sound {
            return None;
        }
        let mut text = *b"Root=1-00000000-000000000000000000000000";
        text[5..].copy_from_slice(root);
        text[5..].make_ascii_lowercase();
        Some(Self(text))
    }

    /// The text without `Root=`: `1-{8 hex}-{24 hex}`.
    #[must_use]
    pub fn root(&self) -> &[u8] {
        &self.0[5..]
    }

    /// The text, `Root=` included.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The lowest eight digits of a number in the alphabet of AWS's ids, base64 as in
/// `JKJaXmPLvHcESHA=`, the lowest first; all at once: each digit in a byte of a word.
const fn base64(number: u64) -> [u8; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let halves = (number & 0xFF_FFFF) | ((number & 0xFFFF_FF00_0000) << 8);
    let pairs = (halves & 0x0000_0FFF_0000_0FFF) | ((halves & 0x00FF_F000_00FF_F000) << 4);
    let digits = (pairs & 0x003F_003F_003F_003F) | ((pairs & 0x0FC0_0FC0_0FC0_0FC0) << 2);
    // One in each byte whose digit is at least this, by the carry into its highest bit.
    const fn at_least(digits: u64, least: u64) -> u64 {
        ((digits + ONES * (0x80 - least)) >> 7) & ONES
    }
    // A to Z, then a to z, 0 to 9, + and /: the distance of each range to the one before it.
    let text = digits + ONES * (b'A' as u64) + at_least(digits, 26) * 6
        - at_least(digits, 52) * 75
        - at_least(digits, 62) * 15
        + at_least(digits, 63) * 3;
    text.to_le_bytes()
}

/// The lowest eight hex digits of a number, all at once: each digit in a byte of a word.
const fn hex(number: u64) -> [u8; 8] {
    const LOW: u64 = 0x0F0F_0F0F_0F0F_0F0F;
    const ONES: u64 = 0x0101_0101_0101_0101;
    let halves = ((number & 0xFFFF_0000) << 16) | (number & 0xFFFF);
    let bytes = ((halves << 8) | halves) & 0x00FF_00FF_00FF_00FF;
    let digits = ((bytes << 4) | bytes) & LOW;
    // A digit above 9 carries into the high half of its byte when 6 is added.
    let letters = ((digits + 6 * ONES) >> 4) & ONES;
    let text = digits + ONES * (b'0' as u64) + letters * (b'a' - b'0' - 10) as u64;
    text.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_look_like_awss() {
        assert_eq!(RequestId::new((0, 0)).as_bytes(), b"AAAAAAAAAAAAAAA=");
        assert_eq!(RequestId::new((u64::MAX, u64::MAX)).as_bytes(), b"///////////////=");
        assert_eq!(RequestId::new((1, 2)).as_bytes(), b"BAAAAAAACAAAAAA=");
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for (number, digit) in (0..).zip(alphabet) {
            // The digit at every place, between others.
            for place in 0..8 {
                let text = base64(number << (6 * place) | 1 << (6 * ((place + 1) % 8)));
                assert_eq!(text[place as usize], *digit);
                assert_eq!(text[(place as usize + 1) % 8], b'B');
                assert_eq!(
                    text.iter().filter(|&&byte| byte == b'A').count(),
                    6 + usize::from(number == 0)
                );
            }
        }
    }

    #[test]
    fn trace_ids_are_made() {
        let made = TraceId::new(0x6760_1234, (0x0123_4567_89ab_cdef, 0xffff_0000_dead_beef));
        assert_eq!(made.as_bytes(), b"Root=1-67601234-0123456789abcdefdeadbeef");
    }

    #[track_caller]
    fn check(sent: &str, expected: Option<&str>) {
        let parsed = TraceId::parse(sent.as_bytes());
        let text = parsed.as_ref().map(|id| str::from_utf8(id.as_bytes()).unwrap());
        assert_eq!(text, expected);
    }

    #[test]
    fn an_incoming_root_is_kept() {
        let root = "Root=1-67601234-0123456789abcdefdeadbeef";
        check(root, Some(root));
        check("root=1-67601234-0123456789ABCDEFdeadbeef", Some(root));
        check("Parent=53995c3f42cd8ad8; ROOT=1-67601234-0123456789abcdefdeadbeef", Some(root));
        check("Root=1-67601234-0123456789abcdefdeadbeef;Sampled=1", Some(root));
        check("Root=1-67601234-0123456789abcdefdeadbee", None);
        check("Root=1-67601234-0123456789abcdefdeadbeeff", None);
        check("Root=2-67601234-0123456789abcdefdeadbeef", None);
        check("Root=1-6760123g-0123456789abcdefdeadbeef", None);
        check("Sampled=1", None);
        check("", None);
        check("\u{e9}\u{e9}\u{e9}", None);
    }
}
