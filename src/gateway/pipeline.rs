//! Everything the gateway does to a request, top to bottom.
//!
//! Each line of [`travel`] is one concept and lives in the folder of that name. Each early exit is
//! a typed [`Reject`]; it becomes bytes in `steps::respond` only.

use std::{
    cell::{Cell, OnceCell, RefCell},
    rc::Rc,
};

use super::{
    Installed, Local,
    admission::{self, Gate, Places},
    forward::{self, Call, Exchange, RequestBody},
    seats::Seat,
};
use crate::{
    http::{Method, Name, RequestHead},
    json::Body,
    net::{Negotiated, Stream},
    plan::{Plan, Route},
    steps::{
        authorize::jwt::Verified,
        context::{CrossOrigin, Facts, Integrated, Target},
        domain,
        integrate::{self, IntegrationMethod, Upgrade},
        reject::{Client, Reject},
        route::Matched,
    },
    telemetry::SeriesKey,
    wire::http1::HeadWriter,
};

/// A request on its way: what the connection read, and where the rest of it comes from.
pub struct Request<'c> {
    /// The head, checked.
    pub head: &'c RequestHead,
    /// The body as far as it is here.
    pub body: RequestBody,
    /// The client's stream, for the rest of the body.
    pub client: &'c Stream,
    /// Its connection: where it comes from, and where it came in.
    pub seat: &'c Seat,
    /// The client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
}

/// What the client gets.
pub enum Response<'x, 'c> {
    /// The gateway's own words.
    Refused(Reject),
    /// The integration's.
    Forwarded(Forwarded<'x, 'c>),
    /// The gateway's own words, which refuse nothing.
    Own(Own),
    /// The gateway's words to a browser that asks for a page of another site.
    Preflight(CrossOrigin<'c>),
}

/// A question to the gateway itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// `OPTIONS *`: what it can do (RFC 9110 9.3.7).
    Asterisk,
    /// `/ping` or `/sping` at the root of a custom domain: whether it is well.
    Ping,
}

/// An integration's answer, and what it takes to pass it on.
pub struct Forwarded<'x, 'c> {
    /// The route that answered.
    pub route: &'c Route,
    /// The exchange with the upstream; its body is still to come.
    pub exchange: &'x mut Exchange<'c>,
}

/// Answers a request. Never fails: a refusal is an answer. `place` is where the exchange will be.
pub async fn answer<'x, 'c>(
    local: &Local,
    installed: &'c Installed,
    request: Request<'c>,
    facts: &mut Facts<'c>,
    path: &'c Path,
    place: &'x mut Option<Exchange<'c>>,
) -> Response<'x, 'c> {
    if let Err(reject) = admission::check_address(local, installed.plan.ip_rules(), facts) {
        facts.record_reject(reject);
        return Response::Refused(reject);
    }
    if let Some(own) = own_question(&installed.plan, request.head, request.client) {
        return Response::Own(own);
    }
    match travel(local, installed, request, facts, path, place).await {
        Ok(response) => response,
        Err(reject) => {
            facts.record_reject(reject);
            Response::Refused(reject)
        }
    }
}

/// The question that a request asks the gateway itself, and no API.
fn own_question(plan: &Plan, head: &RequestHead, client: &Stream) -> Option<Own> {
    if head.is_asterisk() {
        return Some(Own::Asterisk);
    }
    let host = head.authority().host;
    let is_ping = domain::is_ping(head.target().path) && plan.domains().find(host).is_some();
    (is_ping && admit(plan, host, client).is_ok()).then_some(Own::Ping)
}

/// What the path of a request came to; the connection keeps it while the answer is on its way.
#[derive(Default)]
pub struct Path {
    matched: OnceCell<Matched>,
    /// Where the request is counted, once its stage is known.
    pub series: Cell<Option<SeriesKey>>,
    /// What exactly is wrong with the integration's answer, when it is malformed.
    pub detail: Cell<Option<&'static str>>,
    /// The token that it was let in with.
    pub(super) token: OnceCell<Rc<Verified>>,
    /// What a refusal says when its fault's own words are not enough.
    pub words: OnceCell<String>,
    /// The query without the signature that was in it.
    pub query: OnceCell<Vec<u8>>,
    /// Places among requests in flight that it holds.
    pub(super) places: RefCell<Vec<Places>>,
}

impl Path {
    /// The query that goes on: without the signature, if one was in it.
    fn query_of<'a>(&'a self, sent: Option<&'a [u8]>) -> Option<&'a [u8]> {
        match self.query.get() {
            Some(unsigned) => Some(unsigned.as_slice()).filter(|query| !query.is_empty()),
            None => sent,
        }
    }
}

async fn travel<'x, 'c>(
    local: &Local,
    installed: &'c Installed,
    mut request: Request<'c>,
    facts: &mut Facts<'c>,
    trail: &'c Path,
    place: &'x mut Option<Exchange<'c>>,
) -> Result<Response<'x, 'c>, Reject> {
    let head = request.head;
    let (target, host) = (head.target(), head.authority().host);
    let sought = admission::seek_key(installed.plan.keys(), head);
    admit(&installed.plan, host, request.client)?;
    let listener = || request.seat.door.labels(installed);
    let selected = installed.plan.select(head.fields(), host, target.path, listener);
    let selected = selected.inspect_err(|why| share_refusal(*why, &installed.plan, head, facts))?;
    let (api, stage) = (selected.api, selected.stage);
    facts.record_target(Target { api_id: &api.id, stage: stage.name.as_str() });
    facts.record_custom_domain(selected.matched);
    trail.series.set(Some(installed.series.find(stage.index.0 as usize, None)));
    if let Some(cors) = &api.cors {
        if let Some(told) = cors.preflight(head.method, head.fields()) {
            return Ok(Response::Preflight(told));
        }
        facts.record_cross_origin(cors.actual(head.fields()));
    }
    let matched = stage.router.find(head.method, selected.path).ok_or(NO_ROUTE)?;
    let matched = trail.matched.get_or_init(|| matched);
    let route = &stage.routes[matched.route];
    facts.record_route(&route.key_text, &route.log_members);
    trail.series.set(Some(installed.series.find(stage.index.0 as usize, Some(matched.route))));
    let path = selected.path;
    let gate = Gate { local, installed, api, stage, route, head, path, sought, trail };
    gate.pass(&mut request, facts).await?;
    let parameters = stage.router.parameters(matched, selected.path);
    let body =
        forward::collect(local, &mut request, route.integration.request.reads_body()).await?;
    let upgrade = upgrade_of(head);
    let incoming = integrate::Incoming {
        method: head.method,
        path: selected.path,
        query: trail.query_of(target.query),
        fields: head.fields(),
        host,
        parameters,
        body: &Body::new(&body),
        upgrade,
        origin: &request.seat.origin,
    };
    let started = local.runtime.now();
    let render = |text: &mut Vec<u8>| {
        let mut scratch = local.scratch.take();
        let mut writer = HeadWriter::new(text);
        integrate::prepare(&route.integration, &incoming, facts, &mut scratch, &mut writer)
    };
    let mut call = Call {
        pool: &installed.pools[route.upstream.0 as usize],
        method: method_of(route, head.method),
        render,
        client: request.client,
        expects_continue: request.expects_continue,
        timeout: route.integration.timeout,
        deadline: started + route.integration.timeout,
        upgrade,
        detail: &trail.detail,
    };
    let exchange = forward::send(local, &mut call, request.body, place).await?;
    let latency = local.runtime.now().since(started);
    facts.record_integrated(Integrated { status: exchange.head.status, latency });
    Ok(Response::Forwarded(Forwarded { route, exchange }))
}

/// A domain may ask for something of the connection.
fn admit(plan: &Plan, host: &[u8], client: &Stream) -> Result<(), Reject> {
    plan.admit(host, || client.negotiated().map(Negotiated::shake))
}

/// A page that may call an API may read that it has no such stage. Whoever is refused the API
/// itself learns nothing of it.
#[cold]
fn share_refusal<'c>(why: Reject, plan: &'c Plan, head: &'c RequestHead, facts: &mut Facts<'c>) {
    if why != Reject::Client(Client::NoStage) {
        return;
    }
    let api = plan.select_api(head.fields(), head.authority().host);
    if let Some(cors) = api.ok().and_then(|api| api.cors.as_ref()) {
        facts.record_cross_origin(cors.actual(head.fields()));
    }
}

const NO_ROUTE: Reject = Reject::Client(Client::NoRoute);

const fn method_of(route: &Route, client: Method) -> Method {
    match route.integration.method {
        IntegrationMethod::Client => client,
        IntegrationMethod::Fixed(method) => method,
    }
}

/// Another protocol may be asked for with a GET without a body only: the tunnel has no place for
/// one. Not h2c: requests of HTTP/2 would pass the routes by (RFC 9113 3.1 has it obsolete).
fn upgrade_of(head: &RequestHead) -> Upgrade<'_> {
    let may = head.connection.upgrade && head.method == Method::Get && !head.framing.has_body();
    let mut asked = head.fields().all(Name::Upgrade);
    match (asked.next().filter(|_| may), asked.next()) {
        (Some(protocols), None) if !names_h2c(protocols) => Upgrade::To(protocols),
        _ => Upgrade::No,
    }
}

fn names_h2c(protocols: &[u8]) -> bool {
    let mut names = protocols.split(|byte| matches!(byte, b',' | b'/'));
    names.any(|name| name.trim_ascii().eq_ignore_ascii_case(b"h2c"))
}
