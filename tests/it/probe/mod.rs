//! The cases of the public http11probe project, over a socket against the gateway with a small
//! upstream. The suite gives names and expectations; the bytes are ours, by name and RFC section.
//!
//! `outcome` says what the gateway must do, exactly; `differs` holds the cases where that is not
//! what the suite expects, each with its reason.

mod compliance;
mod cookies;
mod differs;
mod malformed;
mod outcome;
mod smuggling;

use std::{
    collections::{HashMap, HashSet},
    fs,
    sync::Mutex,
    thread,
};

use crate::harness::{Gateway, Launch, Route, Upstream, openapi, suite};
use outcome::{Outcome, run};

/// What the gateway has to do with a case's bytes.
#[derive(Clone, Copy, Debug)]
enum Want {
    /// Exactly these answers (interim ones left out).
    Statuses(&'static [u16]),
    /// One answer with one of these.
    OneOf(&'static [u16]),
    /// No answer: the message is not whole.
    Nothing,
}

const OK: Want = Want::Statuses(&[200]);
const BAD: Want = Want::Statuses(&[400]);
/// RFC 9112 allows both.
const EITHER: Want = Want::OneOf(&[200, 400]);

struct Case {
    name: &'static str,
    want: Want,
    bytes: Vec<u8>,
}

fn case(name: &'static str, want: Want, bytes: impl Into<Vec<u8>>) -> Case {
    Case { name, want, bytes: bytes.into() }
}

/// A GET with these field lines (each with its CR LF).
fn get(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nhost: it\r\n{fields}\r\n")
}

fn post(fields: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nhost: it\r\n{fields}\r\n{body}")
}

fn chunked(body: &str) -> String {
    post("transfer-encoding: chunked\r\n", body)
}

/// What must never be seen as a request of its own.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nhost: it\r\n\r\n";

#[test]
fn every_case_of_http11probe() {
    let Some(suite) = read_suite() else { return };
    let mut cases = compliance::cases();
    cases.extend(cookies::cases());
    cases.extend(malformed::cases());
    cases.extend(smuggling::cases());
    check_names(&suite, &cases);

    let upstream = Upstream::start(outcome::origin);
    let to = upstream.address();
    let get_only = Route::new("GET", "/no/such/verb", format!("http://{to}/"));
    // Any verb but on the path that has only GET: the catch-all is one segment deep.
    let routes = [
        Route::new("ANY", "/", format!("http://{to}/")),
        get_only,
        Route::new("ANY", "/{one}", format!("http://{to}/{{one}}")),
    ];
    let gateway = Launch::file("api.yaml", &openapi(&routes)).start();
    let failures = run_all(&gateway, &suite, cases);
    assert!(failures.is_empty(), "{} cases:\n{}", failures.len(), failures.join("\n"));
    let seen: Vec<_> = upstream.requests().into_iter().map(|request| request.target).collect();
    assert!(!seen.iter().any(|target| target.contains("smuggled")), "a request was smuggled in");
}

/// Name to expectation.
fn read_suite() -> Option<HashMap<String, String>> {
    let text = fs::read_to_string(suite("http11probe-cases.tsv")?).unwrap();
    let lines = text.lines().skip(1).map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        // One name carries a note: "MAL-RANGE-OVERLAPPING (unscored)".
        let name = columns[0].split(' ').next().unwrap();
        (name.to_owned(), columns[3].to_owned())
    });
    Some(lines.collect())
}

fn check_names(suite: &HashMap<String, String>, cases: &[Case]) {
    let mut ours = HashSet::new();
    for case in cases {
        assert!(ours.insert(case.name), "{} has two entries", case.name);
        assert!(suite.contains_key(case.name), "the suite has no case {}", case.name);
    }
    let missing: Vec<_> = suite.keys().filter(|name| !ours.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "cases without bytes: {missing:?}");
    assert_eq!(suite.len(), 215);
    for (name, _) in differs::ON_PURPOSE {
        assert!(suite.contains_key(*name), "differs: the suite has no case {name}");
    }
}

fn run_all(gateway: &Gateway, suite: &HashMap<String, String>, cases: Vec<Case>) -> Vec<String> {
    let left = Mutex::new(cases);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                loop {
                    let Some(case) = left.lock().unwrap().pop() else { return };
                    let outcome = run(gateway.address, &case);
                    if let Err(why) = judge(&case, &outcome, &suite[case.name]) {
                        let name = case.name;
                        failures.lock().unwrap().push(format!("{name}: {why}: {outcome:?}"));
                    }
                }
            });
        }
    });
    failures.into_inner().unwrap()
}

fn judge(case: &Case, outcome: &Outcome, expected: &str) -> Result<(), String> {
    if let Some(fault) = &outcome.fault {
        return Err(format!("the gateway's bytes are malformed: {fault}"));
    }
    let is_wanted = match case.want {
        Want::Statuses(statuses) => outcome.statuses() == statuses,
        Want::OneOf(statuses) => {
            matches!(outcome.statuses()[..], [one] if statuses.contains(&one))
        }
        Want::Nothing => outcome.answers.is_empty(),
    };
    if !is_wanted {
        return Err(format!("wanted {:?}, got {:?}", case.want, outcome.statuses()));
    }
    let must_close = |status: u16| matches!(status, 400 | 413 | 414 | 417 | 431 | 501 | 505);
    if outcome.statuses().last().is_some_and(|&status| must_close(status)) && !outcome.is_closed {
        return Err("refused, but the connection was left open".to_owned());
    }
    let differs = differs::ON_PURPOSE.iter().any(|(name, _)| *name == case.name);
    match (outcome.is_accepted_by(case.name, expected), differs) {
        (true, false) | (false, true) => Ok(()),
        (false, false) => Err(format!("the suite expects {expected:?}")),
        (true, true) => Err(format!("no longer differs from {expected:?}: take it off the table")),
    }
}
