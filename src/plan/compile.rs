//! Drafts in, plan out: numbering, sharing of upstreams, and what can only be checked together.

use super::{
    Api, ExecuteApiEndpoint, OtherHosts, Plan, Route, RouteIndex, Stage, StageIndex, Upstream,
    UpstreamIndex,
};
use crate::{
    http::Http2,
    steps::{
        context::StageVariables,
        domain::{ApiIds, Destination, DomainDraft, Domains},
        integrate::{Integration, Uri},
        observe,
        reject::Catalogue,
        route::{RouteKey, Router},
        stage::{StageName, StageNames},
    },
    tls::{Faces, Guards},
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
    /// The stages.
    pub stages: Vec<StageDraft>,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// As [`Upstream::host`].
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether it speaks HTTP/2.
    pub http2: Http2,
}

/// A route as a document describes it, its integration compiled for the stage.
pub struct RouteDraft {
    /// The key.
    pub key: RouteKey,
    /// How it goes to its upstream.
    pub integration: Integration,
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
        let mut plan = Self {
            apis: Vec::new(),
            api_ids: ApiIds::default(),
            domains,
            other_hosts,
            upstreams: Vec::new(),
            faces: Faces::default(),
            guards: Guards::default(),
            stage_count: 0,
            route_count: 0,
        };
        for draft in draft.apis {
            if let Err(problem) = check_id(&draft.id, &plan.apis) {
                problems.push(format!("api {}: {problem}", draft.name));
            }
            let api = plan.compile_api(draft, &mut problems);
            plan.apis.push(api);
        }
        for UpstreamSettings { host, port, http2 } in settings {
            let is_meant =
                |upstream: &&mut Upstream| upstream.host == *host && upstream.port == *port;
            if let Some(upstream) = plan.upstreams.iter_mut().find(is_meant) {
                upstream.http2 = *http2;
            }
        }
        plan.check_destinations(&mut problems);
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

    fn compile_api(&mut self, draft: ApiDraft, problems: &mut Vec<String>) -> Api {
        let names: Vec<StageName> = draft.stages.iter().map(|stage| stage.name.clone()).collect();
        let stage_names = StageNames::compile(&names).unwrap_or_else(|faults| {
            problems.extend(faults.into_iter().map(|fault| format!("api {}: {fault}", draft.name)));
            StageNames::default()
        });
        let mut stages = Vec::new();
        for stage in draft.stages {
            let place = format!("api {}, stage {}", draft.name, stage.name.as_str());
            stages.push(self.compile_stage(stage, &draft.id, &place, problems));
        }
        let ApiDraft { id, name, catalogue, endpoint, .. } = draft;
        Api { id, name, catalogue, endpoint, stages, stage_names }
    }

    fn compile_stage(
        &mut self,
        draft: StageDraft,
        api_id: &str,
        place: &str,
        problems: &mut Vec<String>,
    ) -> Stage {
        let keys: Vec<RouteKey> = draft.routes.iter().map(|route| route.key.clone()).collect();
        let router = Router::compile(keys).unwrap_or_else(|faults| {
            problems.extend(faults.into_iter().map(|fault| format!("{place}: {fault}")));
            Router::empty()
        });
        let mut routes = Vec::new();
        for route in draft.routes {
            let key_text = route.key.to_string();
            routes.push(Route {
                index: RouteIndex(next(&mut self.route_count)),
                upstream: self.share_upstream(&route.integration.uri),
                log_members: observe::route_members(&key_text, api_id, draft.name.as_str()),
                key_text,
                key: route.key,
                integration: route.integration,
            });
        }
        let index = StageIndex(next(&mut self.stage_count));
        Stage { index, name: draft.name, variables: draft.variables, router, routes }
    }

    fn share_upstream(&mut self, uri: &Uri) -> UpstreamIndex {
        let wanted = Upstream { host: uri.host.clone(), port: uri.port, http2: Http2::NotOffered };
        let known = self.upstreams.iter().position(|upstream| *upstream == wanted);
        let place = known.unwrap_or_else(|| {
            self.upstreams.push(wanted);
            self.upstreams.len() - 1
        });
        UpstreamIndex(u32::try_from(place).expect("fewer upstreams than a document has bytes"))
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
    if !(1..=63).contains(&id.len()) || !id.bytes().all(plain) {
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
