//! The ARN that a request is asked under: `{api}/{stage}/{VERB}/{path}`, the API's own ARN before
//! it. The path is the request's, without the stage.
//!
//! Routes are found by the path as it was sent, and nothing is decoded there; but the integration
//! may decode it, and take two slashes for one. So a path that can be read in two ways has two
//! readings, and a policy has to allow both: what it denies under one name is not had under
//! another. Dot segments never come here (`wire::http1::target` refuses them, encoded too).

use crate::http::hex_digit;

/// The readings of one request's ARN.
pub struct MethodArn<'b> {
    buffer: &'b mut Vec<u8>,
    /// Where the second reading begins, if there is one.
    second: Option<usize>,
}

impl<'b> MethodArn<'b> {
    /// Writes them into a buffer, which is overwritten. `api` is
    /// `arn:aws:execute-api:{region}:{account}:{apiId}`.
    pub fn new(
        buffer: &'b mut Vec<u8>,
        api: &str,
        stage: &str,
        method: &[u8],
        path: &[u8],
    ) -> Self {
        buffer.clear();
        let path = path.strip_prefix(b"/").unwrap_or(path);
        let start: [&[u8]; 6] = [api.as_bytes(), b"/", stage.as_bytes(), b"/", method, b"/"];
        start.iter().for_each(|piece| buffer.extend_from_slice(piece));
        let start = buffer.len();
        buffer.extend_from_slice(path);
        if !has_two_readings(path) {
            return Self { buffer, second: None };
        }
        let second = buffer.len();
        buffer.extend_from_within(..start);
        decode(path, buffer);
        Self { buffer, second: Some(second) }
    }

    /// As it was sent, and, where that differs, decoded with single slashes.
    pub fn readings(&self) -> impl Iterator<Item = &[u8]> {
        let (first, second) = self.buffer.split_at(self.second.unwrap_or(self.buffer.len()));
        std::iter::once(first).chain(self.second.map(|_| second))
    }
}

fn has_two_readings(path: &[u8]) -> bool {
    // The slash before the path is part of the ARN.
    path.first() == Some(&b'/') || path.contains(&b'%') || path.windows(2).any(|two| two == b"//")
}

/// Appends the path decoded, its slashes single.
fn decode(path: &[u8], out: &mut Vec<u8>) {
    let mut rest = path;
    while let Some((&byte, after)) = rest.split_first() {
        let decoded = match (byte, after) {
            (b'%', [high, low, ..]) => {
                hex_digit(*high).zip(hex_digit(*low)).map(|(high, low)| high << 4 | low)
            }
            _ => None,
        };
        rest = if decoded.is_some() { &after[2..] } else { after };
        let byte = decoded.unwrap_or(byte);
        if byte != b'/' || out.last() != Some(&b'/') {
            out.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: &[&str]) {
        let mut buffer = b"left over".to_vec();
        let arn = MethodArn::new(&mut buffer, "arn:a", "prod", b"GET", path.as_bytes());
        let readings: Vec<_> = arn.readings().map(String::from_utf8_lossy).collect();
        let expected: Vec<_> =
            expected.iter().map(|path| format!("arn:a/prod/GET/{path}")).collect();
        assert_eq!(readings, expected, "{path}");
    }

    #[test]
    fn a_path_that_can_be_read_in_two_ways_has_two_readings() {
        check("/", &[""]);
        check("/pets", &["pets"]);
        check("/pets/7/", &["pets/7/"]);
        check("/%61dmin", &["%61dmin", "admin"]);
        check("/%2561dmin", &["%2561dmin", "%61dmin"]);
        check("//admin", &["/admin", "admin"]);
        check("/a//b", &["a//b", "a/b"]);
        check("/a%2Fb%2f%2Fc", &["a%2Fb%2f%2Fc", "a/b/c"]);
        check("/%2Fadmin", &["%2Fadmin", "admin"]);
        check("/a%", &["a%", "a%"]);
        check("/a%4", &["a%4", "a%4"]);
        check("/a%zz", &["a%zz", "a%zz"]);
        check("/a*b?", &["a*b?"]);
    }
}
