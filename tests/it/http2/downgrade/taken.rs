//! What is taken, and how it looks in HTTP/1.1.

use super::{Case, Received, Want, case, get, having, lacking, post, with};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = heads();
    cases.extend(hosts());
    cases.extend(fields());
    cases.extend(cookies());
    cases.extend(bodies());
    cases.extend(lengths());
    cases.extend(trailers());
    cases.extend(sizes());
    cases
}

fn heads() -> Vec<Case> {
    vec![
        case(
            "a plain GET",
            get(&[("x-plain", "1")]),
            Want::Taken(|received| {
                received.is_asked_for("GET /case HTTP/1.1")?;
                received.has("x-plain", &["1"])?;
                received.has("content-length", &[])?;
                received.has("transfer-encoding", &[])?;
                received.has("te", &[])
            }),
        ),
        case(
            "te: trailers",
            get(&[("te", "trailers")]),
            // The connection behind is another one: what it takes is the gateway's to say.
            Want::Taken(|received| received.has("te", &[])),
        ),
        case(
            ":path with a query and escapes",
            having(":path", "/case/%41?b=%20&c=/?"),
            Want::Taken(|received| received.is_asked_for("GET /case/%41?b=%20&c=/? HTTP/1.1")),
        ),
        case(
            ":path with two slashes",
            having(":path", "//case"),
            Want::Either(|received| received.is_asked_for("GET //case HTTP/1.1")),
        ),
        // The http crate drops a fragment before anybody sees it (RFC 9113 8.3.1 knows none): what
        // is routed is what is asked for, so that nobody is deceived.
        case(
            ":path with a fragment",
            having(":path", "/case#smuggled"),
            Want::Either(|received| received.is_asked_for("GET /case HTTP/1.1")),
        ),
        case(
            ":path of a fragment",
            having(":path", "#smuggled"),
            Want::Either(|received| received.is_asked_for("GET / HTTP/1.1")),
        ),
        // Nobody reads it: what a client was connected by, the listener knows.
        case(
            ":scheme of nothing",
            having(":scheme", ""),
            Want::Either(|received| received.has("x-forwarded-proto", &["http"])),
        ),
        case(
            ":path beyond ASCII",
            having(":path", "/caf\u{e9}"),
            Want::Either(|received| received.is_asked_for("GET /caf\u{e9} HTTP/1.1")),
        ),
        case(
            ":scheme https on a plain listener",
            having(":scheme", "https"),
            // Whoever ended TLS may say so; the gateway tells what it knows itself.
            Want::Either(|received| received.has("x-forwarded-proto", &["http"])),
        ),
    ]
}

/// The upstream's own name stands there, once; the client's is in Forwarded.
fn has_one_host(received: &Received) -> Result<(), String> {
    let hosts = received.all("host");
    let is_own = matches!(hosts[..], [one] if one.starts_with("127.0.0.1:"));
    let forwarded = received.all("forwarded").concat().to_ascii_lowercase();
    let is_right = is_own && forwarded.contains("host=it;");
    if is_right { Ok(()) } else { Err(format!("host is {hosts:?}, forwarded {forwarded}")) }
}

fn hosts() -> Vec<Case> {
    vec![
        case("host that is :authority", get(&[("host", "it")]), Want::Taken(has_one_host)),
        case(
            "host that is :authority in another case",
            get(&[("host", "IT")]),
            Want::Either(has_one_host),
        ),
        case(
            "host in place of :authority",
            lacking(":authority", &[("host", "it")]),
            Want::Taken(has_one_host),
        ),
    ]
}

fn fields() -> Vec<Case> {
    vec![
        case(
            "fields that say where it comes from",
            get(&[("x-forwarded-for", "6.6.6.6"), ("x-forwarded-proto", "https")]),
            Want::Taken(|received| {
                received.has("x-forwarded-for", &["127.0.0.1"])?;
                received.has("x-forwarded-proto", &["http"])?;
                received.has("via", &["HTTP/1.1 AmazonAPIGateway"])
            }),
        ),
        case(
            "fields of one name",
            get(&[("x-a", "1"), ("x-b", "2"), ("x-a", "3")]),
            Want::Taken(|received| received.has("x-a", &["1", "3"])),
        ),
        case(
            "an empty value",
            get(&[("x-empty", "")]),
            Want::Taken(|received| received.has("x-empty", &[""])),
        ),
        case(
            "a value beyond ASCII",
            get(&[("x-latin", "caf\u{e9}")]),
            Want::Taken(|received| received.has("x-latin", &["caf\u{e9}"])),
        ),
        case(
            "http2-settings",
            get(&[("http2-settings", "AAMAAABkAAQAAP__")]),
            // Of an upgrade to HTTP/2 (RFC 7540 3.2.1), which RFC 9113 has no more.
            Want::Either(|received| received.has("upgrade", &[])),
        ),
    ]
}

/// RFC 9113 8.2.3: cut into pieces in HTTP/2, one line in HTTP/1.1.
fn cookies() -> Vec<Case> {
    vec![
        case(
            "cookies in pieces",
            get(&[("cookie", "a=1"), ("x-between", "1"), ("cookie", "b=2"), ("cookie", "c=3")]),
            Want::Taken(|received| received.has("cookie", &["a=1; b=2; c=3"])),
        ),
        case(
            "one cookie field with two",
            get(&[("cookie", "a=1; b=2")]),
            Want::Taken(|received| received.has("cookie", &["a=1; b=2"])),
        ),
    ]
}

fn bodies() -> Vec<Case> {
    vec![
        case(
            "a length and as much data",
            post(&[("content-length", "8")]),
            Want::Taken(|received| {
                received.has("content-length", &["8"])?;
                received.has("transfer-encoding", &[])?;
                received.has_body("fourfour")
            }),
        )
        .body(&["four", "four"]),
        case(
            "data without a length",
            post(&[]),
            Want::Taken(|received| {
                received.has("content-length", &[])?;
                received.has("transfer-encoding", &["chunked"])?;
                received.has_body("4\r\nfour\r\n0\r\n\r\n")
            }),
        )
        .body(&["four"]),
        case(
            "data that looks like chunks",
            post(&[]),
            Want::Taken(|received| received.has_body("5\r\n0\r\n\r\n\r\n0\r\n\r\n")),
        )
        .body(&["0\r\n\r\n"]),
        case(
            "data that looks like a request",
            post(&[("content-length", "36")]),
            Want::Taken(|received| received.has_body("GET /smuggled HTTP/1.1\r\nhost: it\r\n\r\n")),
        )
        .body(&["GET /smuggled HTTP/1.1\r\nhost: it\r\n\r\n"]),
    ]
}

fn lengths() -> Vec<Case> {
    vec![
        case("no data with a POST", post(&[]), Want::Taken(|received| received.has_body(""))),
        case(
            "a length of nothing",
            post(&[("content-length", "0")]),
            Want::Taken(|received| {
                received.has("content-length", &["0"])?;
                received.has_body("")
            }),
        ),
        case(
            "one length, twice",
            post(&[("content-length", "4"), ("content-length", "4")]),
            Want::Either(|received| {
                received.has("content-length", &["4"])?;
                received.has_body("four")
            }),
        )
        .body(&["four"]),
        case(
            "a GET with data",
            get(&[("content-length", "4")]),
            Want::Either(|received| {
                received.has("content-length", &["4"])?;
                received.has_body("four")
            }),
        )
        .body(&["four"]),
        case(
            "a HEAD with a length and no data",
            with(":method", "HEAD", get(&[("content-length", "4")])),
            Want::Malformed,
        ),
        case(
            "expect: 100-continue",
            post(&[("expect", "100-continue"), ("content-length", "4")]),
            Want::Taken(|received| received.has_body("four")),
        )
        .body(&["four"]),
    ]
}

fn trailers() -> Vec<Case> {
    let taken = |name, field, check| {
        case(name, post(&[]), Want::Taken(check)).body(&["body"]).trailers(&[field])
    };
    vec![
        taken("a trailer", ("x-sum", "1"), |received| {
            received.has_body("4\r\nbody\r\n0\r\nx-sum: 1\r\n\r\n")
        }),
        taken(
            "a trailer that would change the request",
            ("authorization", "smuggled"),
            |received| received.has_body("4\r\nbody\r\n0\r\n\r\n"),
        ),
        taken("a host as trailer", ("host", "smuggled"), |received| {
            received.has_body("4\r\nbody\r\n0\r\n\r\n")
        }),
        // The h2 crate drops it before anybody sees it (RFC 9113 8.1 has it malformed).
        case(
            "a pseudo field as trailer",
            post(&[]),
            Want::Either(|received| received.has_body("4\r\nbody\r\n0\r\n\r\n")),
        )
        .body(&["body"])
        .trailers(&[(":path", "/smuggled")]),
        case(
            "a trailer behind a length",
            post(&[("content-length", "4")]),
            Want::Taken(|received| {
                received.has("content-length", &["4"])?;
                received.has_body("body")
            }),
        )
        .body(&["body"])
        .trailers(&[("x-sum", "1")]),
    ]
}

/// One less than what is refused.
fn sizes() -> Vec<Case> {
    let many: Vec<(String, &str)> = (0..90).map(|number| (format!("x-{number}"), "1")).collect();
    vec![
        case(
            ":path as long as can be",
            having(":path", format!("/{}", "p".repeat(8_191))),
            Want::Taken(|received| {
                if received.line().len() == 8_192 + 13 { Ok(()) } else { Err("cut".to_owned()) }
            }),
        ),
        case(
            "a long value",
            get(&[("x-long", "l".repeat(9_000))]),
            Want::Taken(|received| received.has("x-long", &[&"l".repeat(9_000)])),
        ),
        case("many fields", get(&many), Want::Taken(|received| received.has("x-89", &["1"]))),
    ]
}
