//! Compliance, capabilities, upgrade: what a strict edge accepts, and how it says no.

use super::{BAD, Case, EITHER, OK, Want, case, chunked, get, post};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = bodies();
    cases.extend(validators());
    cases.extend(fields());
    cases.extend(hosts_and_lines());
    cases.extend(targets_and_methods());
    cases.extend(versions());
    cases.extend(upgrades());
    cases
}

fn bodies() -> Vec<Case> {
    vec![
        case("COMP-BASELINE", OK, get("")),
        case("COMP-CHUNKED-BODY", OK, chunked("5\r\nhello\r\n0\r\n\r\n")),
        case("COMP-CHUNKED-EMPTY", OK, chunked("0\r\n\r\n")),
        case("COMP-CHUNKED-EXTENSION", OK, chunked("5;ext=value\r\nhello\r\n0\r\n\r\n")),
        case("COMP-CHUNKED-HEX-UPPERCASE", OK, chunked("A\r\nhelloworld\r\n0\r\n\r\n")),
        case("COMP-CHUNKED-MULTI", OK, chunked("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")),
        case("COMP-CHUNKED-NO-FINAL", Want::Nothing, chunked("5\r\nhello\r\n")),
        case(
            "COMP-CHUNKED-TRAILER-VALID",
            OK,
            chunked("5\r\nhello\r\n0\r\nx-checksum: abc\r\n\r\n"),
        ),
        case("COMP-GET-WITH-CL-BODY", OK, get("content-length: 5\r\n") + "hello"),
        case("COMP-POST-CL-BODY", OK, post("content-length: 5\r\n", "hello")),
        case("COMP-POST-CL-UNDERSEND", Want::Nothing, post("content-length: 10\r\n", "hello")),
        case("COMP-POST-CL-ZERO", OK, post("content-length: 0\r\n", "")),
        case("COMP-POST-NO-CL-NO-TE", OK, post("", "")),
        case(
            "COMP-POST-UNSUPPORTED-CT",
            OK,
            post("content-type: application/x-nonsense\r\ncontent-length: 5\r\n", "hello"),
        ),
        case("COMP-RANGE-INVALID", OK, get("range: bytes=abc-xyz\r\n")),
        case("COMP-RANGE-POST", OK, post("range: bytes=0-1\r\ncontent-length: 5\r\n", "hello")),
        case("COMP-NO-CL-IN-204", Want::Statuses(&[204]), "GET /204 HTTP/1.1\r\nhost: it\r\n\r\n"),
    ]
}

fn validators() -> Vec<Case> {
    let etag = "if-none-match: \"abc\"\r\n";
    vec![
        case("CAP-ETAG-304", OK, get(etag)),
        case("CAP-ETAG-IN-304", OK, get(etag)),
        case("CAP-ETAG-WEAK", OK, get("if-none-match: W/\"abc\"\r\n")),
        case("CAP-IMS-FUTURE", OK, get("if-modified-since: Thu, 01 Jan 2099 00:00:00 GMT\r\n")),
        case("CAP-IMS-INVALID", OK, get("if-modified-since: not-a-date\r\n")),
        case(
            "CAP-INM-PRECEDENCE",
            OK,
            get("if-none-match: \"abc\"\r\nif-modified-since: Thu, 01 Jan 1970 00:00:00 GMT\r\n"),
        ),
        case("CAP-INM-UNQUOTED", OK, get("if-none-match: abc\r\n")),
        case("CAP-INM-WILDCARD", OK, get("if-none-match: *\r\n")),
        case(
            "CAP-LAST-MODIFIED-304",
            OK,
            get("if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
        ),
    ]
}

fn fields() -> Vec<Case> {
    vec![
        case("RFC9112-6.1-CL-NON-NUMERIC", BAD, post("content-length: abc\r\n", "hello")),
        case("RFC9112-6.1-CL-PLUS-SIGN", BAD, post("content-length: +5\r\n", "hello")),
        case("COMP-ACCEPT-NONSENSE", OK, get("accept: application/x-nonsense\r\n")),
        case("COMP-CONNECTION-CLOSE", OK, get("connection: close\r\n")),
        case("COMP-CONTENT-TYPE", OK, get("")),
        case("COMP-DATE-FORMAT", OK, get("")),
        case("COMP-DATE-HEADER", OK, get("")),
        case(
            "COMP-DUPLICATE-CT",
            OK,
            post("content-type: a/b\r\ncontent-type: c/d\r\ncontent-length: 5\r\n", "hello"),
        ),
        case("RFC9112-5-EMPTY-HEADER-NAME", BAD, get(": empty-name\r\n")),
        case("COMP-EXPECT-UNKNOWN", Want::Statuses(&[417]), get("expect: 200-ok\r\n")),
        case("RFC9112-5-HEADER-NO-COLON", BAD, get("NoColonHere\r\n")),
        case("COMP-HTTP10-DEFAULT-CLOSE", OK, "GET / HTTP/1.0\r\nhost: it\r\n\r\n"),
        case("RFC9112-5-INVALID-HEADER-NAME", BAD, get("Bad[Name]: v\r\n")),
        case(
            "COMP-NO-1XX-HTTP10",
            OK,
            "POST / HTTP/1.0\r\nhost: it\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\nhello",
        ),
        case("RFC9112-5.1-OBS-FOLD", BAD, get("x-test: a\r\n b\r\n")),
        case("RFC9110-5.6.2-SP-BEFORE-COLON", BAD, get("x-test : v\r\n")),
        case("COMP-WHITESPACE-BEFORE-HEADERS", BAD, "GET / HTTP/1.1\r\n \r\nhost: it\r\n\r\n"),
    ]
}

fn hosts_and_lines() -> Vec<Case> {
    let host = |lines: &str| format!("GET / HTTP/1.1\r\n{lines}\r\n");
    vec![
        case("COMP-DUPLICATE-HOST-SAME", BAD, host("host: it\r\nhost: it\r\n")),
        case("RFC9110-5.4-DUPLICATE-HOST", BAD, host("host: it\r\nhost: other\r\n")),
        case("COMP-HOST-EMPTY-VALUE", BAD, host("host: \r\n")),
        case("COMP-HOST-WITH-PATH", BAD, host("host: it/path\r\n")),
        case("COMP-HOST-WITH-USERINFO", BAD, host("host: user@it\r\n")),
        case("COMP-HTTP10-NO-HOST", OK, "GET / HTTP/1.0\r\n\r\n"),
        case("RFC9112-7.1-MISSING-HOST", BAD, host("")),
        case("RFC9112-2.2-BARE-LF-HEADER", BAD, "GET / HTTP/1.1\r\nhost: it\nx: y\r\n\r\n"),
        case("RFC9112-2.2-BARE-LF-REQUEST-LINE", BAD, "GET / HTTP/1.1\nhost: it\r\n\r\n"),
        case("RFC9112-3-CR-ONLY-LINE-ENDING", BAD, "GET / HTTP/1.1\rhost: it\r\r"),
        case("COMP-LEADING-CRLF", EITHER, format!("\r\n{}", get(""))),
    ]
}

fn targets_and_methods() -> Vec<Case> {
    let line = |text: &str| format!("{text}\r\nhost: it\r\n\r\n");
    let not_implemented = Want::Statuses(&[501]);
    vec![
        case("COMP-405-ALLOW", Want::Statuses(&[404]), line("DELETE /no/such/verb HTTP/1.1")),
        case("COMP-ABSOLUTE-FORM", OK, line("GET http://it/ HTTP/1.1")),
        case("COMP-ASTERISK-WITH-GET", BAD, line("GET * HTTP/1.1")),
        case("RFC9112-3.2-FRAGMENT-IN-TARGET", BAD, line("GET /path#fragment HTTP/1.1")),
        case("COMP-HEAD-NO-BODY", OK, line("HEAD / HTTP/1.1")),
        case("COMP-LONG-URL-OK", OK, line(&format!("GET /{} HTTP/1.1", "a".repeat(7_900)))),
        case("COMP-METHOD-CASE", not_implemented, line("get / HTTP/1.1")),
        case("COMP-METHOD-CONNECT", Want::OneOf(&[400, 501]), line("CONNECT it:443 HTTP/1.1")),
        case("COMP-METHOD-TRACE", not_implemented, line("TRACE / HTTP/1.1")),
        case("RFC9112-3-MISSING-TARGET", BAD, line("GET HTTP/1.1")),
        case("RFC9112-3-MULTI-SP-REQUEST-LINE", BAD, line("GET  /  HTTP/1.1")),
        case("COMP-OPTIONS-ALLOW", OK, line("OPTIONS / HTTP/1.1")),
        case("COMP-OPTIONS-STAR", Want::Statuses(&[204]), line("OPTIONS * HTTP/1.1")),
        case("COMP-REQUEST-LINE-TAB", BAD, line("GET\t/\tHTTP/1.1")),
        case("COMP-SPACE-IN-TARGET", BAD, line("GET /a b HTTP/1.1")),
        case(
            "COMP-TRACE-SENSITIVE",
            not_implemented,
            "TRACE / HTTP/1.1\r\nhost: it\r\nauthorization: Basic secret\r\n\r\n",
        ),
        case(
            "COMP-TRACE-WITH-BODY",
            not_implemented,
            "TRACE / HTTP/1.1\r\nhost: it\r\ncontent-length: 5\r\n\r\nhello",
        ),
        case("COMP-UNKNOWN-METHOD", not_implemented, line("FOOBAR / HTTP/1.1")),
        case(
            "COMP-UNKNOWN-TE-501",
            Want::OneOf(&[400, 501]),
            post("transfer-encoding: bogus\r\n", "5\r\nhello\r\n0\r\n\r\n"),
        ),
    ]
}

fn versions() -> Vec<Case> {
    let version = |text: &str| format!("GET / {text}\r\nhost: it\r\n\r\n");
    vec![
        case("RFC9112-2.3-HTTP09-REQUEST", BAD, "GET /\r\n"),
        case("COMP-HTTP12-VERSION", Want::OneOf(&[200, 505]), version("HTTP/1.2")),
        case("RFC9112-2.3-INVALID-VERSION", Want::OneOf(&[400, 505]), version("HTTP/9.9")),
        case("COMP-VERSION-CASE", BAD, version("http/1.1")),
        case("COMP-VERSION-LEADING-ZEROS", BAD, version("HTTP/01.01")),
        case("COMP-VERSION-MISSING-MINOR", BAD, version("HTTP/1")),
        case("COMP-VERSION-WHITESPACE", BAD, version("HTTP/ 1.1")),
    ]
}

fn upgrades() -> Vec<Case> {
    let websocket = "upgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let whole = format!("connection: Upgrade\r\n{websocket}sec-websocket-version: 13\r\n");
    vec![
        case("COMP-UPGRADE-HTTP10", OK, format!("GET / HTTP/1.0\r\nhost: it\r\n{whole}\r\n")),
        case(
            "COMP-UPGRADE-INVALID-VER",
            OK,
            get(&format!("connection: Upgrade\r\n{websocket}sec-websocket-version: 99\r\n")),
        ),
        case(
            "COMP-UPGRADE-MISSING-CONN",
            OK,
            get(&format!("{websocket}sec-websocket-version: 13\r\n")),
        ),
        case("COMP-UPGRADE-POST", OK, post(&format!("{whole}content-length: 0\r\n"), "")),
        case("COMP-UPGRADE-UNKNOWN", OK, get("connection: Upgrade\r\nupgrade: totally/1.0\r\n")),
    ]
}
