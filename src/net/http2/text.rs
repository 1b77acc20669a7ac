//! Heads between HTTP/2's fields and HTTP/1.1's lines (RFC 9113 8.2, 8.3).
//!
//! The lines of a request are parsed by `wire::http1` like any client's, so this file decides
//! nothing about them: it writes what was said, also what will be refused.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode, header, request, response, uri::Scheme,
};

use crate::base::{Buffer, append};

/// What a head is made of before its size is known; most are shorter.
const HEAD_BYTES: usize = 1_024;

/// Why a request's head cannot be told in lines: they would not say what the client said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untellable {
    /// `:path` is no path.
    Path,
    /// A value begins or ends with white space (RFC 9113 8.2.1), which lines do not keep.
    Value,
}

/// The lines of a request's head.
///
/// # Errors
/// See [`Untellable`].
pub(super) fn request_lines(parts: &request::Parts) -> Result<Buffer, Untellable> {
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    if !path.starts_with('/') && path != "*" {
        return Err(Untellable::Path);
    }
    let is_bare = |value: &HeaderValue| {
        let ends = [value.as_bytes().first(), value.as_bytes().last()];
        !ends.iter().flatten().any(|byte| matches!(byte, b' ' | b'\t'))
    };
    if !parts.headers.values().all(is_bare) {
        return Err(Untellable::Value);
    }
    let mut text = Vec::with_capacity(HEAD_BYTES);
    append!(&mut text, parts.method.as_str().as_bytes(), b" ", path.as_bytes(), b" HTTP/1.1\r\n");
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    if let Some(authority) = authority {
        append!(&mut text, b"host: ", authority.as_bytes(), b"\r\n");
    }
    let mut cookies = parts.headers.get_all(header::COOKIE).iter();
    if let Some(first) = cookies.next() {
        // RFC 9113 8.2.3: split for compression, whole for everyone else.
        append!(&mut text, b"cookie: ", first.as_bytes());
        for more in cookies {
            append!(&mut text, b"; ", more.as_bytes());
        }
        text.extend_from_slice(b"\r\n");
    }
    for (name, value) in &parts.headers {
        let is_same_host = name == header::HOST
            && authority.is_some_and(|host| value.as_bytes().eq_ignore_ascii_case(host.as_bytes()));
        if name != header::COOKIE && !is_same_host {
            write_line(name, value, &mut text);
        }
    }
    text.extend_from_slice(b"\r\n");
    Ok(Buffer::copy_of(&text))
}

/// The lines of an answer's head. The status has no words in HTTP/2.
pub(super) fn response_lines(parts: &response::Parts) -> Buffer {
    let mut text = Vec::with_capacity(HEAD_BYTES);
    append!(&mut text, b"HTTP/1.1 ", parts.status.as_str().as_bytes(), b" \r\n");
    parts.headers.iter().for_each(|(name, value)| write_line(name, value, &mut text));
    text.extend_from_slice(b"\r\n");
    Buffer::copy_of(&text)
}

/// The lines of trailers, and the empty one.
pub(super) fn trailer_lines(trailers: &HeaderMap) -> Vec<u8> {
    let mut text = Vec::new();
    trailers.iter().for_each(|(name, value)| write_line(name, value, &mut text));
    text.extend_from_slice(b"\r\n");
    text
}

fn write_line(name: &HeaderName, value: &HeaderValue, text: &mut Vec<u8>) {
    append!(text, name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n");
}

/// Where the start line ends, and where the empty line's own end begins.
fn ends_of(text: &[u8]) -> Option<(usize, usize)> {
    let mut ends = memchr::memchr_iter(b'\n', text);
    let first = ends.next()?;
    let mut last = first;
    for end in ends {
        if end == last + 2 {
            return Some((first.checked_sub(1)?, last.checked_sub(1)?));
        }
        last = end;
    }
    None
}

/// An answer's head out of our own lines, and how long they are; `None` when they are no head.
pub(super) fn response_of(text: &[u8]) -> Option<(http::Response<()>, usize)> {
    let (line_end, end) = ends_of(text)?;
    let status = StatusCode::from_bytes(text[..line_end].get(9..12)?).ok()?;
    let mut response = http::Response::new(());
    *response.status_mut() = status;
    if line_end < end {
        *response.headers_mut() = fields_of(&text[line_end + 2..end + 2])?;
    }
    Some((response, end + 4))
}

/// A request's head out of our own lines, and how long they are; `None` when they are no head.
pub(super) fn request_of(text: &[u8], scheme: &Scheme) -> Option<(http::Request<()>, usize)> {
    let (line_end, end) = ends_of(text)?;
    let mut words = text[..line_end].split(|&byte| byte == b' ');
    let (method, target) = (words.next()?, words.next()?);
    let mut fields = fields_of(text.get(line_end + 2..end + 2)?)?;
    let authority = fields.remove(header::HOST)?;
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(scheme.clone());
    uri.authority = Some(http::uri::Authority::try_from(authority.as_bytes()).ok()?);
    uri.path_and_query = Some(http::uri::PathAndQuery::try_from(target).ok()?);
    // Trailers are passed on, and gRPC's servers want to hear it.
    fields.insert(header::TE, HeaderValue::from_static("trailers"));
    let mut request = http::Request::new(());
    *request.method_mut() = http::Method::from_bytes(method).ok()?;
    *request.uri_mut() = http::Uri::from_parts(uri).ok()?;
    *request.headers_mut() = fields;
    Some((request, end + 4))
}

/// Fields out of lines that each end in CRLF. Those of a connection are HTTP/1.1's alone (RFC 9113
/// 8.2.2) and stay behind.
pub(super) fn fields_of(lines: &[u8]) -> Option<HeaderMap> {
    let shared = Bytes::copy_from_slice(lines);
    let mut fields = HeaderMap::with_capacity(16);
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', lines) {
        let line = start..end.checked_sub(1)?;
        start = end + 1;
        let colon = line.start + memchr::memchr(b':', &lines[line.clone()])?;
        let name = HeaderName::from_bytes(&lines[line.start..colon]).ok()?;
        let space = usize::from(lines.get(colon + 1) == Some(&b' '));
        let value = shared.slice(colon + 1 + space..line.end);
        let mut value = HeaderValue::from_maybe_shared(value).ok()?;
        value.set_sensitive(!is_steady(&name));
        if !is_of_connection(&name) {
            fields.append(name, value);
        }
    }
    Some(fields)
}

/// Fields whose values are the same in message after message, so that compression by reference pays
/// (RFC 7541 2.3.2). All others are sent as literals that are never indexed: values that are new
/// each time push those out that are not, and h2's encoder walks all values of a name to find that
/// out; and one client's secrets stay out of a table that another's requests use.
fn is_steady(name: &HeaderName) -> bool {
    const STEADY: [HeaderName; 14] = [
        header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        header::ACCESS_CONTROL_ALLOW_METHODS,
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        header::CACHE_CONTROL,
        header::CONTENT_ENCODING,
        header::CONTENT_SECURITY_POLICY,
        header::CONTENT_TYPE,
        header::SERVER,
        header::STRICT_TRANSPORT_SECURITY,
        header::TE,
        header::VARY,
        header::X_CONTENT_TYPE_OPTIONS,
        header::X_FRAME_OPTIONS,
    ];
    STEADY.contains(name)
}

fn is_of_connection(name: &HeaderName) -> bool {
    *name == header::CONNECTION || *name == header::TRANSFER_ENCODING || *name == header::UPGRADE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(request: request::Builder, lines: Result<&str, Untellable>) {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let text = request_lines(&parts);
        assert_eq!(text.as_ref().map(|text| str::from_utf8(text).unwrap()), lines.as_deref());
    }

    #[test]
    fn a_request_becomes_lines() {
        check(
            request::Builder::new().uri("https://a.b:8443/p?q=1").header("x-y", "z"),
            Ok("GET /p?q=1 HTTP/1.1\r\nhost: a.b:8443\r\nx-y: z\r\n\r\n"),
        );
        check(
            request::Builder::new().uri("/only").method("POST").header("host", "a"),
            Ok("POST /only HTTP/1.1\r\nhost: a\r\n\r\n"),
        );
    }

    #[test]
    fn one_host_is_told_once_and_two_are_told_twice() {
        let uri = "https://a.b/";
        check(
            request::Builder::new().uri(uri).header("host", "A.B"),
            Ok("GET / HTTP/1.1\r\nhost: a.b\r\n\r\n"),
        );
        check(
            request::Builder::new().uri(uri).header("host", "evil"),
            Ok("GET / HTTP/1.1\r\nhost: a.b\r\nhost: evil\r\n\r\n"),
        );
    }

    #[test]
    fn what_lines_would_not_keep_is_not_told() {
        for value in [" a", "a ", "\ta", "a\t"] {
            let request = request::Builder::new().uri("/").header("x", value);
            check(request, Err(Untellable::Value));
        }
        check(
            request::Builder::new().uri("/").header("x", ""),
            Ok("GET / HTTP/1.1\r\nx: \r\n\r\n"),
        );
    }

    #[test]
    fn cookie_crumbs_are_joined() {
        let crumbs = request::Builder::new().uri("/").header("cookie", "a=1").header("x", "y");
        check(
            crumbs.header("cookie", "b=2"),
            Ok("GET / HTTP/1.1\r\ncookie: a=1; b=2\r\nx: y\r\n\r\n"),
        );
    }

    #[test]
    fn lines_become_an_answer() {
        let text = b"HTTP/1.1 201 Created\r\nDate: now\r\nset-cookie: a\r\nset-cookie: b\r\n\
                     connection: close\r\nempty:\r\n\r\nbody";
        let (response, end) = response_of(text).unwrap();
        assert_eq!(response.status(), 201);
        assert_eq!(response.headers()["date"], "now");
        assert_eq!(response.headers()["empty"], "");
        assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
        assert!(!response.headers().contains_key("connection"));
        assert_eq!(&text[end..], b"body");
        let (bare, end) = response_of(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        assert_eq!((bare.status().as_u16(), end), (100, 25));
    }

    #[test]
    fn a_request_survives_the_way_out_and_back() {
        let lines = b"POST /a/b?c=d HTTP/1.1\r\nhost: up:81\r\nx-y: z\r\n\r\n";
        let (request, end) = request_of(&[&lines[..], b"body"].concat(), &Scheme::HTTP).unwrap();
        assert_eq!(end, lines.len());
        assert_eq!(request.uri(), "http://up:81/a/b?c=d");
        assert_eq!(request.headers()["te"], "trailers");
        let (secured, _) = request_of(lines, &Scheme::HTTPS).unwrap();
        assert_eq!(secured.uri(), "https://up:81/a/b?c=d");
        let (parts, ()) = request.into_parts();
        let again = request_lines(&parts).unwrap();
        let expected = b"POST /a/b?c=d HTTP/1.1\r\nhost: up:81\r\nx-y: z\r\nte: trailers\r\n\r\n";
        assert_eq!(str::from_utf8(&again), str::from_utf8(expected));
    }

    #[test]
    fn an_answer_becomes_lines() {
        let response = http::Response::builder().status(404).header("grpc-status", "5");
        let (parts, ()) = response.body(()).unwrap().into_parts();
        assert_eq!(&*response_lines(&parts), b"HTTP/1.1 404 \r\ngrpc-status: 5\r\n\r\n");
    }
}
