//! Drafts in, plan out: numbering, sharing of upstreams, and what can only be checked together.

use std::sync::Arc;

use super::{
    Api, ExecuteApiEndpoint, OtherHosts, Plan, Reach, Route, RouteIndex, Stage, StageIndex,
    Throttling, TrafficDraft, Upstream, UpstreamIndex, select::API_ID_BYTES_MAX,
};
use crate::{
    http::Http2,
    ledger::Terms,
    steps::{
        api_key::Keys,
        authorize::{
            Demand,
            policy::Policy,
            principal::{PrincipalDraft, Principals},
        },
        context::StageVariables,
        cors::Cors,
        domain::{ApiIds, Destination, DomainDraft, Domains},
        endpoint::{Access, LABELS_MAX, LabelSet, Labels},
        integrate::{Integration, Protocol, Uri},
        observe,
        reject::Catalogue,
        route::{RouteKey, Router},
        stage::{StageName, StageNames},
    },
    tls::{Caller, CallerParts, Faces, Guards},
};

/// A gateway as documents describe it.
#[derive(Default)]
pub struct PlanDraft {
    /// The APIs.
    pub apis: Vec<ApiDraft>,
    /// The custom domains.
    pub domains: Vec<DomainDraft>,
    /// What follows `{apiId}.execute-api.` in the APIs' own host names, such as
    /// `us-east-1.example.internal`. `None`: whatever the client sends.
    pub host_parent: Option<String>,
    /// Keys, usage plans and limits.
    pub traffic: TrafficDraft,
    /// Who may sign requests.
    pub principals: Vec<PrincipalDraft>,
    /// The region that signatures have to be for.
    pub region: String,
}

impl PlanDraft {
    /// Whether an upstream, or an issuer of tokens, is to be trusted because the system trusts its
    /// authority.
    #[must_use]
    pub fn asks_system(&self, settings: &[UpstreamSettings]) -> bool {
        let stages = self.apis.iter().flat_map(|api| &api.stages);
        let mut routes = stages.flat_map(|stage| &stage.routes);
        routes.any(|RouteDraft { integration, authorizer, .. }| {
            let mut demanded = authorizer.iter().flat_map(|demand| demand.authorizer.fetched());
            if demanded.any(|source| source.asks_system()) {
                return true;
            }
            integration.uri.protocol == Protocol::Https
                && caller_of(integration, settings).asks_system()
        })
    }
}

/// How an integration's upstream is called by TLS: what its section says, and over it the route's
/// document.
fn caller_of(integration: &Integration, settings: &[UpstreamSettings]) -> CallerParts {
    let settings = settings.iter().find(|settings| settings.leads_to(&integration.uri));
    let parts = settings.map(|settings| settings.caller.clone()).unwrap_or_default();
    let tls = &integration.tls;
    parts.with(tls.server_name.as_deref(), tls.skips_verification)
}

/// An API as a document describes it.
pub struct ApiDraft {
    /// The id; see [`Api::id`].
    pub id: String,
    /// The name for people.
    pub name: String,
    /// In whose words it refuses.
    pub catalogue: Catalogue,
    /// Whether it is reached without a custom domain.
    pub endpoint: ExecuteApiEndpoint,
    /// By which listeners it is reached.
    pub access: AccessDraft,
    /// See [`Api::arn`].
    pub arn: String,
    /// See [`Api::policy`].
    pub policy: Option<Arc<Policy>>,
    /// See [`Api::cors`].
    pub cors: Option<Cors>,
    /// The stages.
    pub stages: Vec<StageDraft>,
}

/// By which listeners an API is reached, as a document describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AccessDraft {
    /// By all.
    #[default]
    Public,
    /// By those that have one of these labels.
    PrivateTo(Vec<String>),
}

/// A stage as a document describes it.
pub struct StageDraft {
    /// The name.
    pub name: StageName,
    /// The variables.
    pub variables: StageVariables,
    /// The routes.
    pub routes: Vec<RouteDraft>,
}

/// What a document says of an upstream beyond the URIs that lead to it.
#[derive(Clone, Debug)]
pub struct UpstreamSettings {
    /// `http` or `https`.
    pub protocol: Protocol,
    /// As [`Upstream::host`].
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether it speaks HTTP/2.
    pub http2: Http2,
    /// Where its connections go.
    pub reach: Reach,
    /// How it is called by TLS.
    pub caller: CallerParts,
}

/// A route as a document describes it, its integration compiled for the stage.
pub struct RouteDraft {
    /// The key.
    pub key: RouteKey,
    /// How it goes to its upstream.
    pub integration: Integration,
    /// Whether it takes an API key of a usage plan.
    pub api_key_required: bool,
    /// The token that it asks callers for; `None` lets everybody in.
    pub authorizer: Option<Demand>,
    /// What it lets through, of all callers together.
    pub throttle: Option<Terms>,
}

impl Plan {
    /// Compiles a plan.
    ///
    /// # Errors
    /// All problems, one sentence each, that name API, stage and route, or the domain name.
    pub fn compile(draft: PlanDraft, settings: &[UpstreamSettings]) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let other_hosts = other_hosts(&draft);
        let domains = Domains::compile(draft.domains).unwrap_or_else(|faults| {
            problems.extend(faults);
            Domains::default()
        });
        let principals = Principals::compile(draft.principals).unwrap_or_else(|faults| {
            problems.extend(faults);
            Principals::default()
        });
        let mut plan = Self {
            apis: Vec::new(),
            api_ids: ApiIds::default(),
            domains,
            other_hosts,
            labels: Labels::default(),
            upstreams: Vec::new(),
            callers: Vec::new(),
            faces: Faces::default(),
            guards: Guards::default(),
            limits: Vec::new(),
            ip_rules: Vec::new(),
            keys: Keys::default(),
            principals,
            region: draft.region,
            usage_plans: Vec::new(),
            throttling: Throttling::default(),
            stage_count: 0,
            route_count: 0,
        };
        let stages = draft.apis.iter().flat_map(|api| &api.stages);
        let routes = stages.flat_map(|stage| &stage.routes);
        let throttles: Vec<_> = routes.map(|route| route.throttle).collect();
        for draft in draft.apis {
            if let Err(problem) = check_id(&draft.id, &plan.apis) {
                problems.push(format!("api {}: {problem}", draft.name));
            }
            let api = plan.compile_api(draft, settings, &mut problems);
            plan.apis.push(api);
        }
        plan.check_destinations(&mut problems);
        plan.compile_limits(draft.traffic, &throttles, &mut problems);
        let ids = plan.apis.iter().map(|api| api.id.clone()).collect();
        plan.api_ids = ApiIds::compile(ids, draft.host_parent.as_deref());
        if problems.is_empty() { Ok(plan) } else { Err(problems) }
    }

    /// A domain sends nothing to where nothing is.
    fn check_destinations(&self, problems: &mut Vec<String>) {
        for Destination { api, stage } in self.domains.destinations() {
            let stages = self.apis.get(api).map_or(0, |api| api.stages.len());
            if stage >= stages {
                problems.push(format!("a domain name leads to stage {stage} of API {api}: none"));
            }
        }
    }

    fn compile_api(
        &mut self,
        draft: ApiDraft,
        settings: &[UpstreamSettings],
        problems: &mut Vec<String>,
    ) -> Api {
        let names: Vec<StageName> = draft.stages.iter().map(|stage| stage.name.clone()).collect();
        let stage_names = StageNames::compile(&names).unwrap_or_else(|faults| {
            problems.extend(faults.into_iter().map(|fault| format!("api {}: {fault}", draft.name)));
            StageNames::default()
        });
        let mut stages = Vec::new();
        for stage in draft.stages {
            let place = format!("api {}, stage {}", draft.name, stage.name.as_str());
            let stage = self.compile_stage(stage, &draft.id, settings, (&place, problems));
            stages.push(stage);
        }
        let ApiDraft { id, name, catalogue, endpoint, access, arn, policy, cors, .. } = draft;
        let access = self.compile_access(&name, &access, problems);
        Api { id, name, catalogue, endpoint, access, arn, policy, cors, stages, stage_names }
    }

    fn compile_access(
        &mut self,
        name: &str,
        draft: &AccessDraft,
        problems: &mut Vec<String>,
    ) -> Access {
        let AccessDraft::PrivateTo(names) = draft else { return Access::Public };
        let set = self.labels.add(names.iter().map(String::as_str)).unwrap_or_else(|| {
            let message =
                format!("api {name}: the APIs are private to more than {LABELS_MAX} labels");
            problems.push(message);
            LabelSet::default()
        });
        Access::PrivateTo(set)
    }

    fn compile_stage(
        &mut self,
        draft: StageDraft,
        api_id: &str,
        settings: &[UpstreamSettings],
        (place, problems): (&str, &mut Vec<String>),
    ) -> Stage {
        let keys: Vec<RouteKey> = draft.routes.iter().map(|route| route.key.clone()).collect();
        let router = Router::compile(keys).unwrap_or_else(|faults| {
            problems.extend(faults.into_iter().map(|fault| format!("{place}: {fault}")));
            Router::empty()
        });
        let mut routes = Vec::new();
        for route in draft.routes {
            let key_text = route.key.to_string();
            let upstream = self.share_upstream(&route.integration, settings);
            let upstream = upstream.unwrap_or_else(|fault| {
                problems.push(format!("{place}, route {key_text}: {fault}"));
                UpstreamIndex(0)
            });
            routes.push(Route {
                index: RouteIndex(next(&mut self.route_count)),
                upstream,
                log_members: observe::route_members(&key_text, api_id, draft.name.as_str()),
                key_text,
                key: route.key,
                integration: route.integration,
                ip_rules: Vec::new(),
                guards: Vec::new(),
                limits: Vec::new(),
                api_key_required: route.api_key_required,
                authorizer: route.authorizer,
            });
        }
        let index = StageIndex(next(&mut self.stage_count));
        Stage { index, name: draft.name, variables: draft.variables, router, routes }
    }

    fn share_upstream(
        &mut self,
        integration: &Integration,
        of_document: &[UpstreamSettings],
    ) -> Result<UpstreamIndex, String> {
        let Uri { host, port, protocol, .. } = &integration.uri;
        let settings = of_document.iter().find(|settings| settings.leads_to(&integration.uri));
        let http2 = settings.map_or(Http2::NotOffered, |settings| settings.http2);
        let reach = settings.map_or(Reach::Host, |settings| settings.reach.clone());
        let caller = match protocol {
            Protocol::Http => None,
            Protocol::Https => {
                let parts = caller_of(integration, of_document);
                Some(Arc::new(Caller::compile(&parts, host, http2)?))
            }
        };
        let key = caller.as_ref().map(|caller| caller.key().clone());
        let wanted = Upstream { host: host.clone(), port: *port, http2, reach, caller: key };
        let known = self.upstreams.iter().position(|upstream| *upstream == wanted);
        let place = known.unwrap_or_else(|| {
            self.upstreams.push(wanted);
            self.callers.push(caller);
            self.upstreams.len() - 1
        });
        let place = u32::try_from(place).expect("fewer upstreams than a document has bytes");
        Ok(UpstreamIndex(place))
    }
}

impl UpstreamSettings {
    /// Whether this is what is said of the upstream of a URI.
    #[must_use]
    pub fn leads_to(&self, uri: &Uri) -> bool {
        self.protocol == uri.protocol && self.host == uri.host && self.port == uri.port
    }
}

/// With custom domains the file says which hosts there are. Without any, a single API answers on
/// every host.
fn other_hosts(draft: &PlanDraft) -> OtherHosts {
    if draft.domains.is_empty() {
        return match draft.apis.len() {
            1 => OtherHosts::OnlyApi,
            _ => OtherHosts::Nobody(Catalogue::HttpApi),
        };
    }
    let is_rest = |api: &ApiDraft| api.catalogue == Catalogue::RestApi;
    OtherHosts::Nobody(match draft.apis.iter().any(is_rest) {
        true => Catalogue::RestApi,
        false => Catalogue::HttpApi,
    })
}

/// The id is a label of a host name.
fn check_id(id: &str, known: &[Api]) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !(1..=API_ID_BYTES_MAX).contains(&id.len()) || !id.bytes().all(plain) {
        return Err(format!("id '{id}': an API's id is 1 to 63 of a-z, 0-9 and '-'"));
    }
    match known.iter().find(|api| api.id == id) {
        Some(other) => Err(format!("id '{id}' is the id of api {} too", other.name)),
        None => Ok(()),
    }
}

fn next(count: &mut usize) -> u32 {
    let index = u32::try_from(*count).expect("fewer routes than a document has bytes");
    *count += 1;
    index
}
