//! Which token, which API key and which limits a request comes under, in the order that they are
//! asked in. What is left of them is only known where they are counted.

use std::fmt::Write;

use super::authorize;
use super::story::{tell_reject, text};
use crate::{
    http::{Name, RequestHead},
    ledger::{Period, QuotaTerms, Terms},
    plan::{Api, Plan, Route, Stage, UsagePlan},
    steps::{
        api_key::Key,
        authorize::jwt::Verified,
        reject::{Client, KeyFault, Reject},
        throttle::{By, Limit, LimitIndex, Mode},
    },
};

/// Tells them for a request to a route, and returns its verified token. `Err` when the request is
/// refused for its token or its key.
pub(super) fn tell(
    plan: &Plan,
    (api, stage, route): (&Api, &Stage, &Route),
    head: &RequestHead,
    out: &mut String,
) -> Result<Option<Verified>, ()> {
    for rule in plan.ip_rules().iter().chain(&route.ip_rules) {
        let _ = writeln!(out, "From   IP rule {}: the client's address is asked for", rule.name);
    }
    tell_limits(plan, &route.guards, out);
    let verified = authorize::tell(plan, route, head, out)?;
    let usage_plan = match route.api_key_required {
        true => Some(tell_key(plan, (api, stage), head, out)?),
        false => {
            tell_unasked(head, out);
            None
        }
    };
    if let Some(usage_plan) = usage_plan {
        if let Some(quota) = &usage_plan.quota {
            let quota = quota_in_words(&quota.terms);
            let _ = writeln!(out, "Quota  {}: {quota}, by API key", usage_plan.name);
        }
        let of_key = [usage_plan.method(route.index), usage_plan.throttle];
        let of_key: Vec<LimitIndex> = of_key.into_iter().flatten().collect();
        tell_limits(plan, &of_key, out);
    }
    tell_limits(plan, &route.limits, out);
    Ok(verified)
}

/// A key that is sent and not asked for may be thought to count.
fn tell_unasked(head: &RequestHead, out: &mut String) {
    if head.fields().find(Name::XApiKey).is_some() {
        out.push_str("Key    not asked for by this route: no usage plan is consulted\n");
    }
}

/// The key that the request names and its usage plan, or the refusal.
fn tell_key<'p>(
    plan: &'p Plan,
    (api, stage): (&Api, &Stage),
    head: &RequestHead,
    out: &mut String,
) -> Result<&'p UsagePlan, ()> {
    let keys = plan.keys();
    let name = |key: &Key| match (keys.id(key), keys.name(key)) {
        (id, name) if id == name => name.to_owned(),
        (id, name) => format!("{name} (id {id})"),
    };
    let mut refuse = |found: &str, fault| {
        let _ = writeln!(out, "Key    {found}");
        tell_reject(Reject::Client(Client::NoApiKey(api.catalogue, fault)), out);
        Err(())
    };
    let mut values = head.fields().all(Name::XApiKey);
    let value = match (values.next(), values.next()) {
        (Some(value), None) => value,
        (None, _) => {
            return refuse("asked for, and the request has no x-api-key", KeyFault::Missing);
        }
        _ => return refuse("asked for, and the request has x-api-key twice", KeyFault::Missing),
    };
    let Some(key) = plan.keys().find(value) else {
        let found = format!("asked for, and none of {} has this value", plan.keys().len());
        return refuse(&found, KeyFault::Unknown);
    };
    if !key.enabled {
        return refuse(&format!("{}: disabled", name(key)), KeyFault::Disabled);
    }
    let Some(index) = keys.plan(key, stage.index.0) else {
        let plans = keys.plans(key).pairs().iter().map(|(_, index)| index.0 as usize);
        let mut plans: Vec<&str> =
            plans.map(|index| plan.usage_plans()[index].name.as_str()).collect();
        plans.sort_unstable();
        plans.dedup();
        let others = match plans.is_empty() {
            true => "in no usage plan with a stage".to_owned(),
            false => format!("not in a usage plan of this stage, but in {}", plans.join(", ")),
        };
        return refuse(&format!("{}: {others}", name(key)), KeyFault::NotInPlan);
    };
    let usage_plan = &plan.usage_plans()[index.0 as usize];
    let _ = writeln!(out, "Key    {}: enabled, usage plan {}", name(key), usage_plan.name);
    Ok(usage_plan)
}

fn tell_limits(plan: &Plan, limits: &[LimitIndex], out: &mut String) {
    for limit in limits {
        let Limit { name, terms, by, mode, .. } = &plan.limits()[limit.0 as usize];
        let (terms, by) = (terms_in_words(terms), by_in_words(by));
        let dry = if *mode == Mode::DryRun { " (dry run: it refuses nothing)" } else { "" };
        let _ = writeln!(out, "Limit  {name}: {terms}, {by}{dry}");
    }
}

fn terms_in_words(terms: &Terms) -> String {
    match terms {
        Terms::Bucket { rate, burst } if rate.is_zero() || *burst == 0 => "none".to_owned(),
        Terms::Bucket { rate, burst } => {
            format!("{rate} a second, {burst} at once")
        }
        Terms::InFlight { max } => format!("{max} at the same time"),
    }
}

fn by_in_words(by: &By) -> String {
    match by {
        By::All => "all callers together".to_owned(),
        By::Key => "by API key".to_owned(),
        By::Address { ipv4_prefix, ipv6_prefix } => {
            format!("by client address (IPv4 /{ipv4_prefix}, IPv6 /{ipv6_prefix})")
        }
        By::Header(name) => format!("by the value of {}", text(name)),
        By::Claim(name) => format!("by the token's claim {}", text(name.as_bytes())),
    }
}

fn quota_in_words(terms: &QuotaTerms) -> String {
    const DAYS: [&str; 7] =
        ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
    let QuotaTerms { limit, period, offset } = *terms;
    let is_day = QuotaTerms { limit: u64::MAX, ..*terms }.limit_of(true) == u64::MAX;
    let period = match (period, DAYS.get(offset as usize)) {
        (Period::Day, _) => "day".to_owned(),
        (Period::Week, Some(day)) => format!("week from {day} on"),
        (Period::Week, None) => "week from Sunday on".to_owned(),
        (Period::Month, _) if is_day && offset > 0 => format!("month from day {} on", offset + 1),
        (Period::Month, _) => "month".to_owned(),
    };
    let less = if is_day { String::new() } else { format!(" ({offset} less in the first)") };
    format!("{limit} a {period}, UTC{less}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Rate;

    #[test]
    fn rates_and_quotas_are_words() {
        let rate = |rate: f64| Rate::per_second(rate).expect("in range").to_string();
        assert_eq!(
            [rate(0.1), rate(5.0), rate(1e12), rate(2.25), rate(10.0)].join(" "),
            "0.1 5 1000000000000 2.25 10"
        );
        let quota = |period, offset| quota_in_words(&QuotaTerms { limit: 100, period, offset });
        assert_eq!(quota(Period::Day, 0), "100 a day, UTC");
        assert_eq!(quota(Period::Day, 3), "100 a day, UTC (3 less in the first)");
        assert_eq!(quota(Period::Week, 0), "100 a week from Sunday on, UTC");
        assert_eq!(quota(Period::Week, 6), "100 a week from Saturday on, UTC");
        assert_eq!(quota(Period::Week, 7), "100 a week from Sunday on, UTC (7 less in the first)");
        assert_eq!(quota(Period::Month, 0), "100 a month, UTC");
        assert_eq!(quota(Period::Month, 30), "100 a month from day 31 on, UTC");
        assert_eq!(quota(Period::Month, 31), "100 a month, UTC (31 less in the first)");
        let none = Terms::Bucket { rate: Rate::per_second(1.0).expect("in range"), burst: 0 };
        assert_eq!(terms_in_words(&none), "none");
    }
}
