//! The 70 cases of go-proxyproto, read in place (`../shared/suites/proxy-protocol`).

use std::net::SocketAddr;

use serde_json::Value;

use super::{Header, Progress, read};
use crate::wire::suites::{raw, read_text};

/// Cases that differ on purpose.
const DIFFERENCES: &[(&str, &str)] = &[
    ("v2-valid-4 proxy TCPv4 with TLV", VALUES),
    ("v2-valid-5 proxy TCPv6 with TLV", VALUES),
    ("v2-valid-11 proxy unix stream with TLV", VALUES),
];
const VALUES: &str = "its 100 bytes behind the addresses are random: the first value would be a \
                      checksum of 52,048 bytes. go-proxyproto looks when somebody asks for values";

#[test]
fn every_case_is_judged_as_the_suite_does_or_for_a_reason() {
    let Some(text) = read_text("proxy-protocol/cases.json") else { return };
    let cases: Vec<Value> = serde_json::from_str(&text).expect("a list of cases");
    assert_eq!(cases.len(), 70);
    let mut differing = Vec::new();
    for case in &cases {
        let id = case["id"].as_str().expect("an id");
        if !agrees(case) {
            differing.push(id);
        }
    }
    let known: Vec<&str> = DIFFERENCES.iter().map(|(id, _)| *id).collect();
    assert_eq!(differing, known);
}

/// A case that is not whole when the stream ends is refused, as the gateway does.
fn agrees(case: &Value) -> bool {
    let found = match read(&raw(case)) {
        Ok(Progress::Complete { header, .. }) => Some(header),
        Ok(Progress::Partial) | Err(_) => None,
    };
    match (found, case["expect"].as_str()) {
        (None, Some("reject")) => true,
        (Some(header), Some("accept")) => header == expected(case),
        _ => false,
    }
}

/// The suite tells the addresses of `LOCAL` too, which mean nothing (2.2); a Unix socket's have no
/// place in an IP address.
fn expected(case: &Value) -> Header {
    let end = |key: &str| case[key].as_str().and_then(|text| text.parse::<SocketAddr>().ok());
    let is_local = case["command"] == "0x20";
    match (end("src"), end("dst")) {
        (Some(source), Some(destination)) if !is_local => {
            let mapped = case["id"] == "v1-valid-2 TCP4IN6";
            let ip = |address: SocketAddr| match (mapped, address.ip()) {
                (true, std::net::IpAddr::V4(ip)) => ip.to_ipv6_mapped().into(),
                (_, ip) => ip,
            };
            let whole = |address: SocketAddr| SocketAddr::new(ip(address), address.port());
            Header::Proxied { source: whole(source), destination: whole(destination) }
        }
        _ => Header::Own,
    }
}
