//! The gateway file's `upstreams`: what is said of them, checked, and told where nothing uses it.

use super::{
    Problems,
    document::{Document, Node},
    gateway_file::raw,
    suggest::nearest,
};
use crate::{
    base::Place,
    http::Http2,
    plan::{Plan, Reach, Upstream, UpstreamSettings},
    steps::integrate::{Protocol, Uri},
    tls::CallerParts,
};

/// What a gateway file says of its upstreams, each with its place.
#[derive(Default)]
pub(super) struct Upstreams {
    settings: Vec<UpstreamSettings>,
    places: Vec<Place>,
}

impl Upstreams {
    /// Checks the section.
    pub(super) fn compile(
        file: &raw::GatewayFile,
        document: &Document,
        callers: Vec<CallerParts>,
        problems: &mut Problems,
    ) -> Self {
        let mut upstreams = Self::default();
        for (index, (raw, caller)) in file.upstreams.iter().zip(callers).enumerate() {
            let pointer = format!("/upstreams/{index}/origin");
            let place = document
                .root()
                .pointer(&pointer)
                .map_or_else(|| document.root().place(), Node::place);
            match Uri::parse(&raw.origin, &[]) {
                Ok(uri) if uri.is_origin() => {
                    let http2 = match raw.protocol_version {
                        raw::ProtocolVersion::Http1 => Http2::NotOffered,
                        raw::ProtocolVersion::Http2 => Http2::Offered,
                    };
                    let to = raw.connect_to.as_ref().map(|to| to.0.parse());
                    // The schema has checked the address.
                    let reach = to.and_then(Result::ok).map_or(Reach::Host, Reach::At);
                    let Uri { host, port, protocol, .. } = uri;
                    upstreams.tell_twice(&host, port, &place, problems);
                    let settings = UpstreamSettings { protocol, host, port, http2, reach, caller };
                    upstreams.settings.push(settings);
                    upstreams.places.push(place);
                }
                Ok(_) => {
                    let message = format!("upstreams[{index}].origin: {} has a path", raw.origin);
                    problems.error(place, message, "write scheme, host and port only");
                }
                Err(fault) => {
                    let message = format!("upstreams[{index}].origin: {fault}");
                    problems.error(place, message, "write it as in the integrations' URIs");
                }
            }
        }
        upstreams
    }

    /// `http://a` and `http://A:80` are one origin.
    fn tell_twice(&self, host: &str, port: u16, place: &Place, problems: &mut Problems) {
        let is_same = |known: &UpstreamSettings| known.host == host && known.port == port;
        if let Some(first) = self.settings.iter().position(is_same) {
            let line = self.places[first].line;
            let message =
                format!("two upstreams are at {host}:{port}: the first is in line {line}");
            problems.error(place.clone(), message, "make one of them");
        }
    }

    /// What the plan is compiled with.
    pub(super) fn settings(&self) -> &[UpstreamSettings] {
        &self.settings
    }

    /// Settings that no integration's URI leads to are probably misspelt.
    pub(super) fn check(&self, plan: &Plan, problems: &mut Problems) {
        let origin =
            |protocol: Protocol, host: &str, port| format!("{}://{host}:{port}", protocol.as_str());
        let known = plan.upstreams().iter().map(|Upstream { host, port, caller, .. }| {
            let protocol = if caller.is_some() { Protocol::Https } else { Protocol::Http };
            origin(protocol, host, *port)
        });
        let known: Vec<String> = known.collect();
        for (settings, place) in self.settings.iter().zip(&self.places) {
            let name = origin(settings.protocol, &settings.host, settings.port);
            if known.contains(&name) {
                continue;
            }
            let fix = match nearest(&name, known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean {near}?"),
                None => "remove it, or name an origin as the URIs do".to_owned(),
            };
            let message = format!("no integration's URI leads to {name}");
            problems.warning(place.clone(), message, fix);
        }
    }
}
