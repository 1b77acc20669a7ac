//! From HTTP/2 to the HTTP/1.1 behind: what of a request reaches the upstream, as raw bytes, and
//! what never may. A client that could write a line of its own into the request behind would
//! smuggle requests past the routes (RFC 9113 8.2.1, 10.3).
//!
//! Each case is one request with a marker in `x-case`, by which its bytes are found behind.

mod refused;
mod taken;

use std::{
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use crate::harness::{Peer, Upstream, eventually, ok, proxy_all};

use super::{
    client::{Answer, End, RawClient},
    frame::{END_HEADERS, END_STREAM, Frame, PROTOCOL_ERROR, WHOLE, data, headers},
    hpack::{Field, block},
    target::{launch, request},
};

/// What has to become of a case.
enum Want {
    /// Refused as malformed (RFC 9113 8.1.1): RST_STREAM or GOAWAY with PROTOCOL_ERROR, or 400; and
    /// nothing of it at the upstream.
    Malformed,
    /// Refused with this status; and nothing of it at the upstream.
    Status(u16),
    /// Taken; the upstream received what the check wants.
    Taken(fn(&Received) -> Result<(), String>),
    /// Both are right; if it is taken, then as the check wants.
    Either(fn(&Received) -> Result<(), String>),
}

/// A request in the making.
struct Case {
    name: &'static str,
    fields: Vec<Field>,
    /// DATA frames; none: the head is the end.
    body: Vec<&'static str>,
    trailers: Option<Vec<Field>>,
    want: Want,
}

fn case(name: &'static str, fields: Vec<Field>, want: Want) -> Case {
    Case { name, fields, body: Vec::new(), trailers: None, want }
}

impl Case {
    fn body(mut self, frames: &[&'static str]) -> Self {
        self.body = frames.to_vec();
        self
    }

    fn trailers(mut self, fields: &[(&str, &str)]) -> Self {
        self.trailers = Some(fields.iter().map(|field| owned(*field)).collect());
        self
    }
}

fn owned(field: (impl AsRef<[u8]>, impl AsRef<[u8]>)) -> Field {
    (field.0.as_ref().to_vec(), field.1.as_ref().to_vec())
}

/// A GET with these fields behind its own.
fn get<N: AsRef<[u8]>, V: AsRef<[u8]>>(more: &[(N, V)]) -> Vec<Field> {
    let mut fields: Vec<Field> = request("GET", "/case").into_iter().map(owned).collect();
    fields.extend(more.iter().map(|(name, value)| owned((name, value))));
    fields
}

fn post(more: &[(&str, &str)]) -> Vec<Field> {
    with(":method", "POST", get(more))
}

/// The field of that name with another value.
fn with(name: &str, value: impl AsRef<[u8]>, mut fields: Vec<Field>) -> Vec<Field> {
    let found = fields.iter_mut().find(|field| field.0 == name.as_bytes()).unwrap();
    found.1 = value.as_ref().to_vec();
    fields
}

fn having(name: &str, value: impl AsRef<[u8]>) -> Vec<Field> {
    with(name, value, get::<&str, &str>(&[]))
}

fn lacking(name: &str, more: &[(&str, &str)]) -> Vec<Field> {
    let mut fields = get(more);
    fields.retain(|field| field.0 != name.as_bytes());
    fields
}

/// One request as its bytes came to the upstream.
struct Received {
    /// The request line, then the fields' lines.
    head: String,
    body: String,
    /// As far as its framing says; else its connection was cut within it.
    is_whole: bool,
}

impl Received {
    fn line(&self) -> &str {
        self.head.split("\r\n").next().unwrap()
    }

    /// The values of that name, in order.
    fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.head.split("\r\n").skip(1);
        let fields = lines.filter_map(|line| line.split_once(':'));
        let found = fields.filter(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim()).collect()
    }

    fn has(&self, name: &str, values: &[&str]) -> Result<(), String> {
        let found = self.all(name);
        if found == values { Ok(()) } else { Err(format!("{name} is {found:?}, not {values:?}")) }
    }

    fn is_asked_for(&self, line: &str) -> Result<(), String> {
        let found = self.line();
        if found == line { Ok(()) } else { Err(format!("asked for {found:?}, not {line:?}")) }
    }

    fn has_body(&self, body: &str) -> Result<(), String> {
        if self.body == body { Ok(()) } else { Err(format!("the body is {:?}", self.body)) }
    }

    /// One reader sees what every other sees (RFC 9112 6.3, 11.2).
    fn check(&self) -> Result<(), String> {
        let words: Vec<&str> = self.line().split(' ').collect();
        if words.len() != 3 || words[2] != "HTTP/1.1" || !words[1].starts_with('/') {
            return Err("the request line".to_owned());
        }
        let is_token = |name: &str| {
            let is_token =
                |byte: u8| byte.is_ascii_alphanumeric() || b"-_!#$%&'*+.^`|~".contains(&byte);
            !name.is_empty() && name.bytes().all(is_token)
        };
        for line in self.head.split("\r\n").skip(1) {
            let (name, value) = line.split_once(':').ok_or("a line without a colon")?;
            if !is_token(name) || value.contains(['\r', '\n', '\0']) {
                return Err(format!("the line {line:?}"));
            }
        }
        let framings = self.all("content-length").len() + self.all("transfer-encoding").len();
        if framings > 1 || self.all("host").len() != 1 || !self.all("connection").is_empty() {
            return Err("framing, host or connection".to_owned());
        }
        Ok(())
    }
}

/// Everything that came to the upstream, and is answered with a 200 each.
#[derive(Clone, Default)]
struct Record(Arc<Mutex<Vec<Received>>>);

impl Record {
    fn upstream(&self) -> Upstream {
        let record = self.clone();
        Upstream::start(move |mut peer| while record.take(&mut peer) {})
    }

    fn judge(&self, judge: impl Fn(&Received) -> Option<String>) -> Vec<String> {
        self.0.lock().unwrap().iter().filter_map(judge).collect()
    }

    /// Reads one request by itself: bytes, not the harness's strict reading, which would stop.
    fn take(&self, peer: &mut Peer) -> bool {
        let mut bytes = Vec::new();
        loop {
            if let Some(received) = whole(&bytes) {
                let is_head = received.head.starts_with("HEAD ");
                self.0.lock().unwrap().push(received);
                return peer.send(if is_head { ok("") } else { ok("fine") });
            }
            let more = peer.read(65_536);
            if more.is_empty() {
                self.0.lock().unwrap().extend(cut(&bytes));
                return false;
            }
            bytes.extend(more);
        }
    }
}

/// The request, once it is whole by its framing.
fn whole(bytes: &[u8]) -> Option<Received> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let (head, rest) = text.split_once("\r\n\r\n")?;
    let received = Received { head: head.to_owned(), body: rest.to_owned(), is_whole: true };
    let is_whole = match received.all("content-length").first() {
        Some(length) => rest.len() >= length.parse::<usize>().unwrap_or(0),
        None if received.all("transfer-encoding").is_empty() => true,
        None => {
            rest.starts_with("0\r\n") && rest.ends_with("\r\n\r\n")
                || rest.contains("\r\n0\r\n") && rest.ends_with("\r\n\r\n")
        }
    };
    is_whole.then_some(received)
}

/// What came before the connection was cut.
fn cut(bytes: &[u8]) -> Option<Received> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let cut = Received { head: head.to_owned(), body: body.to_owned(), is_whole: false };
    (!bytes.is_empty()).then_some(cut)
}

#[test]
fn every_case() {
    let mut cases = refused::cases();
    cases.extend(taken::cases());
    let record = Record::default();
    let upstream = record.upstream();
    let gateway = launch(&proxy_all(upstream.address()), "").start();
    let left = Mutex::new(cases.iter().enumerate());
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let Some((number, case)) = left.lock().unwrap().next() else { return };
                    let mut client = RawClient::open(gateway.address);
                    if let Err(why) = check(&mut client, &record, number, case) {
                        let (name, story) = (case.name, client.story());
                        failures.lock().unwrap().push(format!("{name}\n    {why}\n    {story}"));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} cases:\n\n{}", failures.len(), failures.join("\n\n"));
    let faults: Vec<String> = record.judge(|one| one.check().err());
    assert!(faults.is_empty(), "{faults:?}");
    let smuggled = record.judge(|one| one.line().contains("smuggled").then(|| one.head.clone()));
    assert!(smuggled.is_empty(), "{smuggled:?}");
}

fn check(
    client: &mut RawClient,
    record: &Record,
    number: usize,
    case: &Case,
) -> Result<(), String> {
    let marker = format!("case-{number}");
    let outcome = play(client, case, &marker);
    let all = record.0.lock().unwrap();
    // A body whose fault comes late may be on its way already; then the upstream sees it cut.
    let counts = |one: &&Received| one.is_whole || case.body.is_empty();
    let mut received = all.iter().filter(|one| one.head.contains(&marker)).filter(counts);
    let (first, more) = (received.next(), received.next());
    let taken = |check: fn(&Received) -> Result<(), String>| match (&outcome, first, more) {
        (Ok(answer), Some(received), None) if answer.status == 200 => {
            check(received).map_err(|why| format!("{why}; came: {:?}", received.head))
        }
        _ => Err(format!("not taken: {}", told(&outcome))),
    };
    let came = || first.map(|received| received.head.clone()).unwrap_or_default();
    let refused = |is_right: bool| match (is_right, first.is_none()) {
        (true, true) => Ok(()),
        (_, true) => Err(format!("refused otherwise: {}", told(&outcome))),
        (_, false) => Err(format!("{}, and upstream came {:?}", told(&outcome), came())),
    };
    match case.want {
        Want::Status(status) => {
            refused(outcome.as_ref().is_ok_and(|answer| answer.status == status))
        }
        Want::Taken(check) => taken(check),
        Want::Either(check) if first.is_some() => taken(check),
        Want::Malformed | Want::Either(_) => refused(is_malformed(&outcome)),
    }
}

fn told(outcome: &Result<Answer, End>) -> String {
    match outcome {
        Ok(answer) => format!("{} {}", answer.status, answer.text()),
        Err(end) => end.to_string(),
    }
}

fn is_malformed(outcome: &Result<Answer, End>) -> bool {
    match outcome {
        Ok(answer) => answer.status == 400,
        Err(End::Reset(code) | End::GoAway(code)) => *code == PROTOCOL_ERROR,
        Err(_) => false,
    }
}

/// Sends the case on stream 1, its marker behind its fields, and takes what comes.
fn play(client: &mut RawClient, case: &Case, marker: &str) -> Result<Answer, End> {
    let mut fields = case.fields.clone();
    fields.push(owned(("x-case", marker)));
    let ends_in_body = case.trailers.is_none();
    let mut frames: Vec<Frame> = Vec::new();
    if case.body.is_empty() && ends_in_body {
        frames.push(headers(1, WHOLE, block(&fields)));
    } else {
        frames.push(headers(1, END_HEADERS, block(&fields)));
    }
    for (number, piece) in case.body.iter().enumerate() {
        let is_last = ends_in_body && number + 1 == case.body.len();
        frames.push(data(1, if is_last { END_STREAM } else { 0 }, *piece));
    }
    if let Some(trailers) = &case.trailers {
        frames.push(headers(1, WHOLE, block(trailers)));
    }
    client.send_all(&frames);
    client.answer(1)
}

/// A malformed request is a fault of its stream: the others of its connection go on.
#[test]
fn a_malformed_request_costs_only_its_stream() {
    let record = Record::default();
    let upstream = record.upstream();
    let gateway = launch(&proxy_all(upstream.address()), "").start();
    let mut client = RawClient::open(gateway.address);
    for (number, (name, value)) in
        [("connection", "close"), ("te", "gzip"), ("upgrade", "h2c"), ("content-length", "5")]
            .into_iter()
            .enumerate()
    {
        let stream = u32::try_from(4 * number + 1).unwrap();
        let refused = client.ask(stream, &get(&[(name, value)]), b"");
        assert!(is_malformed(&refused), "{name}: {}", told(&refused));
        let fine = client.ask(stream + 2, &get(&[("x-fine", "1")]), b"");
        assert_eq!(fine.map(|answer| answer.status), Ok(200), "after {name}: {}", client.story());
    }
    eventually("four requests came", || record.0.lock().unwrap().len() == 4);
}

/// RFC 9113 8.1.1: a request whose data is more than was announced is malformed, and is forwarded
/// by nobody. That shows at its end only, so before that the upstream may have no whole request.
#[test]
fn a_request_is_whole_at_its_end_and_not_before() {
    let record = Record::default();
    let upstream = record.upstream();
    let gateway = launch(&proxy_all(upstream.address()), "").start();
    for (length, body) in [("0", None), ("4", Some("four"))] {
        let mut client = RawClient::open(gateway.address);
        client.send(&headers(1, END_HEADERS, block(&post(&[("content-length", length)]))));
        if let Some(body) = body {
            client.send(&data(1, 0, body));
        }
        thread::sleep(Duration::from_millis(200));
        client.send(&data(1, END_STREAM, "more"));
        let answer = client.answer(1);
        let whole = record.judge(|one| one.is_whole.then(|| one.head.clone()));
        assert!(whole.is_empty(), "{length}: {}: {}: {whole:?}", told(&answer), client.story());
        assert!(is_malformed(&answer), "{length}: {}: {}", told(&answer), client.story());
    }
}
