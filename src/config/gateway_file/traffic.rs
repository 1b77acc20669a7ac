//! What a schema cannot say of usage plans, throttles and limits: what differs from what, which
//! API and stage they are about, and what of a throttle is missing.
//!
//! Everything is read from the document, so that all problems are told in one round. Not here:
//! keys, which may come from other files (`config::keys`), and whether a route exists
//! (`config::traffic`).

use std::collections::HashMap;

use super::{
    apis::{Apis, did_you_mean},
    domains::shorten_sentence,
    rules::list,
};
use crate::{
    base::{
        Problem, Severity,
        limits::{METHOD_THROTTLES_MAX, PROBLEMS_MAX, USAGE_PLANS_QUOTA},
    },
    config::{
        Problems,
        document::{Entry, Node},
        shorten,
    },
    http::Method,
    ledger::{Period, QuotaTerms},
    steps::route::{RouteKey, RouteMethod},
};

/// Adds every problem of the throttles, usage plans and limits of the file under `root`.
pub(super) fn check(root: Node<'_>, problems: &mut Problems) {
    let apis = Apis::read(root);
    let mut check = Check { apis: &apis, stages: &apis.stages(), problems };
    for api in list(root, "apis") {
        for stage in list(api, "stages") {
            check.stage(api, stage);
        }
    }
    check.usage_plans(&list(root, "usagePlans"));
    check.ip_rules(&list(root, "ipRules"));
    if let Some(throttling) = root.find("throttling") {
        check.throttling(throttling);
    }
}

/// The route that a usage plan names: `/pets/{id}/GET` as AWS does, or `GET /pets/{id}`.
///
/// # Errors
/// One sentence that says what is wrong with it.
pub(in crate::config) fn route_key(text: &str) -> Result<RouteKey, String> {
    if !text.starts_with('/') {
        return RouteKey::parse(text);
    }
    let (path, verb) = text.rsplit_once('/').unwrap_or_default();
    let method = match (verb, Method::parse(verb.as_bytes())) {
        ("ANY", _) => RouteMethod::Any,
        (_, Some(method)) => RouteMethod::Only(method),
        (_, None) => {
            return Err(format!(
                "throttle '{text}': it does not end in a verb; expected a path and a verb such as \
                 /pets/{{id}}/GET, or GET /pets/{{id}}"
            ));
        }
    };
    if path.is_empty() {
        return Err(format!(
            "throttle '{text}': it has no path; for the path / it is written /{text}"
        ));
    }
    RouteKey::at(method, path)
}

struct Check<'c, 'd> {
    apis: &'c Apis<'d>,
    /// Those of all APIs, sorted.
    stages: &'c [&'d str],
    problems: &'c mut Problems,
}

/// The names of a throttle's members.
#[derive(Clone, Copy)]
struct Members {
    rate: &'static str,
    burst: &'static str,
}

const THROTTLE: Members = Members { rate: "rateLimit", burst: "burstLimit" };
const ROUTE_SETTINGS: Members =
    Members { rate: "throttlingRateLimit", burst: "throttlingBurstLimit" };

impl<'d> Check<'_, 'd> {
    fn stage(&mut self, api: Node<'d>, stage: Node<'d>) {
        let label = format!("API {}, stage {}", text(api, "name"), text(stage, "stageName"));
        if let Some(default) = stage.find("defaultRouteSettings") {
            self.bucket(default, &format!("{label}, defaultRouteSettings"), ROUTE_SETTINGS);
        }
        let mut known = HashMap::new();
        for entry in stage.find("routeSettings").into_iter().flat_map(Node::entries) {
            let settings = format!("{label}, routeSettings {}", shorten(entry.key));
            self.bucket(entry.value, &settings, ROUTE_SETTINGS);
            self.route(entry, &label, RouteKey::parse(entry.key), &mut known);
        }
    }

    fn usage_plans(&mut self, plans: &[Node<'d>]) {
        if let [first, ..] = plans
            && plans.len() > USAGE_PLANS_QUOTA
        {
            let message = format!("{} usage plans; AWS takes {USAGE_PLANS_QUOTA}", plans.len());
            self.warning(*first, &message, "nothing to do, unless it shall move to AWS");
        }
        let (mut names, mut ids) = (HashMap::new(), HashMap::new());
        for plan in plans {
            let name = plan.find("name");
            let id = plan.find("id").filter(|id| !id.is_null()).or(name);
            if self.differ("two usage plans have the name", name, &mut names) {
                self.differ("two usage plans have the id", id, &mut ids);
            }
            self.usage_plan(*plan, &format!("usage plan {}", text(*plan, "name")));
        }
    }

    fn usage_plan(&mut self, plan: Node<'d>, label: &str) {
        if let Some(throttle) = plan.find("throttle") {
            self.throttle(throttle, &format!("{label}, throttle"));
        }
        if let Some(quota) = plan.find("quota") {
            self.quota(quota, label);
        }
        let stages = list(plan, "apiStages");
        if stages.is_empty() {
            let message = format!("{label}: it is about no stage, so it lets nobody in");
            self.warning(plan, &message, "give it apiStages: [{api: .., stage: ..}]");
        }
        let mut known = HashMap::new();
        for stage in stages {
            self.destination(stage, label);
            let names = (text(stage, "api"), text(stage, "stage"));
            if let Some(first) = known.insert(names.clone(), stage) {
                let line = first.place().line;
                let message = format!(
                    "{label}: stage {} of API {} is there twice: the first is in line {line}",
                    names.1, names.0
                );
                self.error(stage, &message, "make one of them");
            }
            self.methods(stage, label);
        }
    }

    fn methods(&mut self, stage: Node<'d>, label: &str) {
        let Some(throttles) = stage.find("throttle") else { return };
        let count = throttles.entries().len();
        if count > METHOD_THROTTLES_MAX {
            let message = format!(
                "{label}: {count} throttles in one stage; at most {METHOD_THROTTLES_MAX} are taken"
            );
            self.error(throttles, &message, "remove some; throttle gives all methods one");
        }
        let mut known = HashMap::new();
        for entry in throttles.entries() {
            self.throttle(entry.value, &format!("{label}, throttle {}", shorten(entry.key)));
            self.route(entry, label, route_key(entry.key), &mut known);
        }
    }

    /// A route is named once, whichever way.
    fn route(
        &mut self,
        entry: Entry<'d>,
        label: &str,
        key: Result<RouteKey, String>,
        known: &mut HashMap<RouteKey, &'d str>,
    ) {
        let (message, fix) = match key {
            Err(sentence) => (format!("{label}: {}", shorten_sentence(&sentence)), ""),
            Ok(key) => match known.insert(key, entry.key) {
                Some(first) => {
                    let (first, again) = (shorten(first), shorten(entry.key));
                    (format!("{label}: {again} is the route {first} again"), "keep one of them")
                }
                None => return,
            },
        };
        self.add(Severity::Error, entry.value, Some(entry), &message, fix);
    }

    fn throttle(&mut self, node: Node<'d>, label: &str) {
        let is_there = |key| node.find(key).is_some_and(|found| !found.is_null());
        if node.is_mapping() && !is_there(THROTTLE.rate) && !is_there(THROTTLE.burst) {
            let message = format!("{label}: it has no rateLimit");
            return self.error(node, &message, "write {rateLimit: 100, burstLimit: 200}");
        }
        self.bucket(node, label, THROTTLE);
    }

    /// The members of a token bucket that there may be.
    fn bucket(&mut self, node: Node<'d>, label: &str, members: Members) {
        let find = |key| node.find(key).filter(|found| !found.is_null());
        let (rate, burst) = (find(members.rate), find(members.burst));
        let number = |node: Option<Node<'d>>| node.and_then(Node::as_number);
        let zero = [rate, burst].into_iter().flatten().find(|at| number(Some(*at)) == Some(0.0));
        match (rate, burst, zero) {
            (None, Some(burst), _) => {
                let message = format!(
                    "{label}: {} says how many requests at once, and {} is missing, which says \
                     how many a second",
                    members.burst, members.rate
                );
                self.error(burst, &message, &format!("add {}: 100", members.rate));
            }
            (Some(_), _, Some(zero)) => {
                let message = format!("{label}: with 0 every request is refused");
                self.warning(zero, &message, "leave it so, if that is meant");
            }
            (Some(at), None, None) => {
                let Some(rate) = number(rate) else { return };
                let message = format!(
                    "{label}: without {} it is the rate, rounded up: {}",
                    members.burst,
                    burst_of(rate)
                );
                self.add(Severity::Info, at, None, &message, "");
            }
            (None, None, _) | (Some(_), Some(_), None) => {}
        }
    }

    fn quota(&mut self, quota: Node<'d>, label: &str) {
        let integer = |key| quota.find(key).and_then(Node::as_integer);
        if let (Some(0), Some(at)) = (integer("limit"), quota.find("limit")) {
            let message = format!("{label}, quota: with limit 0 every request is refused");
            self.warning(at, &message, "leave it so, if that is meant");
        }
        let (Some(offset), Some(at)) = (integer("offset"), quota.find("offset")) else { return };
        let period = match quota.find("period").and_then(Node::as_str) {
            Some("DAY") => Period::Day,
            Some("WEEK") => Period::Week,
            Some("MONTH") => Period::Month,
            _ => return,
        };
        let Ok(small) = u32::try_from(offset) else { return };
        let terms = QuotaTerms { limit: u64::MAX, period, offset: small };
        if terms.limit_of(true) < terms.limit {
            let message = format!(
                "{label}, quota: offset {offset} is no day of a period's beginning: it is \
                 subtracted from the limit in the first period"
            );
            self.add(Severity::Info, at, None, &message, "");
        }
    }

    fn ip_rules(&mut self, rules: &[Node<'d>]) {
        let mut names = HashMap::new();
        for rule in rules {
            self.differ("two IP rules have the name", rule.find("name"), &mut names);
            let label = format!("IP rule {}", text(*rule, "name"));
            let is_there = |key| rule.find(key).is_some_and(|found| !found.is_null());
            if !["allow", "allowFile", "deny", "denyFile"].into_iter().any(is_there) {
                let message = format!("{label}: it says neither who may come nor who may not");
                self.error(*rule, &message, "add deny: [192.0.2.0/24], or allow: [10.0.0.0/8]");
            }
            for route in list(*rule, "routes") {
                self.limit_route(route, &label);
            }
        }
    }

    fn throttling(&mut self, throttling: Node<'d>) {
        if let Some(account) = throttling.find("account").filter(|account| !account.is_null()) {
            self.throttle(account, "throttling.account");
        }
        let mut names = HashMap::new();
        for limit in list(throttling, "limits") {
            self.differ("two limits have the name", limit.find("name"), &mut names);
            let label = format!("limit {}", text(limit, "name"));
            self.terms(limit, &label);
            if let Some(key) = limit.find("key") {
                self.key(key, &label);
            }
            for route in list(limit, "routes") {
                self.limit_route(route, &label);
            }
        }
    }

    /// A limit counts requests by time, or those under way.
    fn terms(&mut self, limit: Node<'d>, label: &str) {
        let find = |key| limit.find(key).filter(|found| !found.is_null());
        let (rate, burst) = (find(THROTTLE.rate), find(THROTTLE.burst));
        match find("concurrentRequests") {
            Some(at) if rate.or(burst).is_some() => {
                let message = format!("{label}: concurrentRequests stands beside a rate or burst");
                self.error(at, &message, "make two limits of it");
            }
            Some(at) if at.as_integer() == Some(0) => {
                let message = format!("{label}: with 0 every request is refused");
                self.warning(at, &message, "leave it so, if that is meant");
            }
            Some(_) => {}
            None if rate.or(burst).is_none() => {
                let message = format!("{label}: it says nothing of how many requests");
                self.error(limit, &message, "add rateLimit: 5, or concurrentRequests: 50");
            }
            None => self.bucket(limit, label, THROTTLE),
        }
    }

    fn key(&mut self, key: Node<'d>, label: &str) {
        let kind = key.find("type").and_then(Node::as_str).unwrap_or_default();
        let homes: [(&str, &[&str]); 3] = [
            ("name", &["HEADER", "CLAIM"]),
            ("ipv4PrefixLength", &["ADDRESS"]),
            ("ipv6PrefixLength", &["ADDRESS"]),
        ];
        for (member, kinds) in homes {
            let is_known = ["ALL", "ADDRESS", "HEADER", "CLAIM"].contains(&kind);
            let found = key.find(member).filter(|found| !found.is_null());
            if let Some(at) = found.filter(|_| is_known && !kinds.contains(&kind)) {
                let message = format!("{label}: {member} means nothing to a key of type {kind}");
                self.error(at, &message, &format!("remove it; it is for {}", kinds.join(" and ")));
            }
        }
        let (what, example) = match kind {
            "HEADER" => ("header field", "x-tenant"),
            "CLAIM" => ("claim", "sub"),
            _ => return,
        };
        match key.find("name").and_then(Node::as_str) {
            None if key.find("name").is_none_or(Node::is_null) => {
                let message = format!("{label}: its key does not say which {what}");
                self.error(key, &message, &format!("add name: {example}"));
            }
            Some(name) if kind == "HEADER" && !is_token(name) => {
                let message = format!("{label}: {:?} is no name of a header field", shorten(name));
                self.error(key, &message, "write a name such as x-tenant");
            }
            _ => {}
        }
    }

    fn limit_route(&mut self, route: Node<'d>, label: &str) {
        self.destination(route, label);
        let key = route.find("routeKey").filter(|key| !key.is_null());
        if let Some(at) = key
            && let Some(Err(sentence)) = at.as_str().map(RouteKey::parse)
        {
            self.error(at, &format!("{label}: {}", shorten_sentence(&sentence)), "");
        }
        if route.is_mapping() && route.entries().len() == 0 {
            let message =
                format!("{label}: a route without api, stage and routeKey is every route");
            self.add(Severity::Info, route, None, &message, "");
        }
    }

    /// The API and the stage that a node names, as far as it does.
    fn destination(&mut self, node: Node<'d>, label: &str) {
        let stage = node.find("stage").and_then(|at| Some((at, at.as_str()?)));
        let Some((at, name)) = node.find("api").and_then(|at| Some((at, at.as_str()?))) else {
            let Some((at, name)) = stage else { return };
            if self.stages.binary_search(&name).is_err() {
                let message = format!("{label}: no API has a stage {}", shorten(name));
                self.unknown(at, &message, name, self.stages, "the stages are");
            }
            return;
        };
        let Some(api) = self.apis.find(name) else {
            let message = format!("{label}: there is no API {}", shorten(name));
            let known: Vec<&str> = self.apis.names().take(1_000).collect();
            return self.unknown(at, &message, name, &known, "the APIs are");
        };
        let Some((at, stage)) = stage.filter(|(_, stage)| !api.stages.contains(stage)) else {
            return;
        };
        let message = format!("{label}: API {} has no stage {}", shorten(name), shorten(stage));
        self.unknown(at, &message, stage, &api.stages, "its stages are");
    }

    /// Whether the text is a new one; told when it is not.
    fn differ(
        &mut self,
        what: &str,
        node: Option<Node<'d>>,
        known: &mut HashMap<&'d str, Node<'d>>,
    ) -> bool {
        let Some((node, text)) = node.and_then(|node| Some((node, node.as_str()?))) else {
            return true;
        };
        let Some(first) = known.insert(text, node) else { return true };
        let line = first.place().line;
        let message = format!("{what} {}: the first is in line {line}", shorten(text));
        self.error(node, &message, "change one of them");
        false
    }

    fn unknown(&mut self, at: Node<'d>, message: &str, text: &str, known: &[&str], are: &str) {
        let is_told = self.problems.errors() < PROBLEMS_MAX;
        let fix = if is_told { did_you_mean(text, known, are) } else { String::new() };
        self.error(at, message, &fix);
    }

    fn error(&mut self, at: Node<'d>, message: &str, fix: &str) {
        self.add(Severity::Error, at, None, message, fix);
    }

    fn warning(&mut self, at: Node<'d>, message: &str, fix: &str) {
        self.add(Severity::Warning, at, None, message, fix);
    }

    /// At the node, or at the key of `entry`. The place is looked up while the list takes problems:
    /// in a hostile document it costs.
    fn add(
        &mut self,
        severity: Severity,
        at: Node<'d>,
        entry: Option<Entry<'d>>,
        message: &str,
        fix: &str,
    ) {
        let is_kept = self.problems.count(severity) < PROBLEMS_MAX;
        let place = is_kept.then(|| entry.map_or_else(|| at.place(), |entry| entry.key_place()));
        let (message, fix) = (message.to_owned(), fix.to_owned());
        self.problems.push(Problem { severity, place, message, fix });
    }
}

/// The burst of a throttle that says its rate only: the rate rounded up, at least 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bounded to what AWS takes for a burst"
)]
pub(in crate::config) fn burst_of(rate: f64) -> u32 {
    rate.ceil().clamp(1.0, f64::from(i32::MAX)) as u32
}

fn text(node: Node<'_>, key: &str) -> String {
    shorten(node.find(key).and_then(Node::as_str).unwrap_or_default())
}

/// RFC 9110 5.6.2.
pub(in crate::config) fn is_token(name: &str) -> bool {
    let is_mark = |byte: u8| b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || is_mark(byte))
}

#[cfg(test)]
mod tests;
