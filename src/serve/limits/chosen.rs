//! Which limits and quotas hold for a caller, by the plan: those that its requests may come under,
//! each with the caller's account where the question says enough to know it.

use std::collections::{BTreeSet, HashSet};

use crate::{
    admin::{
        Answer,
        limits::{KeyType, Level, LimitView, LimitsQuestion, State},
        usage::{UsagePlans, bad_request},
    },
    base::{Moment, Pooled, Shelf, limits::LIMITS_TOLD_MAX},
    http::RequestHead,
    ledger::{AccountId, Ledger, Subject},
    plan::{Plan, UsagePlan},
    steps::throttle::{self, By, Caller, Limit, LimitIndex, Mode, Quota},
    telemetry::Throttled,
    wire::http1::{HeadLimits, Progress, RequestScan, parse_request},
};

/// What holds for a caller.
pub(super) struct Chosen<'p> {
    /// In the order that a request asks them in.
    pub(super) limits: Vec<OfCaller<'p>>,
    /// How many limits are not told.
    pub(super) left_out: usize,
    /// The key's plans, each with the account of its quota.
    pub(super) plans: Vec<(&'p UsagePlan, Option<(AccountId, &'p Quota)>)>,
    /// The plan's limits.
    pub(super) table: &'p [Limit],
}

/// A limit, whose it is, and the caller's account where the question says enough to know it.
pub(super) struct OfCaller<'p> {
    pub(super) limit: &'p Limit,
    pub(super) plan: Option<&'p UsagePlan>,
    pub(super) account: Option<AccountId>,
}

impl<'p> Chosen<'p> {
    /// Of whom the question says.
    ///
    /// # Errors
    /// AWS's 404 of a key, or a 400 about a header.
    pub(super) fn by(
        question: &LimitsQuestion,
        plan: &'p Plan,
        ledger: &Ledger,
        now: Moment,
    ) -> Result<Self, Answer> {
        let LimitsQuestion { key, source_ip, headers } = question;
        let key = match key {
            Some(id) => Some(plan.keys().named(id).ok_or_else(UsagePlans::no_such_key)?),
            None => None,
        };
        let head = parse_head(headers).map_err(|why| bad_request(&format!("header: {why}")))?;
        let address = source_ip.map(|address| address.to_string());
        let caller = Caller {
            source_ip: address.as_deref().unwrap_or_default().as_bytes(),
            fields: head.fields(),
            key: key.map_or(Subject(0), |key| key.subject),
            claims: None,
        };
        let pairs = key.map(|key| plan.keys().plans(key).pairs()).unwrap_or_default();
        let stages: HashSet<u32> = pairs.iter().map(|(stage, _)| *stage).collect();
        let of_key: BTreeSet<u32> = pairs.iter().map(|(_, index)| index.0).collect();
        let of_key: Vec<&UsagePlan> =
            of_key.into_iter().map(|index| &plan.usage_plans()[index as usize]).collect();
        let is_asked = |by: &By| match by {
            By::All => true,
            By::Key => key.is_some(),
            By::Address { .. } => source_ip.is_some(),
            By::Header(name) => head.fields().named(name).next().is_some(),
            By::Claim(_) => false,
        };
        let of_caller = |index: LimitIndex, of_plan: Option<&'p UsagePlan>| {
            let limit = &plan.limits()[index.0 as usize];
            let subject = is_asked(&limit.by).then(|| caller.subject(&limit.by, ledger));
            let account = subject.map(|subject| AccountId::new(limit.id, subject));
            OfCaller { limit, plan: of_plan, account }
        };
        // A client's address or header is what Ringway's own limits look at, and no other.
        let only_own = key.is_none() && (source_ip.is_some() || !headers.is_empty());
        let (own, others) = of_routes(plan, &stages, only_own);
        let mut limits: Vec<OfCaller<'p>> =
            own.into_iter().map(|index| of_caller(index, None)).collect();
        for of_plan in &of_key {
            let methods = of_plan.methods().iter().map(|(_, index)| *index);
            limits.extend(methods.map(|index| of_caller(index, Some(of_plan))));
        }
        for of_plan in &of_key {
            limits.extend(of_plan.throttle.map(|index| of_caller(index, Some(of_plan))));
        }
        limits.extend(others.into_iter().map(|index| of_caller(index, None)));
        let left_out = cut(&mut limits, |of| rank(of, ledger, now));
        let quota = |of: &'p UsagePlan| {
            of.quota.as_ref().map(|quota| (AccountId::new(quota.id, caller.key), quota))
        };
        let plans = of_key.into_iter().map(|of| (of, quota(of))).collect();
        Ok(Self { limits, left_out, plans, table: plan.limits() })
    }
}

impl OfCaller<'_> {
    /// As it is told.
    pub(super) fn view(&self, state: State, counted: Throttled) -> LimitView {
        let Self { limit, plan, .. } = self;
        let level = match limit.level {
            throttle::Level::Own => Level::Own,
            throttle::Level::KeyAndMethod => Level::KeyAndMethod,
            throttle::Level::Key => Level::Key,
            throttle::Level::Route => Level::Route,
            throttle::Level::Account => Level::Account,
        };
        let key = match &limit.by {
            By::All => KeyType::All,
            By::Key => KeyType::ApiKey,
            By::Address { .. } => KeyType::Address,
            By::Header(name) => KeyType::Header(String::from_utf8_lossy(name).into_owned()),
            By::Claim(name) => KeyType::Claim(name.to_string()),
        };
        LimitView {
            name: limit.name.clone(),
            level,
            plan: plan.map(|plan| plan.id.clone()),
            terms: limit.terms,
            is_dry: limit.mode == Mode::DryRun,
            key,
            state,
            counted,
        }
    }
}

/// How soon a limit is left out when there are more than are told: a route's first that nobody has
/// used for a while, then any route's.
fn rank(of: &OfCaller<'_>, ledger: &Ledger, now: Moment) -> u8 {
    let is_route = of.limit.level == throttle::Level::Route;
    let is_kept = || of.account.is_some_and(|id| ledger.view(id, now).is_some());
    match is_route {
        false => 0,
        true => 2 - u8::from(is_kept()),
    }
}

/// Leaves as many as are told, those of the lowest rank, in their order; says how many it left out.
fn cut<T>(limits: &mut Vec<T>, rank: impl Fn(&T) -> u8) -> usize {
    let left_out = limits.len().saturating_sub(LIMITS_TOLD_MAX);
    if left_out > 0 {
        let mut ranked: Vec<(u8, usize, T)> =
            limits.drain(..).enumerate().map(|(at, limit)| (rank(&limit), at, limit)).collect();
        ranked.sort_by_key(|(rank, at, _)| (*rank, *at));
        ranked.truncate(LIMITS_TOLD_MAX);
        ranked.sort_by_key(|(_, at, _)| *at);
        limits.extend(ranked.into_iter().map(|(_, _, limit)| limit));
    }
    left_out
}

/// Ringway's own limits on these stages' routes, or on all; and the routes' and the account's.
fn of_routes(
    plan: &Plan,
    stages: &HashSet<u32>,
    only_own: bool,
) -> (BTreeSet<LimitIndex>, BTreeSet<LimitIndex>) {
    let (mut own, mut others) = (BTreeSet::new(), BTreeSet::new());
    for (_, stage, route) in plan.routes() {
        if stages.is_empty() || stages.contains(&stage.index.0) {
            own.extend(&route.guards);
            if !only_own {
                others.extend(&route.limits);
            }
        }
    }
    (own, others)
}

/// The header fields as the codec of requests reads them.
fn parse_head(headers: &[(String, String)]) -> Result<Pooled<RequestHead>, String> {
    let mut text = "GET / HTTP/1.1\r\nhost: localhost\r\n".to_owned();
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    let shelf = Shelf::new(text.len(), 1);
    let buffer = shelf.gather(&[text.as_bytes()]).ok_or("too long")?;
    let pool = RequestHead::pool(1);
    match parse_request(&buffer, &mut RequestScan::default(), pool.take(), &HeadLimits::REQUEST) {
        Ok(Progress::Complete { head, .. }) => Ok(head),
        Ok(Progress::Partial) => Err("the head has no end".to_owned()),
        Err(refusal) => Err(refusal.sentence().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_limits_beyond_the_bound_those_that_matter_are_told() {
        for (count, left_out) in [(0, 0), (1, 0), (LIMITS_TOLD_MAX, 0), (LIMITS_TOLD_MAX + 1, 1)] {
            let mut limits: Vec<usize> = (0..count).collect();
            assert_eq!(cut(&mut limits, |_| 2), left_out, "{count}");
            assert_eq!(limits, (0..count - left_out).collect::<Vec<_>>());
        }
        // The account's, which comes last, and a route that is in use.
        let mut limits: Vec<usize> = (0..LIMITS_TOLD_MAX + 3).collect();
        let last = LIMITS_TOLD_MAX + 2;
        let rank = |at: &usize| if *at == last { 0 } else { 2 - u8::from(*at == last - 1) };
        assert_eq!(cut(&mut limits, rank), 3);
        assert_eq!(limits.len(), LIMITS_TOLD_MAX);
        assert!(limits.is_sorted() && limits.ends_with(&[LIMITS_TOLD_MAX - 3, last - 1, last]));
    }

    #[test]
    fn fields_that_no_request_can_have_are_refused() {
        let parse = |name: &str, value: &str| {
            let headers = [(name.to_owned(), value.to_owned())];
            parse_head(&headers).map(|head| {
                let value = head.fields().named(name.as_bytes()).next();
                value.map(|value| String::from_utf8_lossy(value).into_owned())
            })
        };
        assert_eq!(parse("X-Tenant", "a:b"), Ok(Some("a:b".to_owned())));
        assert_eq!(parse("x", ""), Ok(Some(String::new())));
        for (name, value) in [("a b", "c"), ("host", "again"), ("x", &"y".repeat(20_000))] {
            assert!(parse(name, value).is_err(), "{name}");
        }
    }
}
