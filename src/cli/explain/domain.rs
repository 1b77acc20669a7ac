//! What a custom domain decides about a request: its name, its rules, its mapping.

use std::fmt::Write;

use super::story::text;
use crate::{
    http::RequestHead,
    plan::Plan,
    steps::domain::{
        ApiMapping, Destination, Domain, DomainId, RoutingMode, RuleCandidate, RuleVerdict, is_ping,
    },
};

/// Mappings that are told when none matches; more are counted.
const MAPPINGS_TOLD_MAX: usize = 20;

/// Tells the domain of the request's host, and what of it matches.
pub(super) fn tell(plan: &Plan, id: DomainId, head: &RequestHead, out: &mut String) {
    let (name, domain) = (plan.domains().name(id), plan.domains().domain(id));
    let host = text(head.authority().host);
    let why = match name.is_wildcard() {
        true => format!("it covers the host {host}, and no exact name does"),
        false => format!("it is the host {host}"),
    };
    let _ = writeln!(out, "Domain {}: {why}", name.as_str());
    let path = head.target().path;
    if is_ping(path) {
        return;
    }
    tell_rules(plan, domain, head, out);
    let is_decided = domain.rule_candidates(path, head.fields()).iter().any(is_chosen);
    if !is_decided && domain.routing_mode() != RoutingMode::RoutingRuleOnly {
        tell_mapping(plan, domain, head, out);
    }
}

fn is_chosen(candidate: &RuleCandidate<'_>) -> bool {
    candidate.verdict == RuleVerdict::Chosen
}

fn tell_rules(plan: &Plan, domain: &Domain, head: &RequestHead, out: &mut String) {
    for candidate in domain.rule_candidates(head.target().path, head.fields()) {
        let (rule, verdict) = (candidate.rule, candidate.verdict);
        let id = match rule.id == rule.priority.to_string() {
            true => String::new(),
            false => format!(" ({})", rule.id),
        };
        let leads = leads_to(plan, rule.destination);
        let _ = writeln!(out, "Rule   {}{id}: {verdict}", rule.priority);
        let _ = writeln!(out, "       {rule} -> {leads}");
    }
}

fn tell_mapping(plan: &Plan, domain: &Domain, head: &RequestHead, out: &mut String) {
    let found = domain.find_mapping(head.target().path);
    if let Some((mapping, _)) = found {
        let (key, leads) = (key(mapping), leads_to(plan, mapping.destination));
        let why = match mapping.key.is_none() {
            true => "no other key is the path's beginning",
            false => "it is the longest mapping key that the path begins with",
        };
        let _ = writeln!(out, "Key    {key} -> {leads}: {why}");
        return;
    }
    let all = domain.api_mappings();
    let keys: Vec<&str> = all.iter().take(MAPPINGS_TOLD_MAX).map(key).collect();
    let more = if all.len() > keys.len() { ", .." } else { "" };
    let _ = writeln!(out, "Key    none: the path begins with none of {}{more}", keys.join(", "));
}

fn key(mapping: &ApiMapping) -> &str {
    if mapping.key.is_none() { "(none)" } else { mapping.key.as_str() }
}

fn leads_to(plan: &Plan, destination: Destination) -> String {
    let api = &plan.apis()[destination.api];
    format!("{}, stage {}", api.name, api.stages[destination.stage].name.as_str())
}
