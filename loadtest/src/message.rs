//! As much of HTTP/1.1 as a load generator needs: where a head ends, which status and length it says.
//! Not a parser to imitate: it trusts both sides, which Ringway's `wire/` never does.

/// The length of a head including its empty line, once it is complete.
pub(crate) fn head_end(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, b"\r\n\r\n").map(|start| start + 4)
}

/// The path of a request head, without its query.
pub(crate) fn path(head: &[u8]) -> &[u8] {
    let target = head.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
    target.split(|&byte| byte == b'?').next().unwrap_or_default()
}

/// The status of a response head.
pub(crate) fn status(head: &[u8]) -> Option<u16> {
    std::str::from_utf8(head.strip_prefix(b"HTTP/1.1 ")?.get(..3)?).ok()?.parse().ok()
}

/// The value of Content-Length.
pub(crate) fn content_length(head: &[u8]) -> Option<u64> {
    std::str::from_utf8(field(head, b"content-length")?).ok()?.parse().ok()
}

/// Whether the sender closes after this message.
pub(crate) fn says_close(head: &[u8]) -> bool {
    field(head, b"connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close"))
}

fn field<'h>(head: &'h [u8], name: &[u8]) -> Option<&'h [u8]> {
    let lines = head.split(|&byte| byte == b'\n').skip(1);
    lines.filter_map(|line| line.split_at_checked(name.len())).find_map(|(found, rest)| {
        let value = rest.strip_prefix(b":")?;
        found.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"HTTP/1.1 201 Created\r\nX: y\r\nCONTENT-length:  12 \r\n\
        Connection: Close\r\n\r\nbody";

    #[test]
    fn heads_say_what_a_generator_needs() {
        assert_eq!(head_end(HEAD), Some(HEAD.len() - 4));
        assert_eq!(head_end(&HEAD[..HEAD.len() - 5]), None);
        assert_eq!(status(HEAD), Some(201));
        assert_eq!(status(b"HTTP/1.0 200 OK\r\n\r\n"), None);
        assert_eq!(content_length(HEAD), Some(12));
        assert_eq!(content_length(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"), None);
        assert!(says_close(HEAD));
        assert!(!says_close(b"HTTP/1.1 200 OK\r\nconnection: keep-alive\r\n\r\n"));
        assert_eq!(path(b"GET /a/b?c=d HTTP/1.1\r\n\r\n"), b"/a/b");
    }
}
