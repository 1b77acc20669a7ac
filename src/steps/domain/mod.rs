//! Custom domain names (`api-gateway.md` 1.6, 1.7): which domain a host belongs to, and which stage
//! of which API answers a request to it, by routing rules and API mappings.
//!
//! A host is found as it is sent, without its port: in any case, with or without the dot of the
//! root at its end. An exact name wins over a wildcard, which covers exactly one label.
//! A domain's rules are asked first, by priority, then its mappings; what the domain's routing mode
//! leaves out is not in it. Nothing is allocated per request.
//!
//! Not here: certificates, and which API answers on a host that is no custom domain (the plan's).

mod explain;
mod glob;
mod hosts;
mod ids;
mod key;
mod mapping;
mod name;
mod rule;
mod table;

pub use explain::{RuleCandidate, RuleVerdict};
pub use glob::{HeaderName, MatchHeader, ValueGlob};
pub use ids::ApiIds;
pub use key::ApiMappingKey;
pub use mapping::ApiMapping;
pub use name::DomainName;
pub use rule::{BasePathFate, RoutingRule};

use self::{hosts::Hosts, mapping::ApiMappings};
use crate::{
    base::limits::ROUTING_RULE_PRIORITY_MAX,
    http::Fields,
    steps::{
        context::CustomDomain,
        reject::{Catalogue, Client, Reject},
    },
};

/// A domain's position in the document's list of domain names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomainId(pub u32);

/// A stage of an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The API's position in the plan's list.
    pub api: usize,
    /// The stage's position in the API's list.
    pub stage: usize,
}

/// What a domain asks to find a request's destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RoutingMode {
    /// Its mappings.
    #[default]
    ApiMappingOnly,
    /// Its rules.
    RoutingRuleOnly,
    /// Its rules, and its mappings when no rule matches.
    RoutingRuleThenApiMapping,
}

/// A domain as a document describes it.
#[derive(Clone, Debug)]
pub struct DomainDraft {
    /// The name.
    pub name: DomainName,
    /// What is asked.
    pub routing_mode: RoutingMode,
    /// The mappings, in any order.
    pub api_mappings: Vec<ApiMapping>,
    /// The rules, in any order.
    pub routing_rules: Vec<RoutingRule>,
    /// In whose words a request is refused that goes nowhere.
    pub catalogue: Catalogue,
}

/// A domain, compiled.
#[derive(Clone, Debug)]
pub struct Domain {
    routing_mode: RoutingMode,
    /// By ascending priority.
    rules: Vec<RoutingRule>,
    mappings: ApiMappings,
    catalogue: Catalogue,
}

/// The custom domains, to be found by host.
#[derive(Clone, Debug, Default)]
pub struct Domains {
    names: Vec<DomainName>,
    hosts: Hosts,
    domains: Vec<Domain>,
}

/// Where a request to a domain goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped<'d, 'p> {
    /// The stage that answers.
    pub destination: Destination,
    /// What the stage's routes see of the path.
    pub path: &'p [u8],
    /// What matched.
    pub matched: CustomDomain<'d>,
}

impl Domains {
    /// Compiles the domains of a document; [`DomainId`] counts in its order.
    ///
    /// # Errors
    /// One sentence for each name, key, priority or rule id that stands twice, and for what is over
    /// AWS's bounds of a rule.
    pub fn compile(drafts: Vec<DomainDraft>) -> Result<Self, Vec<String>> {
        let names: Vec<_> = drafts.iter().map(|draft| draft.name.clone()).collect();
        let mut problems = Vec::new();
        let hosts = Hosts::compile(&names).unwrap_or_else(|faults| {
            problems.extend(faults);
            Hosts::default()
        });
        let mut domains = Vec::new();
        for (draft, name) in drafts.into_iter().zip(&names) {
            match Domain::compile(draft) {
                Ok(domain) => domains.push(domain),
                Err(faults) => {
                    let place = |fault| format!("domain name {}: {fault}", name.as_str());
                    problems.extend(faults.into_iter().map(place));
                }
            }
        }
        if problems.is_empty() { Ok(Self { names, hosts, domains }) } else { Err(problems) }
    }

    /// The domain that a host (without a port) belongs to. Does not allocate; takes any bytes.
    #[must_use]
    #[inline]
    pub fn find(&self, host: &[u8]) -> Option<DomainId> {
        self.hosts.find(host, &self.names)
    }

    /// The names, in the document's order.
    #[must_use]
    pub fn names(&self) -> &[DomainName] {
        &self.names
    }

    /// The name of a domain that these domains found.
    #[must_use]
    pub fn name(&self, id: DomainId) -> &DomainName {
        &self.names[id.0 as usize]
    }

    /// A domain that these domains found.
    #[must_use]
    pub fn domain(&self, id: DomainId) -> &Domain {
        &self.domains[id.0 as usize]
    }

    /// Every stage that a domain sends requests to; one may come again.
    pub fn destinations(&self) -> impl Iterator<Item = Destination> {
        self.domains.iter().flat_map(|domain| {
            let rules = domain.rules.iter().map(|rule| rule.destination);
            rules.chain(domain.mappings.list().iter().map(|mapping| mapping.destination))
        })
    }
}

impl Domain {
    fn compile(draft: DomainDraft) -> Result<Self, Vec<String>> {
        let DomainDraft { routing_mode, api_mappings, routing_rules, catalogue, .. } = draft;
        let mut problems = Vec::new();
        let mut rules = routing_rules;
        rules.sort_by_key(|rule| rule.priority);
        check_rules(&rules, &mut problems);
        for rule in &mut rules {
            rule.base_paths.sort_by_key(|base| std::cmp::Reverse(base.as_str().len()));
        }
        let mappings = match routing_mode {
            RoutingMode::RoutingRuleOnly => ApiMappings::compile(Vec::new()),
            RoutingMode::ApiMappingOnly | RoutingMode::RoutingRuleThenApiMapping => {
                ApiMappings::compile(api_mappings)
            }
        };
        if routing_mode == RoutingMode::ApiMappingOnly {
            rules.clear();
        }
        match mappings {
            Ok(mappings) if problems.is_empty() => {
                Ok(Self { routing_mode, rules, mappings, catalogue })
            }
            mappings => {
                problems.extend(mappings.err().unwrap_or_default());
                Err(problems)
            }
        }
    }

    /// Where a request goes; `path` is as sent, starting with `/`.
    ///
    /// # Errors
    /// [`Client::NoMapping`] when no rule and no mapping matches.
    #[inline]
    pub fn map<'d, 'p>(
        &'d self,
        path: &'p [u8],
        fields: Fields<'_>,
    ) -> Result<Mapped<'d, 'p>, Reject> {
        if let Some(mapped) = self.rules.iter().find_map(|rule| rule.map(path, fields)) {
            return Ok(mapped);
        }
        let found = self.find_mapping(path);
        let (mapping, path) = found.ok_or(Reject::Client(Client::NoMapping(self.catalogue)))?;
        let matched = CustomDomain { base_path: mapping.key.as_str(), routing_rule_id: "" };
        Ok(Mapped { destination: mapping.destination, path, matched })
    }

    /// The mapping with the longest key that the path begins with, and what its stage sees of the
    /// path.
    #[must_use]
    #[inline]
    pub fn find_mapping<'d, 'p>(&'d self, path: &'p [u8]) -> Option<(&'d ApiMapping, &'p [u8])> {
        self.mappings.find(path)
    }

    /// What is asked.
    #[must_use]
    pub const fn routing_mode(&self) -> RoutingMode {
        self.routing_mode
    }

    /// The mappings that are asked, in the document's order.
    #[must_use]
    pub fn api_mappings(&self) -> &[ApiMapping] {
        self.mappings.list()
    }

    /// The rules that are asked, by ascending priority.
    #[must_use]
    pub fn routing_rules(&self) -> &[RoutingRule] {
        &self.rules
    }
}

/// Whether a path at the root of a domain is reserved for health checks: no mapping and no rule is
/// asked for it.
#[must_use]
#[inline]
pub fn is_ping(path: &[u8]) -> bool {
    matches!(path, b"/ping" | b"/sping")
}

/// Adds what is wrong with rules that are sorted by priority.
fn check_rules(rules: &[RoutingRule], problems: &mut Vec<String>) {
    for (index, rule) in rules.iter().enumerate() {
        let priority = rule.priority;
        if !(1..=ROUTING_RULE_PRIORITY_MAX).contains(&priority) {
            problems.push(format!("rule priority {priority}: a priority is 1 to 1000000"));
        }
        if rules[..index].iter().rev().take(1).any(|before| before.priority == priority) {
            problems.push(format!("two rules have the priority {priority}"));
        }
        if rules[..index].iter().any(|before| before.id == rule.id) {
            problems.push(format!("two rules have the id {}", rule.id));
        }
        if rule.headers.len() > 2 {
            problems.push(format!("rule priority {priority}: at most two matchHeaders are taken"));
        }
        if rule.base_paths.iter().any(ApiMappingKey::is_none) {
            problems.push(format!("rule priority {priority}: a base path is empty"));
        }
    }
}

#[cfg(test)]
mod tests;
