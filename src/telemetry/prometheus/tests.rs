//! The exposition read back by a strict parser: every rule of the format that a scraper may
//! insist on is a panic here.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::*;
use crate::{
    http::Status,
    telemetry::{Outcome, StageNames, Telemetry},
};

type Labels = BTreeMap<String, String>;

/// Samples by name and labels, and the type of each family.
#[derive(Default)]
struct Parsed {
    kinds: BTreeMap<String, String>,
    samples: BTreeMap<(String, Labels), f64>,
}

impl Parsed {
    #[track_caller]
    fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let key = (name.to_owned(), labels);
        *self.samples.get(&key).unwrap_or_else(|| panic!("no sample {key:?}"))
    }
}

#[track_caller]
fn parse(text: &str) -> Parsed {
    assert!(text.ends_with('\n'), "the last line must end in a line feed");
    let mut parsed = Parsed::default();
    let mut helped = BTreeSet::new();
    let mut family = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("HELP has a name and a sentence");
            assert!(helped.insert(name.to_owned()), "second HELP of {name}");
            assert!(help.ends_with('.') && !help.contains('\\'), "{line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("TYPE has a name and a kind");
            assert!(matches!(kind, "counter" | "gauge" | "histogram"), "{line}");
            assert!(helped.contains(name), "TYPE before HELP: {line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(parsed.kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{line}");
            family = name.to_owned();
        } else {
            let (name, labels, value) = parse_sample(line);
            assert!(belongs(&name, &family, &parsed.kinds[&family]), "{line} below {family}");
            let known = parsed.samples.insert((name, labels), value);
            assert!(known.is_none(), "a sample twice: {line}");
        }
    }
    parsed
}

fn belongs(name: &str, family: &str, kind: &str) -> bool {
    match name.strip_prefix(family) {
        Some("") => kind != "histogram",
        Some("_bucket" | "_sum" | "_count") => kind == "histogram",
        _ => false,
    }
}

#[track_caller]
fn parse_sample(line: &str) -> (String, Labels, f64) {
    let name_end = line.find(['{', ' ']).expect("a name, then labels or a value");
    let (name, mut rest) = line.split_at(name_end);
    check_name(name);
    let mut labels = Labels::new();
    if rest.starts_with('{') {
        loop {
            let (key, after) = rest[1..].split_once("=\"").expect("a label's name and value");
            check_name(key);
            let (value, after) = parse_label_value(after);
            assert!(labels.insert(key.to_owned(), value).is_none(), "a label twice: {line}");
            rest = after;
            match rest.as_bytes()[0] {
                b',' => {}
                b'}' => break,
                _ => panic!("neither comma nor brace after a label: {line}"),
            }
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').expect("one space before the value");
    (name.to_owned(), labels, value.parse().unwrap_or_else(|_| panic!("not a number: {line}")))
}

fn check_name(name: &str) {
    let mut bytes = name.bytes();
    assert!(bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_'));
    assert!(bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{name}");
}

/// The value up to its closing quote, unescaped, and what follows the quote.
fn parse_label_value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &text[at + 1..]),
            '\\' => match characters.next().map(|(_, escaped)| escaped) {
                Some('n') => value.push('\n'),
                Some(escaped @ ('\\' | '"')) => value.push(escaped),
                other => panic!("not an escape: {other:?}"),
            },
            other => value.push(other),
        }
    }
    panic!("a label's value without an end: {text}")
}

fn shard(api: &str, route: &str, statuses: &[u16]) -> Snapshot {
    let mut telemetry = Telemetry::default();
    let names =
        StageNames { api: api.into(), stage: "$default".into(), routes: vec![route.into()] };
    let map = telemetry.adopt(&[names]);
    for (number, status) in (1..).zip(statuses) {
        let outcome = Outcome {
            status: Status::new(*status).expect("a status"),
            latency: Duration::from_millis(number),
            integration: (*status != 404).then_some(Duration::from_micros(300)),
            data_bytes: 100,
        };
        telemetry.record(map.find(0, (*status != 404).then_some(0)), &outcome);
    }
    telemetry.shard.connections_accepted = 7;
    telemetry.shard.refuse(Status::BAD_REQUEST);
    telemetry.snapshot()
}

fn report(shard: usize, answered: bool, snapshot: Option<Snapshot>) -> ShardReport {
    ShardReport { shard, answered, snapshot }
}

#[test]
fn two_shards_are_merged_and_told_apart() {
    let reports = [
        report(0, true, Some(shard("pets", "GET /pets", &[200, 404, 500]))),
        report(1, true, Some(shard("pets", "GET /pets", &[200, 200]))),
    ];
    let parsed = parse(&render(&reports, &ProcessNumbers::default()));
    let stage = [("api", "pets"), ("stage", "$default")];
    assert_eq!(parsed.value("ringway_count_total", &stage), 5.0);
    assert_eq!(parsed.value("ringway_4xx_total", &stage), 1.0);
    assert_eq!(parsed.value("ringway_5xx_total", &stage), 1.0);
    assert_eq!(parsed.value("ringway_data_processed_bytes_total", &stage), 500.0);
    assert_eq!(parsed.value("ringway_latency_seconds_count", &stage), 5.0);
    assert_eq!(parsed.value("ringway_latency_seconds_sum", &stage), 0.009);
    assert_eq!(parsed.value("ringway_integration_latency_seconds_count", &stage), 4.0);
    let route = [("api", "pets"), ("stage", "$default"), ("route", "GET /pets")];
    assert_eq!(parsed.value("ringway_route_count_total", &route), 4.0);
    assert_eq!(parsed.value("ringway_route_4xx_total", &route), 0.0);
    assert_eq!(parsed.value("ringway_route_5xx_total", &route), 1.0);
    assert_eq!(parsed.value("ringway_connections_accepted_total", &[("shard", "1")]), 7.0);
    let refused = [("shard", "0"), ("reason", "bad_request")];
    assert_eq!(parsed.value("ringway_refused_requests_total", &refused), 1.0);
    assert_eq!(parsed.kinds["ringway_latency_seconds"], "histogram");
}

#[test]
fn buckets_rise_to_the_count() {
    let reports = [report(0, true, Some(shard("pets", "GET /pets", &[200; 200])))];
    let parsed = parse(&render(&reports, &ProcessNumbers::default()));
    let mut buckets: Vec<(f64, f64)> = parsed
        .samples
        .iter()
        .filter(|((name, _), _)| name == "ringway_latency_seconds_bucket")
        .map(|((_, labels), count)| (labels["le"].parse().expect("a bound"), *count))
        .collect();
    buckets.sort_by(|one, two| one.0.total_cmp(&two.0));
    assert_eq!(buckets.len(), BOUNDS_US.len() + 1);
    assert!(buckets.is_sorted_by(|one, two| one.1 <= two.1));
    assert_eq!(buckets.last(), Some(&(f64::INFINITY, 200.0)));
    // Latencies are 1, 2, .. 200 ms.
    for (bound, count) in [(0.0005, 0.0), (0.001, 1.0), (0.01, 10.0), (0.1, 100.0), (0.25, 200.0)] {
        assert!(buckets.contains(&(bound, count)), "{bound} {count} in {buckets:?}");
    }
    let labels = [("api", "pets"), ("stage", "$default"), ("quantile", "0.99")];
    let p99 = parsed.value("ringway_latency_quantile_seconds", &labels);
    assert!((p99 - 0.198).abs() < 0.002, "{p99}");
}

#[test]
fn label_values_are_escaped() {
    let (api, route) = ("a\\b\"c\nd", "GET /{x}\"} 1\nfake 2");
    let parsed =
        parse(&render(&[report(0, true, Some(shard(api, route, &[200])))], &<_>::default()));
    let labels = [("api", api), ("stage", "$default"), ("route", route)];
    assert_eq!(parsed.value("ringway_route_count_total", &labels), 1.0);
}

#[test]
fn a_missing_shard_is_named_and_its_last_numbers_stay() {
    let last = shard("pets", "GET /pets", &[200, 200]);
    let reports =
        [report(0, true, Some(last.clone())), report(1, false, Some(last)), report(2, false, None)];
    let parsed = parse(&render(&reports, &ProcessNumbers::default()));
    let up = |shard| parsed.value("ringway_shard_up", &[("shard", shard)]);
    assert_eq!((up("0"), up("1"), up("2")), (1.0, 0.0, 0.0));
    let stage = [("api", "pets"), ("stage", "$default")];
    assert_eq!(parsed.value("ringway_count_total", &stage), 4.0);
}

#[test]
fn the_process_has_its_own_numbers() {
    let process = ProcessNumbers {
        reloads_succeeded: 1,
        reloads_failed: 2,
        access_log_written: 3,
        access_log_failed: 4,
        started_seconds: 5,
        draining: true,
        quotas: Some(QuotaNumbers { journal_failing: true, reservations: 7, journal_bytes: 768 }),
    };
    let parsed = parse(&render(&[], &process));
    assert_eq!(parsed.value("ringway_plan_reloads_total", &[("result", "ok")]), 1.0);
    assert_eq!(parsed.value("ringway_plan_reloads_total", &[("result", "failed")]), 2.0);
    assert_eq!(parsed.value("ringway_access_log_written_lines_total", &[]), 3.0);
    assert_eq!(parsed.value("ringway_access_log_failed_lines_total", &[]), 4.0);
    assert_eq!(parsed.value("ringway_start_time_seconds", &[]), 5.0);
    assert_eq!(parsed.value("ringway_draining", &[]), 1.0);
    assert_eq!(parsed.value("ringway_quota_journal_failing", &[]), 1.0);
    assert_eq!(parsed.value("ringway_quota_reservations_total", &[]), 7.0);
    assert_eq!(parsed.value("ringway_quota_journal_bytes_total", &[]), 768.0);
}

#[track_caller]
fn check_seconds(us: u64, text: &str) {
    assert_eq!(Seconds(us).to_string(), text);
}

#[test]
fn microseconds_are_shown_as_seconds() {
    check_seconds(0, "0");
    check_seconds(1, "0.000001");
    check_seconds(100, "0.0001");
    check_seconds(2_500_000, "2.5");
    check_seconds(120_000_000, "120");
}
