//! Running one case, and whether its outcome is one that the suite's words allow.

use std::{net::SocketAddr, time::Duration};

use super::{Case, Want};
use crate::harness::{Answer, Client, Fault, Peer};

/// What came back.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Final answers in order.
    pub(super) answers: Vec<Answer>,
    pub(super) is_closed: bool,
    /// Bytes that are no answer.
    pub(super) fault: Option<String>,
}

/// How long nothing must come to count as nothing.
const SILENCE: Duration = Duration::from_millis(250);

/// Sends the bytes and takes all that comes.
pub(super) fn run(address: SocketAddr, case: &Case) -> Outcome {
    let mut client = Client::connect(address);
    let mut outcome = Outcome { answers: Vec::new(), is_closed: false, fault: None };
    // A gateway that has refused early may reset while a long request is still being sent.
    let _ = client.try_send(&case.bytes);
    let starts_with_head = case.bytes.starts_with(b"HEAD ");
    if matches!(case.want, Want::Nothing) {
        client.set_patience(SILENCE);
    }
    loop {
        let is_first = outcome.answers.is_empty();
        let method = if is_first && starts_with_head { "HEAD" } else { "GET" };
        match client.try_answer_to(method) {
            Ok(answer) if answer.status < 200 && answer.status != 101 => continue,
            Ok(answer) => outcome.answers.push(answer),
            Err(Fault::Late(bytes)) if bytes.is_empty() => return outcome,
            Err(Fault::Closed | Fault::Broken(_)) => {
                outcome.is_closed = true;
                return outcome;
            }
            Err(fault) => {
                outcome.fault = Some(format!("{fault:?}"));
                return outcome;
            }
        }
        if outcome.answers.len() > 8 {
            return outcome;
        }
        client.set_patience(SILENCE);
    }
}

impl Outcome {
    pub(super) fn statuses(&self) -> Vec<u16> {
        self.answers.iter().map(|answer| answer.status).collect()
    }

    /// Reads the suite's sentence; where it is no list of statuses, by the case's name.
    pub(super) fn is_accepted_by(&self, name: &str, expected: &str) -> bool {
        let Some(first) = self.answers.first() else {
            return expected.contains("timeout") || (self.is_closed && expected.contains("close"));
        };
        let text = first.text();
        match name {
            "COMP-NO-1XX-HTTP10" => first.status >= 200,
            "COMP-LONG-URL-OK" => first.status != 414,
            "COMP-DATE-FORMAT" | "COMP-DATE-HEADER" => is_imf_fixdate(first.field("date")),
            "COMP-CONTENT-TYPE" => first.field("content-type").is_some(),
            "COMP-HEAD-NO-BODY" => first.status == 200 && first.body.is_empty(),
            "COMP-OPTIONS-ALLOW" => first.status == 200 && first.field("allow").is_some(),
            "COMP-NO-CL-IN-204" => first.status == 204 && first.field("content-length").is_none(),
            "COMP-TRACE-SENSITIVE" => !text.contains("secret"),
            "COMP-CONNECTION-CLOSE" | "COMP-HTTP10-DEFAULT-CLOSE" => {
                first.status == 200 && self.is_closed
            }
            "COOK-ECHO" => text.contains("cookie: foo=bar"),
            "COOK-PARSED-BASIC" => text.contains("foo=bar"),
            "COOK-PARSED-MULTI" => ["a=1", "b=2", "c=3"].iter().all(|pair| text.contains(pair)),
            "COOK-MULTI-HEADER" => text.contains("a=1") && text.contains("b=2"),
            _ if expected.contains("non-101") || expected == "Not 101" => first.status != 101,
            _ if expected.starts_with("Reject/drop") => first.status == 400,
            _ if expected.contains("Any response") => true,
            // What follows is a request of its own, or refused: no answer too many.
            _ if expected.contains("poisoned follow-up") || expected.contains("extra response") => {
                self.answers.len() <= 2
            }
            _ if expected == "2xx + 2xx" => self.statuses() == [200, 200],
            _ => self.has_status_of(expected, first.status),
        }
    }

    fn has_status_of(&self, expected: &str, status: u16) -> bool {
        let is_success = (200..300).contains(&status);
        let needs_close = expected.contains("2xx + connection close")
            || expected.contains("2xx + close")
            || expected.contains("2xx with connection close");
        if is_success && needs_close {
            return self.is_closed;
        }
        let words = || expected.split(|letter: char| !letter.is_ascii_alphanumeric());
        words().any(|word| word == status.to_string())
            || (is_success && words().any(|word| word == "2xx"))
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 5.6.7).
fn is_imf_fixdate(date: Option<&str>) -> bool {
    let Some(date) = date else { return false };
    let bytes = date.as_bytes();
    let shape = b"Www, 00 Www 0000 00:00:00 GMT";
    bytes.len() == shape.len()
        && bytes.iter().zip(shape).all(|(byte, form)| match form {
            b'0' => byte.is_ascii_digit(),
            b'W' => byte.is_ascii_uppercase(),
            b'w' => byte.is_ascii_lowercase(),
            form => byte == form,
        })
}

/// A small origin: 200 with what it received as text, and 204 where asked for.
pub(super) fn origin(mut peer: Peer) {
    while let Some(request) = peer.request() {
        let mut body = String::new();
        for (name, value) in &request.fields {
            body.push_str(&format!("{}: {value}\n", name.to_ascii_lowercase()));
        }
        body.push_str(&String::from_utf8_lossy(&request.body));
        let head = match (request.target.as_str(), request.method.as_str()) {
            ("/204", _) => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            (_, "OPTIONS") => {
                "HTTP/1.1 200 OK\r\nallow: GET, POST\r\ncontent-length: 0\r\n\r\n".to_owned()
            }
            _ => format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n",
                body.len()
            ),
        };
        let has_body = request.method != "HEAD" && head.contains("text/plain");
        if !peer.send(head) || (has_body && !peer.send(body)) {
            return;
        }
    }
}
