use serde_json::json;

use super::*;
use crate::{
    http::{Method, Status},
    steps::{
        context::{Integrated, Outcome, Target},
        fixture,
        reject::{Reject, Upstream},
    },
};

fn outcome(status: Status) -> Outcome {
    Outcome { status, response_length: 1_234, latency: Duration::from_micros(12_999) }
}

fn line(facts: &Facts<'_>) -> String {
    let mut out = Vec::new();
    record(facts, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_line_whole() {
    let mut facts = Facts::new(fixture::arrival(Method::Get, b"/prod/pets/7"));
    facts.record_target(Target { api_id: "a1b2c3d4e5", stage: "prod" });
    let members = route_members("GET /pets/{id}", "a1b2c3d4e5", "prod");
    facts.record_route("GET /pets/{id}", &members);
    let latency = Duration::from_millis(11);
    facts.record_integrated(Integrated { status: Status::OK, latency });
    facts.record_outcome(outcome(Status::OK));
    let expected = concat!(
        r#"{"requestId":"AAAAAAAAAAAAAAA=","traceId":"1-67601234-00000000000000070000000b","#,
        r#""requestTime":"12/Mar/2026:19:03:58 +0000","requestTimeEpoch":1773342238390,"#,
        r#""ip":"203.0.113.9","httpMethod":"GET","path":"/prod/pets/7","protocol":"HTTP/1.1","#,
        r#""domainName":"x.execute-api.local","userAgent":"curl/8","routeKey":"GET /pets/{id}","#,
        r#""apiId":"a1b2c3d4e5","stage":"prod","status":200,"responseLength":1234,"#,
        r#""responseLatency":12,"integrationStatus":200,"integrationLatency":11}"#,
    );
    assert_eq!(line(&facts), expected);
}

#[test]
fn what_is_not_known_is_a_dash_or_left_out() {
    let mut arrival = fixture::arrival(Method::Get, b"");
    (arrival.method, arrival.version) = (None, None);
    (arrival.domain_name, arrival.user_agent) = (b"", b"");
    let mut facts = Facts::new(arrival);
    facts.record_reject(Reject::Upstream(Upstream::Timeout));
    facts.record_outcome(outcome(Status::SERVICE_UNAVAILABLE));
    let text = line(&facts);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    for name in ["httpMethod", "path", "protocol", "domainName", "userAgent", "routeKey", "stage"] {
        assert_eq!(value[name], "-", "{name}");
    }
    assert_eq!(value["status"], 503);
    assert_eq!(value["errorMessage"], "the integration did not answer in time");
    assert!(value.get("integrationStatus").is_none());
}

#[test]
fn what_a_custom_domain_matched_is_said_where_it_has_a_name() {
    let members = |base_path, routing_rule_id| {
        let mut facts = Facts::new(fixture::arrival(Method::Get, b"/orders/7"));
        facts.record_custom_domain(CustomDomain { base_path, routing_rule_id });
        let value: serde_json::Value = serde_json::from_str(&line(&facts)).unwrap();
        ["basePathMatched", "routingRuleIdMatched"].map(|name| value[name].clone())
    };
    assert_eq!(members("orders/v1", "10"), ["orders/v1", "10"]);
    assert_eq!(members("orders", ""), [json!("orders"), json!(null)]);
    assert_eq!(members("", "10"), [json!(null), json!("10")]);
    assert_eq!(members("", ""), [json!(null), json!(null)]);
}

#[test]
fn an_answer_cut_short_is_marked() {
    let check = |why: CutShort, name: &str, other: &str| {
        let mut facts = Facts::new(fixture::arrival(Method::Get, b"/"));
        facts.record_cut_short(why);
        facts.record_outcome(outcome(Status::OK));
        let value: serde_json::Value = serde_json::from_str(&line(&facts)).unwrap();
        assert_eq!(value[name], why.reason());
        assert!(value.get(other).is_none());
    };
    let (error, integration) = ("errorMessage", "integrationErrorMessage");
    check(CutShort::ClientLeft, error, integration);
    check(CutShort::IntegrationClosed, integration, error);
    check(CutShort::IntegrationStalled, integration, error);
    check(CutShort::IntegrationMalformed, integration, error);
}

#[track_caller]
fn escaped(text: &[u8], expected: &str) {
    let mut out = Vec::new();
    write_json_text(text, 4_096, &mut out);
    assert_eq!(str::from_utf8(&out).unwrap(), expected);
}

#[test]
fn text_of_unknown_origin_is_escaped() {
    escaped(b"plain / text <>&'", "plain / text <>&'");
    escaped(b"\"\\", r#"\"\\"#);
    escaped(b"\n\r\t\x00\x1b\x7f", r"\n\r\t\u0000\u001b\u007f");
    escaped("é€😀".as_bytes(), "é€😀");
    escaped(b"a\xffb\xc3", r"a\ufffdb\ufffd");
    escaped(b"\xed\xa0\x80", r"\ufffd\ufffd\ufffd");
    escaped(b"12345678\"", r#"12345678\""#);
    escaped(b"1234567\"", r#"1234567\""#);
    escaped(b"", "");
}

#[test]
fn every_byte_at_every_place_of_a_word_is_escaped_right() {
    for byte in 0..=u8::MAX {
        for place in 0..17 {
            let mut text = vec![b'a'; 17];
            text[place] = byte;
            let mut out = b"\"".to_vec();
            write_json_text(&text, 4_096, &mut out);
            out.push(b'"');
            let back: String = serde_json::from_slice(&out).unwrap();
            assert_eq!(back, String::from_utf8_lossy(&text), "{byte} at {place}");
            let control = |byte: &u8| *byte < 0x20 || *byte == 0x7f;
            assert!(!out.iter().any(control), "{byte} at {place}");
        }
    }
}

#[test]
fn random_bytes_come_back_as_json_within_their_bound() {
    for seed in 1..=2_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let text: Vec<u8> = (0..random.usize(0..80)).map(|_| random.u8(..)).collect();
        let (mut whole, mut cut) = (b"\"".to_vec(), b"\"".to_vec());
        write_json_text(&text, 4_096, &mut whole);
        whole.push(b'"');
        let back: String = serde_json::from_slice(&whole).unwrap();
        assert_eq!(back, String::from_utf8_lossy(&text), "seed {seed}");
        let bytes_max = random.usize(0..60);
        write_json_text(&text, bytes_max, &mut cut);
        assert!(cut.len() <= bytes_max + 1, "seed {seed}");
        cut.push(b'"');
        let part: String = serde_json::from_slice(&cut).unwrap();
        assert!(back.starts_with(&part), "seed {seed}");
    }
}

#[test]
fn text_is_cut_at_its_bound() {
    let cut = |bytes_max: usize| {
        let mut out = Vec::new();
        write_json_text(b"abcdefghij\"k", bytes_max, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(cut(13), r#"abcdefghij\"k"#);
    assert_eq!(cut(12), r#"abcdefghij\""#);
    assert_eq!(cut(11), "abcdefghij");
    assert_eq!(cut(3), "abc");
    assert_eq!(cut(0), "");
}

#[test]
fn the_longest_line_keeps_the_bound() {
    let long = vec![0x01; 20_000];
    let text = "\u{1}".repeat(20_000);
    let mut arrival = fixture::arrival(Method::Options, &long);
    arrival.received.0 = u64::MAX;
    // An address was parsed: it cannot be longer.
    arrival.source_ip = b"1111:2222:3333:4444:5555:6666:7777:8888";
    (arrival.domain_name, arrival.user_agent) = (&long, &long);
    let mut facts = Facts::new(arrival);
    facts.record_target(Target { api_id: &text, stage: &text });
    let members = route_members(&text, &text, &text);
    facts.record_custom_domain(CustomDomain { base_path: &text, routing_rule_id: &text });
    facts.record_route(&text, &members);
    let latency = Duration::from_secs(u64::MAX);
    facts.record_integrated(Integrated { status: Status::OK, latency });
    facts.record_reject(Reject::Upstream(Upstream::Closed));
    facts.record_cut_short(CutShort::IntegrationMalformed);
    facts.record_outcome(Outcome { status: Status::OK, response_length: u64::MAX, latency });
    let text = line(&facts);
    assert!(text.len() <= LINE_BYTES_MAX, "{}", text.len());
    assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
}
