//! Request smuggling: one reading of every message, or none.

use super::{BAD, Case, EITHER, OK, SMUGGLED, Want, case, chunked, get, post};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = chunks();
    cases.extend(lengths());
    cases.extend(both_framings());
    cases.extend(codings());
    cases.extend(bodies_that_look_like_requests());
    cases.extend(trailers());
    cases
}

fn chunks() -> Vec<Case> {
    vec![
        case("SMUG-CHUNK-BARE-CR-TERM", BAD, chunked("5\rhello\r\n0\r\n\r\n")),
        case("SMUG-CHUNK-BARE-SEMICOLON", BAD, chunked("5;\r\nhello\r\n0\r\n\r\n")),
        case("SMUG-CHUNK-EXT-CR", BAD, chunked("5;a\rb\r\nhello\r\n0\r\n\r\n")),
        case("SMUG-CHUNK-EXT-CTRL", BAD, chunked("5;a\x01b\r\nhello\r\n0\r\n\r\n")),
        case("SMUG-CHUNK-EXT-INVALID-TOKEN", BAD, chunked("5;[bad]=x\r\nhello\r\n0\r\n\r\n")),
        case("SMUG-CHUNK-EXT-LF", BAD, chunked("5;a\nhello\r\n0\r\n\r\n")),
        case("SMUG-CHUNK-HEX-PREFIX", BAD, chunked("0x5\r\nhello\r\n0\r\n\r\n")),
        case("SMUG-CHUNK-INVALID-SIZE-DESYNC", BAD, chunked(&format!("+0\r\n\r\n{SMUGGLED}"))),
        case("SMUG-CHUNK-LEADING-SP", BAD, chunked(" 5\r\nhello\r\n0\r\n\r\n")),
        case("SMUG-CHUNK-LF-TERM", BAD, chunked("5\nhello\n0\n\n")),
        case("SMUG-CHUNK-LF-TRAILER", BAD, chunked("5\r\nhello\r\n0\r\nx: y\n\r\n")),
        case("SMUG-CHUNK-MISSING-TRAILING-CRLF", BAD, chunked("5\r\nhello0\r\n\r\n")),
        case("SMUG-CHUNK-NEGATIVE", BAD, chunked("-5\r\nhello\r\n0\r\n\r\n")),
        case("SMUG-CHUNK-SIZE-PLUS", BAD, chunked("+5\r\nhello\r\n0\r\n\r\n")),
        case("SMUG-CHUNK-SIZE-TRAILING-OWS", BAD, chunked("5 \r\nhello\r\n0\r\n\r\n")),
        case("SMUG-CHUNK-SPILL", BAD, chunked("5\r\nhello!!\r\n0\r\n\r\n")),
        case("SMUG-CHUNK-UNDERSCORE", BAD, chunked("1_0\r\nhello\r\n0\r\n\r\n")),
        case(
            "SMUG-CHUNKED-WITH-PARAMS",
            Want::OneOf(&[200, 400, 501]),
            post("transfer-encoding: chunked;ext=val\r\n", "5\r\nhello\r\n0\r\n\r\n"),
        ),
    ]
}

fn lengths() -> Vec<Case> {
    let length = |value: &str| post(&format!("content-length:{value}\r\n"), "hello");
    let two = "content-length: 5\r\ncontent-length: 38\r\n";
    vec![
        case("SMUG-CL-COMMA-DIFFERENT", BAD, length(" 5, 10")),
        case("SMUG-CL-COMMA-SAME", EITHER, length(" 5, 5")),
        case("SMUG-CL-COMMA-TRIPLE", EITHER, length(" 5, 5, 5")),
        case("SMUG-CL-DOUBLE-ZERO", EITHER, post("content-length: 00\r\n", "")),
        case("SMUG-CL-EXTRA-LEADING-SP", OK, length("   5")),
        case("SMUG-CL-HEX-PREFIX", BAD, length(" 0x5")),
        case("SMUG-CL-INTERNAL-SPACE", BAD, length(" 1 5")),
        case("SMUG-CL-LEADING-ZEROS-OCTAL", EITHER, length(" 05")),
        case("SMUG-CL-LEADING-ZEROS", EITHER, length(" 005")),
        case("SMUG-CL-NEGATIVE-ZERO", BAD, length(" -0")),
        case("SMUG-CL-NEGATIVE", BAD, length(" -5")),
        case("SMUG-CL-OCTAL", BAD, length(" 0o5")),
        case("SMUG-CL-TRAILING-SPACE", OK, length(" 5   ")),
        case("SMUG-CL-UNDERSCORE", BAD, length(" 1_5")),
        case(
            "SMUG-DUPLICATE-CL",
            BAD,
            post("content-length: 5\r\ncontent-length: 6\r\n", "hello!"),
        ),
        case("SMUG-DUPLICATE-CL-SMUGGLED-GET", BAD, post(two, &format!("hello{SMUGGLED}"))),
        case("SMUG-MULTIPLE-HOST-COMMA", BAD, "GET / HTTP/1.1\r\nhost: a.it, b.it\r\n\r\n"),
    ]
}

/// Content-Length and Transfer-Encoding together, in all their disguises: 400 and close.
fn both_framings() -> Vec<Case> {
    let both = |coding: &str, body: &str| {
        post(&format!("content-length: {}\r\n{coding}", body.len()), body)
    };
    let tail = format!("0\r\n\r\n{SMUGGLED}");
    let te = "transfer-encoding: chunked\r\n";
    let short = |body: &str| post(&format!("content-length: 4\r\n{te}"), body);
    let smuggled =
        |line: &str| format!("0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: it\r\n{line}\r\n\r\n");
    let close = format!("connection: close\r\n{te}");
    vec![
        case("SMUG-CL-TE-BOTH", BAD, both(te, "0\r\n\r\n")),
        case("SMUG-CLTE-CONN-CLOSE", BAD, both(&close, &tail)),
        case("SMUG-CLTE-DESYNC", BAD, both(te, "0\r\n\r\nX")),
        case("SMUG-CLTE-PIPELINE", BAD, short(&tail)),
        case(
            "SMUG-CLTE-SMUGGLED-GET-CL-NON-NUMERIC",
            BAD,
            both(te, &smuggled("content-length: x")),
        ),
        case("SMUG-CLTE-SMUGGLED-GET-CL-PLUS", BAD, both(te, &smuggled("content-length: +0"))),
        case(
            "SMUG-CLTE-SMUGGLED-GET-TE-CASE-MISMATCH",
            BAD,
            both("Transfer-Encoding: Chunked\r\n", &tail),
        ),
        case(
            "SMUG-CLTE-SMUGGLED-GET-TE-LEADING-COMMA",
            BAD,
            both("transfer-encoding: , chunked\r\n", &tail),
        ),
        case(
            "SMUG-CLTE-SMUGGLED-GET-TE-OBS-FOLD",
            BAD,
            both("transfer-encoding:\r\n chunked\r\n", &tail),
        ),
        case(
            "SMUG-CLTE-SMUGGLED-GET-TE-TRAILING-SPACE",
            BAD,
            both("transfer-encoding: chunked \r\n", &tail),
        ),
        case("SMUG-CLTE-SMUGGLED-GET", BAD, both(te, &tail)),
        case(
            "SMUG-CLTE-SMUGGLED-HEAD",
            BAD,
            both(te, "0\r\n\r\nHEAD /smuggled HTTP/1.1\r\nhost: it\r\n\r\n"),
        ),
        case("SMUG-TECL-CONN-CLOSE", BAD, post(&format!("{close}content-length: 4\r\n"), &tail)),
        case("SMUG-TECL-DESYNC", BAD, short("5c\r\nX\r\n0\r\n\r\n")),
        case("SMUG-TECL-PIPELINE", BAD, short(&format!("5\r\nhello\r\n0\r\n\r\n{SMUGGLED}"))),
        case("SMUG-TECL-SMUGGLED-GET", BAD, short(&format!("26\r\n{SMUGGLED}\r\n0\r\n\r\n"))),
        case("SMUG-TE-TRAILING-SPACE", BAD, both("transfer-encoding: chunked \r\n", "0\r\n\r\n")),
    ]
}

fn codings() -> Vec<Case> {
    const BODY: &str = "5\r\nhello\r\n0\r\n\r\n";
    let coding = |line: &str| post(&format!("{line}\r\n"), BODY);
    let refused = Want::OneOf(&[400, 501]);
    let twice = "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n";
    vec![
        case(
            "SMUG-OPTIONS-TE-OBS-FOLD",
            BAD,
            coding("transfer-encoding:\r\n chunked").replace("POST", "OPTIONS"),
        ),
        case("SMUG-TE-CASE-MISMATCH", EITHER, coding("transfer-encoding: Chunked")),
        case("SMUG-TE-DOUBLE-CHUNKED", BAD, coding("transfer-encoding: chunked, chunked")),
        case(
            "SMUG-TE-DUPLICATE-HEADERS-SMUGGLED-GET",
            BAD,
            post(twice, &format!("0\r\n\r\n{SMUGGLED}")),
        ),
        case("SMUG-TE-DUPLICATE-HEADERS", BAD, post(twice, BODY)),
        case("SMUG-TE-EMPTY-VALUE", BAD, coding("transfer-encoding: ")),
        case("SMUG-TE-FORMFEED", BAD, coding("transfer-encoding: \x0cchunked")),
        case(
            "SMUG-TE-HTTP10",
            BAD,
            coding("transfer-encoding: chunked").replace("HTTP/1.1", "HTTP/1.0"),
        ),
        case("SMUG-TE-IDENTITY", refused, coding("transfer-encoding: identity")),
        case("SMUG-TE-LEADING-COMMA", EITHER, coding("transfer-encoding: , chunked")),
        case("SMUG-TE-NOT-FINAL-CHUNKED", BAD, coding("transfer-encoding: chunked, gzip")),
        case("SMUG-TE-NULL", BAD, coding("transfer-encoding: chunked\0")),
        case("SMUG-TE-OBS-FOLD", BAD, coding("transfer-encoding:\r\n chunked")),
        case("SMUG-TE-SP-BEFORE-COLON", BAD, coding("transfer-encoding : chunked")),
        case("SMUG-TE-TAB-BEFORE-VALUE", OK, coding("transfer-encoding:\tchunked")),
        case("SMUG-TE-TRAILING-COMMA", EITHER, coding("transfer-encoding: chunked,")),
        case("SMUG-TE-VTAB", BAD, coding("transfer-encoding: \x0bchunked")),
        case("SMUG-TE-XCHUNKED", refused, coding("transfer-encoding: xchunked")),
        case("SMUG-TRANSFER_ENCODING", BAD, coding("transfer_encoding: chunked")),
        case("SMUG-BARE-CR-HEADER-VALUE", BAD, get("x-test: a\rb\r\n")),
        case(
            "SMUG-ABSOLUTE-URI-HOST-MISMATCH",
            BAD,
            "GET http://other/ HTTP/1.1\r\nhost: it\r\n\r\n",
        ),
    ]
}

/// A body that looks like a request is a body; what follows it is a request.
fn bodies_that_look_like_requests() -> Vec<Case> {
    let length = format!("content-length: {}\r\n", SMUGGLED.len());
    let with_body = |method: &str| get(&length).replacen("GET", method, 1) + SMUGGLED;
    let follow = get("");
    let both = Want::Statuses(&[200, 200]);
    vec![
        case(
            "SMUG-CL0-BODY-POISON",
            Want::Statuses(&[200, 501]),
            post("content-length: 0\r\n", "X") + &follow,
        ),
        case(
            "SMUG-EXPECT-100-CL-DESYNC",
            both,
            post(&format!("expect: 100-continue\r\n{length}"), SMUGGLED) + &follow,
        ),
        case(
            "SMUG-EXPECT-100-CL",
            OK,
            post("expect: 100-continue\r\ncontent-length: 5\r\n", "hello"),
        ),
        case("SMUG-GET-CL-BODY-DESYNC", both, with_body("GET") + &follow),
        case("SMUG-GET-CL-PREFIX-DESYNC", both, get("content-length: 4\r\n") + "GET " + &follow),
        case("SMUG-HEAD-CL-BODY", OK, with_body("HEAD")),
        case("SMUG-OPTIONS-CL-BODY-DESYNC", both, with_body("OPTIONS") + &follow),
        case("SMUG-OPTIONS-CL-BODY", OK, with_body("OPTIONS")),
        case("SMUG-PIPELINE-SAFE", both, follow.clone() + &follow),
    ]
}

/// Trailers that would frame, route or authorise: refused or dropped (`wire::bodies` looks at
/// what the upstream sees).
fn trailers() -> Vec<Case> {
    let trailer = |line: &str| chunked(&format!("5\r\nhello\r\n0\r\n{line}\r\n\r\n"));
    vec![
        case("SMUG-TRAILER-AUTH", EITHER, trailer("authorization: Basic eDp5")),
        case("SMUG-TRAILER-CL", EITHER, trailer("content-length: 50")),
        case("SMUG-TRAILER-CONTENT-TYPE", EITHER, trailer("content-type: text/evil")),
        case("SMUG-TRAILER-HOST", EITHER, trailer("host: evil")),
        case("SMUG-TRAILER-TE", EITHER, trailer("transfer-encoding: chunked")),
    ]
}
