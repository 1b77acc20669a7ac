//! Third-party suites, read in place (`../shared/suites/README.md`).

use std::{env, fs, path::PathBuf};

use serde_json::Value;

use super::reader::{Reading, Requests, read, read_pieces};

/// The cases of a suite; `None`, loudly, where the suite is absent (a failure in CI).
pub(super) fn load(folder: &str) -> Option<Vec<Value>> {
    let root = env::var_os("RINGWAY_SUITES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/suites"),
        PathBuf::from,
    );
    let path = root.join(folder).join("cases.jsonl");
    let Ok(text) = fs::read_to_string(&path) else {
        let in_ci = env::var("CI").is_ok_and(|value| value == "true");
        assert!(!in_ci, "{} is missing, and this is CI", path.display());
        eprintln!("SKIPPED: the suite {} is missing; set RINGWAY_SUITES", path.display());
        return None;
    };
    Some(text.lines().map(|line| serde_json::from_str(line).expect("one JSON per line")).collect())
}

/// The case's id.
pub(super) fn id(case: &Value) -> &str {
    case["id"].as_str().expect("every case has an id")
}

/// The case's bytes.
pub(super) fn raw(case: &Value) -> Vec<u8> {
    decode_base64(case["raw_b64"].as_str().expect("every case has bytes"))
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

fn decode_base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for symbol in text.bytes().filter(|symbol| *symbol != b'=') {
        let value = match symbol {
            b'A'..=b'Z' => symbol - b'A',
            b'a'..=b'z' => symbol - b'a' + 26,
            b'0'..=b'9' => symbol - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => panic!("not base64: {text}"),
        };
        bits = (bits << 6 | u32::from(value)) & 0xFFFF;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xFF) as u8);
        }
    }
    bytes
}
