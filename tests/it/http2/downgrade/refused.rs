//! What is refused, so that nothing of it reaches the upstream.

use super::{Case, Want, case, get, having, lacking, owned, post};

/// A request that must never be seen as one.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nhost: it\r\n\r\n";
const CHUNKED_AND_SMUGGLED: &str = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: it\r\n\r\n";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = framing();
    cases.extend(fields_of_the_connection());
    cases.extend(names());
    cases.extend(values());
    cases.extend(paths());
    cases.extend(other_pseudo_fields());
    cases.extend(hosts());
    cases.extend(sizes());
    cases.extend(trailers());
    cases
}

/// A malformed GET with that field.
fn field(name: &'static str, field: (impl AsRef<[u8]>, impl AsRef<[u8]>)) -> Case {
    case(name, get(&[field]), Want::Malformed)
}

fn pseudo(name: &'static str, field: &str, value: impl AsRef<[u8]>) -> Case {
    case(name, having(field, value), Want::Malformed)
}

/// H2.CL and H2.TE, and lengths that are none.
fn framing() -> Vec<Case> {
    let malformed = |name, fields: &[(&str, &str)], body: &[&'static str]| {
        case(name, post(fields), Want::Malformed).body(body)
    };
    vec![
        malformed("H2.CL: 0, and data", &[("content-length", "0")], &[SMUGGLED]),
        malformed("H2.CL: less than the data", &[("content-length", "4")], &["four", SMUGGLED]),
        malformed("H2.CL: less, in one frame", &[("content-length", "4")], &["fourGET /smuggled"]),
        malformed("H2.CL: more than the data", &[("content-length", "5")], &["four"]),
        malformed("H2.CL: a length and no data", &[("content-length", "5")], &[]),
        malformed("H2.TE", &[("transfer-encoding", "chunked")], &[CHUNKED_AND_SMUGGLED]),
        malformed(
            "H2.TE and a length",
            &[("content-length", "4"), ("transfer-encoding", "chunked")],
            &["four"],
        ),
        malformed("H2.TE: identity", &[("transfer-encoding", "identity")], &["four"]),
        malformed("H2.TE: nothing", &[("transfer-encoding", "")], &["four"]),
        malformed("two lengths", &[("content-length", "4"), ("content-length", "5")], &["four"]),
        malformed("a list of lengths", &[("content-length", "4, 4")], &["four"]),
        malformed("a signed length", &[("content-length", "+4")], &["four"]),
        malformed("a negative length", &[("content-length", "-4")], &["four"]),
        malformed("a hexadecimal length", &[("content-length", "0x4")], &["four"]),
        malformed("a length with a space", &[("content-length", " 4")], &["four"]),
        malformed("an empty length", &[("content-length", "")], &["four"]),
        malformed("a length of words", &[("content-length", "four")], &["four"]),
        malformed(
            "a length beyond 64 bits",
            &[("content-length", "18446744073709551620")],
            &["four"],
        ),
    ]
}

fn fields_of_the_connection() -> Vec<Case> {
    vec![
        field("connection", ("connection", "close")),
        field("connection that names another", ("connection", "x-case")),
        field("keep-alive", ("keep-alive", "timeout=5")),
        field("proxy-connection", ("proxy-connection", "keep-alive")),
        field("upgrade", ("upgrade", "h2c")),
        field("upgrade to a web socket", ("upgrade", "websocket")),
        field("te with a coding", ("te", "gzip")),
        field("te with trailers and more", ("te", "trailers, deflate;q=0.5")),
    ]
}

fn names() -> Vec<Case> {
    vec![
        field("a name in upper case", ("X-Upper", "1")),
        field("one letter in upper case", ("transfer-Encoding", "chunked")),
        field("a name of nothing", ("", "1")),
        field("a name with a space", ("x y", "1")),
        field("a name that ends in a space", ("transfer-encoding ", "chunked")),
        field("a name that begins with a space", (" x", "1")),
        field("a name with a colon", ("x:y", "1")),
        field("a name that is a line", ("x: 1\r\nsmuggled", "1")),
        field("a name with CR", ("x\ry", "1")),
        field("a name with LF", ("x\ny", "1")),
        field("a name with NUL", ("x\0y", "1")),
        field("a name with a tab", ("x\ty", "1")),
        field("a name with DEL", ("x\x7fy", "1")),
        field("a name beyond ASCII", (b"x\xe9", "1")),
        field("a name with a slash", ("x/y", "1")),
        field("a name in parentheses", ("(x)", "1")),
    ]
}

fn values() -> Vec<Case> {
    vec![
        field("a value with another line", ("x-line", "1\r\nsmuggled: 1")),
        field("a value with another request", ("x-line", format!("1\r\n\r\n{SMUGGLED}"))),
        field("a value with CR", ("x-line", "1\rsmuggled: 1")),
        field("a value with LF", ("x-line", "1\nsmuggled: 1")),
        field("a value with NUL", ("x-line", "1\x002")),
        field("a value with another control", ("x-line", "1\x012")),
        field("a value with DEL", ("x-line", "1\x7f2")),
        field("a value that begins with a space", ("x-line", " 1")),
        field("a value that ends in a tab", ("x-line", "1\t")),
        field("cookie with another line", ("cookie", "a=1\r\nsmuggled: 1")),
        field("user-agent with another line", ("user-agent", "u\r\ntransfer-encoding: chunked")),
    ]
}

fn paths() -> Vec<Case> {
    vec![
        pseudo(":path with another line", ":path", "/ HTTP/1.1\r\nsmuggled: 1"),
        pseudo(
            ":path with another request",
            ":path",
            format!("/ HTTP/1.1\r\nhost: it\r\n\r\n{SMUGGLED}"),
        ),
        pseudo(":path with a version", ":path", "/smuggled HTTP/1.1"),
        pseudo(":path with a space", ":path", "/a b"),
        pseudo(":path with a space in its query", ":path", "/a?b c"),
        pseudo(":path with a tab", ":path", "/a\tb"),
        pseudo(":path with CR", ":path", "/a\rb"),
        pseudo(":path with LF", ":path", "/a\nb"),
        pseudo(":path with NUL", ":path", "/a\0b"),
        pseudo(":path with DEL", ":path", "/a\x7fb"),
        pseudo(":path without a slash", ":path", "case"),
        pseudo(":path of a query", ":path", "?case"),
        pseudo(":path of nothing", ":path", ""),
        pseudo(":path of a whole URI", ":path", "http://smuggled/case"),
        pseudo(":path of an authority", ":path", "smuggled:80"),
        pseudo(":path of an asterisk, with GET", ":path", "*"),
        pseudo(":path that climbs out", ":path", "/../smuggled"),
        pseudo(":path that climbs out, encoded", ":path", "/%2e%2e/smuggled"),
        pseudo(":path with a broken escape", ":path", "/%zz"),
        pseudo(":path with a NUL, encoded", ":path", "/%00"),
        pseudo(":path with a backslash", ":path", "/\\smuggled"),
    ]
}

fn other_pseudo_fields() -> Vec<Case> {
    vec![
        pseudo(":method that is a line", ":method", "GET /smuggled HTTP/1.1\r\nx:"),
        pseudo(":method with a space", ":method", "GET /smuggled"),
        pseudo(":method of nothing", ":method", ""),
        pseudo(":method with a colon", ":method", "GET:"),
        case(":method that we do not know", having(":method", "BREW"), Want::Status(501)),
        case(":method in lower case", having(":method", "get"), Want::Status(501)),
        case(":method TRACE", having(":method", "TRACE"), Want::Status(501)),
        pseudo(":scheme that is a URI", ":scheme", "http://smuggled/?"),
        pseudo(":scheme with another line", ":scheme", "http\r\nsmuggled: 1"),
        pseudo(":scheme with a space", ":scheme", "http smuggled"),
        field(":method twice", (":method", "GET")),
        field(":path twice", (":path", "/smuggled")),
        field(":authority twice", (":authority", "it")),
        field(":status", (":status", "200")),
        field(":protocol without an extended CONNECT", (":protocol", "websocket")),
        field("an unknown pseudo field", (":smuggled", "1")),
        field("a pseudo field with a line", (":path\r\nsmuggled", "1")),
        case("a pseudo field behind the others", behind(), Want::Malformed),
        // Without :path, as it has to be: no request that the gateway could tell in lines.
        case(
            "CONNECT",
            vec![owned((":method", "CONNECT")), owned((":authority", "it:80"))],
            Want::Malformed,
        ),
    ]
}

/// `:path` behind a field.
fn behind() -> Vec<super::Field> {
    let mut fields = lacking(":path", &[("x-first", "1")]);
    fields.push(owned((":path", "/case")));
    fields
}

fn hosts() -> Vec<Case> {
    vec![
        field("host that is not :authority", ("host", "smuggled")),
        field("host beside another host", ("host", "it, smuggled")),
        case("host twice", get(&[("host", "it"), ("host", "smuggled")]), Want::Malformed),
        case(
            "host twice, and no :authority",
            lacking(":authority", &[("host", "it"), ("host", "smuggled")]),
            Want::Malformed,
        ),
        case("neither :authority nor host", lacking(":authority", &[]), Want::Malformed),
        pseudo(":authority of nothing", ":authority", ""),
        pseudo(":authority with user information", ":authority", "smuggled@it"),
        pseudo(":authority with a path", ":authority", "it/smuggled"),
        pseudo(":authority with a query", ":authority", "it?smuggled"),
        pseudo(":authority with another line", ":authority", "it\r\nsmuggled: 1"),
        pseudo(":authority with a space", ":authority", "it smuggled"),
        pseudo(":authority of two", ":authority", "it,smuggled"),
        pseudo(":authority with a port of words", ":authority", "it:smuggled"),
        case(
            "host with a path, and no :authority",
            lacking(":authority", &[("host", "it/smuggled")]),
            Want::Malformed,
        ),
    ]
}

/// The bounds are those of HTTP/1.1 (`base::limits`).
fn sizes() -> Vec<Case> {
    let many: Vec<(String, &str)> = (0..101).map(|number| (format!("x-{number}"), "1")).collect();
    vec![
        case(
            ":path too long",
            having(":path", format!("/{}", "p".repeat(8_192))),
            Want::Status(414),
        ),
        case("a value too long", get(&[("x-long", "l".repeat(10_240))]), Want::Status(431)),
        case("a name too long", get(&[("n".repeat(10_240), "1")]), Want::Status(431)),
        case("too many fields", get(&many), Want::Status(431)),
        case(
            "cookies too long together",
            get(&vec![("cookie", "c".repeat(1_000)); 11]),
            Want::Status(431),
        ),
    ]
}

fn trailers() -> Vec<Case> {
    let malformed =
        |name, field| case(name, post(&[]), Want::Malformed).body(&["body"]).trailers(&[field]);
    vec![
        malformed("a length as trailer", ("content-length", "400")),
        malformed("a coding as trailer", ("transfer-encoding", "chunked")),
        malformed("a trailer of the connection", ("connection", "close")),
        malformed("a trailer in upper case", ("X-Sum", "1")),
        malformed("a trailer with another line", ("x-sum", "1\r\nsmuggled: 1")),
    ]
}
