//! The upstream request's head.
//!
//! The order of the fields: `host`; the client's fields as sent, without those that stay behind;
//! the gateway's own (`x-forwarded-*`, `forwarded`, `via`, `x-amzn-trace-id`); what the mapping
//! adds. Framing is added by the forwarder.
//!
//! `forwarded` and `x-forwarded-*` from a peer that is not trusted are dropped, else anybody could
//! say where he comes from; from a trusted one they are appended to.

use super::{Integration, IntegrationMethod, Origin, PathRule, uri::Piece};
use crate::{
    base::limits::TARGET_BYTES_MAX,
    http::{
        Case, Fields, HeadSink, Method, Name, connection_names_fields, is_hop_by_hop,
        listed_in_connection,
    },
    json::Body,
    steps::{
        context::{Facts, Parameters, TraceId},
        mapping::Sources,
        reject::{Client, Reject},
    },
};

/// What came in, as far as the upstream's head depends on it.
#[derive(Clone, Copy)]
pub struct Incoming<'a> {
    /// The client's method.
    pub method: Method,
    /// The path without the stage's prefix.
    pub path: &'a [u8],
    /// The query without `?`.
    pub query: Option<&'a [u8]>,
    /// The client's fields.
    pub fields: Fields<'a>,
    /// The client's Host as sent, without the port.
    pub host: &'a [u8],
    /// The route's path parameters.
    pub parameters: Parameters<'a>,
    /// The body where the mapping's `reads_body` says that it is read, else [`Body::empty`].
    pub body: &'a Body<'a>,
    /// Whether the client asked for another protocol, and may have it.
    pub upgrade: Upgrade<'a>,
    /// The connection that the request came on.
    pub origin: &'a Origin,
}

/// Whether `Upgrade` is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgrade<'a> {
    /// It is not.
    No,
    /// To these protocols, as the client listed them.
    To(&'a [u8]),
}

/// Two pieces of text that a shard keeps and lends, so that no request allocates.
#[derive(Default)]
pub struct Scratch {
    /// The target.
    pub target: Vec<u8>,
    /// One value of a mapping.
    pub value: Vec<u8>,
}

/// Writes the upstream request's start line and fields.
///
/// # Errors
/// [`Client::MappedPath`] when a mapping makes a path with dot segments; [`Client::TargetTooLong`]
/// when the upstream's target becomes more than twice what a client may send.
pub fn prepare(
    integration: &Integration,
    incoming: &Incoming<'_>,
    facts: &Facts<'_>,
    scratch: &mut Scratch,
    sink: &mut impl HeadSink,
) -> Result<(), Reject> {
    let sources = Sources {
        fields: incoming.fields,
        query: incoming.query,
        path: incoming.path,
        parameters: incoming.parameters,
        body: incoming.body,
        facts,
    };
    write_target(integration, incoming, &sources, scratch)?;
    let method = match integration.method {
        IntegrationMethod::Client => incoming.method,
        IntegrationMethod::Fixed(method) => method,
    };
    sink.request_line(method, &scratch.target);
    let mapping = &integration.request;
    if !mapping.write_host(&sources, &mut scratch.value, sink) {
        sink.sound_lines([b"host: ", integration.uri.authority.as_bytes(), b"\r\n"]);
    }
    let trace = Trace::of(incoming.fields);
    pass_fields(integration, incoming, facts, trace, sink);
    let id = (trace == Trace::OfTheGateway).then_some(&facts.arrival.trace_id);
    write_own_fields(integration, incoming, id, &mut scratch.value, sink);
    mapping.write_fields(&sources, &mut scratch.value, sink);
    if let Upgrade::To(protocols) = incoming.upgrade {
        sink.field(b"connection", &[b"upgrade"]);
        sink.field(b"upgrade", &[protocols]);
    }
    Ok(())
}

fn write_target(
    integration: &Integration,
    incoming: &Incoming<'_>,
    sources: &Sources<'_>,
    scratch: &mut Scratch,
) -> Result<(), Reject> {
    let Scratch { target, value } = scratch;
    target.clear();
    if !integration.request.write_path(sources, value, target)? {
        write_path(integration, incoming, target);
    }
    let path_end = target.len();
    let separator = |out: &mut Vec<u8>| out.push(if out.len() == path_end { b'?' } else { b'&' });
    if !integration.uri.query.is_empty() {
        separator(target);
        for piece in &integration.uri.query {
            match piece {
                Piece::Text(text) => target.extend_from_slice(text.as_bytes()),
                Piece::Parameter(place) => {
                    write_in_query(incoming.parameters.at(*place).unwrap_or_default(), target);
                }
            }
        }
    }
    integration.request.write_query(sources, value, separator, target);
    if target.len() > 2 * TARGET_BYTES_MAX {
        return Err(Reject::Client(Client::TargetTooLong));
    }
    Ok(())
}

fn write_path(integration: &Integration, incoming: &Incoming<'_>, target: &mut Vec<u8>) {
    for piece in &integration.uri.path {
        match piece {
            Piece::Text(text) => target.extend_from_slice(text.as_bytes()),
            Piece::Parameter(place) => {
                target.extend_from_slice(incoming.parameters.at(*place).unwrap_or_default());
            }
        }
    }
    if integration.path == PathRule::AppendRequestPath {
        if target.last() == Some(&b'/') {
            target.pop();
        }
        target.extend_from_slice(incoming.path);
    }
}

/// A path parameter in a query: what would begin another parameter there is encoded.
fn write_in_query(value: &[u8], target: &mut Vec<u8>) {
    for &byte in value {
        match byte {
            b'&' => target.extend_from_slice(b"%26"),
            b'=' => target.extend_from_slice(b"%3D"),
            b'+' => target.extend_from_slice(b"%2B"),
            _ => target.push(byte),
        }
    }
}

/// The client's fields that are passed on. Each trace id of the client has to be sound, or none
/// is passed on.
fn pass_fields(
    integration: &Integration,
    incoming: &Incoming<'_>,
    facts: &Facts<'_>,
    trace: Trace,
    sink: &mut impl HeadSink,
) {
    let fields = incoming.fields;
    let listed = connection_names_fields(fields);
    let mapped = !integration.request.leaves_fields();
    let trusted = incoming.origin.is_trusted();
    let is_signed = facts.identity().is_some();
    sink.forward(fields, Case::AsSent, |name, text| {
        let passes = match name {
            Name::Host
            | Name::Via
            | Name::Forwarded
            | Name::XForwardedFor
            | Name::XForwardedPort
            | Name::XForwardedProto => false,
            // A password or a signature that was verified here is nobody else's business.
            Name::Authorization => facts.principal().is_none() && facts.identity().is_none(),
            Name::XForwardedHost => trusted,
            Name::XAmznTraceId => trace == Trace::OfTheClient,
            name => !is_hop_by_hop(name),
        };
        passes
            && !(listed && listed_in_connection(fields, text))
            && !(mapped && integration.request.drops_field(text))
            && !(is_signed && text.eq_ignore_ascii_case(b"x-amz-security-token"))
    });
}

/// Whose trace id the upstream sees.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trace {
    OfTheClient,
    OfTheGateway,
}

impl Trace {
    fn of(fields: Fields<'_>) -> Self {
        let mut sent = fields.all(Name::XAmznTraceId).peekable();
        let any = sent.peek().is_some();
        if any && sent.all(|value| TraceId::parse(value).is_some()) {
            Self::OfTheClient
        } else {
            Self::OfTheGateway
        }
    }
}

/// The gateway's own fields; `id` is the trace id that it gave the request.
fn write_own_fields(
    integration: &Integration,
    incoming: &Incoming<'_>,
    id: Option<&TraceId>,
    scratch: &mut Vec<u8>,
    sink: &mut impl HeadSink,
) {
    let (fields, origin, host) = (incoming.fields, incoming.origin, incoming.host);
    // RFC 7239 section 4: a host with a colon (IPv6) has to be quoted.
    let quote: &[u8] = if host.contains(&b':') { b"\"" } else { b"" };
    let mapping = &integration.request;
    let keeps_port = mapping.leaves_fields() || !mapping.drops_field(b"x-forwarded-port");
    if !origin.is_trusted() && keeps_port && !host.is_empty() {
        let end: &[u8] = match origin.protocol() {
            b"https" => b";proto=https\r\n",
            _ => b";proto=http\r\n",
        };
        sink.sound_lines([origin.lines(), quote, host, quote, end]);
    } else {
        write_forwarded(incoming, keeps_port, quote, scratch, sink);
    }
    if fields.find(Name::Via).is_some() {
        join(fields, Name::Via, &[b"HTTP/1.1 AmazonAPIGateway"], scratch);
        sink.sound_field(b"via", &[scratch]);
    } else {
        sink.sound_lines([b"via: HTTP/1.1 AmazonAPIGateway\r\n"]);
    }
    if let Some(id) = id {
        sink.sound_lines([b"x-amzn-trace-id: ", id.as_bytes(), b"\r\n"]);
    }
}

/// `x-forwarded-*` and `forwarded` one by one: the peer is a trusted proxy whose fields are
/// continued, a mapping writes the port, or there is no host.
fn write_forwarded(
    incoming: &Incoming<'_>,
    keeps_port: bool,
    quote: &[u8],
    scratch: &mut Vec<u8>,
    sink: &mut impl HeadSink,
) {
    let (fields, origin) = (incoming.fields, incoming.origin);
    let kept = |name| if origin.is_trusted() { fields.find(name) } else { None };
    let peer = origin.peer_text();
    if kept(Name::XForwardedFor).is_some() {
        join(fields, Name::XForwardedFor, &[peer], scratch);
        sink.sound_field(b"x-forwarded-for", &[scratch]);
    } else {
        sink.sound_field(b"x-forwarded-for", &[peer]);
    }
    if keeps_port {
        let port = kept(Name::XForwardedPort).unwrap_or(origin.port_text());
        sink.sound_field(b"x-forwarded-port", &[port]);
    }
    let protocol = origin.protocol();
    let told = kept(Name::XForwardedProto).unwrap_or(protocol);
    sink.sound_field(b"x-forwarded-proto", &[told]);
    // HTTP/1.0 may come without one, and an empty value is none (RFC 7239 section 4).
    let says_host: &[u8] = if incoming.host.is_empty() { b"" } else { b";host=" };
    let element: [&[u8]; 7] =
        [origin.node_text(), says_host, quote, incoming.host, quote, b";proto=", protocol];
    if kept(Name::Forwarded).is_some() {
        join(fields, Name::Forwarded, &element, scratch);
        sink.sound_field(b"forwarded", &[scratch]);
    } else {
        sink.sound_field(b"forwarded", &element);
    }
}

/// The values of a list field and one more element, as one value.
fn join(fields: Fields<'_>, name: Name, last: &[&[u8]], out: &mut Vec<u8>) {
    out.clear();
    for value in fields.all(name).filter(|value| !value.is_empty()) {
        out.extend_from_slice(value);
        out.extend_from_slice(b", ");
    }
    for piece in last {
        out.extend_from_slice(piece);
    }
}
