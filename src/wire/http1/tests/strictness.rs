//! The parsing cases of `http11probe-cases.tsv`, by their names there, and more of their kind.
//! (Its other cases are about answers and behaviour over real sockets: `tests/it`.)

use super::reader::{End, Requests, read};
use crate::wire::suites::read_text;

#[track_caller]
fn check(name: &str, request: &str, status: u16) {
    let reading = read::<Requests>(&latin1(request));
    let told = match &reading.end {
        End::Refused(sentence) => sentence[..3].parse().expect("a status first"),
        End::Within => 0,
        End::Between | End::Closed | End::Switch => 200,
    };
    assert_eq!(told, status, "{name}: {request:?}: {reading:?}");
}

/// One byte per character, so that a table can hold any byte.
fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(u32::from(character)).expect("latin-1")).collect()
}

/// Name, request line, status (200 is accepted, 0 is not whole).
const LINES: &[(&str, &str, u16)] = &[
    ("COMP-BASELINE", "GET / HTTP/1.1", 200),
    ("COMP-ASTERISK-WITH-GET", "GET * HTTP/1.1", 400),
    ("COMP-OPTIONS-STAR", "OPTIONS * HTTP/1.1", 200),
    ("COMP-ABSOLUTE-FORM", "GET http://h.test/ HTTP/1.1", 200),
    ("COMP-ABSOLUTE-FORM", "GET HTTP://H.test:80?q HTTP/1.1", 200),
    ("COMP-ABSOLUTE-FORM", "GET http://user@h.test/ HTTP/1.1", 400),
    ("COMP-ABSOLUTE-FORM", "GET ftp://h.test/ HTTP/1.1", 400),
    ("COMP-ABSOLUTE-FORM", "GET http:///path HTTP/1.1", 400),
    ("SMUG-ABSOLUTE-URI-HOST-MISMATCH", "GET http://other.test/ HTTP/1.1", 400),
    ("SMUG-ABSOLUTE-URI-HOST-MISMATCH", "GET http://h.test:81/ HTTP/1.1", 400),
    ("RFC9112-3.2-FRAGMENT-IN-TARGET", "GET /a#b HTTP/1.1", 400),
    ("RFC9112-3.2-FRAGMENT-IN-TARGET", "GET /a?b#c HTTP/1.1", 400),
    ("RFC9112-3.2-FRAGMENT-IN-TARGET", "GET http://h.test#c HTTP/1.1", 400),
    ("COMP-HTTP12-VERSION", "GET / HTTP/1.2", 505),
    ("RFC9112-2.3-INVALID-VERSION", "GET / HTTP/9.9", 505),
    ("RFC9112-2.3-INVALID-VERSION", "GET / HTTP/2.0", 505),
    ("RFC9112-2.3-INVALID-VERSION", "GET / FTP/1.1", 400),
    ("MAL-H2-PREFACE", "PRI * HTTP/2.0", 505),
    ("COMP-VERSION-CASE", "GET / http/1.1", 400),
    ("COMP-VERSION-LEADING-ZEROS", "GET / HTTP/01.01", 400),
    ("COMP-VERSION-LEADING-ZEROS", "GET / HTTP/1.01", 400),
    ("COMP-VERSION-MISSING-MINOR", "GET / HTTP/1", 400),
    ("COMP-VERSION-MISSING-MINOR", "GET / HTTP/1.", 400),
    ("COMP-VERSION-WHITESPACE", "GET / HTTP/1 .1", 400),
    ("COMP-VERSION-WHITESPACE", "GET / HTTP/1.1 ", 400),
    ("RFC9112-2.3-HTTP09-REQUEST", "GET /", 400),
    ("COMP-METHOD-CASE", "get / HTTP/1.1", 501),
    ("COMP-METHOD-CONNECT", "CONNECT h.test:443 HTTP/1.1", 501),
    ("COMP-METHOD-TRACE", "TRACE / HTTP/1.1", 501),
    ("COMP-UNKNOWN-METHOD", "FOO / HTTP/1.1", 501),
    ("MAL-LONG-METHOD", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1", 400),
    ("RFC9112-3-MISSING-TARGET", "GET HTTP/1.1", 400),
    ("RFC9112-3-MISSING-TARGET", "GET  HTTP/1.1", 400),
    ("RFC9112-3-MULTI-SP-REQUEST-LINE", "GET  / HTTP/1.1", 400),
    ("RFC9112-3-MULTI-SP-REQUEST-LINE", "GET /  HTTP/1.1", 400),
    ("COMP-REQUEST-LINE-TAB", "GET\t/ HTTP/1.1", 400),
    ("COMP-REQUEST-LINE-TAB", "GET /\tHTTP/1.1", 400),
    ("COMP-SPACE-IN-TARGET", "GET /a b HTTP/1.1", 400),
    ("MAL-NON-ASCII-URL", "GET /\u{e9} HTTP/1.1", 400),
    ("MAL-URL-OVERLONG-UTF8", "GET /\u{c0}\u{af} HTTP/1.1", 400),
    ("MAL-NUL-IN-URL", "GET /\0 HTTP/1.1", 400),
    ("MAL-URL-BACKSLASH", "GET /a\\b HTTP/1.1", 400),
    ("MAL-URL-PERCENT-CRLF", "GET /a%0d%0ab HTTP/1.1", 400),
    ("MAL-URL-PERCENT-CRLF", "GET /a?b=%0D%0A HTTP/1.1", 200),
    ("MAL-URL-PERCENT-NULL", "GET /a%00 HTTP/1.1", 400),
    ("MAL-URL-PERCENT-NULL", "GET /?a%00 HTTP/1.1", 400),
    ("(percent)", "GET /%zz HTTP/1.1", 400),
    ("(percent)", "GET /%4 HTTP/1.1", 400),
    ("(percent)", "GET /?a=% HTTP/1.1", 400),
    ("(percent)", "GET /%41%C3%A9?b=%25 HTTP/1.1", 200),
    ("(dots)", "GET /a/../b HTTP/1.1", 400),
    ("(dots)", "GET /. HTTP/1.1", 400),
    ("(dots)", "GET /%2e%2E/b HTTP/1.1", 400),
    ("(dots)", "GET /.%2e HTTP/1.1", 400),
    ("(dots)", "GET /a.b/.../..c/.d?../. HTTP/1.1", 200),
    ("(dots)", "GET http://h.test/../b HTTP/1.1", 400),
    ("(raw in a query)", "GET /?a=\"<>[]^`{|} HTTP/1.1", 200),
    ("(raw in a path)", "GET /{a} HTTP/1.1", 400),
    ("(raw in a path)", "GET /a\"b HTTP/1.1", 400),
    ("(raw in a path)", "GET /a<b> HTTP/1.1", 400),
    ("(raw in a path)", "GET /a`b HTTP/1.1", 400),
    // fetch("/items[0]") and the like: the URL standard's path has these as they are.
    ("(raw in a path)", "GET /items[0]/a|b/c^d HTTP/1.1", 200),
    ("(raw in a path)", "GET /items[0]/.. HTTP/1.1", 400),
    ("(slashes)", "GET //a///b HTTP/1.1", 200),
    ("(other forms)", "OPTIONS *a HTTP/1.1", 400),
    ("(other forms)", "GET h.test:80 HTTP/1.1", 400),
    ("MAL-BINARY-GARBAGE", "\u{16}\u{3}\u{1}\u{2}\0\u{1}", 400),
];

/// Name, header lines after `POST / HTTP/1.1` and `Host: h.test`, status.
const FIELDS: &[(&str, &str, u16)] = &[
    ("COMP-POST-NO-CL-NO-TE", "", 200),
    ("COMP-POST-CL-ZERO", "Content-Length: 0", 200),
    ("COMP-POST-CL-BODY", "Content-Length: 3\r\n\r\nabc", 200),
    ("COMP-POST-CL-UNDERSEND", "Content-Length: 10\r\n\r\nabc", 0),
    ("MAL-POST-CL-HUGE-NO-BODY", "Content-Length: 9999999999", 413),
    ("RFC9112-6.1-CL-NON-NUMERIC", "Content-Length: abc", 400),
    ("RFC9112-6.1-CL-PLUS-SIGN", "Content-Length: +3", 400),
    ("MAL-CL-EMPTY", "Content-Length:", 400),
    ("MAL-CL-EMPTY", "Content-Length:  ", 400),
    ("MAL-CL-OVERFLOW", "Content-Length: 18446744073709551616", 400),
    ("MAL-CL-TAB-BEFORE-VALUE", "Content-Length:\t0", 200),
    ("SMUG-CL-COMMA-DIFFERENT", "Content-Length: 1, 2", 400),
    ("SMUG-CL-COMMA-SAME", "Content-Length: 5, 5", 400),
    ("SMUG-CL-COMMA-TRIPLE", "Content-Length: 5, 5, 5", 400),
    ("SMUG-CL-DOUBLE-ZERO", "Content-Length: 00", 400),
    ("SMUG-CL-EXTRA-LEADING-SP", "Content-Length:   0", 200),
    ("SMUG-CL-TRAILING-SPACE", "Content-Length: 0 ", 200),
    ("SMUG-CL-HEX-PREFIX", "Content-Length: 0x5", 400),
    ("SMUG-CL-INTERNAL-SPACE", "Content-Length: 1 0", 400),
    ("SMUG-CL-LEADING-ZEROS", "Content-Length: 005", 400),
    ("SMUG-CL-LEADING-ZEROS-OCTAL", "Content-Length: 010", 400),
    ("SMUG-CL-NEGATIVE", "Content-Length: -1", 400),
    ("SMUG-CL-NEGATIVE-ZERO", "Content-Length: -0", 400),
    ("SMUG-CL-OCTAL", "Content-Length: 0o5", 400),
    ("SMUG-CL-UNDERSCORE", "Content-Length: 1_0", 400),
    ("SMUG-DUPLICATE-CL", "Content-Length: 5\r\nContent-Length: 10", 400),
    ("SMUG-DUPLICATE-CL", "Content-Length: 5\r\nContent-Length: 5", 400),
    ("SMUG-CL-TE-BOTH", "Content-Length: 6\r\nTransfer-Encoding: chunked", 400),
    ("SMUG-TECL-DESYNC", "Transfer-Encoding: chunked\r\nContent-Length: 6", 400),
    ("SMUG-TE-CASE-MISMATCH", "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", 200),
    ("SMUG-TE-DOUBLE-CHUNKED", "Transfer-Encoding: chunked, chunked", 400),
    ("SMUG-TE-DUPLICATE-HEADERS", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", 400),
    ("SMUG-TE-DUPLICATE-HEADERS", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400),
    ("SMUG-TE-EMPTY-VALUE", "Transfer-Encoding:", 400),
    ("SMUG-TE-FORMFEED", "Transfer-Encoding: \u{c}chunked", 400),
    ("SMUG-TE-VTAB", "Transfer-Encoding: \u{b}chunked", 400),
    ("SMUG-TE-NULL", "Transfer-Encoding: chunked\0", 400),
    ("SMUG-TE-IDENTITY", "Transfer-Encoding: identity", 400),
    ("SMUG-TE-LEADING-COMMA", "Transfer-Encoding: , chunked", 400),
    ("SMUG-TE-TRAILING-COMMA", "Transfer-Encoding: chunked,", 400),
    ("SMUG-TE-NOT-FINAL-CHUNKED", "Transfer-Encoding: chunked, gzip", 400),
    ("SMUG-TE-XCHUNKED", "Transfer-Encoding: xchunked", 400),
    ("SMUG-TE-OBS-FOLD", "Transfer-Encoding:\r\n chunked", 400),
    ("SMUG-TE-SP-BEFORE-COLON", "Transfer-Encoding : chunked", 400),
    ("SMUG-TE-TAB-BEFORE-VALUE", "Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n", 200),
    ("SMUG-TE-TRAILING-SPACE", "Transfer-Encoding: chunked \r\n\r\n0\r\n\r\n", 200),
    ("SMUG-CHUNKED-WITH-PARAMS", "Transfer-Encoding: chunked;a=b", 400),
    ("COMP-UNKNOWN-TE-501", "Transfer-Encoding: gzip, chunked", 501),
    ("SMUG-TRANSFER_ENCODING", "Transfer_Encoding: chunked", 400),
    ("NORM-UNDERSCORE-TE", "TRANSFER_ENCODING: chunked", 400),
    ("NORM-UNDERSCORE-CL", "Content_Length: 5", 400),
    ("NORM-SP-BEFORE-COLON-CL", "Content-Length : 5", 400),
    ("NORM-TAB-IN-NAME", "Content\tLength: 5", 400),
    ("RFC9110-5.6.2-SP-BEFORE-COLON", "X : y", 400),
    ("RFC9112-5-EMPTY-HEADER-NAME", ": y", 400),
    ("RFC9112-5-HEADER-NO-COLON", "nothing", 400),
    ("RFC9112-5-INVALID-HEADER-NAME", "X[y]: z", 400),
    ("RFC9112-5.1-OBS-FOLD", "X: y\r\n z", 400),
    ("MAL-WHITESPACE-ONLY-LINE", "X: y\r\n \t", 400),
    ("RFC9112-2.2-BARE-LF-HEADER", "X: y\nZ: z", 400),
    ("SMUG-BARE-CR-HEADER-VALUE", "X: y\rZ: z", 400),
    ("MAL-CONTROL-CHARS-HEADER", "X: \u{1}", 400),
    ("MAL-CONTROL-CHARS-HEADER", "X: \u{7f}", 400),
    ("MAL-NUL-IN-HEADER-VALUE", "X: a\0b", 400),
    ("MAL-NON-ASCII-HEADER-NAME", "\u{e9}: y", 400),
    ("COOK-CONTROL-CHARS", "Cookie: a=\u{2}", 400),
    ("COOK-NUL", "Cookie: a=\0", 400),
    ("(obs-text)", "X: caf\u{e9}", 200),
    ("COMP-DUPLICATE-HOST-SAME", "Host: h.test", 400),
    ("RFC9110-5.4-DUPLICATE-HOST", "Host: other.test", 400),
    ("COMP-EXPECT-UNKNOWN", "Expect: 200-ok", 417),
    ("SMUG-EXPECT-100-CL", "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\na", 200),
    ("COMP-CONNECTION-CLOSE", "Connection: close", 200),
    ("COMP-UPGRADE-MISSING-CONN", "Upgrade: websocket", 200),
    ("(hop by hop abuse)", "Connection: close, Content-Length\r\nContent-Length: 1", 400),
    ("(hop by hop abuse)", "Connection: host", 400),
    ("(hop by hop abuse)", "Connection: X-Forwarded-For", 400),
    ("(hop by hop, proper)", "Connection: x-only-here, te\r\nX-Only-Here: 1", 200),
];

/// Name, chunked body, status.
const CHUNKS: &[(&str, &str, u16)] = &[
    ("COMP-CHUNKED-BODY", "5\r\nhello\r\n0\r\n\r\n", 200),
    ("COMP-CHUNKED-EMPTY", "0\r\n\r\n", 200),
    ("COMP-CHUNKED-MULTI", "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", 200),
    ("COMP-CHUNKED-HEX-UPPERCASE", "A\r\n0123456789\r\n0\r\n\r\n", 200),
    ("COMP-CHUNKED-EXTENSION", "5;a=b;c;d=\"e\\\" f\"\r\nhello\r\n0\r\n\r\n", 200),
    ("COMP-CHUNKED-NO-FINAL", "5\r\nhello\r\n", 0),
    ("COMP-CHUNKED-TRAILER-VALID", "0\r\nX-Sum: 1\r\n\r\n", 200),
    ("MAL-CHUNK-SIZE-OVERFLOW", "FFFFFFFFFFFFFFFFF\r\n", 400),
    ("SMUG-CHUNK-BARE-CR-TERM", "5\rhello\r\n0\r\n\r\n", 400),
    ("SMUG-CHUNK-BARE-SEMICOLON", "5;\r\nhello\r\n0\r\n\r\n", 400),
    ("SMUG-CHUNK-EXT-CR", "5;a\rb\r\nhello\r\n0\r\n\r\n", 400),
    ("SMUG-CHUNK-EXT-CTRL", "5;a\u{1}\r\nhello\r\n0\r\n\r\n", 400),
    ("SMUG-CHUNK-EXT-CTRL", "5;a=\"\0\"\r\nhello\r\n0\r\n\r\n", 400),
    ("SMUG-CHUNK-EXT-INVALID-TOKEN", "5;a@=b\r\nhello\r\n0\r\n\r\n", 400),
    ("SMUG-CHUNK-EXT-INVALID-TOKEN", "5;a=\r\nhello\r\n0\r\n\r\n", 400),
    ("SMUG-CHUNK-EXT-LF", "5;a\nhello\r\n0\r\n\r\n", 400),
    ("SMUG-CHUNK-EXT-LF", "5;a=\"b\n\"\r\nhello\r\n0\r\n\r\n", 400),
    ("SMUG-CHUNK-HEX-PREFIX", "0x5\r\nhello\r\n0\r\n\r\n", 400),
    ("SMUG-CHUNK-INVALID-SIZE-DESYNC", "+0\r\n\r\n", 400),
    ("SMUG-CHUNK-LEADING-SP", " 5\r\nhello\r\n0\r\n\r\n", 400),
    ("SMUG-CHUNK-LF-TERM", "5\nhello\r\n0\r\n\r\n", 400),
    ("SMUG-CHUNK-LF-TERM", "5\r\nhello\n0\r\n\r\n", 400),
    ("SMUG-CHUNK-LF-TRAILER", "0\r\nX: y\n\r\n", 400),
    ("SMUG-CHUNK-LF-TRAILER", "0\r\n\n", 400),
    ("SMUG-CHUNK-MISSING-TRAILING-CRLF", "5\r\nhello0\r\n\r\n", 400),
    ("SMUG-CHUNK-NEGATIVE", "-1\r\n\r\n", 400),
    ("SMUG-CHUNK-SIZE-PLUS", "+5\r\nhello\r\n0\r\n\r\n", 400),
    ("SMUG-CHUNK-SIZE-TRAILING-OWS", "5 \r\nhello\r\n0\r\n\r\n", 400),
    ("SMUG-CHUNK-SPILL", "5\r\nhello!\r\n0\r\n\r\n", 400),
    ("SMUG-CHUNK-UNDERSCORE", "1_0\r\n", 400),
    ("SMUG-TRAILER-CL", "0\r\nContent-Length: 5\r\n\r\n", 400),
    ("SMUG-TRAILER-TE", "0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("SMUG-TRAILER-AUTH", "0\r\nAuthorization: x\r\n\r\n", 200),
    ("SMUG-TRAILER-HOST", "0\r\nHost: evil.test\r\n\r\n", 200),
    ("SMUG-TRAILER-CONTENT-TYPE", "0\r\nContent-Type: text/evil\r\n\r\n", 200),
    ("(trailer fold)", "0\r\nX: y\r\n z\r\n\r\n", 400),
    ("(trailer CR)", "0\r\n\rX", 400),
];

/// Name, Host value, status.
const HOSTS: &[(&str, &str, u16)] = &[
    ("COMP-HOST-EMPTY-VALUE", "", 400),
    ("COMP-HOST-WITH-PATH", "h.test/path", 400),
    ("COMP-HOST-WITH-USERINFO", "user@h.test", 400),
    ("SMUG-MULTIPLE-HOST-COMMA", "a.test, b.test", 400),
    ("(names)", "h_1.te-st.", 200),
    ("(addresses)", "192.0.2.1:8080", 200),
    ("(addresses)", "[::1]:8080", 200),
    ("(addresses)", "[::1]", 200),
    ("(addresses)", "[::1", 400),
    ("(addresses)", "[::1]a", 400),
    ("(addresses)", "[v1.a]", 400),
    ("(ports)", "h.test:", 200),
    ("(ports)", "h.test:0", 200),
    ("(ports)", "h.test:65535", 200),
    ("(ports)", "h.test:65536", 400),
    ("(ports)", "h.test:+80", 400),
    ("(ports)", "h.test:80:80", 400),
    ("(ports)", "h.test:000080", 400),
    ("(bytes)", "h test", 400),
    ("(bytes)", "h%2etest", 400),
    ("(bytes)", "h\u{e9}.test", 400),
];

/// Name, all the bytes, status.
const WHOLE: &[(&str, &str, u16)] = &[
    ("RFC9112-7.1-MISSING-HOST", "GET / HTTP/1.1\r\n\r\n", 400),
    ("COMP-HTTP10-NO-HOST", "GET / HTTP/1.0\r\n\r\n", 200),
    ("COMP-LEADING-CRLF", "\r\nGET / HTTP/1.0\r\n\r\n", 200),
    ("COMP-LEADING-CRLF", "\r\n\r\nGET / HTTP/1.0\r\n\r\n", 400),
    ("COMP-LEADING-CRLF", "\nGET / HTTP/1.0\r\n\r\n", 400),
    ("RFC9112-2.2-BARE-LF-REQUEST-LINE", "GET / HTTP/1.0\n\r\n", 400),
    ("RFC9112-2.2-BARE-LF-REQUEST-LINE", "GET / HTTP/1.0\r\n\n", 400),
    ("RFC9112-2.2-BARE-LF-REQUEST-LINE", "GET / HTTP/1.0\nX: y\r\n\r\n", 400),
    ("RFC9112-2.2-BARE-LF-HEADER", "GET / HTTP/1.0\r\nX: y\n\r\n", 400),
    ("RFC9112-2.2-BARE-LF-HEADER", "GET / HTTP/1.0\r\nX: y\r\n\n", 400),
    ("RFC9112-2.2-BARE-LF-HEADER", "GET / HTTP/1.0\r\nX:\nY: z\r\n\r\n", 400),
    ("RFC9112-3-CR-ONLY-LINE-ENDING", "GET / HTTP/1.0\rX: y\r\r", 400),
    ("COMP-WHITESPACE-BEFORE-HEADERS", "GET / HTTP/1.0\r\n X: y\r\n\r\n", 400),
    ("MAL-EMPTY-REQUEST", "", 200),
    ("MAL-EMPTY-REQUEST", "\r\n", 0),
    ("MAL-INCOMPLETE-REQUEST", "GET / HTTP/1.1\r\nHost: h.test\r\n", 0),
    ("SMUG-TE-HTTP10", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("COMP-HTTP10-DEFAULT-CLOSE", "GET / HTTP/1.0\r\n\r\ngarbage", 200),
    (
        "SMUG-PIPELINE-SAFE",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        200,
    ),
];

#[test]
fn what_two_parsers_could_read_differently_is_refused() {
    for (name, line, status) in LINES {
        check(name, &format!("{line}\r\nHost: h.test\r\n\r\n"), *status);
    }
    for (name, fields, status) in FIELDS {
        let end = if fields.contains("\r\n\r\n") { "" } else { "\r\n\r\n" };
        let end = if fields.is_empty() { "\r\n" } else { end };
        check(name, &format!("POST / HTTP/1.1\r\nHost: h.test\r\n{fields}{end}"), *status);
    }
    let head = "POST / HTTP/1.1\r\nHost: h.test\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (name, body, status) in CHUNKS {
        check(name, &format!("{head}{body}"), *status);
    }
    for (name, host, status) in HOSTS {
        check(name, &format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), *status);
    }
    for (name, request, status) in WHOLE {
        check(name, request, *status);
    }
}

#[test]
fn every_name_is_one_of_the_probe_list() {
    let Some(text) = read_text("http11probe-cases.tsv") else { return };
    let known: Vec<&str> = text.lines().filter_map(|line| line.split('\t').next()).collect();
    let tables = [LINES, FIELDS, CHUNKS, HOSTS, WHOLE];
    for (name, ..) in tables.into_iter().flatten() {
        assert!(name.starts_with('(') || known.contains(name), "{name} is not in the list");
    }
}
