//! The compiled gateway: immutable, no serde, no `Option` that means "default".
//!
//! A plan is compiled from drafts off the shards and shared as `Arc<Plan>`; a request sees one plan
//! from start to end. Nothing of a document is reachable from here.

mod compile;
mod limits;
mod select;
mod usage;

use std::sync::Arc;

use crate::{
    base::Address,
    http::Http2,
    steps::{
        api_key::Keys,
        authorize::{Demand, policy::Policy, principal::Principals},
        context::StageVariables,
        cors::Cors,
        domain::{ApiIds, Domains},
        endpoint::{Access, Labels},
        integrate::Integration,
        ip_rules::IpRule,
        reject::Catalogue,
        route::{RouteKey, Router},
        stage::{StageName, StageNames},
        throttle::{Limit, LimitIndex},
    },
    tls::{Caller, CallerKey, Faces, Guards},
};

pub use compile::{AccessDraft, ApiDraft, PlanDraft, RouteDraft, StageDraft, UpstreamSettings};
pub use limits::{
    ApiKeyDraft, IpRuleDraft, OwnLimitDraft, OwnRoutes, PlanStageDraft, TrafficDraft,
    UsagePlanDraft,
};
pub use select::Selected;
pub use usage::{Throttling, UsagePlan};

/// The compiled gateway.
pub struct Plan {
    apis: Vec<Api>,
    api_ids: ApiIds,
    domains: Domains,
    other_hosts: OtherHosts,
    labels: Labels,
    upstreams: Vec<Upstream>,
    /// How each upstream is called by TLS.
    callers: Vec<Option<Arc<Caller>>>,
    faces: Faces,
    guards: Guards,
    limits: Vec<Limit>,
    /// Those that every request is asked by.
    ip_rules: Vec<Arc<IpRule>>,
    keys: Keys,
    principals: Principals,
    region: String,
    usage_plans: Vec<UsagePlan>,
    throttling: Throttling,
    stage_count: usize,
    route_count: usize,
}

/// One API.
pub struct Api {
    /// The id, as in `{apiId}.execute-api.*`: 1 to 63 letters, digits and `-`, in lower case.
    pub id: String,
    /// The name for people.
    pub name: String,
    /// In whose words it refuses.
    pub catalogue: Catalogue,
    /// Whether it is reached without a custom domain.
    pub endpoint: ExecuteApiEndpoint,
    /// By which listeners it is reached.
    pub access: Access,
    /// `arn:aws:execute-api:{region}:{account}:{apiId}`: what policies know it by.
    pub arn: String,
    /// Who may call it at all, when it says so.
    pub policy: Option<Arc<Policy>>,
    /// What browsers are told of other sites' pages, when it says so.
    pub cors: Option<Cors>,
    /// The stages, in the document's order; [`StageNames`] counts in it.
    pub stages: Vec<Stage>,
    /// The stages by name.
    pub stage_names: StageNames,
}

/// Whether an API is reached by its id (`disableExecuteApiEndpoint`), in the host or in
/// `x-apigw-api-id`, or as the only one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExecuteApiEndpoint {
    /// It is.
    #[default]
    Enabled,
    /// Custom domains only.
    Disabled,
}

/// Who answers on a host that names no API and is no custom domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OtherHosts {
    /// The only API there is.
    OnlyApi,
    /// Nobody.
    Nobody(Catalogue),
}

/// One stage of an API.
pub struct Stage {
    /// Where its numbers are counted: dense over all stages of the plan.
    pub index: StageIndex,
    /// The name.
    pub name: StageName,
    /// The variables; already filled into everything that names them.
    pub variables: StageVariables,
    /// Finds a route; counts in `routes`.
    pub router: Router,
    /// The routes, in the document's order.
    pub routes: Vec<Route>,
}

/// One route of a stage.
pub struct Route {
    /// Where its numbers are counted: dense over all routes of the plan.
    pub index: RouteIndex,
    /// The key.
    pub key: RouteKey,
    /// The key as text, for `$context.routeKey` and labels.
    pub key_text: String,
    /// What the access log says of it in every line.
    pub log_members: Vec<u8>,
    /// Whose clients it is open to, beside what holds for every request; asked first.
    pub ip_rules: Vec<Arc<IpRule>>,
    /// Ringway's own limits, asked right after the route matched.
    pub guards: Vec<LimitIndex>,
    /// Ringway's own by claims, then AWS's of the route and of the account; a key's are asked
    /// before.
    pub limits: Vec<LimitIndex>,
    /// Whether it takes an API key of a usage plan. Without, no usage plan is consulted.
    pub api_key_required: bool,
    /// The token that it asks callers for; `None` lets everybody in.
    pub authorizer: Option<Demand>,
    /// Where it goes.
    pub upstream: UpstreamIndex,
    /// How it goes there.
    pub integration: Integration,
}

/// A place to connect to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Upstream {
    /// A name in lower case, an IPv4 address, or an IPv6 address in brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether it speaks HTTP/2 (`protocolVersion`); else HTTP/1.1.
    pub http2: Http2,
    /// Where its connections go.
    pub reach: Reach,
    /// How it is called by TLS; `None` in plain text.
    pub caller: Option<CallerKey>,
}

/// How an upstream's addresses are found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// By its host, at run time.
    Host,
    /// It has this one, whatever the host is (`connectTo`).
    At(Address),
}

impl Upstream {
    /// One of which nothing is said but where it is.
    #[must_use]
    pub fn named(host: &str, port: u16) -> Self {
        let (http2, reach) = (Http2::NotOffered, Reach::Host);
        Self { host: host.to_owned(), port, http2, reach, caller: None }
    }
}

/// A stage's place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StageIndex(pub u32);

/// A route's place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteIndex(pub u32);

/// An upstream's place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UpstreamIndex(pub u32);

impl Plan {
    /// The APIs, in the document's order.
    #[must_use]
    pub fn apis(&self) -> &[Api] {
        &self.apis
    }

    /// The plan, its listeners showing these faces, its domains asking this of connections.
    #[must_use]
    pub fn with_tls(self, faces: Faces, guards: Guards) -> Self {
        Self { faces, guards, ..self }
    }

    /// What its domains ask of connections.
    #[must_use]
    pub const fn guards(&self) -> &Guards {
        &self.guards
    }

    /// What its listeners show to clients that speak TLS.
    #[must_use]
    pub const fn faces(&self) -> &Faces {
        &self.faces
    }

    /// The APIs by id; [`ApiIds`] counts in the order of [`Plan::apis`].
    #[must_use]
    pub const fn api_ids(&self) -> &ApiIds {
        &self.api_ids
    }

    /// The custom domains; [`crate::steps::domain::DomainId`] counts in the document's order.
    #[must_use]
    pub const fn domains(&self) -> &Domains {
        &self.domains
    }

    /// The labels of listeners that APIs are private to.
    #[must_use]
    pub const fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The upstreams, each host and port once.
    #[must_use]
    pub fn upstreams(&self) -> &[Upstream] {
        &self.upstreams
    }

    /// How the upstreams are called by TLS, in their order; `None` for plain text.
    #[must_use]
    pub fn callers(&self) -> &[Option<Arc<Caller>>] {
        &self.callers
    }

    /// The upstream at a place of this plan.
    #[must_use]
    pub fn upstream(&self, index: UpstreamIndex) -> &Upstream {
        &self.upstreams[index.0 as usize]
    }

    /// The limits; [`LimitIndex`] counts in them.
    #[must_use]
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// Which client addresses may come, whatever they ask for.
    #[must_use]
    pub fn ip_rules(&self) -> &[Arc<IpRule>] {
        &self.ip_rules
    }

    /// The API keys.
    #[must_use]
    pub const fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Who may sign requests.
    #[must_use]
    pub const fn principals(&self) -> &Principals {
        &self.principals
    }

    /// The region that signatures have to be for.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The usage plans; [`crate::steps::api_key::UsagePlanIndex`] counts in them.
    #[must_use]
    pub fn usage_plans(&self) -> &[UsagePlan] {
        &self.usage_plans
    }

    /// How throttling is told, and how often shards and ledger agree.
    #[must_use]
    pub const fn throttling(&self) -> Throttling {
        self.throttling
    }

    /// How many stages there are; [`StageIndex`] counts up to here.
    #[must_use]
    pub const fn stage_count(&self) -> usize {
        self.stage_count
    }

    /// How many routes there are; [`RouteIndex`] counts up to here.
    #[must_use]
    pub const fn route_count(&self) -> usize {
        self.route_count
    }

    /// Every route with its API and stage, in the order of [`RouteIndex`].
    pub fn routes(&self) -> impl Iterator<Item = (&Api, &Stage, &Route)> {
        self.apis.iter().flat_map(|api| {
            api.stages
                .iter()
                .flat_map(move |stage| stage.routes.iter().map(move |route| (api, stage, route)))
        })
    }
}

#[cfg(test)]
mod tests;
