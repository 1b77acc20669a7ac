//! Throttles, usage plans and limits of a gateway file as parts of the plan's draft: names become
//! places, and what they name is held against the routes that there are.
//!
//! What the gateway file says was checked (`gateway_file`); routes are known only here, when the
//! definitions are read.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use super::{
    Problems,
    document::{Document, Node},
    gateway_file::{burst_of, did_you_mean, raw, route_key},
    keys::Keys,
    shorten,
};
use crate::{
    base::{Place, limits::PROBLEMS_MAX},
    ledger::{Period, QuotaTerms, Rate, Terms},
    plan::{
        ApiDraft, IpRuleDraft, OwnLimitDraft, OwnRoutes, PlanStageDraft, RouteDraft, StageDraft,
        Throttling, TrafficDraft, UsagePlanDraft,
    },
    steps::{
        ip_rules::IpRule,
        route::RouteKey,
        throttle::{By, Mode},
    },
};

/// What a gateway file says, and the definitions that it names, each API with the place where its
/// definition is named. `document` is `None` when a definition is served without a gateway file.
/// Routes of the APIs' drafts get their throttles.
pub(super) fn compile(
    (file, document): (&raw::GatewayFile, Option<&Document>),
    apis: &mut [(ApiDraft, Place)],
    (keys, rules): (Keys, Vec<IpRule>),
    problems: &mut Problems,
) -> TrafficDraft {
    let index = Index::of(apis);
    Compiling { file, document, apis, index, problems }.compile(keys, rules)
}

struct Compiling<'c> {
    file: &'c raw::GatewayFile,
    document: Option<&'c Document>,
    apis: &'c mut [(ApiDraft, Place)],
    index: Index,
    problems: &'c mut Problems,
}

/// The places of APIs by name, and of the routes of each of their stages by key: a hostile document
/// asks for many.
struct Index {
    apis: HashMap<String, usize>,
    routes: Vec<Vec<HashMap<RouteKey, usize>>>,
}

impl Index {
    fn of(apis: &[(ApiDraft, Place)]) -> Self {
        let names = apis.iter().enumerate().map(|(place, (api, _))| (api.name.clone(), place));
        let routes = |stage: &StageDraft| {
            let routes = stage.routes.iter().enumerate();
            routes.map(|(place, route)| (route.key.clone(), place)).collect()
        };
        let stages = |(api, _): &(ApiDraft, Place)| api.stages.iter().map(routes).collect();
        Self { apis: names.collect(), routes: apis.iter().map(stages).collect() }
    }
}

/// What a token bucket's members say; nothing without a rate.
fn bucket(rate: Option<f64>, burst: Option<u32>) -> Option<Terms> {
    let rate = rate?;
    let burst = burst.unwrap_or_else(|| burst_of(rate));
    Some(Terms::Bucket { rate: Rate::per_second(rate)?, burst })
}

fn terms(settings: &raw::RouteSettings) -> Option<Terms> {
    bucket(settings.throttling_rate_limit, settings.throttling_burst_limit)
}

fn throttle(throttle: Option<&raw::Throttle>) -> Option<Terms> {
    throttle.and_then(|throttle| bucket(throttle.rate_limit, throttle.burst_limit))
}

impl Compiling<'_> {
    fn compile(mut self, keys: Keys, rules: Vec<IpRule>) -> TrafficDraft {
        self.route_settings();
        let Keys { drafts, of_plans, are_all } = keys;
        let plans = self.file.usage_plans.iter().enumerate().zip(of_plans);
        let plans = plans.map(|((index, plan), keys)| self.usage_plan(index, plan, keys));
        let usage_plans: Vec<_> = plans.collect();
        if are_all {
            self.tell_keyless(&usage_plans, drafts.len());
        }
        self.tell_unasked();
        let limits = self.file.throttling.limits.iter().enumerate();
        let own = limits.map(|(index, limit)| self.own(index, limit)).collect();
        let rules = self.file.ip_rules.iter().enumerate().zip(rules);
        let ip_rules = rules.map(|((index, raw), rule)| self.ip_rule(index, raw, rule)).collect();
        let throttling = &self.file.throttling;
        let millis = throttling.reconciliation_millis.map(u64::from).map(Duration::from_millis);
        TrafficDraft {
            keys: drafts,
            usage_plans,
            own,
            ip_rules,
            account: throttle(throttling.account.as_ref()),
            throttling: Throttling {
                retry_after: throttling.retry_after,
                rate_limit_headers: throttling.rate_limit_headers,
                reconciliation: millis.unwrap_or(Throttling::default().reconciliation),
            },
        }
    }

    /// Throttles of routes, of all callers together.
    fn route_settings(&mut self) {
        for (index, api) in self.file.apis.iter().enumerate() {
            for (stage_index, raw) in api.stages.iter().enumerate() {
                let Some((api_at, stage)) = self.find_stage(&api.name, &raw.stage_name) else {
                    continue;
                };
                let default = terms(&raw.default_route_settings);
                let routes = &mut self.apis[api_at].0.stages[stage].routes;
                routes.iter_mut().for_each(|route| route.throttle = default);
                for (text, settings) in &raw.route_settings {
                    let known = &self.index.routes[api_at][stage];
                    let found = RouteKey::parse(text).ok().and_then(|key| known.get(&key));
                    if let Some(route) = found {
                        let route = &mut routes[*route];
                        route.throttle = terms(settings).or(route.throttle);
                        continue;
                    }
                    let pointer = format!("/apis/{index}/stages/{stage_index}/routeSettings");
                    let label = format!("API {}, stage {}", api.name, raw.stage_name);
                    let place = key_place(self.document, &pointer, text);
                    tell_no_route(self.problems, place, &label, text, &*routes);
                }
            }
        }
    }

    fn usage_plan(
        &mut self,
        index: usize,
        raw: &raw::UsagePlan,
        keys: Vec<usize>,
    ) -> UsagePlanDraft {
        let name = raw.name.0.clone();
        let throttle = throttle(raw.throttle.as_ref());
        let mut stages = Vec::new();
        for (place, stage) in raw.api_stages.iter().enumerate() {
            let pointer = format!("/usagePlans/{index}/apiStages/{place}/throttle");
            stages.extend(self.plan_stage(&pointer, &name, stage, throttle));
        }
        UsagePlanDraft {
            id: raw.id.as_ref().map_or_else(|| name.clone(), |id| id.0.clone()),
            name,
            throttle,
            quota: raw.quota.as_ref().map(|quota| QuotaTerms {
                limit: quota.limit,
                period: match quota.period {
                    raw::Period::Day => Period::Day,
                    raw::Period::Week => Period::Week,
                    raw::Period::Month => Period::Month,
                },
                offset: quota.offset,
            }),
            stages,
            keys,
        }
    }

    /// A stage of a usage plan. `of_plan` is the plan's own throttle.
    fn plan_stage(
        &mut self,
        pointer: &str,
        name: &str,
        raw: &raw::ApiStage,
        of_plan: Option<Terms>,
    ) -> Option<PlanStageDraft> {
        let (api, stage) = self.find_stage(&raw.api, &raw.stage)?;
        let routes = &self.apis[api].0.stages[stage].routes;
        let known = &self.index.routes[api][stage];
        let label = format!("usage plan {}: API {}, stage {}", name, raw.api, raw.stage);
        let mut methods = Vec::new();
        for (text, throttle) in &raw.throttle {
            let key = route_key(text).ok();
            let Some(&route) = key.and_then(|key| known.get(&key)) else {
                let place = key_place(self.document, pointer, text);
                tell_no_route(self.problems, place, &label, text, routes);
                continue;
            };
            let Some(terms) = bucket(throttle.rate_limit, throttle.burst_limit) else { continue };
            let above = [(of_plan, "the plan's throttle"), (routes[route].throttle, "the route's")];
            let above = above.iter().find(|(other, _)| other.is_some_and(|o| exceeds(terms, o)));
            if let (Some((_, whose)), Some(place)) =
                (above, key_place(self.document, pointer, text))
            {
                let message = format!("{label}: {text} allows more than {whose}, which holds too");
                self.problems.info(place, message, "");
            }
            methods.push((route, terms));
        }
        Some(PlanStageDraft { api, stage, methods })
    }

    fn own(&mut self, index: usize, raw: &raw::OwnLimit) -> OwnLimitDraft {
        let key = &raw.key;
        let bits = |length: Option<u16>, default| {
            length.and_then(|length| u8::try_from(length).ok()).unwrap_or(default)
        };
        let terms = match raw.concurrent_requests {
            Some(max) => Some(Terms::InFlight { max }),
            None => bucket(raw.rate_limit, raw.burst_limit),
        };
        OwnLimitDraft {
            name: raw.name.clone(),
            by: match key.kind {
                raw::LimitKeyType::All => By::All,
                raw::LimitKeyType::Claim => {
                    By::Claim(key.name.as_deref().unwrap_or_default().into())
                }
                raw::LimitKeyType::Address => By::Address {
                    ipv4_prefix: bits(key.ipv4_prefix_length, 32),
                    ipv6_prefix: bits(key.ipv6_prefix_length, 64),
                },
                raw::LimitKeyType::Header => {
                    By::Header(key.name.as_deref().unwrap_or_default().to_lowercase().into())
                }
            },
            // A limit that says nothing was told.
            terms: terms.unwrap_or(Terms::InFlight { max: 0 }),
            mode: if raw.dry_run { Mode::DryRun } else { Mode::Enforce },
            routes: self.own_routes(index, raw),
        }
    }

    fn own_routes(&mut self, index: usize, raw: &raw::OwnLimit) -> OwnRoutes {
        let is_by_claim = raw.key.kind == raw::LimitKeyType::Claim;
        let everything = [raw::LimitRoute::default()];
        let (routes, is_all) = match &raw.routes {
            Some(routes) => (&routes[..], false),
            None if is_by_claim => (&everything[..], true),
            None => return OwnRoutes::All,
        };
        let label = format!("limit {}", shorten(&raw.name));
        let mut meant = self.meant(routes, &label, &format!("/throttling/limits/{index}"));
        if is_by_claim {
            self.keep_those_with_claims(index, (raw, is_all), &mut meant);
        }
        OwnRoutes::Some(meant.routes.into_iter().collect())
    }

    /// Nobody has a claim where no token is asked for.
    fn keep_those_with_claims(
        &mut self,
        index: usize,
        (raw, is_all): (&raw::OwnLimit, bool),
        meant: &mut Meant,
    ) {
        let apis = &*self.apis;
        let has_claims = |&(api, stage, route): &(usize, usize, usize)| {
            let authorizer = &apis[api].0.stages[stage].routes[route].authorizer;
            authorizer.as_ref().is_some_and(|demand| demand.authorizer.has_claims())
        };
        let named = meant.routes.len();
        meant.routes.retain(has_claims);
        let (kept, name) = (meant.routes.len(), shorten(&raw.name));
        let place = self.place(&format!("/throttling/limits/{index}/key"));
        if kept == 0 && self.problems.errors() > 0 {
            // There may be such routes, all with errors that were told.
            return;
        }
        if let (0, Some(place)) = (kept, place.clone()) {
            let message = format!(
                "limit {name}: its key is a claim, and none of its routes asks for a token"
            );
            self.problems.error(place, message, "give the routes a JWT authorizer");
        } else if let (false, true, Some(place)) = (is_all, kept < named, place) {
            let message = format!(
                "limit {name}: {} of its {named} routes ask for no token and are left out",
                named - kept
            );
            self.problems.info(place, message, "");
        }
    }

    fn ip_rule(&mut self, index: usize, raw: &raw::IpRule, rule: IpRule) -> IpRuleDraft {
        let label = format!("IP rule {}", shorten(&raw.name));
        let routes = self.routes(raw.routes.as_deref(), &label, &format!("/ipRules/{index}"));
        IpRuleDraft { rule, routes }
    }

    /// The routes that a list is about, which `label` has at `pointer`.
    fn routes(
        &mut self,
        routes: Option<&[raw::LimitRoute]>,
        label: &str,
        pointer: &str,
    ) -> OwnRoutes {
        let Some(routes) = routes else { return OwnRoutes::All };
        OwnRoutes::Some(self.meant(routes, label, pointer).routes.into_iter().collect())
    }

    fn meant(&mut self, routes: &[raw::LimitRoute], label: &str, pointer: &str) -> Meant {
        let mut meant = Meant::default();
        for (place, route) in routes.iter().enumerate() {
            let pointer = format!("{pointer}/routes/{place}/routeKey");
            self.matching(route, (label, &pointer), &mut meant);
        }
        meant
    }

    /// Adds the places of all routes that one entry of such a list is about.
    fn matching(
        &mut self,
        raw: &raw::LimitRoute,
        (label, pointer): (&str, &str),
        meant: &mut Meant,
    ) {
        let key = raw.route_key.as_deref().and_then(|key| RouteKey::parse(key).ok());
        let is =
            |said: &Option<String>, name: &str| said.as_deref().is_none_or(|said| said == name);
        let apis = self.apis.iter().enumerate().filter(|(_, (api, _))| is(&raw.api, &api.name));
        let stages = apis.flat_map(|(place, (api, _))| {
            let stages = api.stages.iter().enumerate();
            let stages = stages.filter(|(_, stage)| is(&raw.stage, stage.name.as_str()));
            stages.map(move |(at, stage)| (place, at, stage))
        });
        let mut is_found = false;
        for (api, stage, draft) in stages.clone() {
            let routes = match &key {
                Some(key) => {
                    let found = self.index.routes[api][stage].get(key);
                    found.map_or(0..0, |route| *route..route + 1)
                }
                None if !meant.whole.insert((api, stage)) => 0..0,
                None => 0..draft.routes.len(),
            };
            is_found |= !routes.is_empty();
            meant.routes.extend(routes.map(|route| (api, stage, route)));
        }
        if let (false, Some(text)) = (is_found, &raw.route_key) {
            let place = self.place(pointer);
            let others = stages.flat_map(|(_, _, stage)| &stage.routes).take(KNOWN_MAX);
            tell_no_route(self.problems, place, label, text, others);
        }
    }

    /// Routes that ask for a key, where nobody has one: all their requests are refused.
    fn tell_keyless(&mut self, plans: &[UsagePlanDraft], keys: usize) {
        if keys == 0 && self.problems.errors() > 0 {
            // There may be keys, all with errors that were told.
            return;
        }
        let plans = plans.iter().filter(|plan| !plan.keys.is_empty());
        let stages = plans.flat_map(|plan| &plan.stages);
        let open: HashSet<_> = stages.map(|place| (place.api, place.stage)).collect();
        for (api, (draft, place)) in self.apis.iter().enumerate() {
            for (index, stage) in draft.stages.iter().enumerate() {
                let count = stage.routes.iter().filter(|route| route.api_key_required).count();
                if count == 0 || open.contains(&(api, index)) {
                    continue;
                }
                let (api, stage) = (&draft.name, stage.name.as_str());
                let routes =
                    if count == 1 { "1 route asks" } else { &format!("{count} routes ask") };
                let (why, fix) = match (keys, self.document) {
                    (0, Some(_)) => ("there are none", "add apiKeys and usagePlans"),
                    (0, None) => {
                        ("there are none", "serve it by a gateway file with apiKeys and usagePlans")
                    }
                    _ => (
                        "no key is in a usage plan of this stage",
                        "name the stage in the apiStages of a usage plan that has keys",
                    ),
                };
                let message = format!(
                    "API {api}, stage {stage}: {routes} for an API key, and {why}: every request \
                     is answered 403"
                );
                self.problems.warning(place.clone(), message, fix);
            }
        }
    }

    /// Usage plans on stages where no route asks for a key.
    fn tell_unasked(&mut self) {
        for (index, raw) in self.file.usage_plans.iter().enumerate() {
            for (place, at) in raw.api_stages.iter().enumerate() {
                let Some((api, stage)) = self.find_stage(&at.api, &at.stage) else { continue };
                let stage = &self.apis[api].0.stages[stage];
                if stage.routes.iter().any(|route| route.api_key_required) {
                    continue;
                }
                let message = format!(
                    "usage plan {}: no route of API {}, stage {} asks for an API key, so the plan \
                     is not consulted there",
                    raw.name.0, at.api, at.stage
                );
                let fix = "demand one in the definition: security: [{key: []}], and in \
                           components.securitySchemes key: {type: apiKey, name: x-api-key, in: \
                           header}";
                if let Some(place) = self.place(&format!("/usagePlans/{index}/apiStages/{place}")) {
                    self.problems.warning(place, message, fix);
                }
            }
        }
    }

    fn find_stage(&self, api: &str, stage: &str) -> Option<(usize, usize)> {
        let api = *self.index.apis.get(api)?;
        let mut stages = self.apis[api].0.stages.iter();
        Some((api, stages.position(|draft| draft.name.as_str() == stage)?))
    }

    fn place(&self, pointer: &str) -> Option<Place> {
        let found = self.document?.root().pointer(pointer);
        found.map(Node::place)
    }
}

/// The routes of a limit so far, and the stages of which all are.
#[derive(Default)]
struct Meant {
    routes: BTreeSet<(usize, usize, usize)>,
    whole: HashSet<(usize, usize)>,
}

/// Routes that a misspelt key is compared with.
const KNOWN_MAX: usize = 3_000;

/// Where the key `key` of the mapping at `pointer` stands.
fn key_place(document: Option<&Document>, pointer: &str, key: &str) -> Option<Place> {
    let mapping = document?.root().pointer(pointer)?;
    mapping.entry(key).map(|entry| entry.key_place())
}

/// Whether more comes through by `terms` than `other` lets through.
fn exceeds(terms: Terms, other: Terms) -> bool {
    match (terms, other) {
        (Terms::Bucket { rate, .. }, Terms::Bucket { rate: other, .. }) => rate > other,
        _ => false,
    }
}

/// Tells that none of `routes` is `text`, and which of them, written in the same way, is near.
fn tell_no_route<'r>(
    problems: &mut Problems,
    place: Option<Place>,
    label: &str,
    text: &str,
    routes: impl IntoIterator<Item = &'r RouteDraft>,
) {
    let as_asked = |route: &RouteDraft| {
        let key = route.key.to_string();
        match (text.starts_with('/'), key.split_once(' ')) {
            (true, Some((verb, path))) => format!("{path}/{verb}"),
            _ => key,
        }
    };
    let fix = if problems.errors() < PROBLEMS_MAX {
        let known: Vec<String> = routes.into_iter().map(as_asked).collect();
        let mut known: Vec<&str> = known.iter().map(String::as_str).collect();
        known.sort_unstable();
        known.dedup();
        did_you_mean(text, &known, "the routes are")
    } else {
        String::new()
    };
    let message = format!("{label}: there is no route {}", shorten(text));
    match place {
        Some(place) => problems.error(place, message, fix),
        None => problems.error_nowhere(message, fix),
    }
}

#[cfg(test)]
mod tests;
