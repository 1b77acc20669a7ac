//! What a client may be told of a limit that its request came under: `Retry-After` (RFC 9110
//! 10.2.3), and the fields of draft-ietf-httpapi-ratelimit-headers-10. AWS tells none of it.

use crate::http::HeadSink;

/// What is told of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown<'a> {
    /// The limit, and what is left of it; `None` when only the wait is told.
    pub limit: Option<Left<'a>>,
    /// When to come back, in seconds; `None` when the request was let through, or never is.
    pub retry_after: Option<u64>,
}

/// A limit, and what is left of it, as far as this shard knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it lets through at once.
    pub quota: u64,
    /// The seconds in which that much comes back; at least 1.
    pub window: u64,
    /// What it lets through now.
    pub remaining: u64,
    /// The seconds until it is whole again.
    pub reset: u64,
}

impl Shown<'_> {
    /// Writes the fields.
    pub fn write(&self, sink: &mut impl HeadSink) {
        let mut digits = [(); 5].map(|()| itoa::Buffer::new());
        let [one, two, three, four, five] = &mut digits;
        if let Some(seconds) = self.retry_after {
            sink.sound_field(b"retry-after", &[one.format(seconds).as_bytes()]);
        }
        let Some(left) = self.limit else { return };
        let (quota, window) = (two.format(left.quota), three.format(left.window));
        let (remaining, reset) = (four.format(left.remaining), five.format(left.reset));
        let name = Quoted::of(left.name);
        let name = name.bytes();
        let policy = [name, b";q=", quota.as_bytes(), b";w=", window.as_bytes()];
        sink.sound_field(b"ratelimit-policy", &policy);
        let state = [name, b";r=", remaining.as_bytes(), b";t=", reset.as_bytes()];
        sink.sound_field(b"ratelimit", &state);
    }
}

/// Bytes of a limit's name that are told.
const NAME_BYTES_MAX: usize = 128;

/// A string of RFC 9651 3.3.3: printable ASCII in quotation marks; what it cannot say is `_`.
struct Quoted {
    bytes: [u8; NAME_BYTES_MAX + 2],
    length: usize,
}

impl Quoted {
    fn of(name: &str) -> Self {
        let mut bytes = [b'"'; NAME_BYTES_MAX + 2];
        let plain = |byte: u8| match byte {
            b'"' | b'\\' => b'_',
            b' '..=b'~' => byte,
            _ => b'_',
        };
        let name = &name.as_bytes()[..name.len().min(NAME_BYTES_MAX)];
        for (place, byte) in bytes[1..].iter_mut().zip(name) {
            *place = plain(*byte);
        }
        Self { bytes, length: name.len() + 2 }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::fixture::Said;

    #[track_caller]
    fn check(shown: Shown<'_>, expected: &[&str]) {
        let mut said = Said::default();
        shown.write(&mut said);
        assert_eq!(said.fields, expected);
    }

    #[test]
    fn fields_are_written_as_the_draft_has_them() {
        let left = Left { name: "per-client", quota: 10, window: 2, remaining: 9, reset: 1 };
        let fields = [
            "retry-after: 3",
            "ratelimit-policy: \"per-client\";q=10;w=2",
            "ratelimit: \"per-client\";r=9;t=1",
        ];
        check(Shown { limit: Some(left), retry_after: Some(3) }, &fields);
        check(Shown { limit: Some(left), retry_after: None }, &fields[1..]);
        check(Shown { limit: None, retry_after: Some(3) }, &fields[..1]);
        check(Shown { limit: None, retry_after: None }, &[]);
    }

    #[test]
    fn a_name_is_a_string_of_printable_ascii() {
        let policy = |name: &str| {
            let left = Left { name, quota: 1, window: 1, remaining: 1, reset: 0 };
            let mut said = Said::default();
            Shown { limit: Some(left), retry_after: None }.write(&mut said);
            said.fields[0].clone()
        };
        assert_eq!(policy("a\"b\\c\r\né"), "ratelimit-policy: \"a_b_c____\";q=1;w=1");
        let long = policy(&"x".repeat(1_000));
        assert_eq!(long.len(), "ratelimit-policy: \"\";q=1;w=1".len() + NAME_BYTES_MAX);
    }
}
