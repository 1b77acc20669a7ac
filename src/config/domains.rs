//! The gateway file's domain names as drafts of the plan: names of APIs and stages become places.
//!
//! The file was checked (`gateway_file`): what does not fit here is told without a place.

use std::collections::{HashMap, HashSet};

use super::{Problems, gateway_file::raw};
use crate::steps::{
    domain::{
        ApiMapping, ApiMappingKey, BasePathFate, Destination, DomainDraft, DomainName, MatchHeader,
        RoutingMode, RoutingRule,
    },
    reject::Catalogue,
    stage,
};

/// The domains of a file whose every API becomes a draft, in the file's order.
pub(super) fn compile(file: &raw::GatewayFile, problems: &mut Problems) -> Vec<DomainDraft> {
    let apis = file.apis.iter().enumerate().map(|(place, api)| (api.name.as_str(), (place, api)));
    let compiling = Compiling { apis: apis.collect() };
    let drafts = file.domain_names.iter().map(|domain| {
        let told = |fault| format!("domain name {}: {fault}", domain.domain_name);
        compiling.domain(domain).map_err(|fault| problems.error_nowhere(told(fault), ""))
    });
    drafts.filter_map(Result::ok).collect()
}

/// The names of all APIs that a domain name leads to.
pub(super) fn apis_led_to(file: &raw::GatewayFile) -> HashSet<&str> {
    let domains = file.domain_names.iter();
    domains.flat_map(leads_to).collect()
}

/// The names of the APIs that a domain with mutual TLS leads to, each with one such domain.
pub(super) fn apis_guarded(file: &raw::GatewayFile) -> HashMap<&str, &str> {
    let asks = |domain: &&raw::DomainName| domain.mutual_tls_authentication.is_some();
    let domains = file.domain_names.iter().filter(asks);
    domains
        .flat_map(|domain| leads_to(domain).map(|api| (api, domain.domain_name.as_str())))
        .collect()
}

/// The names of the APIs that a domain leads to, by what its routing mode asks.
fn leads_to(domain: &raw::DomainName) -> impl Iterator<Item = &str> {
    let (asks_mappings, asks_rules) = match domain.routing_mode {
        raw::RoutingMode::ApiMappingOnly => (true, false),
        raw::RoutingMode::RoutingRuleOnly => (false, true),
        raw::RoutingMode::RoutingRuleThenApiMapping => (true, true),
    };
    let mappings = domain.api_mappings.iter().filter(move |_| asks_mappings);
    let rules = domain.routing_rules.iter().filter(move |_| asks_rules);
    let rules = rules.map(|rule| rule.action.api.as_str());
    mappings.map(|mapping| mapping.api.as_str()).chain(rules)
}

/// In whose words an API refuses.
pub(super) const fn catalogue(protocol: raw::Protocol) -> Catalogue {
    match protocol {
        raw::Protocol::Rest => Catalogue::RestApi,
        raw::Protocol::Http | raw::Protocol::WebSocket => Catalogue::HttpApi,
    }
}

struct Compiling<'f> {
    apis: HashMap<&'f str, (usize, &'f raw::Api)>,
}

impl Compiling<'_> {
    fn domain(&self, domain: &raw::DomainName) -> Result<DomainDraft, String> {
        let mappings = domain.api_mappings.iter().map(|mapping| self.mapping(mapping));
        let rules = domain.routing_rules.iter().map(|rule| self.rule(rule));
        let is_rest = |name: &str| {
            let api = self.apis.get(name);
            api.is_some_and(|(_, api)| catalogue(api.protocol) == Catalogue::RestApi)
        };
        Ok(DomainDraft {
            name: DomainName::parse(&domain.domain_name)?,
            routing_mode: match domain.routing_mode {
                raw::RoutingMode::ApiMappingOnly => RoutingMode::ApiMappingOnly,
                raw::RoutingMode::RoutingRuleOnly => RoutingMode::RoutingRuleOnly,
                raw::RoutingMode::RoutingRuleThenApiMapping => {
                    RoutingMode::RoutingRuleThenApiMapping
                }
            },
            api_mappings: mappings.collect::<Result<_, _>>()?,
            routing_rules: rules.collect::<Result<_, _>>()?,
            catalogue: match leads_to(domain).any(is_rest) {
                true => Catalogue::RestApi,
                false => Catalogue::HttpApi,
            },
        })
    }

    fn mapping(&self, mapping: &raw::ApiMapping) -> Result<ApiMapping, String> {
        let key = mapping.api_mapping_key.as_deref().unwrap_or_default();
        let destination = self.destination(&mapping.api, &mapping.stage)?;
        Ok(ApiMapping { key: ApiMappingKey::parse(key)?, destination })
    }

    fn rule(&self, rule: &raw::RoutingRule) -> Result<RoutingRule, String> {
        let any_of = |headers: &raw::MatchHeaders| {
            let headers = headers.any_of.iter();
            headers.map(|one| MatchHeader::parse(&one.header, &one.value_glob)).collect()
        };
        let headers = rule.conditions.match_headers.iter().map(any_of);
        let paths = rule.conditions.match_base_paths.iter().flat_map(|paths| &paths.any_of);
        Ok(RoutingRule {
            priority: rule.priority,
            id: rule.routing_rule_id.clone().unwrap_or_else(|| rule.priority.to_string()),
            headers: headers.collect::<Result<_, String>>()?,
            base_paths: paths.map(|path| ApiMappingKey::parse(path)).collect::<Result<_, _>>()?,
            destination: self.destination(&rule.action.api, &rule.action.stage)?,
            base_path: match rule.action.strip_base_path {
                true => BasePathFate::Stripped,
                false => BasePathFate::Kept,
            },
        })
    }

    fn destination(&self, api: &str, stage: &str) -> Result<Destination, String> {
        let found = self.apis.get(api).and_then(|(place, api)| {
            let stages = api.stages.iter().map(|stage| stage.stage_name.as_str());
            let mut stages = stages.chain(api.stages.is_empty().then_some(stage::DEFAULT));
            Some(Destination { api: *place, stage: stages.position(|name| name == stage)? })
        });
        found.ok_or_else(|| format!("there is no stage {stage} of an API {api}"))
    }
}
