//! What would happen to a request, decision by decision, in the order of the gateway.

use std::{
    fmt::Write,
    net::{Ipv4Addr, SocketAddr},
};

use super::{authorize, cors, domain, limits, policy, request::Asked, signed};
use crate::{
    base::{Pooled, Shelf, WallTime},
    http::{HeadSink, Http2, Method, Name, RequestHead, Status},
    json::Body,
    plan::{ExecuteApiEndpoint, Plan, Reach, Selected, Stage, Upstream},
    steps::{
        authorize::principal::{AccessKey, Principal},
        context::{Arrival, Claims, ClfTime, Facts, RequestId, Target, TraceId},
        domain::{DomainId, DomainName, is_ping},
        endpoint::{Access, LabelSet},
        integrate::{Incoming, Origin, Protocol, Scratch, TrustedProxies, Upgrade, prepare},
        reject::{Client, Reject},
        route::{Candidate, Matched, Verdict},
        stage,
    },
    wire::http1::{HeadLimits, Progress, RequestScan, parse_request},
};

/// Tells it, in lines.
pub(super) fn tell(plan: &Plan, asked: &Asked) -> String {
    let mut out = String::new();
    let head = match parse(asked) {
        Ok(head) => head,
        Err(refusal) => {
            let _ = writeln!(out, "Refused before any API is chosen: {refusal}");
            return out;
        }
    };
    if head.is_asterisk() {
        out.push_str("Answer 204 (OPTIONS * asks the gateway itself, not an API)\n");
        return out;
    }
    tell_head(plan, &head, asked.protocol, &mut out);
    out
}

/// The head as the wire's codec reads it, or the status and sentence of its refusal.
fn parse(asked: &Asked) -> Result<Pooled<RequestHead>, String> {
    let shelf = Shelf::new(asked.head.len(), 1);
    let buffer = shelf.gather(&[asked.head.as_bytes()]).expect("the shelf was made for it");
    let pool = RequestHead::pool(1);
    let mut scan = RequestScan::default();
    match parse_request(&buffer, &mut scan, pool.take(), &HeadLimits::REQUEST) {
        Ok(Progress::Complete { head, .. }) => Ok(head),
        Ok(Progress::Partial) => Err("the head has no end".to_owned()),
        Err(refusal) => Err(format!("{} ({})", refusal.status().code(), refusal.sentence())),
    }
}

fn tell_head(plan: &Plan, head: &RequestHead, protocol: Option<Protocol>, out: &mut String) {
    let (path, host) = (head.target().path, head.authority().host);
    let domain = plan.domains().find(host);
    if let Some(id) = domain {
        domain::tell(plan, id, head, out);
        tell_guard(plan, id, out);
        // Of a handshake nothing is known here: under TLS it is taken for the right one.
        if protocol == Some(Protocol::Http)
            && let Err(reject) = plan.admit(host, || None)
        {
            tell_reject(reject, out);
            return;
        }
        if is_ping(path) {
            out.push_str("Answer 200 healthy (the path is reserved for health checks)\n");
            return;
        }
    }
    let selected = match plan.select(head.fields(), host, path, || LabelSet::ALL) {
        Ok(selected) => selected,
        Err(reject) => {
            tell_reject(reject, out);
            tell_others(plan, head, domain, out);
            return;
        }
    };
    let (api, stage) = (selected.api, selected.stage);
    let by_domain = match selected.matched.routing_rule_id.is_empty() {
        true => "the API mapping leads to it",
        false => "the routing rule leads to it",
    };
    let why = domain.map_or_else(|| why_api(plan, head), |_| by_domain.to_owned());
    let _ = writeln!(out, "API    {} ({}): {why}", api.name, api.id);
    if let Access::PrivateTo(labels) = api.access {
        let labels: Vec<_> = plan.labels().names(labels).collect();
        let _ = writeln!(out, "       private to listeners labelled {}", labels.join(" or "));
    }
    let why = match domain {
        Some(_) => by_domain,
        None if stage.name.as_str() == stage::DEFAULT => "the first segment names no other stage",
        None => "the first segment of the path names it",
    };
    let _ = writeln!(out, "Stage  {}: {why}", stage.name.as_str());
    let _ = writeln!(out, "       its routes see the path {}", text(selected.path));
    if cors::tell(api, head, out).is_break() {
        return;
    }
    match stage.router.find(head.method, selected.path) {
        Some(matched) => tell_matched(plan, (&selected, &matched), (head, protocol), out),
        None => tell_reject(Reject::Client(Client::NoRoute), out),
    }
    tell_candidates(stage, head.method, selected.path, out);
}

/// The route, whether the request is let through, and where it goes then.
fn tell_matched(
    plan: &Plan,
    (selected, matched): (&Selected<'_, '_>, &Matched),
    (head, protocol): (&RequestHead, Option<Protocol>),
    out: &mut String,
) {
    let (api, stage) = (selected.api, selected.stage);
    let route = &stage.routes[matched.route];
    tell_route(selected, matched, out);
    let signer = signed::signer(plan, route, head);
    let let_in = limits::tell(plan, (api, stage, route), head, out).and_then(|token| {
        let principal = signer.map(|(_, principal)| principal);
        policy::tell(selected, principal, (head, protocol), out).map(|()| token)
    });
    if let Ok(token) = let_in {
        let claims = token.as_ref().map(|token| &token.claims);
        let asked = (head, protocol.unwrap_or(Protocol::Http));
        tell_call(selected, matched, (claims, signer), asked, out);
        tell_upstream(plan.upstream(route.upstream), out);
    }
}

/// What the file says of an upstream's connections.
fn tell_upstream(upstream: &Upstream, out: &mut String) {
    if upstream.http2 == Http2::Offered {
        out.push_str("       over HTTP/2\n");
    }
    match &upstream.caller {
        Some(caller) if caller.skips_verification() => {
            out.push_str("       by TLS, whatever certificate it shows\n");
        }
        Some(caller) if caller.name() != upstream.host => {
            let _ = writeln!(out, "       by TLS, if its certificate is for {}", caller.name());
        }
        Some(_) | None => {}
    }
    if let Reach::At(address) = &upstream.reach {
        let _ = writeln!(out, "       over a connection to {address}");
    }
}

/// What a domain asks of the connection.
fn tell_guard(plan: &Plan, id: DomainId, out: &mut String) {
    let Some(guard) = plan.guards().of(id.0 as usize) else { return };
    if guard.mutual {
        out.push_str("       over TLS, by clients that show a certificate of its trust store\n");
    }
    if guard.strict {
        out.push_str("       over TLS, by connections whose handshake names this host\n");
    }
}

/// On a host that is no custom domain.
fn why_api(plan: &Plan, head: &RequestHead) -> String {
    let host = head.authority().host;
    if head.fields().find(Name::XApigwApiId).is_some() {
        return "x-apigw-api-id names its id".to_owned();
    }
    if plan.api_ids().of_host(host).is_some() {
        return format!("the host {} names its id", text(host));
    }
    "it is the only one".to_owned()
}

/// After a refusal: what the request could have meant.
fn tell_others(plan: &Plan, head: &RequestHead, domain: Option<DomainId>, out: &mut String) {
    if domain.is_some() {
        return;
    }
    match plan.select_api(head.fields(), head.authority().host) {
        Ok(api) => {
            let names: Vec<_> = api.stages.iter().map(|stage| stage.name.as_str()).collect();
            let _ = writeln!(out, "       its stages are {}", names.join(", "));
        }
        Err(_) => tell_apis(plan, out),
    }
}

fn tell_apis(plan: &Plan, out: &mut String) {
    let _ = writeln!(out, "The APIs are");
    for (index, api) in plan.apis().iter().enumerate() {
        let _ = match api.endpoint {
            ExecuteApiEndpoint::Enabled => writeln!(
                out,
                "  {}: host {}, or the header x-apigw-api-id: {}",
                api.name,
                plan.api_ids().host_of(index),
                api.id
            ),
            ExecuteApiEndpoint::Disabled => {
                writeln!(out, "  {}: by custom domain names only", api.name)
            }
        };
    }
    let names = plan.domains().names();
    if !names.is_empty() {
        let names: Vec<_> = names.iter().take(NAMES_TOLD_MAX).map(DomainName::as_str).collect();
        let more = if plan.domains().names().len() > names.len() { ", .." } else { "" };
        let _ = writeln!(out, "The custom domain names are {}{more}", names.join(", "));
    }
}

const NAMES_TOLD_MAX: usize = 20;

pub(super) fn tell_reject(reject: Reject, out: &mut String) {
    let status = reject.status().code();
    let _ = writeln!(out, "Answer {status} {} ({})", reject.body(), reject.reason());
}

fn tell_route(selected: &Selected<'_, '_>, matched: &Matched, out: &mut String) {
    let Selected { stage, path, .. } = *selected;
    let _ = writeln!(out, "Route  {}", stage.routes[matched.route].key_text);
    for (name, value) in stage.router.parameters(matched, path).iter() {
        let _ = writeln!(out, "       {name} = {}", text(value));
    }
}

fn tell_call(
    selected: &Selected<'_, '_>,
    matched: &Matched,
    (claims, signer): (Option<&Claims>, Option<(&AccessKey, &Principal)>),
    (head, protocol): (&RequestHead, Protocol),
    out: &mut String,
) {
    let Selected { api, stage, path, .. } = *selected;
    let route = &stage.routes[matched.route];
    let parameters = stage.router.parameters(matched, path);
    let arrival = example_arrival(head);
    let mut facts = Facts::new(arrival);
    facts.record_target(Target { api_id: &api.id, stage: stage.name.as_str() });
    facts.record_custom_domain(selected.matched);
    facts.record_route(&route.key_text, &route.log_members);
    if let Some(claims) = claims {
        facts.record_claims(claims);
    }
    if let Some((key, principal)) = signer {
        facts.record_identity(key.identity(principal));
    }
    let unsigned = signer.and_then(|_| signed::query(head));
    let query = unsigned.as_deref().or(head.target().query);
    let port = match protocol {
        Protocol::Http => 8080,
        Protocol::Https => head.authority().port.unwrap_or(443),
    };
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let origin = Origin::new(local, local, protocol, &TrustedProxies::default());
    let incoming = Incoming {
        method: head.method,
        path,
        query: query.filter(|query| unsigned.is_none() || !query.is_empty()),
        fields: head.fields(),
        host: head.authority().host,
        parameters,
        body: &Body::empty(),
        upgrade: Upgrade::No,
        origin: &origin,
    };
    let uri = &route.integration.uri;
    let mut call = Call { protocol: uri.protocol, authority: &uri.authority, lines: String::new() };
    let prepared =
        prepare(&route.integration, &incoming, &facts, &mut Scratch::default(), &mut call);
    match prepared {
        Ok(()) => {
            let lines = authorize::without_token(call.lines, route, head);
            out.push_str(&without_key(lines, head));
        }
        Err(reject) => tell_reject(reject, out),
    }
    let wait_ms = route.integration.timeout.as_millis();
    let _ = writeln!(out, "       waiting at most {wait_ms} ms for the answer's head");
}

/// The lines, with the value of an API key left out wherever it went.
fn without_key(lines: String, head: &RequestHead) -> String {
    match head.fields().find(Name::XApiKey) {
        Some(value) if !value.is_empty() => lines.replace(&*text(value), "(the key's value)"),
        _ => lines,
    }
}

/// A request from loopback at the epoch: what differs from request to request is made up.
fn example_arrival(head: &RequestHead) -> Arrival<'_> {
    Arrival {
        request_id: RequestId::new((0, 0)),
        trace_id: TraceId::new(0, (0, 0)),
        received: WallTime(0),
        request_time: ClfTime::new(0),
        source_ip: b"127.0.0.1",
        source: Ipv4Addr::LOCALHOST.into(),
        method: Some(head.method),
        path: head.target().path,
        version: Some(head.version),
        domain_name: head.authority().host,
        user_agent: b"",
        listener_labels: &[],
        secured: None,
    }
}

/// The head that the upstream would get, as lines.
struct Call<'a> {
    protocol: Protocol,
    authority: &'a str,
    lines: String,
}

impl HeadSink for Call<'_> {
    fn request_line(&mut self, method: Method, target: &[u8]) {
        let (method, target) = (method.as_str(), text(target));
        let (protocol, authority) = (self.protocol.as_str(), self.authority);
        let _ = writeln!(self.lines, "Calls  {method} {protocol}://{authority}{target}");
    }

    /// Requests have none.
    fn status_line(&mut self, _status: Status) {}

    fn field(&mut self, name: &[u8], value: &[&[u8]]) {
        let value: String = value.iter().map(|piece| text(piece)).collect();
        let _ = writeln!(self.lines, "       {}: {value}", text(name));
    }
}

fn tell_candidates(stage: &Stage, method: Method, path: &[u8], out: &mut String) {
    let mut lost = stage.router.candidates(method, path);
    lost.retain(|candidate| candidate.verdict != Verdict::Chosen);
    if lost.is_empty() {
        return;
    }
    // Those that came near first; the order of the document otherwise.
    lost.sort_by_key(|candidate| match candidate.verdict {
        Verdict::OtherPath => 2,
        Verdict::OtherMethod => 1,
        _ => 0,
    });
    let key = |candidate: &Candidate| stage.routes[candidate.route].key_text.as_str();
    let width = lost.iter().map(|candidate| key(candidate).len()).max().unwrap_or_default();
    let _ = writeln!(out, "\nThe other routes of the stage");
    for candidate in &lost {
        let _ = writeln!(out, "  {:width$}  {}", key(candidate), candidate.verdict);
    }
}

pub(super) fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
