//! The access-log line: one JSON object per request, in AWS's names (`api-gateway.md` 6.9, 10.2).
//!
//! Text that is not known is `"-"`, as AWS renders it; a number that is not known is left out. The
//! path stands without its query, and no header field but `User-Agent` is written: queries and
//! other fields carry tokens and keys. Nothing is allocated beyond the line's own growth.

mod escape;

use std::time::Duration;

pub use escape::write_json_text;

use crate::{
    base::append,
    http::{Secured, Version},
    steps::context::{Arrival, Claims, CustomDomain, CutShort, Facts},
};

/// Bytes of one line without its line feed, at most; the parts' bounds below add up to it.
pub const LINE_BYTES_MAX: usize = 7_680;

const PATH_BYTES_MAX: usize = 2_048;
const USER_AGENT_BYTES_MAX: usize = 512;
const ROUTE_KEY_BYTES_MAX: usize = 1_024;
const NAME_BYTES_MAX: usize = 256;
/// `Aug  5 09:36:04 2021 GMT`.
const DATE_BYTES_MAX: usize = 32;
/// An API mapping's key; a document's bound.
const BASE_PATH_BYTES_MAX: usize = 300;
/// An IP rule's name; a document's bound.
const IP_RULE_BYTES_MAX: usize = 64;
/// Member names, punctuation, ids, times, numbers and reasons: all of bounded length.
const REST_BYTES_MAX: usize = 1_024;

const _: () = assert!(
    PATH_BYTES_MAX
        + USER_AGENT_BYTES_MAX
        + ROUTE_KEY_BYTES_MAX
        + 10 * NAME_BYTES_MAX
        + IP_RULE_BYTES_MAX
        + 2 * DATE_BYTES_MAX
        + BASE_PATH_BYTES_MAX
        + REST_BYTES_MAX
        <= LINE_BYTES_MAX
);

/// Appends the line of a request that has ended; the line feed is the log's to add.
pub fn record(facts: &Facts<'_>, out: &mut Vec<u8>) {
    write_arrival(&facts.arrival, out);
    match facts.route_members() {
        Some(members) => out.extend_from_slice(members),
        None => {
            let (api_id, stage) = match facts.target() {
                Some(target) => (target.api_id, target.stage),
                None => ("", ""),
            };
            write_route(facts.route_key().unwrap_or(""), api_id, stage, out);
        }
    }
    write_custom_domain(facts.custom_domain(), out);
    if !facts.ip_rule().is_empty() {
        text(b",\"ipRule\":\"", facts.ip_rule().as_bytes(), IP_RULE_BYTES_MAX, out);
        out.push(b'"');
    }
    if let Some(id) = facts.api_key_id() {
        text(b",\"apiKeyId\":\"", id.as_bytes(), NAME_BYTES_MAX, out);
        out.push(b'"');
    }
    if let Some(principal) = principal_of(facts) {
        text(b",\"principalId\":\"", principal.as_bytes(), NAME_BYTES_MAX, out);
        out.push(b'"');
    }
    if let Some(secured) = facts.arrival.secured {
        write_secured(secured, out);
    }
    if let Some(end) = facts.outcome() {
        number(b",\"status\":", u64::from(end.status.code()), out);
        number(b",\"responseLength\":", end.response_length, out);
        number(b",\"responseLatency\":", milliseconds(end.latency), out);
    }
    if let Some(done) = facts.integrated() {
        number(b",\"integrationStatus\":", u64::from(done.status.code()), out);
        number(b",\"integrationLatency\":", milliseconds(done.latency), out);
    }
    if let Some(reject) = facts.rejected() {
        text(b",\"errorMessage\":\"", reject.reason().as_bytes(), NAME_BYTES_MAX, out);
        if let Some(detail) = facts.detail() {
            text(b": ", detail.as_bytes(), NAME_BYTES_MAX, out);
        }
        out.push(b'"');
    }
    if let Some(why) = facts.cut_short() {
        let name: &[u8] = match why {
            CutShort::ClientLeft => b",\"errorMessage\":\"",
            _ => b",\"integrationErrorMessage\":\"",
        };
        text(name, why.reason().as_bytes(), NAME_BYTES_MAX, out);
        out.push(b'"');
    }
    out.push(b'}');
}

/// How the connection is protected, and who the client proved to be.
fn write_secured(secured: &Secured, out: &mut Vec<u8>) {
    let (version, suite) = (secured.version.as_bytes(), secured.cipher_suite.as_bytes());
    append!(out, b",\"tlsVersion\":\"", version, b"\",\"cipherSuite\":\"", suite, b"\"");
    if let Some(client) = &secured.client {
        let text = |name: &[u8], value: &str, bytes_max, out: &mut Vec<u8>| {
            text(name, value.as_bytes(), bytes_max, out);
        };
        text(b",\"clientCertSubjectDN\":\"", &client.subject_dn, NAME_BYTES_MAX, out);
        text(b"\",\"clientCertIssuerDN\":\"", &client.issuer_dn, NAME_BYTES_MAX, out);
        text(b"\",\"clientCertSerialNumber\":\"", &client.serial_number, NAME_BYTES_MAX, out);
        text(b"\",\"clientCertNotBefore\":\"", &client.not_before, DATE_BYTES_MAX, out);
        text(b"\",\"clientCertNotAfter\":\"", &client.not_after, DATE_BYTES_MAX, out);
        out.push(b'"');
    }
}

/// The members of a line that say which route answered: the same for all its requests, so a plan
/// has them made once ([`Facts::record_route`]).
#[must_use]
pub fn route_members(route_key: &str, api_id: &str, stage: &str) -> Vec<u8> {
    let mut out = Vec::new();
    write_route(route_key, api_id, stage, &mut out);
    out
}

fn write_route(route_key: &str, api_id: &str, stage: &str, out: &mut Vec<u8>) {
    text(b",\"routeKey\":\"", route_key.as_bytes(), ROUTE_KEY_BYTES_MAX, out);
    text(b"\",\"apiId\":\"", api_id.as_bytes(), NAME_BYTES_MAX, out);
    text(b"\",\"stage\":\"", stage.as_bytes(), NAME_BYTES_MAX, out);
    out.push(b'"');
}

/// What a custom domain matched, where it has a name.
fn write_custom_domain(matched: CustomDomain<'_>, out: &mut Vec<u8>) {
    let CustomDomain { base_path, routing_rule_id } = matched;
    if !base_path.is_empty() {
        text(b",\"basePathMatched\":\"", base_path.as_bytes(), BASE_PATH_BYTES_MAX, out);
        out.push(b'"');
    }
    if !routing_rule_id.is_empty() {
        let id = routing_rule_id.as_bytes();
        text(b",\"routingRuleIdMatched\":\"", id, NAME_BYTES_MAX, out);
        out.push(b'"');
    }
}

/// Ids, times, addresses, method and version are ours, or were parsed, and need no escapes.
fn write_arrival(arrival: &Arrival<'_>, out: &mut Vec<u8>) {
    let method = arrival.method.map_or("-", |method| method.as_str());
    let protocol: &[u8] = match arrival.version {
        Some(Version::Http10) => b"HTTP/1.0",
        Some(Version::Http11) => b"HTTP/1.1",
        Some(Version::Http2) => b"HTTP/2.0",
        None => b"-",
    };
    let mut epoch = itoa::Buffer::new();
    append!(
        out,
        b"{\"requestId\":\"",
        arrival.request_id.as_bytes(),
        b"\",\"traceId\":\"",
        arrival.trace_id.root(),
        b"\",\"requestTime\":\"",
        arrival.request_time.as_bytes(),
        b"\",\"requestTimeEpoch\":",
        epoch.format(arrival.received.0).as_bytes(),
        b",\"ip\":\"",
        arrival.source_ip,
        b"\",\"httpMethod\":\"",
        method.as_bytes(),
    );
    text(b"\",\"path\":\"", arrival.path, PATH_BYTES_MAX, out);
    append!(out, b"\",\"protocol\":\"", protocol);
    text(b"\",\"domainName\":\"", arrival.domain_name, NAME_BYTES_MAX, out);
    text(b"\",\"userAgent\":\"", arrival.user_agent, USER_AGENT_BYTES_MAX, out);
    out.push(b'"');
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "the member's name is then a store or two")]
fn text(before: &[u8], value: &[u8], bytes_max: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(before);
    let value = if value.is_empty() { b"-" } else { value };
    write_json_text(value, bytes_max, out);
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "the member's name is then a store or two")]
fn number(before: &[u8], value: u64, out: &mut Vec<u8>) {
    append!(out, before, itoa::Buffer::new().format(value).as_bytes());
}

fn milliseconds(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}

/// Who calls, by whichever authorizer found out.
fn principal_of<'a>(facts: &Facts<'a>) -> Option<&'a str> {
    let signer = facts.identity().map(|identity| identity.user_arn);
    facts.claims().and_then(Claims::subject).or(facts.principal()).or(signer)
}

#[cfg(test)]
mod tests;
