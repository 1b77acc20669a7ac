//! Keys, usage plans and throttles of a draft become the plan's limits, each with a number, and
//! every route learns which of them its requests come under.

use std::{
    collections::{HashMap, hash_map},
    sync::Arc,
};

use super::{
    Plan, Route, RouteIndex, Stage,
    usage::{Methods, Throttling, UsagePlan},
};
use crate::{
    base::limits::{IP_RULES_MAX, OWN_LIMITS_MAX},
    ledger::{LimitId, QuotaTerms, Terms},
    steps::{
        api_key::{Digest, KeyDraft, Keys, StagePlans, UsagePlanIndex},
        ip_rules::IpRule,
        throttle::{By, Level, Limit, LimitIndex, Mode, Quota},
    },
};

/// What documents say of traffic, beyond the throttles of routes.
#[derive(Default)]
pub struct TrafficDraft {
    /// The keys.
    pub keys: Vec<ApiKeyDraft>,
    /// The usage plans.
    pub usage_plans: Vec<UsagePlanDraft>,
    /// Ringway's own limits.
    pub own: Vec<OwnLimitDraft>,
    /// Which client addresses may come.
    pub ip_rules: Vec<IpRuleDraft>,
    /// AWS's account level: all requests together.
    pub account: Option<Terms>,
    /// How throttling is told.
    pub throttling: Throttling,
}

/// A key as a document describes it.
pub struct ApiKeyDraft {
    /// What tells it from others.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Whether it is valid.
    pub enabled: bool,
    /// Of its value.
    pub digest: Digest,
}

/// A usage plan as a document describes it.
pub struct UsagePlanDraft {
    /// What tells it from others.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// A key's throttle.
    pub throttle: Option<Terms>,
    /// A key's quota.
    pub quota: Option<QuotaTerms>,
    /// The stages on which it holds.
    pub stages: Vec<PlanStageDraft>,
    /// Its keys, by their places in [`TrafficDraft::keys`].
    pub keys: Vec<usize>,
}

/// A stage of a usage plan.
pub struct PlanStageDraft {
    /// The API's place in the draft.
    pub api: usize,
    /// The stage's place in the API.
    pub stage: usize,
    /// A key's throttles on routes, by the route's place in the stage.
    pub methods: Vec<(usize, Terms)>,
}

/// One of Ringway's own limits.
pub struct OwnLimitDraft {
    /// Its name.
    pub name: String,
    /// Whose requests are counted together.
    pub by: By,
    /// What it lets through.
    pub terms: Terms,
    /// What becomes of what it does not.
    pub mode: Mode,
    /// The routes whose requests come under it.
    pub routes: OwnRoutes,
}

/// An IP rule, and what it is about.
pub struct IpRuleDraft {
    /// The rule.
    pub rule: IpRule,
    /// The routes that it holds for; all: it holds for every request, also for those to no route.
    pub routes: OwnRoutes,
}

/// Which requests come under one of Ringway's own limits or IP rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnRoutes {
    /// All that reach a route.
    All,
    /// Those to routes at these places: of the API, of its stage, of the stage's route.
    Some(Vec<(usize, usize, usize)>),
}

impl Plan {
    /// Numbers the limits. `throttles` are those of routes, in the order of [`RouteIndex`].
    pub(super) fn compile_limits(
        &mut self,
        draft: TrafficDraft,
        throttles: &[Option<Terms>],
        problems: &mut Vec<String>,
    ) {
        let mut numbering = Numbering { limits: Vec::new(), known: HashMap::new(), problems };
        self.compile_ip_rules(draft.ip_rules, numbering.problems);
        self.compile_own(draft.own, &mut numbering);
        for draft in &draft.usage_plans {
            let plan = self.compile_usage_plan(draft, &mut numbering);
            self.usage_plans.push(plan);
        }
        for api in &mut self.apis {
            for stage in &mut api.stages {
                for route in &mut stage.routes {
                    let throttle = throttles.get(route.index.0 as usize).copied().flatten();
                    let Some(terms) = throttle else { continue };
                    let (stage, key) = (stage.name.as_str(), &route.key_text);
                    let names = ["route", &api.name, stage, key];
                    let name = format!("{}/{stage} {key}", api.name);
                    route.limits.extend(numbering.add(
                        &names,
                        name,
                        (Level::Route, By::All),
                        terms,
                    ));
                }
            }
        }
        let account = draft.account.and_then(|terms| {
            let name = "account".to_owned();
            numbering.add(&["account"], name, (Level::Account, By::All), terms)
        });
        self.routes_mut().for_each(|route| route.limits.extend(account));
        self.limits = numbering.limits;
        self.throttling = draft.throttling;
        self.compile_keys(draft.keys, &draft.usage_plans, problems);
    }

    fn compile_ip_rules(&mut self, drafts: Vec<IpRuleDraft>, problems: &mut Vec<String>) {
        if drafts.len() > IP_RULES_MAX {
            let message = format!("{} IP rules; at most {IP_RULES_MAX} are taken", drafts.len());
            return problems.push(message);
        }
        for IpRuleDraft { rule, routes } in drafts {
            let rule = Arc::new(rule);
            let OwnRoutes::Some(places) = routes else {
                self.ip_rules.push(rule);
                continue;
            };
            for (api, stage, route) in places {
                let found = self.apis.get_mut(api).and_then(|api| api.stages.get_mut(stage));
                match found.and_then(|stage| stage.routes.get_mut(route)) {
                    Some(route) => route.ip_rules.push(Arc::clone(&rule)),
                    None => problems.push(format!("IP rule {}: no such route", rule.name)),
                }
            }
        }
    }

    fn compile_own(&mut self, drafts: Vec<OwnLimitDraft>, numbering: &mut Numbering<'_>) {
        if drafts.len() > OWN_LIMITS_MAX {
            let message = format!("{} limits; at most {OWN_LIMITS_MAX} are taken", drafts.len());
            return numbering.problems.push(message);
        }
        for draft in drafts {
            let OwnLimitDraft { name, by, terms, mode, routes } = draft;
            let names = ["own", &name];
            let Some(index) = numbering.add(&names, name.clone(), (Level::Own, by), terms) else {
                continue;
            };
            numbering.limits[index.0 as usize].mode = mode;
            let behind = matches!(numbering.limits[index.0 as usize].by, By::Claim(_));
            match routes {
                OwnRoutes::All => {
                    self.routes_mut().for_each(|route| guard(route, index, behind));
                }
                OwnRoutes::Some(places) => {
                    for (api, stage, route) in places {
                        let found =
                            self.apis.get_mut(api).and_then(|api| api.stages.get_mut(stage));
                        match found.and_then(|stage| stage.routes.get_mut(route)) {
                            Some(route) => guard(route, index, behind),
                            None => numbering.problems.push(format!("limit {name}: no such route")),
                        }
                    }
                }
            }
        }
    }

    fn compile_usage_plan(
        &self,
        draft: &UsagePlanDraft,
        numbering: &mut Numbering<'_>,
    ) -> UsagePlan {
        let UsagePlanDraft { id, name, throttle, quota, stages, .. } = draft;
        let throttle = throttle.and_then(|terms| {
            let names = ["plan", id, "throttle"];
            numbering.add(&names, name.clone(), (Level::Key, By::Key), terms)
        });
        let quota = quota.and_then(|terms| {
            let name = format!("{name} (quota)");
            let id = numbering.id(&["plan", id, "quota"], &name)?;
            Some(Quota { id, name, terms })
        });
        let mut methods: Vec<(RouteIndex, LimitIndex)> = Vec::new();
        for place in stages {
            let Some((api, stage)) = self.stage_at(place) else {
                numbering.problems.push(format!("usage plan {name}: no such stage"));
                continue;
            };
            for (route, terms) in &place.methods {
                let Some(route) = stage.routes.get(*route) else {
                    numbering.problems.push(format!("usage plan {name}: no such route"));
                    continue;
                };
                let (stage, key) = (stage.name.as_str(), &route.key_text);
                let names = ["plan", id, "method", api, stage, key];
                let name = format!("{name} {api}/{stage} {key}");
                let limit = numbering.add(&names, name, (Level::KeyAndMethod, By::Key), *terms);
                methods.extend(limit.map(|limit| (route.index, limit)));
            }
        }
        methods.sort_unstable();
        let methods = Methods(methods.into());
        UsagePlan { id: id.clone(), name: name.clone(), throttle, quota, methods }
    }

    fn compile_keys(
        &mut self,
        drafts: Vec<ApiKeyDraft>,
        usage_plans: &[UsagePlanDraft],
        problems: &mut Vec<String>,
    ) {
        let mut plans_of: Vec<Vec<UsagePlanIndex>> = vec![Vec::new(); drafts.len()];
        for (index, draft) in (0..).zip(usage_plans) {
            for &key in &draft.keys {
                match plans_of.get_mut(key) {
                    Some(plans) => plans.push(UsagePlanIndex(index)),
                    None => problems.push(format!("usage plan {}: no such key", draft.name)),
                }
            }
        }
        let mut shared: HashMap<Vec<UsagePlanIndex>, Arc<StagePlans>> = HashMap::new();
        let mut keys = Vec::new();
        for (draft, plans) in drafts.into_iter().zip(plans_of) {
            let plans = match shared.entry(plans) {
                hash_map::Entry::Occupied(known) => Arc::clone(known.get()),
                hash_map::Entry::Vacant(free) => {
                    let plans = self.stage_plans(free.key(), usage_plans, &draft.name, problems);
                    Arc::clone(free.insert(Arc::new(plans)))
                }
            };
            let ApiKeyDraft { id, name, enabled, digest } = draft;
            keys.push(KeyDraft { id, name, enabled, digest, plans });
        }
        self.keys = Keys::compile(keys).unwrap_or_else(|faults| {
            problems.extend(faults);
            Keys::default()
        });
    }

    /// On which stage which of a key's plans holds.
    fn stage_plans(
        &self,
        plans: &[UsagePlanIndex],
        drafts: &[UsagePlanDraft],
        key: &str,
        problems: &mut Vec<String>,
    ) -> StagePlans {
        let stages = |plan: &UsagePlanIndex| {
            let places = drafts[plan.0 as usize].stages.iter();
            let found = places.filter_map(|place| self.stage_at(place));
            found.map(|(_, stage)| (stage.index.0, *plan)).collect::<Vec<_>>()
        };
        let pairs = plans.iter().flat_map(stages).collect();
        StagePlans::compile(pairs).unwrap_or_else(|(_, one, two)| {
            let name = |plan: UsagePlanIndex| &drafts[plan.0 as usize].name;
            let (one, two) = (name(one), name(two));
            problems.push(format!("key {key}: the plans {one} and {two} share a stage"));
            StagePlans::default()
        })
    }

    fn stage_at(&self, place: &PlanStageDraft) -> Option<(&str, &Stage)> {
        let api = self.apis.get(place.api)?;
        Some((&api.name, api.stages.get(place.stage)?))
    }

    fn routes_mut(&mut self) -> impl Iterator<Item = &mut Route> {
        let stages = self.apis.iter_mut().flat_map(|api| &mut api.stages);
        stages.flat_map(|stage| &mut stage.routes)
    }
}

/// Puts a route under one of Ringway's own limits, once: before the authorizer, or behind it.
fn guard(route: &mut Route, index: LimitIndex, behind: bool) {
    let limits = if behind { &mut route.limits } else { &mut route.guards };
    if limits.last() != Some(&index) {
        limits.push(index);
    }
}

/// The limits so far.
struct Numbering<'p> {
    limits: Vec<Limit>,
    known: HashMap<LimitId, String>,
    problems: &'p mut Vec<String>,
}

impl Numbering<'_> {
    /// Adds a limit that `names` tell from all others. `None`, and told, when they do not.
    fn add(
        &mut self,
        names: &[&str],
        name: String,
        (level, by): (Level, By),
        terms: Terms,
    ) -> Option<LimitIndex> {
        let id = self.id(names, &name)?;
        let place = u32::try_from(self.limits.len()).expect("fewer than a document has bytes");
        self.limits.push(Limit { id, name, level, terms, by, mode: Mode::Enforce });
        Some(LimitIndex(place))
    }

    /// The ledger's name for what people call `name`.
    fn id(&mut self, names: &[&str], name: &str) -> Option<LimitId> {
        let id = LimitId(Digest::of_names(names).first_8());
        match self.known.entry(id) {
            hash_map::Entry::Occupied(known) => {
                let other = known.get();
                let message =
                    format!("the limits {other} and {name} are one to the ledger; rename one");
                self.problems.push(message);
                None
            }
            hash_map::Entry::Vacant(free) => {
                free.insert(name.to_owned());
                Some(id)
            }
        }
    }
}

#[cfg(test)]
mod tests;
