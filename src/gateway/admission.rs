//! Whether a request is let through: its token (`authorize.rs`), its API key, and the limits that
//! it comes under. What is decided is in `steps::api_key` and `steps::throttle`; what is counted,
//! in the shard's purse.

use std::sync::Arc;

use super::{
    Installed, Local,
    pipeline::{Path, Request},
};
use crate::{
    base::{Moment, limits::RESERVATION_WAIT},
    http::{Name, RequestHead},
    ledger::{AccountId, Ledger, NEVER, Subject},
    plan::{Api, Plan, Route, Stage, UsagePlan},
    runtime::prefetch,
    steps::{
        api_key::{Key, Keys, Sought},
        context::{Facts, Left, Shown},
        ip_rules::IpRule,
        reject::{Client, KeyFault, Reject},
        throttle::{Asked, Caller, Held, LimitIndex, Quota, Verdict, left_of_limit, left_of_quota},
    },
};

/// Places among requests in flight that a request holds; given up when this is dropped.
pub struct Places {
    ledger: Arc<Ledger>,
    held: Vec<AccountId>,
}

impl Drop for Places {
    fn drop(&mut self) {
        self.held.iter().for_each(|account| self.ledger.leave(*account));
    }
}

/// A request at the gate.
#[derive(Clone, Copy)]
pub(super) struct Gate<'a, 'c> {
    pub(super) local: &'a Local,
    pub(super) installed: &'c Installed,
    pub(super) api: &'c Api,
    pub(super) stage: &'c Stage,
    pub(super) route: &'c Route,
    pub(super) head: &'c RequestHead,
    /// What the stage's routes see of the path.
    pub(super) path: &'c [u8],
    /// Its API key, of which the first line is on its way from memory.
    pub(super) sought: Option<Sought>,
    /// Where what it was let in with is kept while its answer is on its way.
    pub(super) trail: &'c Path,
}

/// A key that may call, and what it may call.
#[derive(Clone, Copy)]
struct Identified<'c> {
    key: &'c Key,
    plan: &'c UsagePlan,
}

/// Looks for a request's API key before it is asked for: among many keys its memory is cold, and
/// comes while the route is found.
pub(super) fn seek_key(keys: &Keys, head: &RequestHead) -> Option<Sought> {
    if keys.is_empty() {
        return None;
    }
    let sought = keys.seek(only_key(head)?)?;
    keys.first_read(&sought).inspect(|key| prefetch(*key));
    Some(sought)
}

/// The value of `x-api-key`; two are none.
fn only_key(head: &RequestHead) -> Option<&[u8]> {
    let mut values = head.fields().all(Name::XApiKey);
    values.next().filter(|_| values.next().is_none())
}

/// Whether the client's address may come, as these rules say.
pub(super) fn check_address<'c>(
    local: &Local,
    rules: &'c [Arc<IpRule>],
    facts: &mut Facts<'c>,
) -> Result<(), Reject> {
    for rule in rules {
        if let Err(fault) = rule.check(facts.arrival.source) {
            local.count(|telemetry| telemetry.ip_rules.count(&rule.name, false));
            facts.record_ip_rule(&rule.name);
            return Err(Reject::Client(Client::NotFromHere(fault)));
        }
    }
    Ok(())
}

impl<'c> Gate<'_, 'c> {
    /// Asks Ringway's own IP rules and limits, then for the token, with the API's policy before and
    /// after it, then for the key, then AWS's limits in AWS's order.
    pub(super) async fn pass(
        self,
        request: &mut Request<'c>,
        facts: &mut Facts<'c>,
    ) -> Result<(), Reject> {
        let route = self.route;
        check_address(self.local, &route.ip_rules, facts)?;
        if !route.guards.is_empty() {
            self.admit(self.asked(None, &route.guards, facts), None, facts).await?;
        }
        let mut principal = None;
        if let Some(demand) = &route.authorizer {
            if let Some(policy) = &self.api.policy {
                self.check_denied(policy, request, facts)?;
            }
            principal = self.authorize(demand, request, facts).await?;
        }
        if self.api.policy.is_some() || principal.is_some() {
            self.check_allowed(principal, request, facts)?;
        }
        let identified = if route.api_key_required { Some(self.identify(facts)?) } else { None };
        if identified.is_some() || !route.limits.is_empty() {
            let asked = self.asked(identified, &route.limits, facts);
            self.admit(asked, identified.map(|identified| identified.plan), facts).await?;
        }
        Ok(())
    }

    /// The key that the request names, and the usage plan that it has on this stage.
    fn identify(self, facts: &mut Facts<'c>) -> Result<Identified<'c>, Reject> {
        let plan: &Plan = &self.installed.plan;
        let refused = |fault| Reject::Client(Client::NoApiKey(self.api.catalogue, fault));
        let found = self.sought.and_then(|sought| plan.keys().at(&sought));
        let key = found.ok_or_else(|| match only_key(self.head) {
            Some(_) => refused(KeyFault::Unknown),
            None => refused(KeyFault::Missing),
        })?;
        facts.record_api_key(plan.keys().id(key));
        if !self.local.is_enabled(key.subject, key.enabled) {
            return Err(refused(KeyFault::Disabled));
        }
        let index =
            plan.keys().plan(key, self.stage.index.0).ok_or(refused(KeyFault::NotInPlan))?;
        Ok(Identified { key, plan: &plan.usage_plans()[index.0 as usize] })
    }

    fn asked(
        self,
        identified: Option<Identified<'c>>,
        others: &'c [LimitIndex],
        facts: &Facts<'c>,
    ) -> Asked<'c> {
        let of_key = identified.map_or([None; 2], |Identified { plan, .. }| {
            [plan.method(self.route.index), plan.throttle]
        });
        let key = identified.map_or(Subject(0), |identified| identified.key.subject);
        let quota = identified.and_then(|Identified { plan, .. }| plan.quota.as_ref());
        let quota = quota.map(|Quota { id, terms, .. }| (AccountId::new(*id, key), terms));
        let (source_ip, fields) = (facts.arrival.source_ip, self.head.fields());
        let caller = Caller { source_ip, fields, key, claims: facts.claims() };
        Asked { table: self.installed.plan.limits(), quota, of_key, others, caller }
    }

    async fn admit(
        self,
        mut asked: Asked<'c>,
        plan: Option<&'c UsagePlan>,
        facts: &mut Facts<'c>,
    ) -> Result<(), Reject> {
        let (mut deadline, mut is_presumed) = (None, false);
        loop {
            match self.ask(&asked) {
                Verdict::Admitted(held) => {
                    self.admitted(&asked, plan, held, facts);
                    return Ok(());
                }
                Verdict::Throttled(limit, until) => {
                    return Err(self.throttled(&asked, limit, until, facts));
                }
                Verdict::QuotaExceeded => return Err(self.exceeded(&asked, plan, facts)),
                Verdict::Unreserved => {
                    let now = self.local.runtime.now();
                    let deadline = *deadline.get_or_insert(now + RESERVATION_WAIT);
                    if now < deadline {
                        self.local.promises.wait(&self.local.runtime, deadline).await;
                        continue;
                    }
                    // The disk hangs: counting goes on in memory. When others were faster than
                    // that, the request goes on, as with AWS when it cannot tell.
                    asked.quota = asked.quota.filter(|_| !is_presumed);
                    if let Some((id, terms)) = asked.quota {
                        self.local.ledger.quotas().presume(id, terms);
                    }
                    is_presumed = true;
                }
            }
        }
    }

    fn ask(self, asked: &Asked<'c>) -> Verdict {
        let local = self.local;
        let (now, wall) = (local.runtime.now(), local.runtime.wall());
        let dry = |limit| self.count(limit, true);
        asked.admit(&mut local.purse.borrow_mut(), now, wall, dry)
    }

    fn count(self, limit: LimitIndex, is_dry: bool) {
        let limit = &self.installed.plan.limits()[limit.0 as usize];
        self.local.count(|telemetry| telemetry.throttles.count(&limit.name, is_dry));
    }

    fn admitted(
        self,
        asked: &Asked<'c>,
        plan: Option<&'c UsagePlan>,
        held: Held,
        facts: &mut Facts<'c>,
    ) {
        let local = self.local;
        if !held.is_empty() {
            let held = asked.places(held, &local.purse.borrow());
            self.trail.places.borrow_mut().push(Places { ledger: Arc::clone(&local.ledger), held });
        }
        if self.installed.plan.throttling().rate_limit_headers {
            let purse = local.purse.borrow();
            let name = plan.map_or("", |plan| &plan.name);
            let (now, wall) = (local.runtime.now(), local.runtime.wall());
            let left = asked.least_left((&local.ledger, &purse), name, now, wall);
            let before = facts.limit().and_then(|shown| shown.limit);
            let least = [before, left].into_iter().flatten().min_by_key(|left| left.remaining);
            facts.record_limit(Shown { limit: least, retry_after: None });
        }
    }

    fn throttled(
        self,
        asked: &Asked<'c>,
        limit: LimitIndex,
        until: Moment,
        facts: &mut Facts<'c>,
    ) -> Reject {
        self.count(limit, false);
        let wait = until.since(self.local.runtime.now());
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let left = left_of_limit(&asked.table[limit.0 as usize], 0);
        self.tell(left, (until != NEVER).then_some(seconds.max(1)), facts);
        Reject::Client(Client::Throttled(self.api.catalogue))
    }

    fn exceeded(
        self,
        asked: &Asked<'c>,
        plan: Option<&'c UsagePlan>,
        facts: &mut Facts<'c>,
    ) -> Reject {
        let name = plan.map_or("", |plan| &plan.name);
        if let Some(quota) = plan.and_then(|plan| plan.quota.as_ref()) {
            self.local.count(|telemetry| telemetry.throttles.count(&quota.name, false));
        }
        let wall = self.local.runtime.wall();
        let left = asked.quota.map(|(_, terms)| left_of_quota(name, terms, 0, wall));
        self.tell(left, left.map(|left| left.reset.max(1)), facts);
        Reject::Client(Client::QuotaExceeded(self.api.catalogue))
    }

    fn tell(self, left: Option<Left<'c>>, seconds: Option<u64>, facts: &mut Facts<'c>) {
        let told = self.installed.plan.throttling();
        let limit = left.filter(|_| told.rate_limit_headers);
        let retry_after = seconds.filter(|_| told.retry_after);
        if limit.is_some() || retry_after.is_some() {
            facts.record_limit(Shown { limit, retry_after });
        }
    }
}
