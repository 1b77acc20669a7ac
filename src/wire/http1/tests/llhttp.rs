//! The 272 cases of llhttp's own tests, each whole, byte by byte and cut everywhere.

use serde_json::Value;

use super::{
    reader::{End, Reading, Requests, Responses, read},
    suite::{Differences, id, load, with_hosts},
};
use crate::wire::suites::raw;

const DIFFERENCES: &[(&str, &str)] = &[
    (
        "request/connection:156",
        "two empty lines before a request line; one is tolerated (RFC 9112 2.2)",
    ),
    ("request/content-length:4", LEADING_ZERO),
    ("request/content-length:33", LEADING_ZERO),
    ("request/content-length:75", NOT_WHOLE),
    ("request/content-length:100", NOT_WHOLE),
    ("request/content-length:444", SKIPPED_BODY),
    ("request/invalid:490", "the version is judged at the end of its line; this one has none"),
    ("request/method:4", METHOD),
    ("request/method:27", CONNECT),
    ("request/method:62", CONNECT),
    ("request/method:96", CONNECT),
    ("request/method:135", METHOD),
    ("request/method:217", METHOD),
    ("request/method:245", METHOD),
    ("request/method:273", METHOD),
    ("request/method:311", METHOD),
    ("request/method:344", METHOD),
    ("request/method:372", PROTOCOL),
    ("request/method:400", PROTOCOL),
    ("request/method:430", PROTOCOL),
    ("request/method:458", "PRI is the preface of HTTP/2: 501 here"),
    ("request/method:482", METHOD),
    ("request/sample:67", "'=' is in no host name (http1::class::HOST)"),
    ("request/sample:105", "'=' is in no host name (http1::class::HOST)"),
    ("request/sample:314", "HTTP/0.9 is refused (RFC 9112 2.3 has no such request)"),
    ("request/transfer-encoding:751", FRAGMENT),
    ("request/transfer-encoding:793", FRAGMENT),
    ("request/uri:4", "quotes and backslashes in a path are not RFC 3986 (http::target)"),
    ("request/uri:165", FRAGMENT),
    ("request/uri:188", CONNECT),
    ("request/uri:222", USER),
    ("response/connection:492", EMPTY_LINE),
    ("response/connection:586", EMPTY_LINE),
    ("response/content-length:123", SKIPPED_BODY),
    ("response/pipelining:4", EMPTY_LINE),
    ("response/sample:40", PROTOCOL),
    ("response/sample:60", PROTOCOL),
    ("response/sample:645", PROTOCOL),
    ("response/sample:695", EMPTY_LINE),
    ("response/transfer-encoding:43", CODING),
    ("response/transfer-encoding:74", CODING),
    ("response/transfer-encoding:110", CODING),
    ("url:3", FRAGMENT),
    ("url:17", FRAGMENT),
    ("url:127", FRAGMENT),
    ("url:138", FRAGMENT),
    ("url:153", FRAGMENT),
    ("url:167", USER),
    ("url:193", USER),
    ("url:205", USER),
    ("url:217", ZONE),
    ("url:229", ZONE),
];

const LEADING_ZERO: &str =
    "a leading zero: some read octal after one; RFC 9110 8.6 lets a recipient refuse";
const METHOD: &str = "a method that the gateway does not forward is 501 (RFC 9110 9.1)";
const CONNECT: &str = "CONNECT is for forward proxies: 501 (RFC 9110 9.3.6)";
const PROTOCOL: &str = "another protocol than HTTP/1";
const NOT_WHOLE: &str = "fields are judged once the head is whole; this one has no end";
const FRAGMENT: &str = "a target has no fragment (RFC 9112 3.2)";
const USER: &str = "an http URI with user information is an attack (RFC 9110 4.2.4)";
const SKIPPED_BODY: &str =
    "llhttp is told to skip the body of this test; a connection waits for it";
const EMPTY_LINE: &str =
    "no empty line is skipped before a status line: RFC 9112 2.2 has it for requests only";
const ZONE: &str =
    "a zone id means nothing beyond the client's own machine (RFC 6874 is withdrawn)";
const CODING: &str =
    "an answer's Transfer-Encoding is exactly chunked, or the length cannot be known alike by all";

#[test]
fn llhttp_cases_are_as_llhttp_says_or_differ_on_purpose() {
    let Some(cases) = load("http1-llhttp") else { return };
    assert_eq!(cases.len(), 272);
    let mut differences = Differences::new(DIFFERENCES);
    for case in &cases {
        let reading = run(case);
        let outcome = format!("{} {reading:?}", case["expect"]);
        differences.note(id(case), is_as_expected(case, &reading), &outcome);
    }
    differences.finish();
}

fn run(case: &Value) -> Reading {
    let bytes = raw(case);
    match case["direction"].as_str().expect("a direction") {
        "request" => read::<Requests>(&with_hosts(bytes)),
        "response" => read::<Responses>(&bytes),
        // A bare URL: as a target.
        _ => {
            let mut request = b"GET ".to_vec();
            request.extend_from_slice(&bytes);
            request.extend_from_slice(b" HTTP/1.0\r\n\r\n");
            read::<Requests>(&request)
        }
    }
}

/// A strict case must be as llhttp says. What llhttp takes only when told to be lenient must be
/// refused, or not read.
fn is_as_expected(case: &Value, reading: &Reading) -> bool {
    let is_url = case["direction"] == "url";
    let count = case["messages_complete"].as_u64().expect("a count") + u64::from(is_url);
    let same_count = reading.messages.len() as u64 == count;
    if case["strict"] == false {
        return reading.is_refused() || reading.end == End::Closed;
    }
    let data_after_close = case["error"]["code"] == 5;
    match case["expect"].as_str().expect("an expectation") {
        "accept" | "incomplete" => same_count && !reading.is_refused(),
        "reject" if data_after_close => same_count && reading.end == End::Closed,
        "reject" => reading.is_refused(),
        "pause-or-upgrade" => same_count && reading.end == End::Switch,
        other => panic!("unknown expectation {other}"),
    }
}
