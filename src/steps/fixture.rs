//! What the steps' tests share: fields, facts, and a sink that remembers what was said.

use std::net::SocketAddr;

use crate::{
    base::WallTime,
    http::{Field, FieldList, HeadSink, Method, Name, Span, Status, Version},
    steps::{
        context::{Arrival, ClfTime, RequestId, TraceId},
        integrate::{Origin, Protocol, TrustedProxies},
    },
};

/// The trace of [`arrival`].
pub(crate) const TRACE: &str = "Root=1-67601234-00000000000000070000000b";

/// A head's fields: their bytes and offsets.
pub(crate) fn fields(list: &[(&str, &str)]) -> (Vec<u8>, FieldList) {
    let (mut bytes, mut fields) = (Vec::new(), Vec::new());
    let mut push = |text: &str| {
        let start = u16::try_from(bytes.len()).unwrap();
        bytes.extend_from_slice(text.as_bytes());
        Span { start, end: u16::try_from(bytes.len()).unwrap() }
    };
    for (name, value) in list {
        let name_span = push(name);
        push(": ");
        let value_span = push(value);
        push("\r\n");
        fields.push(Field { name: Name::of(name.as_bytes()), name_span, value_span });
    }
    (bytes, fields)
}

/// Where in `path` these values stand, each found after the one before.
pub(crate) fn spans(path: &[u8], values: &[&str]) -> Vec<Span> {
    let path = str::from_utf8(path).unwrap();
    let mut from = 0;
    let find = |value: &&str| {
        let start = from + path[from..].find(value).unwrap();
        from = start + value.len();
        Span { start: u16::try_from(start).unwrap(), end: u16::try_from(from).unwrap() }
    };
    values.iter().map(find).collect()
}

/// A request of 12 March 2026 from 203.0.113.9.
pub(crate) fn arrival(method: Method, path: &[u8]) -> Arrival<'_> {
    Arrival {
        request_id: RequestId::new((0, 0)),
        trace_id: TraceId::new(0x6760_1234, (7, 11)),
        received: WallTime(1_773_342_238_390),
        request_time: ClfTime::new(1_773_342_238),
        source_ip: b"203.0.113.9",
        source: [203, 0, 113, 9].into(),
        method: Some(method),
        path,
        version: Some(Version::Http11),
        domain_name: b"x.execute-api.local",
        user_agent: b"curl/8",
        listener_labels: &[],
        secured: None,
    }
}

/// A connection from `peer` to 192.0.2.1:8080; proxies in 10.0.0.0/8 and fd00::/8 are trusted.
pub(crate) fn origin(peer: &str) -> Origin {
    let local: SocketAddr = "192.0.2.1:8080".parse().unwrap();
    Origin::new(peer.parse().unwrap(), local, Protocol::Http, &trusted())
}

/// The proxies that [`origin`] trusts.
pub(crate) fn trusted() -> TrustedProxies {
    TrustedProxies::parse(["10.0.0.0/8", "fd00::/8"]).unwrap()
}

/// Remembers a head as lines.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// The start line.
    pub(crate) start: String,
    /// The fields, `name: value`.
    pub(crate) fields: Vec<String>,
}

impl HeadSink for Said {
    fn request_line(&mut self, method: Method, target: &[u8]) {
        self.start = format!("{} {}", method.as_str(), String::from_utf8_lossy(target));
    }

    fn status_line(&mut self, status: Status) {
        self.start = status.code().to_string();
    }

    fn field(&mut self, name: &[u8], value: &[&[u8]]) {
        let value = value.concat();
        let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(&value));
        self.fields.push(format!("{name}: {value}"));
    }
}
