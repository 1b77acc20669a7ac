//! The 147 cases of the public h2spec suite, by raw frames over a socket. The suite gives names and
//! expectations; what is sent is ours, by name and section of RFC 9113 and RFC 7541.
//!
//! A case sends, then `verdict` judges what comes. We are stricter than the suite in three points:
//! an answer has to be a 200, a connection may not end without GOAWAY, and its code has to be the
//! right one. `differs` holds the cases where the gateway does something else, and why.

mod differs;
mod frames;
mod generic;
mod hpack;
mod messages;
mod streams;

use std::{
    collections::HashMap,
    fs,
    net::SocketAddr,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use crate::harness::suite;

use super::{
    client::RawClient,
    frame::CODES,
    target::{Target, other},
    verdict::{self, Expect, Fit},
};

/// What a case sends; an error where not even that went as it must.
type Send = fn(&mut RawClient) -> Result<(), String>;

struct Case {
    /// Of RFC 9113, or of RFC 7541 in `hpack` and the end of `generic`.
    section: &'static str,
    /// Exactly as in the suite.
    name: &'static str,
    expect: Expect,
    start: Start,
    send: Send,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    HandsShaken,
    /// The case sends the preface, or what stands in its place.
    Connected,
}

fn case(section: &'static str, name: &'static str, expect: Expect, send: Send) -> Case {
    Case { section, name, expect, start: Start::HandsShaken, send }
}

fn before_preface(section: &'static str, name: &'static str, expect: Expect, send: Send) -> Case {
    Case { section, name, expect, start: Start::Connected, send }
}

/// In the suite's order: of two cases with one name, each has its own row.
fn cases() -> Vec<Case> {
    let mut cases = generic::cases();
    cases.extend(hpack::cases());
    cases.extend(streams::cases());
    cases.extend(frames::cases());
    cases.extend(messages::cases());
    cases
}

const CASES: usize = 147;

#[test]
fn every_case_of_h2spec() {
    let Some(suite) = read_suite() else { return };
    let cases = cases();
    check_names(&suite, &cases);
    check_expectations(&suite, &cases);
    let target = Target::start();
    let began = Instant::now();
    let failures = run_all(target.address, &cases);
    let took = began.elapsed();
    assert!(failures.is_empty(), "{} cases:\n\n{}", failures.len(), failures.join("\n\n"));
    assert!(other().is_some() || took < Duration::from_secs(60), "{took:?} for all cases");
}

/// Name and expectation, in order.
fn read_suite() -> Option<Vec<(String, String)>> {
    let text = fs::read_to_string(suite("h2spec-cases.tsv")?).unwrap();
    let lines = text.lines().skip(1).map(|line| {
        let (name, expectation) = line.split_once('\t').unwrap();
        (name.to_owned(), expectation.to_owned())
    });
    Some(lines.collect())
}

/// Every case of the suite has a row, and every row is a case: in order, so that two cases of one
/// name are two rows.
fn check_names(suite: &[(String, String)], cases: &[Case]) {
    let mut left: HashMap<&str, isize> = HashMap::new();
    suite.iter().for_each(|(name, _)| *left.entry(name).or_default() += 1);
    cases.iter().for_each(|case| *left.entry(case.name).or_default() -= 1);
    left.retain(|_, count| *count != 0);
    assert!(left.is_empty(), "cases without a row (1) and rows without a case (-1): {left:#?}");
    for ((name, _), case) in suite.iter().zip(cases) {
        assert_eq!(name, case.name, "the rows are not in the suite's order");
    }
    assert_eq!(cases.len(), CASES);
    let differing = differs::ON_PURPOSE.iter().map(|(name, _)| name);
    for name in differing.chain(differs::LESS_SPECIFIC) {
        assert!(suite.iter().any(|(known, _)| known == name), "differs: no case {name}");
    }
    for (name, reason) in differs::ON_PURPOSE {
        assert!(reason.contains("RFC "), "differs: {name}: which section?");
    }
}

/// An error that the suite's sentence names is one that the row takes.
fn check_expectations(suite: &[(String, String)], cases: &[Case]) {
    for ((_, sentence), case) in suite.iter().zip(cases) {
        let named = (0..).zip(CODES).filter(|(_, code)| sentence.contains(code));
        for (code, name) in named {
            let is_taken = case.expect.codes().contains(&code);
            assert!(is_taken, "{}: the suite expects {name}: {sentence}", case.name);
        }
        let is_error = sentence.contains("error") && !sentence.contains("special behavior");
        assert!(!is_error || case.expect.is_error(), "{}: {sentence}", case.name);
    }
}

/// All of them on one gateway, each on a connection of its own.
fn run_all(address: SocketAddr, cases: &[Case]) -> Vec<String> {
    let left = Mutex::new(cases.iter());
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                loop {
                    let Some(case) = left.lock().unwrap().next() else { return };
                    if let Err(why) = run(address, case) {
                        failures.lock().unwrap().push(why);
                    }
                }
            });
        }
    });
    failures.into_inner().unwrap()
}

fn run(address: SocketAddr, case: &Case) -> Result<(), String> {
    let mut client = RawClient::connect(address);
    let shaken = match case.start {
        Start::HandsShaken => client.shake_hands(),
        Start::Connected => Ok(()),
    };
    let outcome = shaken
        .and_then(|()| (case.send)(&mut client))
        .and_then(|()| verdict::judge(&mut client, &case.expect));
    let differs = differs::ON_PURPOSE.iter().any(|(name, _)| *name == case.name);
    let may_be_vague = differs::LESS_SPECIFIC.contains(&case.name);
    let why = match (outcome, differs) {
        (Err(_), true) => return Ok(()),
        (Err(why), false) => why,
        (Ok(_), true) => "no longer differs: take it off the table".to_owned(),
        (Ok(fit), false) if (fit == Fit::LessSpecific) == may_be_vague => return Ok(()),
        (Ok(Fit::LessSpecific), false) => "PROTOCOL_ERROR instead of the right code".to_owned(),
        (Ok(Fit::Exact), false) => "has the right code: take it off the table".to_owned(),
    };
    let (section, name) = (case.section, case.name);
    Err(format!("{section} {name}\n    {why}; expected {:?}\n    {}", case.expect, client.story()))
}
