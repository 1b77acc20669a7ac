//! A strict reader of HTTP/1.1 answers: what RFC 9112 does not allow a server to send is a fault.

use std::io::{self, BufRead, Read};

use super::show;

/// Why there is no answer.
#[derive(Debug)]
#[expect(dead_code, reason = "a failed test shows them")]
pub(crate) enum Fault {
    /// The connection ended before the first byte of an answer.
    Closed,
    /// It ended in the middle of one; what came until then.
    Cut(Vec<u8>),
    /// Nothing came in time; what came until then.
    Late(Vec<u8>),
    /// The peer reset it, or another error of the socket.
    Broken(io::Error),
    /// Bytes that no server may send.
    Malformed(String),
}

/// Header or trailer fields in wire order, names as sent.
pub(crate) type Fields = Vec<(String, String)>;

/// One whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) version: String,
    pub(crate) status: u16,
    pub(crate) reason: String,
    /// In wire order, names as sent.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
}

impl Answer {
    /// The only field of that name; two are a failure.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut found = self.all(name);
        let first = found.next();
        assert!(found.next().is_none(), "{name} stands there twice: {self:?}");
        first
    }

    pub(crate) fn all<'a, 'b>(
        &'a self,
        name: &'b str,
    ) -> impl Iterator<Item = &'a str> + use<'a, 'b> {
        let of_that_name = move |field: &&'a (String, String)| field.0.eq_ignore_ascii_case(name);
        self.fields.iter().filter(of_that_name).map(|field| field.1.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether the server said that it closes after this one.
    pub(crate) fn says_close(&self) -> bool {
        self.all("connection").any(|value| value.eq_ignore_ascii_case("close"))
    }

    pub(crate) fn is_chunked(&self) -> bool {
        self.all("transfer-encoding").next().is_some()
    }

    /// Fails unless this is the refusal of that status, byte by byte as in the error catalogue.
    #[track_caller]
    pub(crate) fn assert_refusal(&self, status: u16, message: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.text(), format!("{{\"message\":\"{message}\"}}"), "{self:?}");
        let length = self.body.len().to_string();
        assert_eq!(self.field("content-length"), Some(length.as_str()), "{self:?}");
    }
}

/// Reads one answer to a request of `method`; an interim (1xx) answer counts as one.
pub(crate) fn read_answer(from: &mut impl BufRead, method: &str) -> Result<Answer, Fault> {
    let line = read_line(from, true)?;
    let (version, status, reason) = parse_status_line(&line)?;
    let mut fields = Vec::new();
    loop {
        let line = read_line(from, false)?;
        if line.is_empty() {
            break;
        }
        fields.push(parse_field(&line)?);
    }
    let mut answer = Answer { version, status, reason, fields, body: vec![], trailers: vec![] };
    let is_interim = (100..200).contains(&status);
    let length = check_framing(&answer)?;
    let has_no_body = method == "HEAD" || is_interim || status == 204 || status == 304;
    if has_no_body || (method == "CONNECT" && status < 300) {
        return Ok(answer);
    }
    match length {
        _ if answer.is_chunked() => {
            (answer.body, answer.trailers) = read_chunked(from)?;
        }
        Some(length) => answer.body = read_exactly(from, length)?,
        None => {
            from.read_to_end(&mut answer.body).map_err(|error| fault(error, &[]))?;
        }
    }
    Ok(answer)
}

/// A chunked body with its trailers, strictly; chunk extensions count as malformed here.
pub(crate) fn read_chunked(from: &mut impl BufRead) -> Result<(Vec<u8>, Fields), Fault> {
    let (mut body, mut trailers) = (Vec::new(), Vec::new());
    loop {
        let line = read_line(from, false)?;
        let is_hex = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_hexdigit());
        let Some(size) = is_hex.then(|| usize::from_str_radix(&line, 16).ok()).flatten() else {
            return Err(Fault::Malformed(format!("chunk size line {line:?}")));
        };
        if size == 0 {
            break;
        }
        body.extend(read_exactly(from, size)?);
        let end = read_exactly(from, 2)?;
        if end != b"\r\n" {
            return Err(Fault::Malformed(format!("chunk ends with {}", show(&end))));
        }
    }
    loop {
        let line = read_line(from, false)?;
        if line.is_empty() {
            return Ok((body, trailers));
        }
        trailers.push(parse_field(&line)?);
    }
}

/// Every field line of a head that the gateway sent (without its first line), strictly.
pub(crate) fn parse_fields(head: &str) -> Vec<(String, String)> {
    head.split("\r\n")
        .filter(|line| !line.is_empty())
        .map(|line| parse_field(line).unwrap())
        .collect()
}

fn parse_status_line(line: &str) -> Result<(String, u16, String), Fault> {
    let malformed = || Fault::Malformed(format!("status line {line:?}"));
    let (version, rest) = line.split_once(' ').ok_or_else(malformed)?;
    let (status, reason) = rest.split_once(' ').ok_or_else(malformed)?;
    if !matches!(version, "HTTP/1.1" | "HTTP/1.0") || status.len() != 3 {
        return Err(malformed());
    }
    let status = status.parse().map_err(|_| malformed())?;
    if !(100..600).contains(&status) {
        return Err(malformed());
    }
    Ok((version.to_owned(), status, reason.to_owned()))
}

fn parse_field(line: &str) -> Result<(String, String), Fault> {
    let malformed = || Fault::Malformed(format!("field line {line:?}"));
    let (name, value) = line.split_once(':').ok_or_else(malformed)?;
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(malformed());
    }
    let value = value.trim_matches([' ', '\t']);
    if value.bytes().any(|byte| (byte < 0x20 && byte != b'\t') || byte == 0x7f) {
        return Err(malformed());
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// The declared length; a fault where the framing fields contradict each other or the status.
fn check_framing(answer: &Answer) -> Result<Option<usize>, Fault> {
    let lengths: Vec<&str> = answer.all("content-length").collect();
    let codings: Vec<&str> = answer.all("transfer-encoding").collect();
    let malformed = |why: &str| Err(Fault::Malformed(format!("{why}: {answer:?}")));
    if lengths.len() > 1 || codings.len() > 1 || (!lengths.is_empty() && !codings.is_empty()) {
        return malformed("framing fields twice, or both");
    }
    if codings.iter().any(|coding| !coding.eq_ignore_ascii_case("chunked")) {
        return malformed("a transfer coding that nobody asked for");
    }
    let forbids = answer.status < 200 || answer.status == 204;
    if forbids && !(lengths.is_empty() && codings.is_empty()) {
        return malformed("framing fields where RFC 9110 8.6 and RFC 9112 6.1 forbid them");
    }
    if !codings.is_empty() && answer.version == "HTTP/1.0" {
        return malformed("chunked in HTTP/1.0");
    }
    let Some(length) = lengths.first() else {
        return Ok(None);
    };
    match length.parse() {
        Ok(value) if length.bytes().all(|byte| byte.is_ascii_digit()) => Ok(Some(value)),
        _ => malformed("Content-Length is no number"),
    }
}

/// One line without its CR LF; a bare CR or LF is a fault.
fn read_line(from: &mut impl BufRead, is_first: bool) -> Result<String, Fault> {
    let mut line = Vec::new();
    match from.take(65_536).read_until(b'\n', &mut line) {
        Ok(0) if is_first => return Err(Fault::Closed),
        Ok(_) => {}
        Err(error) => return Err(fault(error, &line)),
    }
    if line.last() != Some(&b'\n') {
        return Err(Fault::Cut(line));
    }
    let Some(text) = line.strip_suffix(b"\r\n") else {
        return Err(Fault::Malformed(format!("bare LF after {}", show(&line))));
    };
    if text.contains(&b'\r') {
        return Err(Fault::Malformed(format!("bare CR in {}", show(text))));
    }
    String::from_utf8(text.to_vec()).map_err(|_| Fault::Malformed(show(text)))
}

fn read_exactly(from: &mut impl BufRead, length: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    match from.take(length as u64).read_to_end(&mut bytes) {
        Ok(read) if read == length => Ok(bytes),
        Ok(_) => Err(Fault::Cut(bytes)),
        Err(error) => Err(fault(error, &bytes)),
    }
}

fn fault(error: io::Error, read: &[u8]) -> Fault {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Fault::Late(read.to_vec()),
        _ => Fault::Broken(error),
    }
}
