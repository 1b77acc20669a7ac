//! Third-party suites, read in place (`../shared/suites/README.md`).

use serde_json::Value;

use super::reader::{Reading, Requests, read, read_pieces};
use crate::wire::suites::read_text;

/// The cases of a suite; `None`, loudly, where the suite is absent (a failure in CI).
pub(super) fn load(folder: &str) -> Option<Vec<Value>> {
    let text = read_text(&format!("{folder}/cases.jsonl"))?;
    Some(text.lines().map(|line| serde_json::from_str(line).expect("one JSON per line")).collect())
}

/// The case's id.
pub(super) fn id(case: &Value) -> &str {
    case["id"].as_str().expect("every case has an id")
}

/// The bytes with a Host line put into every request that is refused for the lack of one: the
/// suites are about syntax and have none.
pub(super) fn with_hosts(mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..8 {
        let reading = read_pieces::<Requests>(&[&bytes]);
        if !is_without_host(&reading) {
            return bytes;
        }
        let skip = if bytes[reading.consumed..].starts_with(b"\r\n") { 2 } else { 0 };
        let from = reading.consumed + skip;
        let line = bytes[from..].windows(2).position(|pair| pair == b"\r\n").expect("a line");
        let host = host_of(&bytes[from..from + line]);
        let at = from + line + 2;
        bytes.splice(at..at, host);
    }
    bytes
}

/// The Host line that fits this request line.
fn host_of(line: &[u8]) -> Vec<u8> {
    let line = String::from_utf8_lossy(line);
    let host = line
        .split_once("http://")
        .map_or("suite.test", |(_, rest)| rest.split(['/', '?', ' ']).next().unwrap_or_default());
    format!("Host: {host}\r\n").into_bytes()
}

fn is_without_host(reading: &Reading) -> bool {
    let mut with_host = read::<Requests>(b"GET / HTTP/1.1\r\n\r\n");
    with_host.messages.clone_from(&reading.messages);
    with_host.end == reading.end
}

/// A suite's table of cases that differ on purpose: each with its reason. Every id must exist, and
/// a case in the table must really differ.
pub(super) struct Differences {
    listed: &'static [(&'static str, &'static str)],
    met: Vec<&'static str>,
    failures: Vec<String>,
}

impl Differences {
    pub(super) const fn new(listed: &'static [(&'static str, &'static str)]) -> Self {
        Self { listed, met: Vec::new(), failures: Vec::new() }
    }

    /// Notes one case's outcome: whether it was as the suite says, and what it was.
    pub(super) fn note(&mut self, id: &str, as_expected: bool, outcome: &str) {
        let listed = self.listed.iter().find(|(listed, _)| *listed == id);
        match listed {
            Some((listed, _)) => {
                self.met.push(listed);
                if as_expected {
                    self.failures.push(format!("{id}: listed as different, but is as expected"));
                }
            }
            None if as_expected => {}
            None => self.failures.push(format!("{id}: {outcome}")),
        }
    }

    #[track_caller]
    pub(super) fn finish(mut self) {
        for (id, reason) in self.listed {
            assert!(reason.len() > 10, "{id} needs a reason");
            if !self.met.contains(id) {
                self.failures.push(format!("{id}: in the table, but not in the suite"));
            }
        }
        let count = self.failures.len();
        assert!(count == 0, "{count} failures:\n{}", self.failures.join("\n"));
    }
}
