//! An issuer's answer, strictly read: one status line, fields, a body by `content-length`, in
//! chunks, or until the end; nothing else is taken.

use std::time::Duration;

use crate::base::limits::KEY_SET_BYTES_MAX;

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// `cache-control: max-age`.
    pub(super) max_age: Option<Duration>,
}

/// How far it is here.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    More,
    Whole(Answer),
    Broken(&'static str),
}

const HEAD_BYTES_MAX: usize = 16 * 1_024;

impl Answer {
    /// Reads what has come; nothing more will, when it `is_ended`.
    pub(super) fn parse(bytes: &[u8], is_ended: bool) -> Progress {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return match bytes.len() > HEAD_BYTES_MAX {
                true => Progress::Broken("its head is too long"),
                false => Progress::More,
            };
        };
        let (head, rest) = (&bytes[..end], &bytes[end + 4..]);
        match str::from_utf8(head).ok().and_then(Head::parse) {
            Some(head) => head.with_body(rest, is_ended),
            None => Progress::Broken("its head is not sound"),
        }
    }
}

struct Head {
    status: u16,
    length: Option<usize>,
    is_chunked: bool,
    max_age: Option<Duration>,
}

impl Head {
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.")?;
        let status = status.strip_prefix(['0', '1'])?.strip_prefix(' ')?.get(..3)?.parse().ok()?;
        let mut head = Self { status, length: None, is_chunked: false, max_age: None };
        for line in lines {
            let (name, value) = line.split_once(':')?;
            let value = value.trim_matches([' ', '\t']);
            match name.to_ascii_lowercase().as_str() {
                "content-length" if head.length.is_none() => {
                    head.length = Some(value.parse().ok()?);
                }
                "content-length" => return None,
                "transfer-encoding" => {
                    head.is_chunked = value.eq_ignore_ascii_case("chunked");
                    head.is_chunked.then_some(())?;
                }
                "content-encoding" if !value.eq_ignore_ascii_case("identity") => return None,
                "cache-control" => head.max_age = max_age(value),
                _ => {}
            }
        }
        (head.length.is_none() || !head.is_chunked).then_some(head)
    }

    fn with_body(self, rest: &[u8], is_ended: bool) -> Progress {
        let body = match self.length {
            Some(length) if length > KEY_SET_BYTES_MAX => {
                return Progress::Broken("it is too long");
            }
            Some(length) if rest.len() > length => return Progress::Broken("its length is wrong"),
            Some(length) if rest.len() < length => return Progress::More,
            Some(_) => rest.to_vec(),
            None if self.is_chunked => match chunks(rest) {
                Ok(Some(body)) => body,
                Ok(None) => return Progress::More,
                Err(why) => return Progress::Broken(why),
            },
            None if is_ended => rest.to_vec(),
            None => return Progress::More,
        };
        if body.len() > KEY_SET_BYTES_MAX {
            return Progress::Broken("it is too long");
        }
        Progress::Whole(Answer { status: self.status, body, max_age: self.max_age })
    }
}

fn max_age(value: &str) -> Option<Duration> {
    let mut directives = value.split(',').map(str::trim);
    let seconds = directives.find_map(|one| one.strip_prefix("max-age="))?;
    seconds.parse().ok().map(Duration::from_secs)
}

/// The body in chunks; `None` while some are missing. Trailers are not waited for.
fn chunks(mut rest: &[u8]) -> Result<Option<Vec<u8>>, &'static str> {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else { return Ok(None) };
        let size = str::from_utf8(&rest[..end]).ok().and_then(|line| line.split(';').next());
        let size = size.filter(|size| size.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
        let size = size.filter(|size| *size <= KEY_SET_BYTES_MAX).ok_or("a chunk is not sound")?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Ok(Some(body));
        }
        let Some((chunk, after)) = rest.split_at_checked(size) else { return Ok(None) };
        body.extend_from_slice(chunk);
        match after {
            [b'\r', b'\n', after @ ..] => rest = after,
            [] | [b'\r'] => return Ok(None),
            _ => return Err("a chunk is not sound"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, is_ended: bool, expected: Progress) {
        assert_eq!(Answer::parse(text.as_bytes(), is_ended), expected, "{text}");
    }

    fn whole(body: &str, max_age: Option<u64>) -> Progress {
        let max_age = max_age.map(Duration::from_secs);
        Progress::Whole(Answer { status: 200, body: body.into(), max_age })
    }

    #[test]
    fn bodies_by_length_in_chunks_and_until_the_end() {
        let ok = "HTTP/1.1 200 OK\r\n";
        check(&format!("{ok}Content-Length: 2\r\n\r\nab"), false, whole("ab", None));
        check(&format!("{ok}content-length: 3\r\n\r\nab"), true, Progress::More);
        check(
            &format!("{ok}cache-control: public, max-age=60\r\n\r\nab"),
            true,
            whole("ab", Some(60)),
        );
        check(&format!("{ok}\r\nab"), false, Progress::More);
        let chunked = format!("{ok}transfer-encoding: chunked\r\n\r\n");
        check(&format!("{chunked}1\r\na\r\n2;x=y\r\nbc\r\n0\r\n\r\n"), false, whole("abc", None));
        for cut in ["", "1", "1\r\n", "1\r\na", "1\r\na\r", "1\r\na\r\n", "1\r\na\r\n0"] {
            check(&format!("{chunked}{cut}"), false, Progress::More);
        }
    }

    #[test]
    fn what_has_two_readings_or_none_is_broken() {
        let is_broken = |text: &str| {
            let found = Answer::parse(text.as_bytes(), true);
            assert!(matches!(found, Progress::Broken(_)), "{text}: {found:?}");
        };
        let ok = "HTTP/1.1 200 OK\r\n";
        for head in [
            "content-length: 1\r\ncontent-length: 1",
            "content-length: 1\r\ntransfer-encoding: chunked",
            "transfer-encoding: gzip, chunked",
            "content-length: -1",
            "content-length: 150001",
            "content-encoding: gzip",
            "no colon",
        ] {
            is_broken(&format!("{ok}{head}\r\n\r\na"));
        }
        is_broken("SSH-2.0\r\n\r\n");
        is_broken(&format!("{ok}content-length: 1\r\n\r\nab"));
        is_broken(&format!("{ok}transfer-encoding: chunked\r\n\r\n1\r\nab\r\n"));
        is_broken(&format!("{ok}transfer-encoding: chunked\r\n\r\n+1\r\na\r\n"));
        is_broken(&format!("{ok}transfer-encoding: chunked\r\n\r\n\r\na\r\n"));
        is_broken(&format!("{ok}\r\n{}", "a".repeat(KEY_SET_BYTES_MAX + 1)));
        check(
            &format!("{ok}\r\n{}", "a".repeat(KEY_SET_BYTES_MAX)),
            true,
            whole(&"a".repeat(KEY_SET_BYTES_MAX), None),
        );
        is_broken(&"a".repeat(HEAD_BYTES_MAX + 1));
    }
}
