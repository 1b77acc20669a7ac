//! The facts of one request, each written once: what `$context.X` and the access log can say
//! (`api-gateway.md` 6.9, the list of HTTP APIs).
//!
//! Facts borrow from the request's head and from the plan; nothing is copied or allocated. Not
//! here: how a fact is written into a head ([`Variable::render`]) or a log line (`steps::observe`).

mod claims;
mod clock;
mod cross_origin;
mod id;
mod parameters;
mod shown;
mod variable;
mod variables;

pub use claims::Claims;
pub use clock::{ClfTime, HttpDate, IsoTime};
pub use cross_origin::CrossOrigin;
pub use id::{RequestId, TraceId};
pub use parameters::{PARAMETERS_MAX, Parameters};
pub use shown::{Left, Shown};
pub use variable::Variable;
pub use variables::StageVariables;

use std::{net::IpAddr, time::Duration};

use crate::{
    base::WallTime,
    http::{ClientCertificate, Method, Secured, Status, Version},
    steps::reject::Reject,
};

/// What is known when a head has arrived.
#[derive(Clone, Copy)]
pub struct Arrival<'a> {
    /// The id that the client sees in `apigw-requestid`.
    pub request_id: RequestId,
    /// The trace that this request belongs to.
    pub trace_id: TraceId,
    /// When the head was complete.
    pub received: WallTime,
    /// `received` in CLF, as the caller keeps it for the current second.
    pub request_time: ClfTime,
    /// The client's address as text: the peer's, or what a trusted proxy said.
    pub source_ip: &'a [u8],
    /// The same, parsed.
    pub source: IpAddr,
    /// The method; `None` when the head could not be read. Then all below is unknown too.
    pub method: Option<Method>,
    /// The path as sent, with the stage.
    pub path: &'a [u8],
    /// The version on the wire.
    pub version: Option<Version>,
    /// The host as sent, without the port.
    pub domain_name: &'a [u8],
    /// `User-Agent`; empty when the client sent none.
    pub user_agent: &'a [u8],
    /// The labels of the listener that it came by: what AWS's policies call `aws:SourceVpce`.
    pub listener_labels: &'a [String],
    /// What is told of the connection, when it is TLS.
    pub secured: Option<&'a Secured>,
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The API's id.
    pub api_id: &'a str,
    /// The stage's name.
    pub stage: &'a str,
}

/// What a custom domain matched; both are empty on a host that is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CustomDomain<'a> {
    /// The key of the API mapping, or the routing rule's base path, without slashes at its ends;
    /// empty when every path matches.
    pub base_path: &'a str,
    /// The routing rule's id; empty when an API mapping matched.
    pub routing_rule_id: &'a str,
}

/// Who signed a request (`$context.identity`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// `accessKey`: the id of the access key.
    pub access_key: &'a str,
    /// `accountId`
    pub account_id: &'a str,
    /// `caller`, and `user`.
    pub user_id: &'a str,
    /// `userArn`
    pub user_arn: &'a str,
    /// `principalOrgId`; empty when it is in no organization.
    pub org_id: &'a str,
}

/// How the integration did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Integrated {
    /// The upstream's status.
    pub status: Status,
    /// From the request's first byte sent to the answer's head received.
    pub latency: Duration,
}

/// How the request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The status that the client got.
    pub status: Status,
    /// Bytes of the body that the client got.
    pub response_length: u64,
    /// From the head's arrival to the answer's last byte.
    pub latency: Duration,
}

/// Why the client did not get all of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutShort {
    /// The client left, or took nothing for too long.
    ClientLeft,
    /// The integration closed within its answer's body.
    IntegrationClosed,
    /// The integration sent nothing more for too long.
    IntegrationStalled,
    /// The integration's framing of the body is broken.
    IntegrationMalformed,
}

impl CutShort {
    /// The reason for the access log; never sent to the client.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::ClientLeft => "the client left before it had all of the answer",
            Self::IntegrationClosed => "the integration closed within its answer",
            Self::IntegrationStalled => "the integration stalled within its answer",
            Self::IntegrationMalformed => "the integration's answer is malformed within its body",
        }
    }
}

/// The facts of one request. What is not known (yet) is `None`.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// What the head said.
    pub arrival: Arrival<'a>,
    target: Option<Target<'a>>,
    custom_domain: CustomDomain<'a>,
    route: Option<(&'a str, &'a [u8])>,
    claims: Option<&'a Claims>,
    scopes: &'a str,
    ip_rule: &'a str,
    realm: &'a str,
    principal: Option<&'a str>,
    identity: Option<Identity<'a>>,
    api_key_id: Option<&'a str>,
    limit: Option<Shown<'a>>,
    cross_origin: Option<CrossOrigin<'a>>,
    integrated: Option<Integrated>,
    rejected: Option<Reject>,
    detail: Option<&'static str>,
    words: Option<&'a str>,
    cut_short: Option<CutShort>,
    outcome: Option<Outcome>,
}

impl<'a> Facts<'a> {
    /// The facts at the start.
    #[must_use]
    pub const fn new(arrival: Arrival<'a>) -> Self {
        Self {
            arrival,
            target: None,
            custom_domain: CustomDomain { base_path: "", routing_rule_id: "" },
            route: None,
            claims: None,
            scopes: "",
            ip_rule: "",
            realm: "",
            principal: None,
            identity: None,
            api_key_id: None,
            limit: None,
            cross_origin: None,
            integrated: None,
            rejected: None,
            detail: None,
            words: None,
            cut_short: None,
            outcome: None,
        }
    }

    /// Records which API and stage answer.
    pub const fn record_target(&mut self, target: Target<'a>) {
        debug_assert!(self.target.is_none());
        self.target = Some(target);
    }

    /// Records what the custom domain matched.
    pub const fn record_custom_domain(&mut self, matched: CustomDomain<'a>) {
        self.custom_domain = matched;
    }

    /// Records which route answers: its key, and what `steps::observe` says of it in a log line.
    pub const fn record_route(&mut self, route_key: &'a str, members: &'a [u8]) {
        debug_assert!(self.route.is_none());
        self.route = Some((route_key, members));
    }

    /// Records which scopes the route asks a token for, a space between them.
    pub const fn record_scopes(&mut self, scopes: &'a str) {
        self.scopes = scopes;
    }

    /// Records what the caller's token says of it, once it is verified.
    pub const fn record_claims(&mut self, claims: &'a Claims) {
        debug_assert!(self.claims.is_none());
        self.claims = Some(claims);
    }

    /// Records what clients are told to name themselves for.
    pub const fn record_realm(&mut self, realm: &'a str) {
        self.realm = realm;
    }

    /// Records who signed the request, once that is verified: the signature has been read for good.
    pub const fn record_identity(&mut self, identity: Identity<'a>) {
        debug_assert!(self.identity.is_none());
        self.identity = Some(identity);
    }

    /// Records who calls, once the password is verified: `Authorization` has been read for good.
    pub const fn record_principal(&mut self, user: &'a str) {
        debug_assert!(self.principal.is_none());
        self.principal = Some(user);
    }

    /// Records which IP rule refused the client's address.
    pub const fn record_ip_rule(&mut self, name: &'a str) {
        self.ip_rule = name;
    }

    /// Records whose API key the request names.
    pub const fn record_api_key(&mut self, id: &'a str) {
        self.api_key_id = Some(id);
    }

    /// Records what the client is told of the limits that the request came under.
    pub const fn record_limit(&mut self, shown: Shown<'a>) {
        self.limit = Some(shown);
    }

    /// Records what the client is told of the page that asks.
    pub const fn record_cross_origin(&mut self, told: CrossOrigin<'a>) {
        self.cross_origin = Some(told);
    }

    /// Records how the integration did.
    pub const fn record_integrated(&mut self, integrated: Integrated) {
        debug_assert!(self.integrated.is_none());
        self.integrated = Some(integrated);
    }

    /// Records what exactly was wrong with a message that was refused; for the log only.
    pub const fn record_detail(&mut self, detail: Option<&'static str>) {
        self.detail = detail;
    }

    /// Records what the client is told of its refusal instead of the fault's own words: JSON.
    pub const fn record_words(&mut self, words: &'a str) {
        self.words = Some(words);
    }

    /// Records why the request was refused.
    pub const fn record_reject(&mut self, reject: Reject) {
        debug_assert!(self.rejected.is_none());
        self.rejected = Some(reject);
    }

    /// Records why the client did not get all of the answer.
    pub const fn record_cut_short(&mut self, why: CutShort) {
        debug_assert!(self.cut_short.is_none());
        self.cut_short = Some(why);
    }

    /// Records how it ended.
    pub const fn record_outcome(&mut self, outcome: Outcome) {
        debug_assert!(self.outcome.is_none());
        self.outcome = Some(outcome);
    }

    /// The certificate that the client proved to have.
    #[must_use]
    pub fn client(&self) -> Option<&'a ClientCertificate> {
        self.arrival.secured.and_then(|secured| secured.client.as_ref())
    }

    /// Which API and stage answer.
    #[must_use]
    pub const fn target(&self) -> Option<Target<'a>> {
        self.target
    }

    /// What the custom domain matched.
    #[must_use]
    pub const fn custom_domain(&self) -> CustomDomain<'a> {
        self.custom_domain
    }

    /// Which route answers.
    #[must_use]
    pub fn route_key(&self) -> Option<&'a str> {
        self.route.map(|(key, _)| key)
    }

    /// What a log line says of the route.
    #[must_use]
    pub fn route_members(&self) -> Option<&'a [u8]> {
        self.route.map(|(_, members)| members)
    }

    /// What the caller's token says of it.
    #[must_use]
    pub const fn claims(&self) -> Option<&'a Claims> {
        self.claims
    }

    /// The scopes that the route asks a token for; empty when it names none.
    #[must_use]
    pub const fn scopes(&self) -> &'a str {
        self.scopes
    }

    /// What clients are told to name themselves for.
    #[must_use]
    pub const fn realm(&self) -> &'a str {
        self.realm
    }

    /// Who signed the request.
    #[must_use]
    pub const fn identity(&self) -> Option<&Identity<'a>> {
        self.identity.as_ref()
    }

    /// Who calls, as a password says.
    #[must_use]
    pub const fn principal(&self) -> Option<&'a str> {
        self.principal
    }

    /// The IP rule that refused the client's address; empty when none did.
    #[must_use]
    pub const fn ip_rule(&self) -> &'a str {
        self.ip_rule
    }

    /// The id of the API key that the request names.
    #[must_use]
    pub const fn api_key_id(&self) -> Option<&'a str> {
        self.api_key_id
    }

    /// What the client is told of limits.
    #[must_use]
    pub const fn limit(&self) -> Option<&Shown<'a>> {
        self.limit.as_ref()
    }

    /// What the client is told of the page that asks; `None` when the API has no CORS.
    #[must_use]
    pub const fn cross_origin(&self) -> Option<CrossOrigin<'a>> {
        self.cross_origin
    }

    /// How the integration did.
    #[must_use]
    pub const fn integrated(&self) -> Option<Integrated> {
        self.integrated
    }

    /// What exactly was wrong with a refused message, as its codec says it.
    #[must_use]
    pub const fn detail(&self) -> Option<&'static str> {
        self.detail
    }

    /// What the client is told of its refusal instead of the fault's own words.
    #[must_use]
    pub const fn words(&self) -> Option<&'a str> {
        self.words
    }

    /// Why the request was refused.
    #[must_use]
    pub const fn rejected(&self) -> Option<Reject> {
        self.rejected
    }

    /// Why the client did not get all of the answer.
    #[must_use]
    pub const fn cut_short(&self) -> Option<CutShort> {
        self.cut_short
    }

    /// How it ended.
    #[must_use]
    pub const fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }
}
