//! The head that the client sees: of an integration's answer ([`interpret`]), or of a refusal
//! ([`refuse`]), the only place where a [`Reject`] becomes bytes (`api-gateway.md` 2.3, 2.5).
//!
//! Header names are in lower case, as HTTP APIs send them. Framing is added by the forwarder.

use crate::{
    http::{
        Case, Fields, HeadSink, Name, Status, connection_names_fields, is_hop_by_hop,
        listed_in_connection,
    },
    json::Body,
    steps::{
        context::{CrossOrigin, Facts, HttpDate, Parameters, RequestId},
        mapping::{ForStatus, ResponseMapping, Sources},
        reject::{BasicFault, Reject, TokenFault},
    },
};

/// An integration's answer, as far as the client's head depends on it.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    /// The integration's status.
    pub status: Status,
    /// Its fields.
    pub fields: Fields<'a>,
    /// The body where [`ResponseMapping::reads_body`] says that it is read for this status, else
    /// [`Body::empty`].
    pub body: &'a Body<'a>,
}

/// Writes the head of an integration's answer and returns the status that the client gets.
/// `scratch` is overwritten. A 101 keeps its `upgrade`: the caller let only a wanted one through.
pub fn interpret(
    mapping: &ResponseMapping,
    answer: &Answer<'_>,
    facts: &Facts<'_>,
    date: &HttpDate,
    scratch: &mut Vec<u8>,
    sink: &mut impl HeadSink,
) -> Status {
    let sources = Sources {
        fields: answer.fields,
        query: None,
        path: b"",
        parameters: Parameters::NONE,
        body: answer.body,
        facts,
    };
    let rules = mapping.find(answer.status);
    let status = match rules {
        Some(rules) => rules.status(answer.status, &sources, scratch),
        None => answer.status,
    };
    sink.status_line(status);
    let cross_origin = facts.cross_origin();
    pass_fields(rules, answer, cross_origin, sink);
    let replaced = rules.is_some_and(|rules| rules.sets_field(b"date"));
    let (date, id) = (date.as_bytes(), facts.arrival.request_id.as_bytes());
    if answer.fields.find(Name::Date).is_none() && !replaced {
        sink.sound_lines([b"date: ", date, b"\r\napigw-requestid: ", id, b"\r\n"]);
    } else {
        sink.sound_lines([b"apigw-requestid: ", id, b"\r\n"]);
    }
    if let Some(shown) = facts.limit() {
        shown.write(sink);
    }
    if let Some(told) = cross_origin {
        told.write(sink);
    }
    if let Some(rules) = rules {
        rules.write_fields(&sources, scratch, sink);
    }
    if answer.status == Status::SWITCHING_PROTOCOLS {
        sink.sound_field(b"connection", &[b"upgrade"]);
        for protocols in answer.fields.all(Name::Upgrade) {
            sink.sound_field(b"upgrade", &[protocols]);
        }
    }
    status
}

/// Writes the head of a refusal and returns its body: JSON, whose length the forwarder declares.
/// `facts` has what the client is told of limits, of scopes, and of the page that asks: a browser
/// shows it a refusal only when that says so.
pub fn refuse<'a>(
    reject: Reject,
    request_id: &RequestId,
    date: &HttpDate,
    facts: Option<&Facts<'a>>,
    sink: &mut impl HeadSink,
) -> &'a [u8] {
    sink.status_line(reject.status());
    sink.sound_field(b"date", &[date.as_bytes()]);
    sink.sound_field(b"content-type", &[b"application/json"]);
    sink.sound_field(b"apigw-requestid", &[request_id.as_bytes()]);
    if let Some(kind) = reject.error_type() {
        sink.sound_field(b"x-amzn-errortype", &[kind.as_bytes()]);
    }
    if let Some(fault) = reject.token_fault() {
        challenge(fault, facts.map_or("", Facts::scopes), sink);
    }
    if reject.basic_fault().is_some_and(BasicFault::asks) {
        let realm = facts.map_or("", Facts::realm).as_bytes();
        let parts: [&[u8]; 3] = [b"Basic realm=\"", realm, b"\", charset=\"UTF-8\""];
        sink.sound_field(b"www-authenticate", &parts);
    }
    if let Some(shown) = facts.and_then(Facts::limit) {
        shown.write(sink);
    }
    if let Some(told) = facts.and_then(Facts::cross_origin) {
        told.write(sink);
    }
    facts.and_then(Facts::words).unwrap_or(reject.body()).as_bytes()
}

/// `www-authenticate` in AWS's form, which has no commas (`api-gateway.md` 3.3).
fn challenge(fault: TokenFault, scopes: &str, sink: &mut impl HeadSink) {
    let Some((error, description)) = fault.error() else {
        return sink.sound_field(b"www-authenticate", &[b"Bearer"]);
    };
    let (error, description) = (error.as_bytes(), description.as_bytes());
    let parts: [&[u8]; 7] = [
        b"Bearer scope=\"",
        scopes.as_bytes(),
        b"\" error=\"",
        error,
        b"\" error_description=\"",
        description,
        b"\"",
    ];
    sink.sound_field(b"www-authenticate", &parts);
}

fn pass_fields(
    rules: Option<&ForStatus>,
    answer: &Answer<'_>,
    cross_origin: Option<CrossOrigin<'_>>,
    sink: &mut impl HeadSink,
) {
    let listed = connection_names_fields(answer.fields);
    sink.forward(answer.fields, Case::Lower, |name, text| {
        !(is_hop_by_hop(name)
            || name == Name::ApigwRequestId
            || listed && listed_in_connection(answer.fields, text)
            || rules.is_some_and(|rules| rules.drops_field(text))
            || cross_origin.is_some_and(|told| told.drops_field(name, text)))
    });
}

#[cfg(test)]
mod tests;
