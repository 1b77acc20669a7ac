//! The 90 cases of picohttpparser's own tests, each whole, byte by byte and cut everywhere.

use serde_json::Value;

use super::{
    reader::{End, Reading, Requests, Responses, read},
    suite::{Differences, id, load, with_hosts},
};
use crate::wire::suites::raw;

const DIFFERENCES: &[(&str, &str)] = &[
    ("pico-test_request:92", "obs-fold is refused (RFC 9112 5.2)"),
    ("pico-test_request:139", "bytes beyond ASCII in a target (RFC 3986)"),
    ("pico-test_request:157", "the parts of a start line are one SP apart (RFC 9112 3)"),
    ("pico-test_response:199", "obs-fold is refused (RFC 9112 5.2)"),
    (
        "pico-test_response:234",
        "a line that ends in LF alone (RFC 9112 2.2 lets a recipient refuse it)",
    ),
    ("pico-test_response:260", "the parts of a start line are one SP apart (RFC 9112 3)"),
    ("pico-chunked:413", "white space around a chunk extension (http1::chunked)"),
    ("pico-chunked:447", "a line that ends in LF alone (RFC 9112 2.2 lets a recipient refuse it)"),
    ("pico-chunked:448", "a line that ends in LF alone (RFC 9112 2.2 lets a recipient refuse it)"),
];

#[test]
fn picohttpparser_cases_are_as_it_says_or_differ_on_purpose() {
    let Some(cases) = load("http1-picohttpparser") else { return };
    assert_eq!(cases.len(), 90);
    let mut differences = Differences::new(DIFFERENCES);
    for case in &cases {
        let reading = run(case);
        let outcome = format!("{} {} {reading:?}", case["kind"], case["expect"]);
        differences.note(id(case), is_as_expected(case, &reading), &outcome);
    }
    differences.finish();
}

fn run(case: &Value) -> Reading {
    let with_prefix = |prefix: &[u8]| [prefix, &raw(case)].concat();
    match kind(case) {
        "test_request" => read::<Requests>(&with_hosts(raw(case))),
        "test_response" => read::<Responses>(&raw(case)),
        "test_headers" => read::<Requests>(&with_prefix(b"GET / HTTP/1.1\r\n")),
        "chunked-body" => read::<Requests>(&with_prefix(CHUNKED_HEAD)),
        other => panic!("unknown kind {other}"),
    }
}

const CHUNKED_HEAD: &[u8] =
    b"POST / HTTP/1.1\r\nHost: suite.test\r\nTransfer-Encoding: chunked\r\n\r\n";

fn kind(case: &Value) -> &str {
    case["kind"].as_str().expect("a kind")
}

fn is_as_expected(case: &Value, reading: &Reading) -> bool {
    let is_body = kind(case) == "chunked-body";
    // Without `consume_trailer` a case ends before the trailer section, which a connection reads.
    let may_lack_trailers = case["consume_trailer"] == 0;
    let is_read = reading.messages.len() == 1 || may_lack_trailers;
    let decoded = case["decoded"].as_str().is_none_or(|decoded| {
        reading.messages.first().unwrap_or(&reading.partial).contains(&format!("\n\n{decoded}"))
    });
    match case["expect"].as_str().expect("an expectation") {
        "accept" if is_body => is_read && decoded && !reading.is_refused(),
        "accept" => reading.heads == 1 && !reading.is_refused(),
        "incomplete" => {
            reading.heads == usize::from(is_body) && decoded && reading.end == End::Within
        }
        "reject" => reading.is_refused(),
        other => panic!("unknown expectation {other}"),
    }
}
