//! Keys, plans and usage as AWS's JSON: lists are `item`, usage is `values`.

use std::fmt::Write;

use super::{Answer, ApiKey, Page, UsagePlan, UsagePlans, failed};
use crate::{
    admin::answers::{array, json, quoted},
    http::Status,
    ledger::{Period, Subject, period::Day, usage::UsedAndRemaining},
};

/// Whether a key is in force: an operator may have switched it.
pub type IsEnabled<'a> = &'a dyn Fn(&ApiKey) -> bool;

/// `GET /apikeys`.
#[must_use]
pub fn api_keys(
    plans: &UsagePlans,
    prefix: Option<&str>,
    page: &Page,
    is_enabled: IsEnabled<'_>,
) -> Answer {
    let prefix = prefix.unwrap_or_default();
    let keys = plans.keys().iter().filter(|key| key.name.starts_with(prefix));
    list(keys, page, |key| &key.id, |key| key_text(plans, key, is_enabled))
}

/// `GET /apikeys/{id}`, and what `PATCH` answers.
#[must_use]
pub fn api_key(plans: &UsagePlans, key: &ApiKey, is_enabled: IsEnabled<'_>) -> Answer {
    json(Status::OK, key_text(plans, key, is_enabled))
}

/// `GET /usageplans`.
#[must_use]
pub fn usage_plans(plans: &UsagePlans, key: Option<&str>, page: &Page) -> Answer {
    let found = plans.plans().iter().filter(|plan| key.is_none_or(|key| plan.has(key)));
    list(found, page, |plan| &plan.id, plan_text)
}

/// `GET /usageplans/{id}`.
#[must_use]
pub fn usage_plan(plan: &UsagePlan) -> Answer {
    json(Status::OK, plan_text(plan))
}

/// `GET /usageplans/{id}/keys`; with `only`, one of them.
#[must_use]
pub fn usage_plan_keys(plans: &UsagePlans, plan: &UsagePlan, page: &Page) -> Answer {
    let keys = plan.keys.iter().filter_map(|key| plans.key(key).ok());
    list(keys, page, |key| &key.id, plan_key_text)
}

/// `GET /usageplans/{id}/keys/{keyId}`.
#[must_use]
pub fn usage_plan_key(key: &ApiKey) -> Answer {
    json(Status::OK, plan_key_text(key))
}

/// `GET /usageplans/{id}/usage`, and what `PATCH` of a key's usage answers: the days of each key.
#[must_use]
pub fn usage(
    plan: &UsagePlan,
    (from, to): (Day, Day),
    keys: &[(&str, Vec<UsedAndRemaining>)],
    position: Option<&str>,
) -> Answer {
    let values = keys.iter().map(|(key, days)| {
        let days = days.iter().map(|[used, remaining]| format!("[{used},{remaining}]"));
        format!("{}:{}", quoted(key), array(days))
    });
    let values: Vec<String> = values.collect();
    let mut text = format!(
        "{{\"usagePlanId\":{},\"startDate\":\"{from}\",\"endDate\":\"{to}\",\"values\":{{{}}}",
        quoted(&plan.id),
        values.join(",")
    );
    if let Some(position) = position {
        push(&mut text, format_args!(",\"position\":{}", quoted(position)));
    }
    text.push('}');
    json(Status::OK, text)
}

/// Something is in force and not durable, or cannot be done now.
#[must_use]
pub fn unavailable(sentence: &str) -> Answer {
    failed(Status::SERVICE_UNAVAILABLE, "ServiceUnavailableException", sentence)
}

/// The items of a page, and the place where the next begins.
#[must_use]
pub fn cut<'a, T: 'a>(
    items: impl Iterator<Item = &'a T>,
    page: &Page,
    id: impl Fn(&'a T) -> &'a str,
) -> (Vec<&'a T>, Option<&'a str>) {
    let position = page.position.as_deref();
    let mut behind = items.filter(|item| position.is_none_or(|position| id(item) > position));
    let found: Vec<&T> = behind.by_ref().take(page.limit).collect();
    let has_more = behind.next().is_some();
    let next = if has_more { found.last().map(|item| id(item)) } else { None };
    (found, next)
}

fn list<'a, T: 'a>(
    items: impl Iterator<Item = &'a T>,
    page: &Page,
    id: impl Fn(&'a T) -> &'a String,
    text: impl Fn(&T) -> String,
) -> Answer {
    let (found, next) = cut(items, page, |item| id(item).as_str());
    let mut out = format!("{{\"item\":{}", array(found.into_iter().map(text)));
    if let Some(next) = next {
        push(&mut out, format_args!(",\"position\":{}", quoted(next)));
    }
    out.push('}');
    json(Status::OK, out)
}

/// Never with the value: the gateway does not know it.
fn key_text(plans: &UsagePlans, key: &ApiKey, is_enabled: IsEnabled<'_>) -> String {
    let ApiKey { id, name, description, enabled, subject: Subject(_) } = key;
    let mut text = format!("{{\"id\":{},\"name\":{}", quoted(id), quoted(name));
    if let Some(description) = description {
        push(&mut text, format_args!(",\"description\":{}", quoted(description)));
    }
    let mut stages: Vec<String> = Vec::new();
    for plan in plans.plans().iter().filter(|plan| plan.has(id)) {
        stages.extend(plan.stages.iter().map(|(api, stage)| quoted(&format!("{api}/{stage}"))));
    }
    let now = is_enabled(key);
    push(
        &mut text,
        format_args!(
            ",\"enabled\":{now},\"enabledInFile\":{enabled},\"stageKeys\":{}}}",
            array(stages.into_iter())
        ),
    );
    text
}

fn plan_key_text(key: &ApiKey) -> String {
    let (id, name) = (quoted(&key.id), quoted(&key.name));
    format!("{{\"id\":{id},\"type\":\"API_KEY\",\"name\":{name}}}")
}

fn plan_text(plan: &UsagePlan) -> String {
    let stages = plan
        .stages
        .iter()
        .map(|(api, stage)| format!("{{\"apiId\":{},\"stage\":{}}}", quoted(api), quoted(stage)));
    let mut text = format!(
        "{{\"id\":{},\"name\":{},\"apiStages\":{}",
        quoted(&plan.id),
        quoted(&plan.name),
        array(stages)
    );
    if let Some((rate, burst)) = plan.throttle {
        let throttle =
            format_args!(",\"throttle\":{{\"rateLimit\":{rate},\"burstLimit\":{burst}}}");
        push(&mut text, throttle);
    }
    if let Some((_, terms)) = &plan.quota {
        let period = match terms.period {
            Period::Day => "DAY",
            Period::Week => "WEEK",
            Period::Month => "MONTH",
        };
        let (limit, offset) = (terms.limit, terms.offset);
        let quota = format_args!(
            ",\"quota\":{{\"limit\":{limit},\"offset\":{offset},\"period\":\"{period}\"}}"
        );
        push(&mut text, quota);
    }
    text.push('}');
    text
}

fn push(text: &mut String, more: std::fmt::Arguments<'_>) {
    text.write_fmt(more).expect("a String takes everything");
}
